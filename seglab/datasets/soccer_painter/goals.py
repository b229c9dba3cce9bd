"""Goals: posts, crossbar and net. To the four classes they are background, and so is what the net veils."""

from __future__ import annotations

import numpy as np

from seglab.datasets.soccer_painter.canvas import Canvas, Rod
from seglab.datasets.soccer_painter.pitch import Pitch

_MESH_M = 0.1


def frame(pitch: Pitch, sign: int, colour: np.ndarray) -> list[Rod]:
    """Posts, crossbar and the bars behind them of the goal at +x (`sign` 1) or -x (-1)."""
    breadth, height, deep = pitch.goal
    front, back, half = sign * pitch.length / 2, sign * (pitch.length / 2 + deep), breadth / 2
    points = [
        ((front, -half, 0), (front, -half, height), pitch.post),
        ((front, half, 0), (front, half, height), pitch.post),
        ((front, -half, height), (front, half, height), pitch.post),
        ((back, -half, 0.02), (back, half, 0.02), pitch.post / 2),
        ((front, -half, 0.02), (back, -half, 0.02), pitch.post / 2),
        ((front, half, 0.02), (back, half, 0.02), pitch.post / 2),
    ]
    return [Rod(np.array(a, float), np.array(b, float), r, r, colour) for a, b, r in points]


def net(canvas: Canvas, pitch: Pitch, sign: int, colour: np.ndarray) -> None:
    """The net: from the crossbar down to the bar on the ground, and its two sides."""
    breadth, height, deep = pitch.goal
    front, back, half = sign * pitch.length / 2, sign * (pitch.length / 2 + deep), breadth / 2
    low = [np.array([back, y, 0.0]) for y in (-half, half)]
    high = [np.array([front, y, height]) for y in (-half, half)]
    foot = [np.array([front, y, 0.0]) for y in (-half, half)]
    sheets = [np.stack([low[0], low[1], high[1], high[0]])]
    sheets += [np.stack([foot[k], low[k], high[k], high[k]]) for k in (0, 1)]
    for corners in sheets:
        canvas.polygon(corners, None)
        canvas.threads(_mesh(corners), colour)


def _mesh(corners: np.ndarray) -> np.ndarray:
    """Threads (N, 2, 3) between opposite edges of a sheet with the corners (4, 3)."""
    a, b, c, d = corners
    threads = []
    for start, end, far_start, far_end in ((a, b, d, c), (a, d, b, c)):
        length = max(np.linalg.norm(end - start), np.linalg.norm(far_end - far_start))
        steps = np.linspace(0, 1, max(2, round(length / _MESH_M)))[:, None]
        threads.append(
            np.stack([start + steps * (end - start), far_start + steps * (far_end - far_start)], axis=1)
        )
    return np.concatenate(threads)
