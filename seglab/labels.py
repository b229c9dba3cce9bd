"""Label spaces: class names, colours and categories, and the way from a file's ids to train ids.

A *train id* is the index of a class in the network's output, `0 .. K-1`; `IGNORE_INDEX` marks pixels
that are neither trained nor scored. A *file id* is the number stored in a mask on disk. The two are
never mixed: a dataset translates at the moment of reading, through one table that knows every legal
file id, and refuses the others. Masks that show colours instead have a table of colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seglab.errors import ConfigError, DataError

IGNORE_INDEX = 255

# What the look-up table answers for a file id that does not belong to the label space. It is no legal
# train id (the largest is 254) only because it needs more than eight bits.
_UNKNOWN = 256


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a data set, in train-id order.

    Args:
        name: Short name, used in results and messages.
        classes: Class names, `K` of them.
        colors: `K` RGB triples in 0..255, the data set's customary ones.
        categories: `K` names of the groups that the classes belong to.
        file_ids: Every legal file id, mapped to its train id or to `IGNORE_INDEX`.
        source: Where names, ids and colours were read.
        file_colors: Every legal RGB triple, mapped alike, where the masks hold colours; else None.
    """

    name: str
    classes: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    categories: tuple[str, ...]
    file_ids: dict[int, int]
    source: str
    file_colors: dict[tuple[int, int, int], int] | None = None

    def __post_init__(self) -> None:
        assert len(self.classes) == len(self.colors) == len(self.categories)

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    @cached_property
    def palette(self) -> np.ndarray:
        """Colours by train id, uint8 (256, 3); every id that is not a class is black."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: self.num_classes] = self.colors
        return palette

    @cached_property
    def _lut(self) -> np.ndarray:
        lut = np.full(256, _UNKNOWN, np.uint16)
        for file_id, train_id in self.file_ids.items():
            lut[file_id] = train_id
        return lut

    def to_train_ids(self, file_ids: np.ndarray, path: object) -> np.ndarray:
        """Translates a mask's file ids to train ids.

        Args:
            file_ids: uint8 (H, W) as stored on disk.
            path: The file they came from, for the error message.

        Returns:
            uint8 (H, W) of train ids and `IGNORE_INDEX`.

        Raises:
            DataError: If an id outside the table occurs.
        """
        if file_ids.dtype != np.uint8:  # -1 would be taken for the last entry of the table
            raise DataError(f"{path}: ids of type {file_ids.dtype}; allowed is uint8")
        mask = self._lut[file_ids]
        if (mask == _UNKNOWN).any():
            unknown = np.unique(file_ids[mask == _UNKNOWN])
            raise DataError(
                f"{path}: ids {_ranges(unknown)} are not ids of {self.name}; "
                f"allowed are {_ranges(sorted(self.file_ids))}"
            )
        return mask.astype(np.uint8)

    def colors_to_train_ids(self, pixels: np.ndarray, path: object) -> np.ndarray:
        """Translates a mask of colours to train ids.

        Args:
            pixels: uint8 (H, W, 3) as stored on disk, in RGB.
            path: The file they came from, for the error message.

        Returns:
            uint8 (H, W) of train ids and `IGNORE_INDEX`.

        Raises:
            DataError: If a colour outside the table occurs.
        """
        codes = _color_codes(pixels)
        table = sorted((int(_color_codes(np.array(color))), id) for color, id in self.file_colors.items())
        known, train_ids = (np.array(column) for column in zip(*table, strict=True))
        index = np.searchsorted(known, codes).clip(max=len(known) - 1)
        if (wrong := known[index] != codes).any():
            unknown = np.unique(pixels[wrong], axis=0).tolist()
            more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
            raise DataError(
                f"{path}: the colours {_colors(unknown[:3])}{more} are not colours of {self.name}; "
                f"allowed are {_colors(self.file_colors)}"
            )
        return train_ids.astype(np.uint8)[index]

    def check_file_ids(self) -> None:
        """Refuses a label space whose masks hold colours.

        Raises:
            ConfigError: If they do.
        """
        if self.file_colors is not None:
            raise ConfigError(
                f"ids: the masks of {self.name} hold colours; allowed are predictions in colours (mask) or "
                "as train ids (index)"
            )

    def to_file_ids(self, mask: np.ndarray) -> np.ndarray:
        """Translates train ids (H, W) back to the file ids that stand for the classes.

        Pixels with `IGNORE_INDEX` become file id 0, which is void wherever train id and file id differ.

        Raises:
            ConfigError: As `check_file_ids`.
        """
        self.check_file_ids()
        inverse = np.zeros(256, np.uint8)
        for file_id, train_id in self.file_ids.items():
            if train_id != IGNORE_INDEX:
                inverse[train_id] = file_id
        return inverse[mask]


def _color_codes(pixels: np.ndarray) -> np.ndarray:
    """RGB triples in the last axis as one number each."""
    return pixels.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _colors(colors) -> str:
    return ", ".join(f"({r}, {g}, {b})" for r, g, b in colors)


def _ranges(ids) -> str:
    """Writes sorted ids compactly: `0..11, 255`."""
    runs: list[list[int]] = []
    for i in map(int, ids):
        if runs and i == runs[-1][1] + 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    return ", ".join(str(a) if a == b else f"{a}..{b}" for a, b in runs)


def _label_space(name, source, rows, void_ids) -> LabelSpace:
    """Builds a label space from rows `(class, file id, colour, category)` in train-id order."""
    file_ids = {file_id: train_id for train_id, (_, file_id, _, _) in enumerate(rows)}
    file_ids |= {file_id: IGNORE_INDEX for file_id in void_ids}
    return LabelSpace(
        name=name,
        classes=tuple(row[0] for row in rows),
        colors=tuple(row[2] for row in rows),
        categories=tuple(row[3] for row in rows),
        file_ids=file_ids,
        source=source,
    )


CITYSCAPES = _label_space(
    "cityscapes",
    "mcordts/cityscapesScripts, helpers/labels.py",
    [
        ("road", 7, (128, 64, 128), "flat"),
        ("sidewalk", 8, (244, 35, 232), "flat"),
        ("building", 11, (70, 70, 70), "construction"),
        ("wall", 12, (102, 102, 156), "construction"),
        ("fence", 13, (190, 153, 153), "construction"),
        ("pole", 17, (153, 153, 153), "object"),
        ("traffic light", 19, (250, 170, 30), "object"),
        ("traffic sign", 20, (220, 220, 0), "object"),
        ("vegetation", 21, (107, 142, 35), "nature"),
        ("terrain", 22, (152, 251, 152), "nature"),
        ("sky", 23, (70, 130, 180), "sky"),
        ("person", 24, (220, 20, 60), "human"),
        ("rider", 25, (255, 0, 0), "human"),
        ("car", 26, (0, 0, 142), "vehicle"),
        ("truck", 27, (0, 0, 70), "vehicle"),
        ("bus", 28, (0, 60, 100), "vehicle"),
        ("train", 31, (0, 80, 100), "vehicle"),
        ("motorcycle", 32, (0, 0, 230), "vehicle"),
        ("bicycle", 33, (119, 11, 32), "vehicle"),
    ],
    void_ids=[0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30],
)

CAMVID11 = _label_space(
    "camvid11",
    "alexgkendall/SegNet-Tutorial, Scripts/test_segmentation_camvid.py",
    [
        ("sky", 0, (128, 128, 128), "sky"),
        ("building", 1, (128, 0, 0), "construction"),
        ("pole", 2, (192, 192, 128), "object"),
        ("road", 3, (128, 64, 128), "flat"),
        ("pavement", 4, (60, 40, 222), "flat"),
        ("tree", 5, (128, 128, 0), "nature"),
        ("sign symbol", 6, (192, 128, 128), "object"),
        ("fence", 7, (64, 64, 128), "construction"),
        ("car", 8, (64, 0, 128), "vehicle"),
        ("pedestrian", 9, (64, 64, 0), "human"),
        ("bicyclist", 10, (0, 128, 192), "human"),
    ],
    void_ids=[11],
)

SOCCER4 = _label_space(
    "soccer4",
    "iswariyam/Mini-semantic-segmentation-network-pytorch, README and model.py; colours are ours",
    [
        ("background", 0, (96, 96, 96), "background"),
        ("ball", 1, (255, 127, 14), "ball"),
        ("lines", 2, (240, 240, 240), "ground"),
        ("field", 3, (44, 140, 60), "ground"),
    ],
    void_ids=[],
)

LABEL_SPACES = {space.name: space for space in (CITYSCAPES, CAMVID11, SOCCER4)}
