"""The embedded street scenes: what they demand of a network, and how they come onto the disk."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import jaccard_score

from seglab.datasets import create_dataset, street_scenes
from seglab.datasets.street_painter import CITIES, render_scene
from seglab.datasets.street_painter.canvas import FILE_IDS, Camera, Canvas, Frame, Light, Pen
from seglab.errors import ConfigError, DataError
from seglab.labels import CITYSCAPES, IGNORE_INDEX

# Shares of Cityscapes' labelled training pixels in per cent, in train-id order, recovered from the class
# weights that ERFNet's authors published (Eromera/erfnet_pytorch, train/main.py).
CITYSCAPES_SHARES = (
    *(36.88, 6.09, 22.82, 0.656, 0.878, 1.227, 0.208, 0.551, 15.92, 1.159, 4.01, 1.219, 0.135, 7.00),
    *(0.268, 0.235, 0.233, 0.099, 0.414),
)
TINY = {"counts": {"train": 5, "val": 2}, "size": (32, 64)}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Pictures (N, H, W, 3) and masks (N, H, W) of a smaller set in train ids, by split."""
    root = tmp_path_factory.mktemp("sample") / "set"
    street_scenes.make(root, counts={"train": 60, "val": 30, "test": 30}, size=(64, 128))
    sample = {}
    for split in ("train", "val", "test"):
        dataset = create_dataset("street_scenes", split, root)
        pairs = [dataset.read(index) for index in range(len(dataset))]
        sample[split] = tuple(np.stack(part) for part in zip(*pairs, strict=True))
    return sample


