"""Paints street pictures together with their exact masks, from nothing but a random generator.

One picture is a street of its own: `scene` decides what stands where, and hands each thing to the small
function that draws it, far things first. `ground`, `backdrop`, `roadside`, `furniture`, `vehicles` and
`people` hold those functions; all of them draw in metres onto the `canvas`, which keeps picture and mask
together, so that the two cannot disagree.
"""

from seglab.datasets.street_painter.cities import CITIES, City
from seglab.datasets.street_painter.scene import render_scene

__all__ = ["CITIES", "City", "render_scene"]
