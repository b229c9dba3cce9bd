"""What every network of the registry promises, whatever its architecture."""

import io

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim
from torch.utils.flop_counter import FlopCounterMode

from seglab.errors import ConfigError, DataError, SeglabError
from seglab.models import create_model, get_reference, list_models, model_options

SIZES = [(32, 32), (33, 47), (90, 120), (227, 320), (360, 480)]
# The other names are these architectures with other numbers, and slow.
SMALL = ["hrnetv2_w18_small_v1", "minihrnet_a3", "erfnet", "segsmall", "miniunet"]
CLASSES = 5
# The networks with dilated or grouped convolutions.
SPECIAL = {
    "minihrnet_a3": {},
    "erfnet": {},
    "segsmall": {},
    "miniunet": {"encoder": "efficientnet_lite0", "pretrained": False},
}


@pytest.fixture(scope="module", params=SMALL)
def model(request):
    torch.manual_seed(0)
    return create_model(request.param, CLASSES).eval()


def an_image(height: int, width: int, batch: int = 1) -> torch.Tensor:
    """Noise with large structures, as pictures have; the same at every call."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(batch, 3, 6, 8, generator=generator)
    fine = torch.randn(batch, 3, height, width, generator=generator)
    return F.interpolate(coarse, (height, width), mode="bilinear") + 0.2 * fine


def close(answer: torch.Tensor, expected: torch.Tensor, share: float) -> bool:
    return (answer - expected).abs().max().item() <= share * expected.abs().max().item()


def test_registry_is_complete():
    assert list_models() == [
        "hrnetv2_w48",
        "hrnetv2_w18",
        "hrnetv2_w18_small_v2",
        "hrnetv2_w18_small_v1",
        "minihrnet_a1",
        "minihrnet_a2",
        "minihrnet_a3",
        "erfnet",
        "segsmall",
        "miniunet",
    ]


@pytest.mark.parametrize("name", list_models())
def test_logits_have_the_image_size(name):
    with torch.device("meta"):
        model = create_model(name, CLASSES).eval()
        for height, width in SIZES:
            assert model(torch.empty(2, 3, height, width)).shape == (2, CLASSES, height, width)
        native = model.forward_native(torch.empty(2, 3, 33, 47))
        assert native.shape[2:] == {1: (33, 47), 4: (9, 12)}[model.native_stride]


def special_convolutions(model: nn.Module, image: torch.Tensor) -> list[tuple[nn.Conv2d, torch.Size]]:
    """The dilated and the grouped convolutions of a network, one of each kind, with their input's shape."""
    found = {}

    def note(layer, inputs, answer):
        shape = inputs[0].shape
        found.setdefault(
            (layer.kernel_size, layer.stride, layer.dilation, layer.groups, shape), (layer, shape)
        )

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and (layer.groups > 1 or layer.dilation != (1, 1)):
            layer.register_forward_hook(note)
    with torch.no_grad():
        model(image)
    return list(found.values())


@pytest.mark.parametrize("name", SPECIAL)
def test_dilated_and_grouped_convolutions_learn_alike_in_every_format(name):
    """oneDNN has special kernels for them, and not all are right: see `seglab.models.layers.Depthwise`."""
    torch.manual_seed(0)
    layers = special_convolutions(create_model(name, CLASSES, **SPECIAL[name]), an_image(180, 240))
    assert layers
    for layer, shape in layers:
        feature = torch.randn(shape).bfloat16().float()
        layer.weight.data = layer.weight.data.bfloat16().float()
        expected = weight_gradient(layer.float(), feature)
        for layout in (torch.contiguous_format, torch.channels_last):
            found = weight_gradient(layer.bfloat16(), feature.bfloat16().to(memory_format=layout))
            assert close(found.float(), expected, 0.03), (layer, shape, layout)


def weight_gradient(layer: nn.Conv2d, feature: torch.Tensor) -> torch.Tensor:
    answer = layer(feature.requires_grad_())
    generator = torch.Generator().manual_seed(2)
    (gradient,) = torch.autograd.grad(
        answer, layer.weight, torch.randn(answer.shape, generator=generator).bfloat16().to(answer.dtype)
    )
    return gradient


