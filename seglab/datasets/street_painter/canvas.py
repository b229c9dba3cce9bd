"""The canvas of a street picture: camera, light, and the picture and mask that every shape is drawn into.

World coordinates are metres: `x` to the right of the camera, `y` above the road, `z` ahead. A street is
straight in these coordinates; the camera bends it (`Camera.curve`, `Camera.hill`) when it projects, so
that nothing else has to know about curves and slopes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from seglab.labels import CITYSCAPES, IGNORE_INDEX

SUPERSAMPLING = (
    2  # picture and mask are drawn this much larger; the picture is averaged down, the mask sampled
)
NEAR_M = 0.6  # nothing closer to the camera is drawn
FAR_M = 160.0  # the ground ends here, behind the backdrop

_VOID_IDS = {
    "ego vehicle": 1,
    "out of roi": 3,
    "static": 4,
    "dynamic": 5,
    "ground": 6,
    "parking": 9,
    "rail track": 10,
    "guard rail": 14,
    "bridge": 15,
    "pole group": 18,
}
# Class name -> the id that Cityscapes' `labelIds` files hold for it (labels.py of cityscapesScripts).
FILE_IDS = _VOID_IDS | {
    CITYSCAPES.classes[train_id]: file_id
    for file_id, train_id in CITYSCAPES.file_ids.items()
    if train_id != IGNORE_INDEX
}


@dataclass(frozen=True)
class Frame:
    """A place to draw at, with directions of its own: `u` forward, `v` up, `w` to the right.

    Args:
        x: Metres to the right of the camera.
        z: Metres ahead of the camera.
        heading: Direction of `u` in radians; 0 looks down the street, pi/2 to the right.
        y: Metres above the road.
    """

    x: float
    z: float
    heading: float = 0.0
    y: float = 0.0

    def at(self, u, v, w=0.0) -> np.ndarray:
        """World points (..., 3) of the local coordinates, which are broadcast against each other."""
        u, v, w = np.asarray(u), np.asarray(v), np.asarray(w)
        sin, cos = math.sin(self.heading), math.cos(self.heading)
        points = np.empty((*np.broadcast(u, v, w).shape, 3))
        points[..., 0] = self.x + u * sin + w * cos
        points[..., 1] = self.y + v
        points[..., 2] = self.z + u * cos - w * sin
        return points

    def moved(self, u=0.0, v=0.0, w=0.0, turn=0.0) -> Frame:
        """The frame at a local position, turned by `turn` radians."""
        x, y, z = self.at(u, v, w)
        return Frame(float(x), float(z), self.heading + turn, float(y))


@dataclass(frozen=True)
class Camera:
    """A pinhole camera above the road, looking down the street.

    Args:
        size: Height and width of what it sees, in pixels.
        focal_px: Focal length.
        horizon_px: Row of the horizon.
        centre_px: Column of the straight-ahead direction.
        eye_m: Height above the road.
        curve: The street lies `curve * z**2` metres further right at the distance `z`.
        hill: The street lies `hill * z**2` metres higher at the distance `z`.
    """

    size: tuple[int, int]
    focal_px: float
    horizon_px: float
    centre_px: float
    eye_m: float
    curve: float = 0.0
    hill: float = 0.0

    def project(self, points: np.ndarray) -> np.ndarray:
        """Columns and rows (..., 2) of world points (..., 3) with z > 0."""
        x, y, z = points[..., 0], points[..., 1], points[..., 2]
        scale = self.focal_px / z
        square = z * z
        pixels = np.empty((*z.shape, 2))
        pixels[..., 0] = self.centre_px + scale * (x + self.curve * square)
        pixels[..., 1] = self.horizon_px + scale * (self.eye_m - y - self.hill * square)
        return pixels

    def eye_in(self, frame: Frame) -> tuple[float, float]:
        """Where the camera is in a frame, (u, w) in metres, as it seems from beyond the street's bend."""
        x = frame.x + self.curve * frame.z**2
        heading = frame.heading + 2 * self.curve * frame.z
        sin, cos = math.sin(heading), math.cos(heading)
        return -x * sin - frame.z * cos, -x * cos + frame.z * sin

    def ground(self) -> tuple[int, np.ndarray, np.ndarray]:
        """The road plane as the camera sees it.

        Returns:
            The first row that shows ground, and for each pixel from there to the bottom its world `x` (h, W)
            and, for each such row, its world `z` (h, 1).
        """
        height, width = self.size
        z = np.geomspace(FAR_M, 1.0, 400)
        rows = self.horizon_px + self.focal_px * (self.eye_m / z - self.hill * z)
        rows = np.maximum.accumulate(rows)  # beyond the top of a hill nothing can be seen
        top = max(0, int(np.ceil(rows[0])))
        z_of_row = np.interp(np.arange(top, height) + 0.5, rows, z)[:, None].astype(np.float32)
        columns = np.arange(width, dtype=np.float32) + 0.5
        x = (columns - self.centre_px) * (z_of_row / self.focal_px) - self.curve * z_of_row**2
        return top, x.astype(np.float32), z_of_row


