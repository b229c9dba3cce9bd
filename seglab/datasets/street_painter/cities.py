"""The imaginary cities: each has its own stone, foliage, paving and light, and belongs to one split.

Colours overlap between the classes on purpose, and move from picture to picture: a bus may be as red as a
sign, a facade as grey as the road. What a thing is has to be read from its shape and place.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

_RARE_LEAVES = ((118, 62, 50), (186, 142, 60), (132, 116, 96), (150, 84, 44))
_SOILS = ((150, 136, 108), (122, 112, 98), (136, 132, 124))


@dataclass(frozen=True)
class City:
    """What the streets of one city have in common.

    Args:
        name: Lower-case word, used in folder and file names.
        split: The split that its pictures belong to.
        stones: RGB colours of facades and walls, 0..255.
        leaves: RGB colours of trees and grass.
        paving: RGB colours of road and pavement.
        weather: Chances of `clear`, `golden`, `cloudy` and `misty` weather.
        gains: White balance of its camera, a factor per channel.
        bonnet: Height of the camera car's own bonnet at the lower edge, as a fraction of the picture.
    """

    name: str
    split: str
    stones: tuple[tuple[int, int, int], ...]
    leaves: tuple[tuple[int, int, int], ...]
    paving: tuple[tuple[int, int, int], ...]
    weather: tuple[float, float, float, float]
    gains: tuple[float, float, float]
    bonnet: float

    def stone(self, rng: np.random.Generator) -> np.ndarray:
        """The colour of a facade or wall; now and then one is painted."""
        stone = _vary(rng, self.stones, 14)
        return stone if rng.random() < 0.75 else 0.5 * stone + 0.5 * paint(rng)

    def leaf(self, rng: np.random.Generator) -> np.ndarray:
        """The colour of a tree or hedge, from fresh over dusty to red."""
        leaf = _vary(rng, self.leaves, 12) if rng.random() < 0.88 else _vary(rng, _RARE_LEAVES, 12)
        return faded(leaf, rng.uniform(0.0, 0.5))

    def grass(self, rng: np.random.Generator) -> np.ndarray:
        """The colour of open ground: grass, more or less dry and bare."""
        bare = rng.uniform(0.1, 0.9)
        return (1 - bare) * self.leaf(rng) + bare * _vary(rng, _SOILS, 12)

    def pavement(self, rng: np.random.Generator) -> np.ndarray:
        """The colour of asphalt or slabs."""
        return _vary(rng, self.paving, 12)


def paint(rng: np.random.Generator) -> np.ndarray:
    """A colour (3,) for anything that people paint or wear: vehicles, clothes, doors, awnings, boards."""
    if rng.random() < 0.42:
        grey = rng.choice([38, 62, 110, 165, 215, 235]) + rng.normal(0, 8)
        return np.clip(grey + rng.normal(0, 4, 3), 15, 245)
    hue = rng.choice([0.0, 0.03, 0.09, 0.14, 0.32, 0.45, 0.55, 0.6, 0.64, 0.95]) + rng.normal(0, 0.02)
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 1.0, rng.uniform(0.35, 0.9), rng.uniform(0.35, 0.92)))


def grey(brightness: float) -> np.ndarray:
    """A colour (3,) without hue."""
    return np.full(3, float(brightness))


def faded(colour: np.ndarray, share: float) -> np.ndarray:
    """A colour with a share of its saturation gone."""
    return colour + share * (colour.mean() - colour)


def _vary(rng: np.random.Generator, pool: tuple[tuple[int, int, int], ...], spread: float) -> np.ndarray:
    """One colour of the pool, moved a little in brightness and less in hue."""
    colour = np.array(pool[rng.integers(len(pool))], float)
    return np.clip(colour + rng.normal(0, spread) + rng.normal(0, spread / 4, 3), 10, 245)


CITIES = (
    City(
        "alderholm",
        "train",
        stones=((188, 170, 140), (166, 92, 70), (205, 196, 178), (150, 146, 140), (196, 150, 96)),
        leaves=((78, 104, 46), (96, 122, 52), (58, 86, 44)),
        paving=((108, 108, 110), (124, 120, 114), (96, 98, 102)),
        weather=(0.5, 0.15, 0.25, 0.1),
        gains=(1.0, 1.0, 1.0),
        bonnet=0.07,
    ),
    City(
        "brixmoor",
        "train",
        stones=((150, 76, 58), (128, 70, 56), (176, 120, 92), (206, 200, 190), (104, 104, 108)),
        leaves=((64, 92, 48), (84, 108, 60), (120, 116, 50)),
        paving=((92, 94, 98), (112, 110, 106), (130, 122, 112)),
        weather=(0.2, 0.1, 0.5, 0.2),
        gains=(0.96, 1.0, 1.05),
        bonnet=0.05,
    ),
    City(
        "cedrana",
        "train",
        stones=((224, 200, 150), (222, 178, 132), (210, 132, 100), (236, 226, 206), (180, 190, 186)),
        leaves=((98, 112, 54), (124, 128, 62), (150, 126, 56)),
        paving=((134, 126, 116), (118, 114, 108), (148, 140, 128)),
        weather=(0.55, 0.3, 0.1, 0.05),
        gains=(1.06, 1.0, 0.93),
        bonnet=0.0,
    ),
    City(
        "dunvale",
        "train",
        stones=((176, 182, 188), (130, 138, 146), (212, 214, 214), (92, 96, 104), (190, 178, 158)),
        leaves=((70, 98, 62), (90, 116, 70), (150, 98, 48), (170, 132, 52)),
        paving=((102, 106, 112), (88, 90, 96), (120, 122, 124)),
        weather=(0.3, 0.1, 0.35, 0.25),
        gains=(0.98, 1.02, 1.0),
        bonnet=0.08,
    ),
    City(
        "eastmere",
        "val",
        stones=((200, 186, 166), (164, 108, 88), (172, 178, 180), (220, 190, 130), (140, 120, 104)),
        leaves=((84, 116, 58), (110, 112, 48), (66, 96, 58)),
        paving=((114, 112, 116), (98, 98, 98), (132, 128, 120)),
        weather=(0.4, 0.2, 0.25, 0.15),
        gains=(1.03, 0.98, 0.97),
        bonnet=0.06,
    ),
    City(
        "felsburg",
        "val",
        stones=((156, 150, 138), (216, 206, 196), (186, 130, 110), (118, 124, 128), (232, 214, 170)),
        leaves=((74, 90, 42), (136, 118, 52), (88, 124, 72)),
        paving=((104, 100, 96), (122, 122, 126), (90, 94, 100)),
        weather=(0.3, 0.15, 0.4, 0.15),
        gains=(0.97, 1.01, 1.04),
        bonnet=0.04,
    ),
    City(
        "grantoft",
        "test",
        stones=((196, 160, 120), (142, 82, 66), (226, 218, 204), (158, 164, 172), (208, 172, 148)),
        leaves=((92, 110, 50), (72, 102, 66), (158, 112, 50)),
        paving=((110, 106, 102), (126, 126, 122), (94, 96, 104)),
        weather=(0.45, 0.2, 0.2, 0.15),
        gains=(1.04, 1.01, 0.95),
        bonnet=0.07,
    ),
    City(
        "harrowick",
        "test",
        stones=((134, 128, 124), (170, 96, 74), (200, 204, 202), (184, 164, 130), (108, 90, 82)),
        leaves=((60, 88, 52), (104, 120, 58), (124, 108, 46)),
        paving=((98, 102, 104), (116, 112, 108), (136, 132, 126)),
        weather=(0.25, 0.15, 0.4, 0.2),
        gains=(0.95, 1.0, 1.04),
        bonnet=0.05,
    ),
)
