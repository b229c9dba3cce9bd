"""The embedded soccer scenes: what they demand of a network, and that masks are what the camera sees."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import jaccard_score

from seglab.datasets import create_dataset, soccer_scenes
from seglab.datasets.soccer_painter import VENUES, balls, figures, goals, render_scene, scene, turf
from seglab.datasets.soccer_painter.camera import Camera
from seglab.datasets.soccer_painter.canvas import BACKGROUND, BALL, FIELD, LINES, Canvas, Rod, vote
from seglab.datasets.soccer_painter.pitch import ADULT_SIZE, KID_SIZE, STANDARD_PLATFORM
from seglab.errors import ConfigError, DataError

TINY = {"counts": {"train": 6, "val": 1}, "size": (48, 64)}
# Half a metre above the ground beside the centre circle, 25 degrees down and askew: many lines are in view.
CAMERA = Camera((240, 320), 300.0, (-2.0, 0.7, 0.5), yaw=0.2, pitch=np.radians(25), roll=np.radians(7))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Pictures (N, H, W, 3) and masks (N, H, W) of a smaller set, by split."""
    root = tmp_path_factory.mktemp("sample") / "set"
    soccer_scenes.make(root, counts={"train": 50, "val": 25, "test": 30}, size=(96, 128))
    sample = {}
    for split in ("train", "val", "test"):
        dataset = create_dataset("soccer_scenes", split, root)
        pairs = [dataset.read(index) for index in range(len(dataset))]
        sample[split] = tuple(np.stack(part) for part in zip(*pairs, strict=True))
    return sample