@dataclass(frozen=True)
class Light:
    """Sun, sky light and haze.

    Args:
        to_sun: Unit vector (3,) towards the sun.
        sun: Strength of the sun per colour channel (3,), 0 under clouds.
        sky: Strength of the light from everywhere (3,).
        haze: Colour that distance fades to (3,), 0..255.
        sight_m: Distance over which all but 1/e of the colour has faded.
    """

    to_sun: np.ndarray
    sun: np.ndarray
    sky: np.ndarray
    haze: np.ndarray
    sight_m: float

    def on(self, normals: np.ndarray) -> np.ndarray:
        """Brightness (..., 3) of white surfaces with the unit normals (..., 3)."""
        return self.sky + self.sun * np.maximum(normals @ self.to_sun, 0.0)[..., None]

    def through_air(self, colours: np.ndarray, z) -> np.ndarray:
        """Colours (..., 3) as they arrive from the distances `z` (...)."""
        clear = np.exp(-np.asarray(z) / self.sight_m)[..., None]
        return colours * clear + self.haze * (1 - clear)

    def shadow(
        self, x0: float, x1: float, z0: float, z1: float, top: float, bottom: float = 0.0
    ) -> np.ndarray:
        """Outline (N, 3) on the road of the shadow that an upright box throws."""
        corners = np.array([(x, z) for x in (x0, x1) for z in (z0, z1)])
        reach = -self.to_sun[[0, 2]] / max(self.to_sun[1], 0.2)
        points = np.concatenate([corners + reach * bottom, corners + reach * top])
        outline = _convex_hull(points)
        return np.stack([outline[:, 0], np.zeros(len(outline)), outline[:, 1]], axis=-1)