def _files(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# What the pictures demand of a network


def test_every_class_occurs_in_every_split(sample):
    for _, masks in sample.values():
        assert set(np.unique(masks)) == {*range(19), IGNORE_INDEX}


def test_shares_of_the_classes_rank_as_in_cityscapes(sample):
    masks = sample["train"][1]
    shares = np.bincount(masks.ravel(), minlength=256)[:19] / (masks != IGNORE_INDEX).sum()
    assert spearmanr(shares, CITYSCAPES_SHARES).statistic >= 0.8
    # Rare classes are less rare than in Cityscapes, so that a short training meets them often enough.
    assert shares.min() >= 0.003
    assert all((masks == train_id).any(axis=(1, 2)).mean() >= 0.1 for train_id in range(19))


def test_colour_and_position_do_not_give_the_classes_away(sample):
    def pixels(split, count):
        images, masks = sample[split]
        labelled = np.flatnonzero(masks != IGNORE_INDEX)
        chosen = np.random.default_rng(0).choice(labelled, count, replace=False)
        _, row, column = np.unravel_index(chosen, masks.shape)
        return np.column_stack([images.reshape(-1, 3)[chosen], row, column]), masks.ravel()[chosen]

    classifier = HistGradientBoostingClassifier(max_iter=25, random_state=0).fit(*pixels("train", 40_000))
    features, truth = pixels("val", 40_000)
    score = jaccard_score(truth, classifier.predict(features), average="macro")
    assert 0.10 < score <= 0.25  # the notebook's network reaches 0.40


def test_ignored_ids_occur_and_all_ids_are_known():
    void = {number for number, train_id in CITYSCAPES.file_ids.items() if train_id == IGNORE_INDEX}
    ids = set()
    for seed in range(16):
        image, labels = render_scene(np.random.default_rng(seed), CITIES[seed % 8], (33, 70))
        assert image.shape == (33, 70, 3) and labels.shape == (33, 70)
        assert image.dtype == labels.dtype == np.uint8
        ids |= set(labels.ravel().tolist())
    assert ids <= CITYSCAPES.file_ids.keys()
    assert {1, 3, 4, 9} <= ids & void  # ego vehicle, out of roi, static, parking


def test_cities_of_different_splits_share_no_colours_and_no_light():
    for one in CITIES:
        for other in CITIES:
            if one.split != other.split:
                for colours in ("stones", "leaves", "paving"):
                    assert not {*getattr(one, colours)} & {*getattr(other, colours)}
                assert one.gains != other.gains and one.weather != other.weather
    assert Counter(city.split for city in CITIES) == {"train": 4, "val": 2, "test": 2}


def test_the_same_generator_state_gives_the_same_picture():
    first, again, other = (render_scene(np.random.default_rng(s), "brixmoor", (64, 96)) for s in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any() and (first[1] != other[1]).any()


def test_unknown_city():
    with pytest.raises(ConfigError, match=r"'bonn'.*alderholm, brixmoor"):
        render_scene(np.random.default_rng(0), "bonn")


# The canvas


@pytest.fixture
def canvas():
    """A camera 2 m above the road that sees 1 m at a distance of 10 m as 20 pixels, in even light."""
    camera = Camera((120, 160), focal_px=200, horizon_px=40, centre_px=80, eye_m=2)
    up, white = np.array([0.0, 1, 0]), np.ones(3)
    return Canvas(camera, Light(up, sun=0 * white, sky=white, haze=0 * white, sight_m=1e9))


def test_projection():
    camera = Camera((100, 200), 100, horizon_px=40, centre_px=90, eye_m=1.5, curve=0.01, hill=0.001)
    # At 10 m a metre is 10 pixels; there the street lies 0.01 * 10^2 = 1 m further right and 0.1 m higher.
    pixel = camera.project(np.array([0.5, 0.2, 10.0]))
    assert pixel == pytest.approx([90 + 10 * (0.5 + 1), 40 + 10 * (1.5 - 0.2 - 0.1)])


def test_ground_lies_where_it_is_projected():
    camera = Camera((100, 200), 100, horizon_px=40, centre_px=90, eye_m=1.5, curve=0.002, hill=0.0003)
    top, x, z = camera.ground()
    rows, columns = np.mgrid[top:100, 0:200]
    projected = camera.project(np.stack([x, np.zeros_like(x), np.broadcast_to(z, x.shape)], axis=-1))
    # Beyond 60 m a row of pixels covers many metres, which are interpolated.
    near = np.broadcast_to(z < 60, x.shape)
    assert near.sum() > 5000
    assert np.abs(projected[..., 0] - columns - 0.5)[near].max() < 0.1
    assert np.abs(projected[..., 1] - rows - 0.5)[near].max() < 0.1


def test_picture_and_mask_agree_in_every_shape(canvas):
    pen, red = Pen(canvas, Frame(0, 10, np.pi / 2), "car"), np.array([250.0, 0, 0])
    pen.rectangles([-3.0, -2.1], 0, [-2.5, -1.6], 1.3, red)
    pen.disc(-0.5, 1, 0.4, red)
    pen.limb((0.5, 0.1), (1.1, 1.9), 0.1, 0.2, red)
    canvas.balls(np.array([[1.8, 1.0, 10.0], [2.0, 0.4, 9.0]]), 0.3, red, "car")
    pen.polygon([2.5, 3.0, 2.9], [0.2, 0.3, 1.7], red)
    drawn = np.asarray(canvas.image)[..., 0] > 0
    assert drawn.sum() > 1000
    assert (drawn == (np.asarray(canvas.labels) == FILE_IDS["car"])).all()


def test_a_rectangle_lands_on_the_pixels_worked_out_by_hand(canvas):
    # 10 m ahead, from 1 to 2 m on the right and from 0.5 to 1 m above the road, at 20 pixels to the metre.
    Pen(canvas, Frame(0, 10, np.pi / 2), "wall").rectangles(1, 0.5, 2, 1, np.full(3, 99.0))
    rows, columns = np.nonzero(np.asarray(canvas.labels) == FILE_IDS["wall"])
    assert (rows.min(), rows.max()) == (40 + 20, 40 + 30)
    assert (columns.min(), columns.max()) == (80 + 20, 80 + 40)
    assert len(rows) == 11 * 21


def test_what_shows_through_a_fence_belongs_to_it(canvas):
    Pen(canvas, Frame(0, 10, np.pi / 2), "fence").rectangles(-1, 0, 1, 1, None)
    assert not np.asarray(canvas.image).any()
    assert (np.asarray(canvas.labels) == FILE_IDS["fence"]).sum() == 41 * 21


def test_near_things_hide_far_ones(canvas):
    for z, label in ((20, "building"), (10, "person")):
        Pen(canvas, Frame(0, z, np.pi / 2), label).rectangles(-1, 0, 1, 2, np.full(3, 99.0))
    assert (np.asarray(canvas.labels) == FILE_IDS["person"]).sum() == 41 * 41
    assert (np.asarray(canvas.labels) == FILE_IDS["building"]).sum() == 0


def test_a_polygon_is_cut_off_before_the_camera(canvas):
    # From behind the camera to 10 m ahead: from row 40 + 200 * 2 / 10 to the lower edge.
    strip = np.array([[-1, 0, -5], [1, 0, -5], [1, 0, 10], [-1, 0, 10.0]])
    canvas.polygon(strip, np.full(3, 99.0), "road")
    rows, columns = np.nonzero(np.asarray(canvas.labels) == FILE_IDS["road"])
    assert (rows.min(), rows.max()) == (80, 119)
    assert (columns[rows == 80].min(), columns[rows == 80].max()) == (60, 100)


def test_light_and_shadow():
    to_sun = np.array([-1.0, 1.0, 0.0]) / np.sqrt(2)  # 45 degrees high, on the left
    light = Light(to_sun, sun=np.ones(3), sky=np.full(3, 0.5), haze=np.full(3, 200.0), sight_m=100.0)
    up, right = np.array([0.0, 1, 0]), np.array([1.0, 0, 0])
    assert light.on(up) == pytest.approx(np.full(3, 0.5 + np.sqrt(0.5)))
    assert light.on(right) == pytest.approx(np.full(3, 0.5))
    assert light.through_air(np.zeros(3), 100.0) == pytest.approx(np.full(3, 200 * (1 - np.exp(-1))))
    # A box of 2 m in height throws a shadow 2 m to the right.
    outline = light.shadow(0, 1, 10, 11, top=2)
    assert set(map(tuple, outline.round(9).tolist())) == {(0, 0, 10), (3, 0, 10), (3, 0, 11), (0, 0, 11)}


# The files


def test_make_writes_the_layout_of_cityscapes(tmp_path):
    root = street_scenes.make(tmp_path / "set", **TINY, processes=1)
    stems = (
        "train/alderholm/alderholm_000000_000019",
        "train/alderholm/alderholm_000001_000019",
        "train/brixmoor/brixmoor_000000_000019",
        "train/cedrana/cedrana_000000_000019",
        "train/dunvale/dunvale_000000_000019",
        "val/eastmere/eastmere_000000_000019",
        "val/felsburg/felsburg_000000_000019",
    )
    images = {f"leftImg8bit/{stem}_leftImg8bit.png" for stem in stems}
    masks = {f"gtFine/{stem}_gtFine_labelIds.png" for stem in stems}
    assert _files(root).keys() == images | masks | {"street_scenes.json"}
    assert [len(create_dataset("street_scenes", split, root)) for split in ("train", "val")] == [5, 2]


def test_the_files_do_not_depend_on_processes_or_counts(tmp_path):
    alone = _files(street_scenes.make(tmp_path / "alone", **TINY, processes=1))
    together = _files(street_scenes.make(tmp_path / "together", **TINY, processes=3))
    fewer = _files(street_scenes.make(tmp_path / "fewer", counts={"train": 2}, size=(32, 64), processes=1))
    assert alone == together
    assert len(fewer) == 5
    assert all(alone[name] == content for name, content in fewer.items() if name.endswith(".png"))


def test_the_seed_changes_every_picture(tmp_path):
    one, other = (_files(street_scenes.make(tmp_path / f"{s}", **TINY, seed=s, processes=1)) for s in (0, 1))
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one)


def test_a_complete_set_is_used_again(tmp_path, monkeypatch):
    root = street_scenes.make(tmp_path / "set", **TINY, processes=1)
    monkeypatch.setattr(street_scenes, "render_scene", None)  # painting would fail
    assert street_scenes.make(root, **TINY, processes=1) == root


def test_another_set_in_the_folder_is_refused(tmp_path):
    root = street_scenes.make(tmp_path / "set", **TINY, processes=1)
    before = _files(root)
    with pytest.raises(DataError, match=r'set: holds other street scenes: .*"seed": 0.*"seed": 5'):
        street_scenes.make(root, **TINY, seed=5)
    assert _files(root) == before
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "cat.png").touch()
    with pytest.raises(DataError, match="photographs: is there already, and holds no street scenes"):
        street_scenes.make(tmp_path / "photographs", **TINY)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"counts": {"train": 0}}, r"counts: got train: 0; allowed are test, train, val, each from 1 up"),
        ({"counts": {"extra": 3}}, r"counts: got extra: 3; allowed are test, train, val"),
        ({"size": (16, 64)}, r"size: got 16x64 pixels; allowed is 32x32 or more"),
        ({"processes": 0}, r"processes: got 0; allowed is 1 or more"),
    ],
)
def test_impossible_requests(tmp_path, request_, message):
    with pytest.raises(DataError, match=message):
        street_scenes.make(tmp_path / "set", **request_)
    assert not list(tmp_path.iterdir())


