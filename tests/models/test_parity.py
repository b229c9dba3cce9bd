"""Each network is its authors': same tensors, same count, same logits for the same weights."""

import numpy as np
import pytest
import torch

from seglab.models import create_model, get_module, get_reference

# Parameters of the original, from the table that came with the reference outputs.
ORIGINALS = {
    "hrnetv2_w48": 65_859_379,
    "hrnetv2_w18": 9_641_119,
    "hrnetv2_w18_small_v2": 3_939_579,
    "hrnetv2_w18_small_v1": 1_540_819,
    "minihrnet_a3": 9_545_035,
    "erfnet": 2_066_642,
    "segsmall": 867_266,
    "miniunet": 12_425_028,
}
UNUSED = {"segsmall": {"encoder.output_conv.weight", "encoder.output_conv.bias"}}


@pytest.mark.parametrize("name", ORIGINALS)
def test_is_the_original(name, original_state, original_logits):
    reference = get_reference(name)
    original_key = get_module(name).original_key
    with torch.device("meta"):  # every weight is replaced below
        model = create_model(name, reference.num_classes).eval()
    original = original_state(name)
    names = {key: original_key(key) for key in model.state_dict()}

    assert len(set(names.values())) == len(names)
    assert set(original) - set(names.values()) == UNUSED.get(name, set())
    # Strict: names and shapes.
    model.load_state_dict({key: original[names[key]] for key in names}, assign=True)

    trainable = [key for key in original if not key.endswith(("running_mean", "running_var", "tracked"))]
    assert sum(original[key].numel() for key in trainable) == ORIGINALS[name] == reference.parameters
    ours = sum(parameter.numel() for parameter in model.parameters())
    assert ours == ORIGINALS[name] - sum(original[key].numel() for key in UNUSED.get(name, ()))

    generator = np.random.default_rng(20261121)
    image = torch.from_numpy(generator.standard_normal((1, 3, 64, 128)).astype(np.float32))
    logits, step, largest, total = original_logits(name)
    with torch.no_grad():
        answer = model.forward_native(image) if step == 1 else model(image)
    answer = answer.numpy()
    assert answer[:, :, ::step, ::step].shape == logits.shape
    assert np.abs(answer[:, :, ::step, ::step] - logits).max() <= 1e-4 * largest
    # The pixels that are not stored: their sum is off by less than if each were off by the same bound.
    assert abs(answer.sum(dtype=np.float64) - total) <= 1e-4 * largest * answer.size
    assert np.abs(answer).max() == pytest.approx(largest, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("minihrnet_a1", {}, 17_156_851),
        ("minihrnet_a2", {}, 22_608_595),
        ("minihrnet_a3", {"norm": "batch"}, 9_582_091),
        ("minihrnet_a3", {"repetitions": 0}, 5_183_971),
        ("minihrnet_a3", {"repetitions": 2}, 13_906_099),
        ("minihrnet_a3", {"widths": [48, 60, 72]}, 5_808_391),
        ("hrnetv2_w48", {"units": (1, 2, 2)}, 42_317_107),
        ("minihrnet_a1", {"units": (1, 1)}, 5_655_571),
    ],
)
def test_variants_have_the_counted_parameters(name, options, parameters):
    with torch.device("meta"):
        model = create_model(name, 19, **options)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


def test_basic_block_is_hrnets():
    """One branch of the triple block: two thirds of each block's weights are gone, the rest is the same."""
    with torch.device("meta"):
        triple, basic = (create_model("minihrnet_a3", 19, block=block) for block in ("dilated", "basic"))
    # Two rounds of four streams of four blocks, each with two more branches of two 3x3 convolutions.
    saved = sum(2 * 4 * 2 * 2 * 9 * width**2 for width in (48, 60, 72, 84))
    count = [sum(parameter.numel() for parameter in model.parameters()) for model in (triple, basic)]
    assert count[0] - count[1] == saved


def test_segsmall_readme_structure():
    """Its blocks at 1/4 are one instead of five, and no gate is left at 1/8 and in the decoder's blocks."""
    with torch.device("meta"):
        released, readme = (create_model("segsmall", 19, structure=one) for one in ("released", "readme"))

    def block(width: int) -> int:
        return 4 * (9 * width + width**2 + 2 * width) + 2 * 2 * width  # four separable, two more norms

    def gate(width: int) -> int:
        return 2 * width * (width // 16)

    saved = 4 * (block(64) + gate(64)) + 8 * gate(128) + 2 * gate(64) + 2 * gate(16)
    count = [sum(parameter.numel() for parameter in model.parameters()) for model in (released, readme)]
    assert count[0] - count[1] == saved