class Canvas:
    """A picture and its mask. Every shape is drawn into both, from far to near.

    Colours are RGB in 0..255 as under full white light; the canvas adds light and haze. Labels are class
    names of `FILE_IDS`. A colour of `None` leaves the picture alone: what is seen through the bars of a
    fence or the spokes of a wheel belongs to the fence or wheel, as in Cityscapes.
    """

    def __init__(self, camera: Camera, light: Light):
        self.camera = camera
        self.light = light
        height, width = camera.size
        self.image = Image.new("RGB", (width, height))
        self.labels = Image.new("L", (width, height))
        self._draw = ImageDraw.Draw(self.image)
        self._draw_label = ImageDraw.Draw(self.labels)

    def polygon(self, points: np.ndarray, colour, label: str) -> None:
        """Draws one flat polygon (N, 3)."""
        self.polygons(np.asarray(points)[None], colour, label)

    def polygons(self, points: np.ndarray, colours, label: str) -> None:
        """Draws flat polygons (M, N, 3) in the given order, in one colour (3,) or in one each (M, 3)."""
        if len(points) == 0:
            return
        if colours is not None:
            shade = self.light.on(self._normals(points))
            depth = points[..., 2].sum(axis=1) / points.shape[1]
            colours = self.light.through_air(np.asarray(colours) * shade, depth)
        if points[..., 2].min() < NEAR_M:
            clipped = [_clip_near(polygon) for polygon in points]
            outlines = [self.camera.project(p).ravel().tolist() if len(p) > 2 else None for p in clipped]
        else:
            pixels = self.camera.project(points)
            outlines = pixels.reshape(len(points), -1).tolist()
        for outline, fill in zip(outlines, _fills(colours, len(points)), strict=True):
            if outline is not None:
                self._shape("polygon", outline, fill, label)

    def balls(self, centres: np.ndarray, radii, colours, label: str, normals=None) -> None:
        """Draws balls (M, 3) as discs; light falls on `normals` (M, 3) or, without them, evenly."""
        keep = centres[:, 2] > NEAR_M
        centres, radii = centres[keep], np.broadcast_to(radii, keep.shape)[keep]
        colours = np.broadcast_to(colours, (*keep.shape, 3))[keep]
        shade = self.light.on(np.array([0.0, 0.5, -0.5]) if normals is None else normals[keep])
        colours = self.light.through_air(colours * shade, centres[:, 2])
        pixels = self.camera.project(centres)
        radii_px = np.maximum(radii * self.camera.focal_px / centres[:, 2], 0.5)[:, None]
        boxes = np.concatenate([pixels - radii_px, pixels + radii_px], axis=1).tolist()
        for box, fill in zip(boxes, _fills(colours, len(boxes)), strict=True):
            self._shape("ellipse", box, fill, label)

    def limb(
        self, start: np.ndarray, end: np.ndarray, start_m: float, end_m: float, colour, label: str
    ) -> None:
        """Draws a round rod between two points (3,), with a radius in metres at each."""
        ends = np.stack([start, end])
        if ends[:, 2].min() < NEAR_M:
            return
        (a, b), depth = self.camera.project(ends), ends[:, 2]
        radii = np.maximum(np.array([start_m, end_m]) * self.camera.focal_px / depth, 0.5)
        shade = self.light.on(np.array([0.0, 0.5, -0.5]))
        fill = _fills(self.light.through_air(np.asarray(colour) * shade, depth.mean())[None], 1)[0]
        length = max(np.hypot(*(b - a)), 1e-6)
        across = np.array([a[1] - b[1], b[0] - a[0]]) / length
        side_a, side_b = across * radii[0], across * radii[1]
        quad = np.concatenate([a + side_a, b + side_b, b - side_b, a - side_a]).tolist()
        self._shape("polygon", quad, fill, label)
        for centre, radius in zip((a, b), radii, strict=True):
            self._shape("ellipse", [*(centre - radius), *(centre + radius)], fill, label)

    def ring(self, points: np.ndarray, thickness_m: float, colour, label: str) -> None:
        """Draws the outline of a polygon (N, 3) as a band; what it encloses belongs to the label too."""
        if points[:, 2].min() < NEAR_M:
            return
        depth = points[:, 2].mean()
        outline = self.camera.project(np.concatenate([points, points[:2]])).ravel().tolist()
        width = max(1, round(thickness_m * self.camera.focal_px / depth))
        shade = self.light.on(np.array([0.0, 0.5, -0.5]))
        fill = _fills(self.light.through_air(np.asarray(colour) * shade, depth)[None], 1)[0]
        self._draw.line(outline, fill=fill, width=width, joint="curve")
        self._draw_label.line(outline, fill=FILE_IDS[label], width=width, joint="curve")
        self._draw_label.polygon(outline, fill=FILE_IDS[label])

    def overlay(self, outline: np.ndarray, colour, label: str) -> None:
        """Draws a polygon (N, 2) given in pixels, in front of everything; it closes along the lower edge."""
        corners = np.array([[self.camera.size[1], self.camera.size[0]], [0, self.camera.size[0]]])
        fill = _fills(np.asarray(colour) * self.light.on(np.array([0.0, 1.0, 0.0])), 1)[0]
        self._shape("polygon", np.concatenate([outline, corners]).ravel().tolist(), fill, label)

    def paste(self, top: int, rgb: np.ndarray, ids: np.ndarray | int) -> None:
        """Replaces the rows from `top` on by pixels (h, W, 3) and file ids (h, W), or one for all."""
        self.image.paste(Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8)), (0, top))
        if isinstance(ids, int):
            self.labels.paste(ids, (0, top, rgb.shape[1], top + rgb.shape[0]))
        else:
            self.labels.paste(Image.fromarray(ids), (0, top))

    def shadow_mask(self, outlines: list[np.ndarray], blur_px: float) -> np.ndarray:
        """How much of each pixel (H, W) lies inside one of the outlines (N, 3), 0..1, with soft edges."""
        mask = Image.new("L", self.image.size)
        draw = ImageDraw.Draw(mask)
        for outline in map(_clip_near, outlines):
            if len(outline) > 2:
                draw.polygon(self.camera.project(outline).ravel().tolist(), fill=255)
        return np.asarray(mask.filter(ImageFilter.BoxBlur(blur_px)), np.float32) / 255

    def finished(self) -> tuple[np.ndarray, np.ndarray]:
        """The picture (H, W, 3) and the mask (H, W), uint8, at their final size."""
        image = np.asarray(self.image.reduce(SUPERSAMPLING))
        labels = np.asarray(self.labels)[::SUPERSAMPLING, ::SUPERSAMPLING]
        return image, np.ascontiguousarray(labels)

    def _normals(self, points: np.ndarray) -> np.ndarray:
        """Unit normals (M, 3) of polygons (M, N, 3), on the side that the camera sees."""
        corner = points[:, 0]
        (ax, ay, az), (bx, by, bz) = (points[:, 1] - corner).T, (points[:, 2] - corner).T
        x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        to_eye = (self.camera.eye_m - corner[:, 1]) * y - corner[:, 0] * x - corner[:, 2] * z
        length = np.copysign(np.sqrt(x * x + y * y + z * z) + 1e-9, to_eye)
        return (np.array([x, y, z]) / length).T

    def _shape(self, kind: str, outline: list, fill, label: str) -> None:
        if fill is not None:
            getattr(self._draw, kind)(outline, fill=fill)
        getattr(self._draw_label, kind)(outline, fill=FILE_IDS[label])