def test_progress_sees_every_picture(tmp_path):
    seen = []

    def progress(pictures, total, desc):
        assert total == 7
        for picture in pictures:
            seen.append(picture)
            yield picture

    street_scenes.make(tmp_path / "set", **TINY, processes=2, progress=progress)
    assert len(set(seen)) == 7


@pytest.mark.parametrize("processes", [1, 2])
def test_an_interrupted_generation_leaves_nothing(tmp_path, processes):
    def progress(pictures, **_):
        for picture in pictures:
            yield picture
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        street_scenes.make(tmp_path / "set", **TINY, processes=processes, progress=progress)
    assert not list(tmp_path.iterdir())


PROGRAM = """
import sys
from seglab.datasets import street_scenes
def progress(pictures, **_):
    for picture in pictures:
        print(picture, flush=True)
        yield picture
counts = {"train": int(sys.argv[2])}
street_scenes.make(sys.argv[1], counts=counts, size=(32, 64), processes=2, progress=progress)
"""


def _start(root, pictures):
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(root), str(pictures)], stdout=subprocess.PIPE)


def test_a_killed_generation_leaves_no_set_and_its_remains_are_removed(tmp_path):
    root = tmp_path / "set"
    process = _start(root, 500)
    process.stdout.readline()  # the first picture is on the disk
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not root.exists()
    assert len(list(tmp_path.iterdir())) == 1  # the unfinished set
    street_scenes.make(root, **TINY, processes=1)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_two_at_the_same_time_end_well(tmp_path):
    root = tmp_path / "set"
    both = [_start(root, 12) for _ in range(2)]
    for process in both:
        process.communicate()
    assert [process.returncode for process in both] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert len(_files(root)) == 2 * 12 + 1
    assert json.loads((root / "street_scenes.json").read_text())["counts"] == {"train": 12}


def test_the_default_folder_tells_what_is_in_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLAB_CACHE", str(tmp_path))
    folders = {
        street_scenes.default_root(),
        street_scenes.default_root(seed=1),
        street_scenes.default_root(size=(128, 256)),
        street_scenes.default_root(counts={"train": 280, "val": 60}),
    }
    monkeypatch.setattr(street_scenes, "GENERATOR_VERSION", 10_000)
    folders.add(street_scenes.default_root())
    assert len(folders) == 5
    assert {folder.parent for folder in folders} == {tmp_path}