def _files(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# What the pictures demand of a network


def test_classes_are_as_frequent_as_in_real_pictures(sample):
    masks = np.concatenate([masks for _, masks in sample.values()])
    background, ball, lines, field = np.bincount(masks.ravel(), minlength=4) / masks.size
    # The 20 real pictures of hulks_nao: 25.3, 0.35, 4.0 and 70.3 per cent.
    assert 0.18 < background < 0.36 and 0.60 < field < 0.78
    assert 0.002 < ball < 0.012 and 0.025 < lines < 0.05
    for masks in (masks for _, masks in sample.values()):
        present = [(masks == label).any(axis=(1, 2)).mean() for label in range(4)]
        assert min(present) > 0.35 and max(masks.ravel()) == 3


def test_brightness_varies_as_in_real_pictures(sample):
    green = np.concatenate([images for images, _ in sample.values()])[..., 1].mean(axis=(1, 2))
    assert 30 < np.percentile(green, 5) < 80 < 100 < np.median(green) < 150  # real: 58 and 130
    assert 160 < np.percentile(green, 95) < 240  # real: 169


def test_colour_and_position_do_not_give_ball_and_lines_away(sample):
    def pixels(split, count):
        images, masks = sample[split]
        chosen = np.random.default_rng(0).choice(masks.size, count, replace=False)
        _, row, column = np.unravel_index(chosen, masks.shape)
        return np.column_stack([images.reshape(-1, 3)[chosen], row, column]), masks.ravel()[chosen]

    classifier = HistGradientBoostingClassifier(max_iter=40, random_state=0).fit(*pixels("train", 60_000))
    features, truth = pixels("test", 60_000)
    iou = jaccard_score(truth, classifier.predict(features), average=None)
    assert iou[BALL] < 0.1 and iou[LINES] < 0.25
    assert 0.35 < iou.mean() < 0.5


def test_venues_of_different_splits_share_no_carpet_no_walls_and_no_light():
    for one in VENUES:
        for other in VENUES:
            if one.split != other.split:
                assert not {*one.turf} & {*other.turf} and not {*one.walls} & {*other.walls}
                assert not {*one.balls} & {*other.balls} and not {*one.jerseys} & {*other.jerseys}
                assert one.gains != other.gains
    assert Counter(venue.split for venue in VENUES) == {"train": 5, "val": 1, "test": 2}


def test_every_venue_can_be_painted_at_odd_sizes():
    for seed, venue in enumerate(VENUES):
        image, mask = render_scene(np.random.default_rng(seed), venue.name, (45, 71))
        assert image.shape == (45, 71, 3) and mask.shape == (45, 71)
        assert image.dtype == mask.dtype == np.uint8 and mask.max() <= 3
    with pytest.raises(ConfigError, match=r"venue 'bonn'.*arenholm, borgfeld"):
        render_scene(np.random.default_rng(0), "bonn")


# The camera and the lines


def test_projection_worked_out_by_hand():
    # 1 m up, looking along x, 45 degrees down: the axis meets the ground 1 m ahead.
    camera = Camera((100, 200), 100.0, (2.0, 3.0, 1.0), yaw=0.0, pitch=np.pi / 4)
    assert camera.project(np.array([3.0, 3.0, 0.0])) == pytest.approx([100, 50])
    # 1 m to the left (y) of it, at a depth of sqrt(2), is 100 / sqrt(2) pixels to the left.
    assert camera.project(np.array([3.0, 4.0, 0.0])) == pytest.approx([100 - 100 / np.sqrt(2), 50])
    # Level with the camera, 1 m ahead: 45 degrees above the axis, so f * tan(45) up.
    assert camera.project(np.array([3.0, 3.0, 1.0])) == pytest.approx([100, 50 - 100])
    # With the camera's right side turned down by 90 degrees, what was on the left is at the bottom.
    rolled = Camera((100, 200), 100.0, (2.0, 3.0, 1.0), 0.0, np.pi / 4, np.pi / 2)
    assert rolled.project(np.array([3.0, 4.0, 0.0])) == pytest.approx([100, 50 + 100 / np.sqrt(2)])


def test_ground_lies_where_it_is_projected():
    x, y, depth = CAMERA.ground(CAMERA.rays())
    rows, columns = np.mgrid[0:240, 0:320]
    near = (depth > 0) & (depth < 20)
    points = np.stack([x, y, np.zeros_like(x)], axis=-1)[near].astype(float)
    assert near.sum() > 40_000
    assert np.abs(CAMERA.project(points) - np.stack([columns, rows], -1)[near] - 0.5).max() < 0.02
    assert CAMERA.depth(points) == pytest.approx(depth[near], rel=1e-4)


def _segments(pitch):
    """The lines of a pitch as segments ((x, y), (x, y)), written down from the leagues' drawings."""
    end, side = pitch.length / 2, pitch.width / 2
    segments = [((0, -side), (0, side))]
    for x in (-end, end):
        segments.append(((x, -side), (x, side)))
    for y in (-side, side):
        segments.append(((-end, y), (end, y)))
    for sign in (-1, 1):
        for depth, breadth in (pitch.goal_area, pitch.penalty_area):
            front, edge = sign * (end - depth), breadth / 2
            corners = [(sign * end, -edge), (front, -edge), (front, edge), (sign * end, edge)]
            segments += pairwise(corners)
    return segments


@pytest.mark.parametrize("pitch", [STANDARD_PLATFORM, KID_SIZE, ADULT_SIZE])
def test_lines_of_the_mask_are_the_geometry_seen_through_the_camera(pitch):
    mask = vote(turf.labels(pitch, CAMERA))
    # Independently: each segment and the circle is walked along and across, and its points are projected.
    along, across = np.linspace(0, 1, 6000)[:, None], np.linspace(-0.5, 0.5, 41) * pitch.line * 0.9
    turn = np.linspace(0, 2 * np.pi, 20000)[:, None]
    points = [np.stack([(pitch.circle + across) * np.cos(turn), (pitch.circle + across) * np.sin(turn)], -1)]
    for (x0, y0), (x1, y1) in _segments(pitch):
        length = np.hypot(x1 - x0, y1 - y0)
        normal = np.array([y0 - y1, x1 - x0]) / length
        x = x0 + along * (x1 - x0) + across * normal[0]
        points.append(np.stack([x, y0 + along * (y1 - y0) + across * normal[1]], -1))
    world = np.concatenate([p.reshape(-1, 2) for p in points])
    world = np.column_stack([world, np.zeros(len(world))])
    depth = CAMERA.depth(world)
    world = world[(depth > 0.1) & (depth < 2.5)]  # farther lines are thinner than a pixel
    pixels = np.floor(CAMERA.project(world)).astype(int)
    inside = (pixels >= 0).all(axis=1) & (pixels < (320, 240)).all(axis=1)
    seen = np.zeros((240, 320), bool)
    seen[pixels[inside, 1], pixels[inside, 0]] = True

    _, _, depth = CAMERA.ground(CAMERA.rays())
    near = depth < 2.4
    mark = (mask == LINES) & near
    assert mark.sum() > 1000
    # Each line pixel is met by the geometry, but for the marks, which are no segments; and what the geometry
    # meets is a line or the rim of one.
    assert (mark & ~seen).sum() < 0.02 * mark.sum()
    rim = np.zeros_like(seen)
    for shift in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        rim |= np.roll(mask == LINES, shift, (0, 1))
    assert (seen & near & ~(mask == LINES) & ~rim).sum() < 0.005 * mark.sum()


def test_widths_and_marks_by_hand():
    pitch = STANDARD_PLATFORM
    on = {
        (4.524, 0): True, (4.526, 0): False,  # goal line: 4.5 m, half its width is 2.5 cm
        (0, 2.976): True, (0.03, 2.9): False, (1, 3.024): True, (1, 3.026): False,
        (0.774, 0.0): True, (0.776, 0.0): False, (0.0, 0.726): True, (-0.53, 0.53): True,  # circle of 0.75 m
        (3.2, 0): True, (3.2, 0.049): True, (3.2, 0.051): False, (-3.249, 0): True, (3.251, 0): False,
        (3.9, 1.1): True, (3.9, -1.12): True, (3.9, 1.13): False,  # goal area 0.6 x 2.2 m
        (2.85, 2.0): True, (2.82, 0): False,  # penalty area 1.65 x 4 m
    }  # fmt: skip
    x, y = np.array([*on], float).T
    assert pitch.is_line(x, y).tolist() == [*on.values()]
    x, y = np.array([(5.19, 3.69), (5.21, 0), (0, 3.71)]).T
    assert pitch.is_turf(x, y).tolist() == [True, False, False]


def test_random_spots_on_lines_are_on_lines():
    for pitch in (STANDARD_PLATFORM, ADULT_SIZE):
        spots = np.array([pitch.spot_on_a_line(np.random.default_rng(seed)) for seed in range(60)])
        assert pitch.is_line(*(spots * (1 - 1e-9)).T).all()


# The canvas


@pytest.fixture
def canvas():
    """Half a metre above the ground, looking level along x: 1 m at a depth of 2 m is 150 pixels."""
    camera = Camera((240, 320), 300.0, (0.0, 0.0, 0.5), yaw=0.0, pitch=0.0)
    return Canvas(camera, np.zeros((240, 320, 3)), np.full((480, 640), FIELD, np.uint8))


def test_a_ball_covers_the_disc_that_it_fills(canvas):
    # Its middle is at the height of the lens, 2 m ahead: a disc of 0.2 * 150 = 30 pixels in the middle.
    seed = next(s for s in range(99) if not balls._streak(np.random.default_rng(s), 1.0).any())
    design = ("classic", (240, 240, 240), (20, 20, 20))
    centre = np.array([2.0, 0.0, 0.5])
    balls.ball(canvas, np.random.default_rng(seed), design, centre, 0.2, np.ones(3))
    image, mask = canvas.finished()
    rows, columns = np.mgrid[0:240, 0:320]
    distance = np.hypot(rows + 0.5 - 120, columns + 0.5 - 160)
    assert (mask[distance < 29] == BALL).all() and (mask[distance > 31] == FIELD).all()
    assert image[distance < 28].max(axis=-1).min() > 0 and not image[distance > 32].any()
    # The patches' own colour is 20; the rest has 240, and at least 48 in its own shade.
    patches = (image[distance < 25].max(axis=-1) < 21).mean()
    assert 0.1 < patches < 0.5


def test_a_ball_in_motion_covers_what_it_hides_half_of_the_time(canvas):
    seed = next(s for s in range(99) if balls._streak(np.random.default_rng(s), 1.0).any())
    centre = np.array([2.0, 0.0, 0.5])
    design = ("plain", (230, 110, 20), (0, 0, 0))
    balls.ball(canvas, np.random.default_rng(seed), design, centre, 0.2, np.ones(3))
    image, mask = canvas.finished()
    assert image.any(axis=-1).sum() > 1.1 * (mask == BALL).sum()
    # For a way shorter than the ball's width that is never more than the ball itself, or its middle.
    assert 0.8 * np.pi * 30**2 < (mask == BALL).sum() < 1.05 * np.pi * 30**2


def test_a_rod_lands_on_the_pixels_worked_out_by_hand(canvas):
    # Upright, 2 m ahead and 0.4 m to the left: column 160 - 60, from 0.1 m to 0.9 m, 0.1 m thick.
    rod = Rod(np.array([2, 0.4, 0.1]), np.array([2, 0.4, 0.9]), 0.05, 0.05, np.full(3, 200.0))
    canvas.rod(rod, np.ones(3))
    image, mask = canvas.finished()
    rows, columns = np.nonzero(mask == BACKGROUND)
    assert abs(columns.min() - (100 - 7.5)) <= 1 and abs(columns.max() + 1 - (100 + 7.5)) <= 1
    assert abs(rows.min() - (60 - 7.5)) <= 1 and abs(rows.max() + 1 - (180 + 7.5)) <= 1
    assert image[mask == BACKGROUND].min() > 0 and not image[np.abs(np.arange(240) - 120) > 70].any()


def test_what_is_behind_the_camera_is_not_drawn_and_what_passes_it_is_cut(canvas):
    behind, through = np.array([-1.0, 0, 0.2]), np.array([2.0, 0, 0.2])
    canvas.rod(Rod(behind, behind - 1, 0.1, 0.1, np.full(3, 200.0)), np.ones(3))
    assert (canvas.finished()[1] == FIELD).all()
    canvas.rod(Rod(behind, through, 0.02, 0.02, np.full(3, 200.0)), np.ones(3))
    mask = canvas.finished()[1]
    assert (mask[:150] == FIELD).all() and (mask[230, 155:165] == BACKGROUND).any()


def test_what_the_net_veils_is_background(canvas):
    pitch = STANDARD_PLATFORM
    goals.net(canvas, pitch, 1, np.full(3, 200.0))
    mask = canvas.finished()[1]
    corner = np.array([4.5, 0.75, 0.8])
    column, row = canvas.camera.project(corner) / 2
    assert mask[round(row) + 3, round(column) + 8] == BACKGROUND
    assert mask[round(row) - 4, 160] == FIELD


def test_votes_of_samples():
    samples = {
        BALL: [[1, 1], [3, 3]], LINES: [[2, 3], [3, 2]], BACKGROUND: [[0, 3], [0, 3]], FIELD: [[3, 3], [3, 1]]
    }  # fmt: skip
    labels = np.concatenate([np.array(block, np.uint8) for block in samples.values()], axis=1)
    assert vote(labels).tolist() == [[*samples]]


def test_bodies_stand_on_the_ground_at_their_height():
    rng = np.random.default_rng(2)
    for height in (0.58, 1.4):
        for build in ("rounded", "skeletal", "bulky"):
            heights = []
            for _ in range(20):
                rods = figures.robot(rng, build, height, (200, 0, 0), 1.0, 2.0, 0.3)
                ends = np.array([rod.end for rod in rods])
                assert np.abs(ends[:, :2] - (1, 2)).max() < 1.2 * height
                assert min(rod.end[2] - rod.end_m for rod in rods) > -1e-9
                heights.append(ends[:, 2].max())
            assert 0.8 * height < np.median(heights) < height
    assert 1.5 < max(rod.end[2] for rod in figures.person(rng, 0, 0, 0)) < 2.0


def test_cameras_stand_on_the_pitch_and_mostly_look_down():
    venue = VENUES[0]
    cameras = [scene.aim(np.random.default_rng(seed), venue, 0.58, (480, 640)) for seed in range(200)]
    down = np.degrees([camera.pitch for camera in cameras])
    assert 15 < np.median(down) < 35 and 0.02 < (down < 0).mean() < 0.15 and (down > 50).mean() > 0.03
    positions = np.array([camera.position for camera in cameras])
    assert np.abs(positions[:, 0]).max() <= venue.pitch.length / 2  # never behind a net
    assert positions[:, 2].min() > 0.45 and positions[:, 2].max() < 0.58


# The files


def test_the_files(tmp_path):
    root = soccer_scenes.make(tmp_path / "set", **TINY, processes=1)
    names = {f"train/{venue.name}_00000.png" for venue in VENUES[:5]}
    names |= {"train/arenholm_00001.png", "val/fjellby_00000.png"}
    expected = {f"{kind}/{name}" for kind in ("images", "masks") for name in names}
    assert _files(root).keys() == expected | {"soccer_scenes.json"}
    assert [len(create_dataset("soccer_scenes", split, root)) for split in ("train", "val")] == [6, 1]
    with pytest.raises(DataError, match=r"images.test does not exist.*seglab data make soccer_scenes"):
        create_dataset("soccer_scenes", "test", root)


def test_the_files_depend_on_the_seed_and_not_on_processes_or_counts(tmp_path):
    alone = _files(soccer_scenes.make(tmp_path / "alone", **TINY, processes=1))
    together = _files(soccer_scenes.make(tmp_path / "together", **TINY, processes=3))
    fewer = _files(soccer_scenes.make(tmp_path / "fewer", counts={"train": 2}, size=(48, 64), processes=1))
    other = _files(soccer_scenes.make(tmp_path / "other", **TINY, seed=1, processes=1))
    assert alone == together
    assert all(alone[name] == content for name, content in fewer.items() if name.endswith(".png"))
    assert alone.keys() == other.keys()
    assert all(alone[name] != other[name] for name in alone if name.startswith("images"))


def test_refusals(tmp_path):
    with pytest.raises(DataError, match=r"soccer scenes: counts: got extra: 3; allowed are test, train, val"):
        soccer_scenes.make(tmp_path / "set", counts={"extra": 3})
    (tmp_path / "photographs").mkdir()
    with pytest.raises(DataError, match=r"photographs: is there already, and holds no soccer scenes"):
        soccer_scenes.make(tmp_path / "photographs", **TINY)


def test_the_set_is_painted_on_first_use(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLAB_CACHE", str(tmp_path))
    monkeypatch.setattr(soccer_scenes.default_root, "__kwdefaults__", {**TINY, "seed": 0})
    monkeypatch.setattr(soccer_scenes.make, "__kwdefaults__", soccer_scenes.make.__kwdefaults__ | TINY)
    assert len(create_dataset("soccer_scenes", "train")) == 6
    assert [path.name for path in tmp_path.iterdir()] == [soccer_scenes.default_root().name]
