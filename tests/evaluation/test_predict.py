"""Predictions as files: pictures, folders, videos."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from seglab import render
from seglab.config import DataConfig
from seglab.datasets.soccer import HULKS4
from seglab.errors import ConfigError, DataError, RunError
from seglab.evaluation.execution import Execution
from seglab.evaluation.inference import Predictor
from seglab.evaluation.predict import predict_files, predict_video
from seglab.labels import CITYSCAPES, IGNORE_INDEX


class RoadOrSky(nn.Module):
    """Bright is sky (train id 10), dark is road (0)."""

    def forward(self, image):
        logits = torch.zeros(len(image), 19, *image.shape[-2:])
        logits[:, 10] = image.mean(1)
        return logits


PREDICT = Predictor(RoadOrSky(), Execution(torch.device("cpu")), DataConfig(), CITYSCAPES)
OWN_COLORS = replace(CITYSCAPES, name="garden", file_ids={}, file_colors={(70, 130, 180): 10})


def street(path, size=(40, 50), split=20):
    """Sky above road."""
    pixels = np.full((*size, 3), 20, np.uint8)
    pixels[:split] = 240
    Image.fromarray(pixels).save(path)
    return pixels


def read(path):
    with Image.open(path) as file:
        return np.array(file)


def test_each_output_is_what_it_says(tmp_path):
    pixels = street(tmp_path / "a.png")
    mask = np.where(np.arange(40)[:, None] < 20, 10, 0).astype(np.uint8).repeat(50, 1)
    outputs = ("mask", "overlay", "index", "ids")
    paths = list(predict_files(lambda: PREDICT, [tmp_path / "a.png"], tmp_path / "out", outputs))
    assert [path.name for path in paths] == [f"a_{output}.png" for output in outputs]
    color, overlay, index, ids = map(read, paths)
    np.testing.assert_array_equal(color, CITYSCAPES.palette[mask])
    np.testing.assert_array_equal(overlay, render.overlay(pixels, mask, CITYSCAPES))
    np.testing.assert_array_equal(index, mask)
    np.testing.assert_array_equal(ids, np.where(mask == 10, 23, 7))
    np.testing.assert_array_equal(CITYSCAPES.to_train_ids(ids, "ids"), mask)
    assert IGNORE_INDEX not in index


@pytest.mark.parametrize("labels", [OWN_COLORS, HULKS4], ids=lambda labels: labels.name)
def test_ids_are_refused_where_the_files_hold_colours(tmp_path, labels):
    street(tmp_path / "a.png")
    predict = replace(PREDICT, model=None, labels=labels)  # is not asked
    with pytest.raises(ConfigError, match=f"the masks of {labels.name} hold colours; allowed are"):
        list(predict_files(lambda: predict, [tmp_path / "a.png"], tmp_path / "out", ("mask", "ids")))
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="hold colours"):
        labels.to_file_ids(np.zeros((2, 2), np.uint8))


def test_a_folder_gives_the_pictures_in_it(tmp_path):
    for name in ("b.png", "a.jpg", "c.JPEG"):
        street(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    paths = list(predict_files(lambda: PREDICT, [tmp_path], tmp_path / "out", ["index"]))
    assert [path.name for path in paths] == ["a_index.png", "b_index.png", "c_index.png"]


def test_video_comes_back_as_long_and_as_large(tmp_path):
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for split in (12, 24, 36):
        frame = np.full((48, 64, 3), 20, np.uint8)
        frame[:split] = 240
        writer.write(frame)
    writer.release()
    (path,) = predict_files(lambda: PREDICT, [tmp_path / "v.avi"], tmp_path / "out")
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (answer := capture.read())[0]:
        frames.append(answer[1][..., ::-1].astype(int))
    assert len(frames) == 3 and frames[0].shape == (48, 64, 3) and capture.get(cv2.CAP_PROP_FPS) == 10
    capture.release()
    for frame, split in zip(frames, (12, 24, 36), strict=True):
        expected = 0.5 * np.array([240] * 3) + 0.5 * np.array(CITYSCAPES.colors[10])
        np.testing.assert_allclose(frame[split - 6], np.tile(expected, (64, 1)), atol=12)  # JPEG
    short = predict_video(PREDICT, tmp_path / "v.avi", tmp_path / "short.avi", max_frames=2)
    assert short.is_file()


def load_nothing():
    raise AssertionError("the network is loaded before the mistake is found")


def test_mistakes_are_found_before_the_network_is_loaded(tmp_path, monkeypatch):
    street(tmp_path / "a.png")
    (tmp_path / "sub").mkdir()
    street(tmp_path / "sub" / "a.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    out = tmp_path / "out"

    def predict(*sources, outputs=("mask",)):
        list(predict_files(load_nothing, [tmp_path / source for source in sources], out, outputs))

    with pytest.raises(RunError, match="same name"):
        predict("a.png", "sub/a.png")
    with pytest.raises(DataError, match="holds no pictures"):
        predict("empty")
    with pytest.raises(DataError, match="broken"):
        predict("broken.png")
    with pytest.raises(DataError, match=r"nowhere\.mp4"):
        predict("nowhere.mp4")
    with pytest.raises(DataError, match="cannot be opened as a video"):
        predict("broken.mp4")
    with pytest.raises(ConfigError, match="'colour'; allowed are mask"):
        predict("a.png", outputs=["colour"])
    out.mkdir()
    (out / "a_mask.png").touch()
    with pytest.raises(RunError, match="not overwritten"):
        predict("a.png")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ConfigError, match=r"seglab\[video\]"):
        predict("broken.mp4")
    with pytest.raises(RunError, match="not overwritten"):
        predict_video(PREDICT, Path("v.avi"), out / "a_mask.png")
