"""Paints what a soccer robot sees together with the exact mask, from nothing but a random generator.

A picture is a match in a hall of its own: `scene` decides where the camera stands and what is in view.
`pitch` knows the lines, `hall` the walls, `turf` the ground and the light on it; `figures`, `goals` and
`balls` hold what stands on it. All of them are metres in one coordinate system: `x` from goal to goal, `y`
across, `z` up, the origin on the centre mark. The `canvas` keeps picture and mask together, so that the two
cannot disagree; `sensor` adds what a robot's camera adds, and leaves the mask alone.
"""

from seglab.datasets.soccer_painter.scene import render_scene
from seglab.datasets.soccer_painter.venues import VENUES, Venue

__all__ = ["VENUES", "Venue", "render_scene"]