@dataclass(frozen=True)
class Pen:
    """Draws things of one class in the coordinates of one frame.

    Coordinates along `u`, `v` and `w` are metres; arrays are broadcast against each other.
    """

    canvas: Canvas
    frame: Frame
    label: str

    def moved(self, u: float = 0.0, v: float = 0.0, w: float = 0.0, turn: float = 0.0) -> Pen:
        """The pen in a frame at a local position, turned by `turn` radians."""
        return Pen(self.canvas, self.frame.moved(u, v, w, turn), self.label)

    def eye(self) -> tuple[float, float]:
        """Where the camera is in this frame: `u` and `w`."""
        return self.canvas.camera.eye_in(self.frame)

    def polygon(self, u, v, colour: np.ndarray | None, w=0.0) -> None:
        """One polygon, from its corners."""
        self.canvas.polygons(self.frame.at(u, v, w)[None], colour, self.label)

    def rectangles(self, u0, v0, u1, v1, colour: np.ndarray | None, w: float = 0.0) -> None:
        """Upright rectangles in the plane `w`, in one colour (3,) or one each (M, 3)."""
        u, v = np.empty((2, np.broadcast(u0, v0, u1, v1).size, 4))
        u[:, 0] = u[:, 3] = u0
        u[:, 1] = u[:, 2] = u1
        v[:, 0] = v[:, 1] = v0
        v[:, 2] = v[:, 3] = v1
        self.canvas.polygons(self.frame.at(u, v, w), colour, self.label)

    def disc(self, u: float, v: float, radius: float, colour: np.ndarray, w=0.0, corners=16) -> None:
        """A disc in the plane `w`."""
        self.polygon(*_circle(u, v, radius, corners), colour, w)

    def ring(self, u: float, v: float, radius: float, thickness: float, colour: np.ndarray) -> None:
        """A hoop; what it encloses belongs to the class too."""
        self.canvas.ring(self.frame.at(*_circle(u, v, radius, 18)), thickness, colour, self.label)

    def limb(self, start: tuple, end: tuple, start_m: float, end_m: float, colour: np.ndarray) -> None:
        """A round rod between two points (u, v) or (u, v, w), with a radius at each."""
        self.canvas.limb(self.frame.at(*start), self.frame.at(*end), start_m, end_m, colour, self.label)


def _circle(u: float, v: float, radius: float, corners: int) -> tuple[np.ndarray, np.ndarray]:
    turn = np.arange(corners) * (2 * np.pi / corners)
    return u + radius * np.cos(turn), v + radius * np.sin(turn)


def _fills(colours, count: int) -> list:
    """Colours (M, 3) or (3,) as the tuples that Pillow takes."""
    if colours is None:
        return [None] * count
    rounded = np.clip(np.broadcast_to(colours, (count, 3)), 0, 255).astype(int)
    return [tuple(colour) for colour in rounded.tolist()]


def _clip_near(polygon: np.ndarray) -> np.ndarray:
    """The part of a polygon (N, 3) that lies at least `NEAR_M` ahead of the camera (Sutherland-Hodgman)."""
    kept = []
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if start[2] >= NEAR_M:
            kept.append(start)
        if (start[2] >= NEAR_M) != (end[2] >= NEAR_M):
            kept.append(start + (end - start) * ((NEAR_M - start[2]) / (end[2] - start[2])))
    return np.array(kept).reshape(-1, 3)


def _convex_hull(points: np.ndarray) -> np.ndarray:
    """The convex hull of points (N, 2), in order (Andrew's monotone chain)."""
    ordered = sorted(map(tuple, points.tolist()))

    def half(sequence):
        chain: list = []
        for p in sequence:
            while len(chain) > 1 and (
                (chain[-1][0] - chain[-2][0]) * (p[1] - chain[-2][1])
                <= (chain[-1][1] - chain[-2][1]) * (p[0] - chain[-2][0])
            ):
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return np.array(half(ordered) + half(reversed(ordered)))
