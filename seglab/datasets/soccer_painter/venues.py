"""The venues: halls with a carpet, a light, a league and a ball of their own; each belongs to one split."""

from __future__ import annotations

from dataclasses import dataclass

from seglab.datasets.soccer_painter.pitch import ADULT_SIZE, KID_SIZE, STANDARD_PLATFORM, Pitch

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Venue:
    """A place where matches are played.

    Args:
        name: Its name, in the names of its pictures.
        split: The split that all its pictures belong to.
        pitch: The lines.
        turf: Colours of the carpet; a picture mixes two of them.
        pile: How rough the carpet is, 0 (felt) to 1 (long artificial grass).
        wear: How far the lines have come off, 0 to 1.
        walls: Colours of the walls.
        cladding: What the walls are made of: `panels`, `planks`, `curtain`, `bricks` or `glass`.
        floors: Colours of the floor around the carpet.
        boards: Height of the boards around the carpet in metres, 0 without.
        balls: Designs and colours: the ball itself and its marks.
        ball_m: Radius of the ball.
        robots: Builds of the robots that play here.
        robot_m: Their height, from and to.
        jerseys: Colours of the two teams.
        ambient: Strength of the light from everywhere, from and to.
        gains: White balance of the cameras, by colour channel.
        sun: Share of the pictures with sunlight on the carpet.
        view: Horizontal field of view in degrees.
    """

    name: str
    split: str
    pitch: Pitch
    turf: tuple[Colour, ...]
    pile: float
    wear: float
    walls: tuple[Colour, ...]
    cladding: str
    floors: tuple[Colour, ...]
    boards: float
    balls: tuple[tuple[str, Colour, Colour], ...]
    ball_m: float
    robots: tuple[str, ...]
    robot_m: tuple[float, float]
    jerseys: tuple[Colour, Colour]
    ambient: tuple[float, float]
    gains: tuple[float, float, float]
    sun: float
    view: float


