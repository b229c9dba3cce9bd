"""The doctor finds what is planted, and nothing in data without fault.

Planted, one at a time: an image without a mask, a mask without an image, an empty split, sizes that differ
by one pixel, sizes that are swapped, a mask of colours, of 16 bits, with transparency, with ids that are
none, as JPEG, an image that is cut off, of 0 bytes, that is a web page, that is grey, that is rotated by its
EXIF, a picture in two splits, one that is only compressed anew, one that is only darker, one that is cropped
and scaled, twice in one split, a mask that is nearly empty, a class that occurs nowhere, pictures of
different sizes, a recording that is in two splits.
"""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image, ImageFilter

from seglab.datasets import create_dataset
from seglab.datasets.checks import Diagnosis, Finding, diagnose
from seglab.errors import ConfigError, DataError
from seglab.labels import CAMVID11

from .conftest import write_png

SIZE = (96, 128)


def photograph(seed: int) -> np.ndarray:
    """A smooth picture, as photographs are: noise would not survive a JPEG."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    large = Image.fromarray(noise).resize(SIZE[::-1], Image.Resampling.BICUBIC)
    return np.array(large.filter(ImageFilter.GaussianBlur(4)))


@pytest.fixture
def root(tmp_path):
    """A set without a fault: 6, 3 and 3 pictures in folders, every class in every mask."""
    classes = ", ".join(f"{name}: {{id: {i}}}" for i, name in enumerate(CAMVID11.classes))
    (tmp_path / "set.yaml").write_text(
        f"name: set\nimages: .\nmasks: masks\nclasses: {{{classes}}}\nignore: [11]\n"
        "splits: [train, val, test]\n"
    )
    seed = 0
    for split, number in (("train", 6), ("val", 3), ("test", 3)):
        for _ in range(number):
            seed += 1
            mask = np.random.default_rng(seed).integers(0, 12, SIZE, dtype=np.uint8)
            write_png(tmp_path / split / f"drive{split}_{seed:02}.png", photograph(seed))
            write_png(tmp_path / "masks" / split / f"drive{split}_{seed:02}.png", mask)
    return tmp_path


def files(root, number: int = 3):
    """Image and mask of a training picture."""
    return tuple(root / folder / f"drivetrain_{number:02}.png" for folder in ("train", "masks/train"))


def pixels(path) -> np.ndarray:
    return np.array(Image.open(path))


def as_jpeg(image: np.ndarray, path, **options) -> None:
    Image.fromarray(image).save(path, "JPEG", **options)


def compressed(image: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=40)
    return np.array(Image.open(buffer))


def into_val(root, change=lambda image: image) -> None:
    """A training picture goes to val, too, under another name."""
    image, mask = files(root)
    write_png(root / "val" / "driveval_77.png", change(pixels(image)))
    shutil.copy(mask, root / "masks/val" / "driveval_77.png")


def rotated(root) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels(files(root)[0])).save(files(root)[0], exif=exif)


def cut_off(path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cropped(image: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(image[2:-2, 2:-2]).resize(SIZE[::-1]))


def without_class(root) -> None:
    for path in (root / "masks/val").iterdir():
        mask = pixels(path)
        write_png(path, np.where(mask == 9, 11, mask).astype(np.uint8))


def smaller(root) -> None:
    for path in files(root):
        write_png(path, pixels(path)[:-1])


def nearly_empty(root) -> None:
    mask = np.full(SIZE, 11, np.uint8)
    mask[0, :100] = 3  # 0.8 per cent
    write_png(files(root)[1], mask)


def rename(root, folder: str) -> None:
    for part in (folder, f"masks/{folder}"):
        path = min((root / part).iterdir())
        path.rename(path.with_name("drivetrain_99.png"))


PLANTED = {
    "an image without a mask": (lambda r: files(r)[1].unlink(), "layout", "without a mask"),
    "a mask without an image": (lambda r: files(r)[0].unlink(), "layout", "without an image"),
    "an empty split": (
        lambda r: [p.unlink() for f in ("test", "masks/test") for p in (r / f).iterdir()],
        *("layout", "holds no pictures"),
    ),
    "one pixel smaller": (lambda r: write_png(files(r)[1], pixels(files(r)[1])[:-1]), "pair", "95 x 128"),
    "swapped": (lambda r: write_png(files(r)[1], pixels(files(r)[1]).T.copy()), "pair", "128 x 96"),
    "colours": (lambda r: write_png(files(r)[1], photograph(1)), "pair", "PNG mask in RGB"),
    "16 bits": (
        lambda r: write_png(files(r)[1], pixels(files(r)[1]).astype(np.uint16)),
        *("pair", "16 bits"),
    ),
    "transparency": (lambda r: Image.new("LA", SIZE[::-1]).save(files(r)[1]), "pair", "alpha"),
    "ids": (lambda r: write_png(files(r)[1], pixels(files(r)[1]) + 1), "pair", "ids 12 are not ids"),
    "JPEG mask": (lambda r: as_jpeg(pixels(files(r)[1]), files(r)[1]), "pair", "no PNG"),
    "cut off": (lambda r: cut_off(files(r)[0]), "pair", "damaged or cut off"),
    "0 bytes": (lambda r: files(r)[0].write_bytes(b""), "pair", "damaged"),
    "web page": (lambda r: files(r)[0].write_text("<html>"), "pair", "no PNG or JPEG"),
    "grey": (lambda r: write_png(files(r)[0], photograph(3)[..., 0]), "pair", "in grey"),
    "rotated": (rotated, "pair", "orientation 6"),
    "in two splits": (into_val, "duplicate", "the same picture"),
    "compressed anew": (lambda r: into_val(r, compressed), "near duplicate", "looks like"),
    "darker": (lambda r: into_val(r, lambda i: (i * 0.8).astype(np.uint8)), "near duplicate", "looks like"),
    "cropped": (lambda r: into_val(r, cropped), "near duplicate", "looks like"),
    "twice in a split": (
        lambda r: [shutil.copy(p, p.with_name("drivetrain_88.png")) for p in files(r)],
        *("duplicate", "the same picture"),
    ),
    "nearly empty": (nearly_empty, "empty mask", "0.81% of the pixels"),
    "a class is missing": (without_class, "missing class", "pedestrian"),
    "different sizes": (smaller, "sizes", "1 of 95 x 128, 5 of 96 x 128"),
    "a recording in two splits": (
        lambda r: rename(r, "val"),
        "recording",
        "drivetrain, which has 6 in train",
    ),
}
ERRORS = {"layout", "pair"}


@pytest.mark.parametrize("fault", PLANTED)
def test_each_planted_fault_is_found_and_no_other(root, fault):
    plant, kind, part = PLANTED[fault]
    plant(root)
    result = diagnose(str(root / "set.yaml"))
    assert {finding.kind for finding in result.findings} == {kind}
    messages = [finding.message for finding in result.findings]
    assert part in messages[0], messages
    error = kind in ERRORS or fault == "in two splits"
    assert {finding.level for finding in result.findings} == {"error" if error else "warning"}
    assert bool(result.errors) == error
    assert ("cannot be trusted yet" if error else "can be used") in str(result)


def test_data_without_fault_passes(root, scenes):
    for name, place in ((str(root / "set.yaml"), None), ("street_scenes", scenes)):
        result = diagnose(name, place)
        # Six small street scenes do not show each of the 19 classes.
        assert {finding.kind for finding in result.findings} <= {"missing class"}
        assert result.errors == 0
    assert str(diagnose(str(root / "set.yaml"))).endswith("set can be used: 0 errors, 0 warnings")


def test_a_split_that_shows_no_class_is_an_error(root):
    for path in (root / "masks/val").iterdir():
        write_png(path, np.full(SIZE, 11, np.uint8))
    result = diagnose(str(root / "set.yaml"))
    (error,) = (finding for finding in result.findings if finding.level == "error")
    assert (error.kind, error.split) == ("missing class", "val")
    assert error.message == "no picture shows any class; check the ids and `ignore`"


def test_all_faults_at_once_are_all_found(root):
    write_png(files(root, 1)[1], pixels(files(root, 1)[1]) + 1)
    cut_off(files(root, 2)[0])
    into_val(root)
    (root / "masks/test" / "drivetest_11.png").unlink()
    result = diagnose(str(root / "set.yaml"))
    assert sorted(f.kind for f in result.findings) == ["duplicate", "layout", "pair", "pair"]
    assert {f.split for f in result.findings if f.kind == "layout"} == {"test"}
    assert result.splits["train"]["problems"] == 2


def test_shares_and_sizes_are_reported_as_json(root, tmp_path):
    result = diagnose(str(root / "set.yaml"))
    result.write(tmp_path / "new" / "report.json")
    record = json.loads((tmp_path / "new" / "report.json").read_text())
    train = record["splits"]["train"]
    ids = np.concatenate([pixels(path).reshape(-1) for path in (root / "masks/train").iterdir()])
    assert train["share_of_labelled_pixels"]["car"] == pytest.approx(
        (ids == 8).sum() / (ids < 11).sum(), abs=1e-6
    )
    assert train["pictures_with_class"]["car"] == 6 and train["sizes"] == {"96x128": 6}
    assert record["findings"] == [] and set(record["closeness"]) == {"train", "val", "test"}


def test_splits_that_consist_of_others_are_named_and_not_leaks(root):
    for split in ("train", "val", "test"):
        (root / "masks" / split).rename(root / f"{split}annot")
    names = {"train": ("0006R0", "0016E5"), "val": ("0016E5",), "test": ("0001TP", "Seq05VD")}
    for split, drives in names.items():
        for folder in (split, f"{split}annot"):
            for i, path in enumerate(sorted((root / folder).iterdir())):
                path.rename(path.with_name(f"{drives[i % len(drives)]}_{i}.png"))
    result = diagnose("camvid", root)
    assert result.errors == 0
    assert result.parts == {
        "trainval": ["train", "val"],
        **{split: ["test"] for split in ("test_seq05vd", "test_0001tp")},
        **{split: ["train"] for split in ("devtrain", "devval")},
    }
    assert "camvid devval: pictures of train" in str(result)


def test_a_list_of_two_splits_that_share_a_picture_is_a_leak(root):
    names = sorted(path.stem for path in (root / "train").iterdir())
    (root / "a.txt").write_text("\n".join(names[:4]))
    (root / "b.txt").write_text("\n".join(names[3:]))
    (root / "own.yaml").write_text(
        "name: own\nimages: train\nmasks: masks/train\nclasses: {all: {id: 0}}\n"
        f"ignore: {list(range(1, 12))}\nsplits: {{train: a.txt, val: b.txt}}\n"
    )
    errors = [f for f in diagnose(str(root / "own.yaml")).findings if f.level == "error"]
    assert [f.kind for f in errors] == ["duplicate"] and names[3] in errors[0].message


@pytest.mark.parametrize(
    ("splits", "leaks"),
    [
        ({"train": range(6), "val": (1, 3)}, {"val": "all 2 pictures of val are also in train"}),
        (
            {"train": range(6), "val": range(6), "test": range(6)},
            {split: f"all 6 pictures of {split} are also in train" for split in ("val", "test")},
        ),
        (
            {"train": range(4), "val": (4, 5), "test": (2, 5)},
            {"test": "all 2 pictures of test are also in train and val"},
        ),
    ],
    ids=["val in train", "train = val = test", "test in both"],
)
def test_own_splits_that_consist_of_others_are_leaks(root, splits, leaks):
    names = sorted(path.stem for path in (root / "train").iterdir())
    for split, numbers in splits.items():
        (root / f"{split}.txt").write_text("\n".join(names[number] for number in numbers))
    files = ", ".join(f"{split}: {split}.txt" for split in splits)
    (root / "own.yaml").write_text(
        "name: own\nimages: train\nmasks: masks/train\nclasses: {all: {id: 0}}\n"
        f"ignore: {list(range(1, 12))}\nsplits: {{{files}}}\n"
    )
    result = diagnose(str(root / "own.yaml"))
    assert {f.split: f.message for f in result.findings if f.level == "error"} == leaks
    assert result.errors == len(leaks) and result.parts == {} and "cannot be trusted yet" in str(result)


def test_a_split_without_masks_is_checked_for_its_images(cityscapes_root):
    for part in ("val", "test"):
        shutil.copytree(cityscapes_root / "leftImg8bit/train", cityscapes_root / "leftImg8bit" / part)
    shutil.copytree(cityscapes_root / "gtFine/train", cityscapes_root / "gtFine/val")
    for path in (cityscapes_root / "leftImg8bit/test").rglob("*.png"):
        cut_off(path)
    result = diagnose("cityscapes", cityscapes_root)
    kinds = {(f.split, f.kind) for f in result.findings if f.level == "error"}
    assert {("test", "pair"), ("val", "duplicate")} <= kinds
    assert result.splits["test"]["problems"] == 3


def test_nothing_to_check_is_an_error(tmp_path):
    with pytest.raises(DataError, match="data set not found"):
        diagnose("camvid", tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="did you mean camvid"):
        diagnose("camvit")


def test_the_real_camvid_is_clean_and_its_val_is_close_to_train(real_camvid):
    result = diagnose("camvid", real_camvid)
    assert result.errors == 0 and {f.kind for f in result.findings} == {"recording"}
    recordings = {(f.split, f.message.split(" are of ")[1].split(",")[0]) for f in result.findings}
    assert recordings == {("val", "0016E5"), ("test", "0001TP")}
    assert "101 of 101 pictures" in next(f.message for f in result.findings if f.split == "val")
    # Val is nearer to train than test is; and yet no picture of one is one of the other.
    assert result.closeness["val"]["train"] > result.closeness["test"]["train"] + 0.02
    assert create_dataset("camvid", "val", real_camvid).names[0] == "0016E5_07959"


def test_many_findings_of_a_kind_are_counted_and_not_all_printed():
    findings = [Finding("warning", "empty mask", "train", f"picture {number}") for number in range(25)]
    other = Finding("error", "pair", "val", "no mask")
    printed = str(Diagnosis("own", {}, {}, {}, (*findings, other))).splitlines()
    assert printed[9:] == [
        "  warning (empty mask) in train: picture 9",
        "  warning (empty mask) in train: 15 more; the JSON report has all",
        "  error (pair) in val: no mask",
        "own cannot be trusted yet: 1 errors, 25 warnings",
    ]
