"""The robot's camera: a pinhole that may look down at the feet, up at the ceiling, and askew."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

NEAR_M = 0.1  # nothing closer to the camera is drawn


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Args:
        size: Height and width of what it sees, in pixels; the axis goes through the middle.
        focal_px: Focal length.
        position: World coordinates (x, y, z) in metres.
        yaw: Direction of view on the ground in radians, from x towards y.
        pitch: How far it looks down, in radians.
        roll: How far its right side is turned down, in radians.
    """

    size: tuple[int, int]
    focal_px: float
    position: tuple[float, float, float]
    yaw: float
    pitch: float
    roll: float = 0.0

    @cached_property
    def axes(self) -> np.ndarray:
        """Rows: the picture's right, its down, and the direction of view, in world coordinates (3, 3)."""
        forward = np.array(
            [
                math.cos(self.yaw) * math.cos(self.pitch),
                math.sin(self.yaw) * math.cos(self.pitch),
                -math.sin(self.pitch),
            ]
        )
        level = np.array([math.sin(self.yaw), -math.cos(self.yaw), 0.0])
        below = np.cross(forward, level)
        sin, cos = math.sin(self.roll), math.cos(self.roll)
        return np.stack([cos * level + sin * below, cos * below - sin * level, forward])

    def enlarged(self, factor: int) -> Camera:
        """The same camera with `factor` times as many pixels to the side."""
        height, width = self.size
        return replace(self, size=(height * factor, width * factor), focal_px=self.focal_px * factor)

    def depth(self, points: np.ndarray) -> np.ndarray:
        """Metres (...) along the direction of view to world points (..., 3)."""
        return (points - self.position) @ self.axes[2]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Columns and rows (..., 2) of world points (..., 3) in front of the camera."""
        seen = (points - self.position) @ self.axes.T
        height, width = self.size
        return seen[..., :2] * (self.focal_px / seen[..., 2:]) + np.array([width / 2, height / 2])

    def holds(self, pixel: np.ndarray) -> bool:
        """Whether a pixel (column, row) lies in the picture."""
        height, width = self.size
        return bool(0 <= pixel[0] < width and 0 <= pixel[1] < height)

    def rays(self) -> list[np.ndarray]:
        """Where the middle of each pixel looks: x, y and z, each (H, W) float32, per metre of depth."""
        height, width = self.size
        across = ((np.arange(width) + 0.5 - width / 2) / self.focal_px)[None, :]
        down = ((np.arange(height) + 0.5 - height / 2) / self.focal_px)[:, None]
        right, below, forward = self.axes
        return [(forward[k] + across * right[k] + down * below[k]).astype(np.float32) for k in range(3)]

    def ground(self, rays: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """World x and y (H, W) of the ground at each pixel, and its depth; far away above the horizon."""
        dx, dy, dz = rays
        depth = np.float32(self.position[2]) / np.maximum(-dz, np.float32(1e-4))
        x, y, _ = (np.float32(p) for p in self.position)
        return x + dx * depth, y + dy * depth, depth

    def clip(self, polygon: np.ndarray) -> np.ndarray:
        """The part of a polygon (N, 3) that lies at least `NEAR_M` ahead (Sutherland-Hodgman)."""
        kept, depths = [], self.depth(polygon)
        if depths.min() >= NEAR_M:
            return polygon
        for start, end, near, far in zip(
            polygon, np.roll(polygon, -1, axis=0), depths, np.roll(depths, -1), strict=True
        ):
            if near >= NEAR_M:
                kept.append(start)
            if (near >= NEAR_M) != (far >= NEAR_M):
                kept.append(start + (end - start) * ((NEAR_M - near) / (far - near)))
        return np.array(kept).reshape(-1, 3)