VENUES = (
    Venue(
        "arenholm", "train", STANDARD_PLATFORM,
        turf=((62, 128, 44), (84, 142, 58), (50, 112, 40)), pile=0.6, wear=0.25,
        walls=((170, 26, 22), (150, 30, 30)), cladding="panels",
        floors=((70, 68, 66), (120, 112, 100)), boards=0.0,
        balls=(("classic", (240, 240, 236), (22, 22, 24)),), ball_m=0.05,
        robots=("rounded",), robot_m=(0.56, 0.6), jerseys=((190, 30, 34), (34, 40, 48)),
        ambient=(0.5, 1.23), gains=(1.04, 1.0, 0.82), sun=0.5, view=57,
    ),
    Venue(
        "borgfeld", "train", STANDARD_PLATFORM,
        turf=((58, 140, 70), (42, 120, 66), (92, 150, 96)), pile=0.85, wear=0.45,
        walls=((66, 72, 80), (96, 100, 104), (150, 116, 76)), cladding="bricks",
        floors=((92, 94, 98), (150, 148, 142)), boards=0.55,
        balls=(("classic", (236, 236, 238), (30, 28, 30)), ("patched", (238, 238, 232), (196, 40, 40))),
        ball_m=0.05, robots=("rounded",), robot_m=(0.56, 0.6),
        jerseys=((40, 110, 70), (200, 40, 48)),
        ambient=(0.75, 1.67), gains=(0.98, 1.02, 0.98), sun=0.15, view=57,
    ),
    Venue(
        "cormund", "train", KID_SIZE,
        turf=((48, 110, 34), (70, 120, 40), (40, 92, 38)), pile=1.0, wear=0.15,
        walls=((196, 190, 176), (176, 150, 110)), cladding="planks",
        floors=((168, 124, 76), (146, 104, 62)), boards=0.0,
        balls=(("classic", (240, 238, 230), (26, 26, 28)), ("plain", (236, 112, 24), (236, 112, 24))),
        ball_m=0.075, robots=("skeletal", "rounded"), robot_m=(0.5, 0.9),
        jerseys=((30, 90, 190), (200, 60, 150)),
        ambient=(0.65, 1.58), gains=(1.06, 1.0, 0.9), sun=0.3, view=70,
    ),
    Venue(
        "delwinde", "train", ADULT_SIZE,
        turf=((56, 132, 62), (80, 146, 70)), pile=0.75, wear=0.2,
        walls=((52, 84, 62), (40, 44, 52), (60, 110, 74)), cladding="curtain",
        floors=((86, 100, 84), (54, 56, 60)), boards=0.8,
        balls=(("patched", (238, 238, 236), (30, 70, 180)), ("banded", (236, 206, 40), (30, 32, 40))),
        ball_m=0.1, robots=("bulky", "skeletal"), robot_m=(0.9, 1.45),
        jerseys=((210, 50, 40), (40, 70, 180)),
        ambient=(0.6, 1.41), gains=(0.95, 1.0, 1.08), sun=0.2, view=78,
    ),
    Venue(
        "elsbruck", "train", STANDARD_PLATFORM,
        turf=((104, 150, 100), (96, 138, 84), (120, 150, 108)), pile=0.5, wear=0.5,
        walls=((206, 208, 206), (188, 196, 204)), cladding="glass",
        floors=((140, 138, 136), (196, 192, 186)), boards=0.4,
        balls=(("classic", (240, 240, 240), (24, 24, 28)), ("plain", (224, 70, 40), (224, 70, 40))),
        ball_m=0.05, robots=("rounded",), robot_m=(0.56, 0.6),
        jerseys=((60, 160, 210), (236, 140, 30)),
        ambient=(0.95, 1.85), gains=(0.95, 1.0, 1.04), sun=0.5, view=57,
    ),
    Venue(
        "fjellby", "val", STANDARD_PLATFORM,
        turf=((66, 120, 52), (54, 134, 58)), pile=0.7, wear=0.35,
        walls=((120, 126, 140), (60, 64, 84)), cladding="panels",
        floors=((110, 104, 100), (62, 66, 76)), boards=0.5,
        balls=(("classic", (234, 236, 240), (36, 40, 60)), ("banded", (240, 240, 236), (210, 60, 60))),
        ball_m=0.055, robots=("rounded", "skeletal"), robot_m=(0.54, 0.7),
        jerseys=((240, 200, 40), (110, 50, 150)),
        ambient=(0.6, 1.58), gains=(1.02, 0.99, 0.94), sun=0.35, view=62,
    ),
    Venue(
        "grenthal", "test", STANDARD_PLATFORM,
        turf=((74, 142, 48), (46, 104, 48)), pile=0.9, wear=0.3,
        walls=((182, 150, 104), (70, 60, 54), (110, 40, 44)), cladding="planks",
        floors=((126, 120, 112), (80, 72, 64)), boards=0.65,
        balls=(("classic", (238, 236, 228), (16, 18, 22)),), ball_m=0.05,
        robots=("rounded",), robot_m=(0.56, 0.6), jerseys=((30, 60, 120), (230, 120, 40)),
        ambient=(0.55, 1.67), gains=(1.05, 0.98, 0.88), sun=0.35, view=57,
    ),
    Venue(
        "hollsund", "test", KID_SIZE,
        turf=((60, 118, 76), (86, 136, 66)), pile=0.65, wear=0.3,
        walls=((90, 120, 150), (206, 200, 190)), cladding="glass",
        floors=((100, 92, 84), (64, 76, 64)), boards=0.0,
        balls=(("patched", (236, 238, 240), (20, 110, 80)), ("banded", (240, 240, 236), (40, 70, 190))),
        ball_m=0.07, robots=("skeletal", "bulky"), robot_m=(0.55, 0.95),
        jerseys=((200, 40, 70), (40, 150, 170)),
        ambient=(0.75, 1.67), gains=(0.97, 1.0, 1.06), sun=0.4, view=68,
    ),
)  # fmt: skip