@pytest.mark.parametrize("name", list_models())
def test_reference_explains_every_gap(name):
    reference = get_reference(name)
    assert reference.paper and reference.link.startswith("https://")
    assert all(0 < score < 1 for score in reference.scores.values())
    assert reference.gap  # even "None" is said

    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model = create_model(name, reference.num_classes).eval()
        model(torch.empty(1, 3, *reference.macs_input_size))
    missing = reference.parameters - sum(parameter.numel() for parameter in model.parameters())
    assert missing == 0 or f"{missing:,} parameters fewer" in reference.gap
    assert counter.get_total_flops() / 2 == pytest.approx(reference.macs, rel=2e-3)


@torch.no_grad()
def test_answers_small_and_odd_sizes_with_finite_numbers(model):
    for height, width in SIZES[:3]:
        assert model(an_image(height, width)).isfinite().all()


@torch.no_grad()
def test_pads_with_the_border_and_crops_back(model):
    image = an_image(33, 47)
    padded = F.pad(image, (0, 64 - 47, 0, 64 - 33), mode="replicate")
    if model.stride < 32:
        padded = padded[..., :40, :48]
    assert torch.equal(model(image), model(padded)[..., :33, :47])


@torch.no_grad()
def test_native_logits_upsampled_are_the_logits(model):
    image = an_image(64, 96)
    native = model.forward_native(image)
    if model.native_stride > 1:
        native = F.interpolate(native, scale_factor=model.native_stride, mode="bilinear")
    assert torch.equal(native, model(image))


@torch.no_grad()
def test_eval_is_deterministic_and_independent_of_the_batch(model):
    images = an_image(64, 96, batch=2)
    logits = model(images)
    assert torch.equal(logits, model(images))
    assert close(model(images[1:]), logits[1:], 1e-3)


@pytest.mark.parametrize("name", list_models())
def test_gradients_reach_every_parameter(name):
    torch.manual_seed(0)
    model = create_model(name, CLASSES)
    image = an_image(32, 64, batch=2)
    logits, aux = model.forward_with_aux(image) if model.has_aux else (model(image), [])
    assert all(one.shape == logits.shape for one in aux)
    if model.has_aux:  # alone, they are the same (each pass moves the statistics, but trains on the batch's)
        for alone, one in zip(model.eval().forward_aux(image), model.forward_with_aux(image)[1], strict=True):
            assert torch.equal(alone, one)
        model.train()
    mask = torch.randint(CLASSES, (2, 32, 64), generator=torch.Generator().manual_seed(2))
    sum(F.cross_entropy(one, mask) for one in [logits, *aux]).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
        # Zero is right for a bias in front of a normalisation, which takes it out again, and in SegSmall's
        # gates, whose few hidden units (one, for 16 channels) may all be negative for an image.
        assert parameter.ndim < 4 or parameter.grad.any(), key


@torch.no_grad()
@pytest.mark.parametrize("name", SMALL)
def test_state_round_trip(name):
    first, second = create_model(name, CLASSES).eval(), create_model(name, CLASSES).eval()
    image = an_image(33, 47)
    assert not torch.equal(second(image), first(image))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(second(image), first(image))


@torch.no_grad()
def test_channels_last_gives_the_same(model):
    image = an_image(64, 96)
    expected = model(image)
    model.to(memory_format=torch.channels_last)
    answer = model(image.to(memory_format=torch.channels_last))
    model.to(memory_format=torch.contiguous_format)
    assert close(answer, expected, 1e-3)


@torch.no_grad()
def test_bf16_autocast_gives_nearly_the_same(model):
    """Correlation, not closeness: with random weights, normalisation by the image makes rounding grow."""
    image = an_image(64, 96)
    with torch.autocast("cpu", torch.bfloat16):
        answer = model(image)
    assert answer.shape == (1, CLASSES, 64, 96)
    pair = torch.stack([answer.float().flatten(), model(image).flatten()])
    assert torch.corrcoef(pair)[0, 1] > 0.8


