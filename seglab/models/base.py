"""What every network of the study has in common: the contract, its checks, and its pedigree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor, nn

from seglab.config import IMAGENET_MEAN, IMAGENET_STD
from seglab.errors import ConfigError, DataError
from seglab.models.layers import upsample

MIN_SIZE = 32  # below it the deepest feature map of these networks has no pixel left


@dataclass(frozen=True)
class Reference:
    """Where a network comes from and what its authors state about it.

    Args:
        paper: Authors, title, place and year.
        link: Address of the paper or of the authors' code.
        parameters: Parameters of the original network with `num_classes` classes.
        macs: Multiply-adds of its convolutions at `macs_input_size`; a paper's other unit is converted.
        macs_input_size: Height and width in pixels.
        gap: In words, why our network or our numbers differ, or that they do not.
        reconstructed: Whether the source names the network alone, so that configuration and numbers are ours.
        num_classes: Number of classes that `parameters` and `macs` are stated for.
        scores: Published scores, the key saying which score on which split, in [0, 1].
        mean: Mean of RGB in [0, 1] that the network's inputs are normalised with.
        std: Standard deviation of the same.
    """

    paper: str
    link: str
    parameters: int
    macs: float
    macs_input_size: tuple[int, int]
    gap: str
    reconstructed: bool = False
    num_classes: int = 19
    scores: Mapping[str, float] = field(default_factory=dict)
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


class SegmentationModel(nn.Module):
    """A network that answers every image with one logit per class and pixel.

    A subclass implements `native_logits`, and `native_logits_with_aux` if it has auxiliary heads; checking,
    padding and upsampling are done here, the same for all.

    The image is padded on the right and at the bottom to a multiple of `stride`, and what belongs to the
    padding is cut off the answer. The border pixels are repeated: zeros would be a dark edge that no
    street has and would shift the statistics of instance normalisation, and reflection is not defined
    where the padding is as wide as the image (32 pixels and a stride of 64).

    Attributes:
        stride: Height and width inside the network are multiples of it.
        native_stride: The network's own answer is smaller than the image by this factor.
        has_aux: Whether `forward_with_aux` answers with auxiliary logits.
    """

    stride: int
    native_stride: int = 1
    has_aux: bool = False

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def native_logits(self, image: Tensor) -> Tensor:
        """Answers an image whose sides are multiples of `stride`.

        Args:
            image: (N, 3, H, W).

        Returns:
            (N, K, H / native_stride, W / native_stride).
        """
        raise NotImplementedError

    def native_logits_with_aux(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As `native_logits`, with the auxiliary logits at whatever stride their heads have."""
        raise NotImplementedError

    def native_aux_logits(self, image: Tensor) -> list[Tensor]:
        """The auxiliary logits alone, at whatever stride their heads have."""
        return self.native_logits_with_aux(image)[1]

    def forward(self, image: Tensor) -> Tensor:
        """Scores every pixel for every class.

        Args:
            image: Float (N, 3, H, W), normalised, H and W at least 32.

        Returns:
            Logits (N, K, H, W).

        Raises:
            DataError: If the image has another shape, is too small or not of a floating type.
        """
        padded = self._pad(image)
        return self._to_image_size(self.native_logits(padded), image, padded)

    def forward_native(self, image: Tensor) -> Tensor:
        """As `forward`, without upsampling: (N, K, ceil(H / native_stride), ceil(W / native_stride))."""
        height, width = (-(-size // self.native_stride) for size in image.shape[-2:])
        return self.native_logits(self._pad(image))[..., :height, :width]

    def forward_with_aux(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """As `forward`, with the logits (N, K, H, W) of each auxiliary head; they are for training only.

        Raises:
            ConfigError: If the network has no auxiliary head.
        """
        self._check_aux()
        padded = self._pad(image)
        logits, aux = self.native_logits_with_aux(padded)
        return self._to_image_size(logits, image, padded), [
            self._to_image_size(one, image, padded) for one in aux
        ]

    def forward_aux(self, image: Tensor) -> list[Tensor]:
        """The auxiliary logits (N, K, H, W) alone, without what only the network's own answer needs.

        Raises:
            ConfigError: If the network has no auxiliary head.
        """
        self._check_aux()
        padded = self._pad(image)
        return [self._to_image_size(one, image, padded) for one in self.native_aux_logits(padded)]

    def _check_aux(self) -> None:
        if not self.has_aux:
            raise ConfigError(f"{type(self).__name__} has no auxiliary head; call the model itself")

    def _pad(self, image: Tensor) -> Tensor:
        if image.ndim != 4 or image.shape[1] != 3:
            raise DataError(f"image has shape {tuple(image.shape)}; allowed is (N, 3, H, W), 3 channels")
        if not image.is_floating_point():
            raise DataError(f"image is {image.dtype}; allowed is a floating type, normalised")
        height, width = image.shape[-2:]
        if height < MIN_SIZE or width < MIN_SIZE:
            raise DataError(f"image is {height}x{width} pixels; allowed is {MIN_SIZE}x{MIN_SIZE} or larger")
        # Padding by nothing is not skipped: a branch on the size would bind an exported network to it.
        return F.pad(image, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")

    def _to_image_size(self, logits: Tensor, image: Tensor, padded: Tensor) -> Tensor:
        if logits.shape[-2:] != padded.shape[-2:]:
            logits = upsample(logits, padded.shape[-2:])
        return logits[..., : image.shape[-2], : image.shape[-1]]


def check_choice(option: str, value: object, allowed: tuple[object, ...]) -> None:
    """Raises ConfigError unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ConfigError(f"{option} is {value!r}; allowed are {', '.join(map(repr, allowed))}")


def check_count(option: str, value: object, minimum: int) -> None:
    """Raises ConfigError unless `value` is an integer of at least `minimum`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ConfigError(f"{option} is {value!r}; allowed are integers from {minimum} up")


def check_counts(option: str, values: object, lengths: tuple[int, ...]) -> None:
    """Raises ConfigError unless `values` is a list or tuple of positive integers, as long as allowed."""
    if not isinstance(values, list | tuple) or len(values) not in lengths:
        allowed = " or ".join(map(str, lengths))
        raise ConfigError(f"{option} is {values!r}; allowed is a list of {allowed} positive integers")
    for index, value in enumerate(values):
        check_count(f"{option}[{index}]", value, minimum=1)