@torch.no_grad()
def test_exports_for_one_size_and_for_multiples_of_the_stride(model):
    odd = an_image(33, 47)
    fixed = torch.export.export(model, (odd,)).module()
    assert close(fixed(odd), model(odd), 1e-5)

    least = 64 // model.stride
    rows, columns = (model.stride * Dim(side, min=least, max=64) for side in ("rows", "columns"))
    dynamic_shapes = {"image": {2: rows, 3: columns}}
    flexible = torch.export.export(model, (an_image(64, 96),), dynamic_shapes=dynamic_shapes).module()
    other = an_image(128, 160)
    assert close(flexible(other), model(other), 1e-5)


BAD_BUILDS = [
    (("minihrnet_a4", 19), {}, r"'minihrnet_a4'.*did you mean minihrnet_a3.*segsmall"),
    (("minihrnet_a3", 19), {"width": 3}, r"'width'.*did you mean widths.*repetitions, block, norm"),
    (("minihrnet_a3", 0), {}, "num_classes is 0; allowed are integers from 1 up"),
    (("minihrnet_a3", 2.5), {}, "num_classes is 2.5"),
    (("minihrnet_a3", 19), {"widths": 48}, "widths is 48"),
    (("minihrnet_a3", 19), {"widths": [48, -1]}, r"widths\[1\] is -1"),
    (("minihrnet_a3", 19), {"repetitions": -1}, "repetitions is -1"),
    (("minihrnet_a3", 19), {"block": "wide"}, "block is 'wide'; allowed are 'dilated', 'basic'"),
    (("minihrnet_a3", 19), {"norm": None}, "norm is None; allowed are 'instance', 'batch', 'group'"),
    (("hrnetv2_w18", 19), {"units": (1, 4)}, r"units is \[1, 4\] with widths .* one number fewer"),
    (("hrnetv2_w18", 19), {"blocks": True}, "blocks is True"),
    (("erfnet", 19), {"aux_head": "yes"}, "aux_head is 'yes'"),
    (("segsmall", 19), {"structure": "paper"}, "structure is 'paper'; allowed are 'released', 'readme'"),
    (("miniunet", 19), {"encoder": "vgg"}, "encoder is 'vgg'; allowed are 'resnet18', 'efficientnet_lite0'"),
    (("miniunet", 19), {"pretrained": 1}, "pretrained is 1"),
]


@pytest.mark.parametrize(("arguments", "options", "message"), BAD_BUILDS)
def test_refuses_to_build(arguments, options, message):
    with pytest.raises(ConfigError, match=message):
        create_model(*arguments, **options)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(1, 4, 64, 64), r"\(1, 4, 64, 64\); allowed is \(N, 3, H, W\)"),
        (torch.zeros(3, 64, 64), r"\(3, 64, 64\)"),
        (torch.zeros(1, 3, 31, 64), "31x64 pixels; allowed is 32x32 or larger"),
        (torch.zeros(1, 3, 64, 16), "64x16"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), "torch.uint8; allowed is a floating type"),
    ],
)
def test_refuses_an_image(model, image, message):
    with pytest.raises(DataError, match=message):
        model(image)


@torch.no_grad()
@pytest.mark.parametrize("widths", [[8], [8, 8, 8, 8, 8]])
def test_padding_may_be_as_wide_as_the_image(widths):
    """With five streams the stride is 64, and a 32x32 image is padded by 32."""
    model = create_model("minihrnet_a3", CLASSES, widths=widths, repetitions=1, block="basic").eval()
    assert model.stride == 4 * 2 ** (len(widths) - 1)
    assert model(an_image(32, 33)).shape == (1, CLASSES, 32, 33)


def test_refuses_aux_where_there_is_none():
    model = create_model("erfnet", CLASSES, aux_head=False)
    with pytest.raises(ConfigError, match="ERFNet has no auxiliary head"):
        model.forward_with_aux(an_image(32, 32))
    assert "aux_head" in model_options("erfnet")


def test_errors_are_for_the_caller():
    assert issubclass(ConfigError, SeglabError) and issubclass(SeglabError, ValueError)
