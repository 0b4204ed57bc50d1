import json

import numpy as np
import pytest
from safetensors.numpy import load_file
from transformers.models.blip import BlipImageProcessorPil

from eilev.data.preprocess import Preprocessing, preprocess
from eilev.io import DataError


@pytest.mark.parametrize("family", ["opt", "t5"])
def test_golden_pixel_values(shared, family):
    folder = shared / "fixtures" / "reference" / family
    cases = load_file(folder / "cases.safetensors")
    frames = cases["preprocess.frames"].transpose(1, 2, 3, 0)  # (time, height, width, 3)
    pixels = preprocess(frames, Preprocessing.from_file(folder / "preprocessor_config.json"))
    assert pixels.dtype == np.float32
    assert np.abs(pixels - cases["preprocess.pixel_values"][0]).max() < 1e-2


def test_frames_of_the_right_size_are_only_normalised():
    frames = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    before = frames.copy()
    pixels = preprocess(frames, Preprocessing(8, (0.5, 0.25, 0.0), (0.5, 1.0, 2.0)))
    expected = (frames / 255 - [0.5, 0.25, 0.0]) / [0.5, 1.0, 2.0]
    np.testing.assert_allclose(pixels, expected.transpose(3, 0, 1, 2), atol=1e-6)
    np.testing.assert_array_equal(frames, before)


def test_file_round_trip_and_transformers_opens_it(tmp_path):
    path = tmp_path / "preprocessor_config.json"
    ours = Preprocessing(12, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    ours.to_file(path)
    assert Preprocessing.from_file(path) == ours
    frames = np.random.default_rng(0).integers(0, 256, (1, 20, 30, 3), dtype=np.uint8)
    theirs = BlipImageProcessorPil.from_pretrained(tmp_path)(frames[0], return_tensors="np")
    np.testing.assert_allclose(preprocess(frames, ours)[:, 0], theirs["pixel_values"][0], atol=1e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resample": 2}, "'resample' is 2"),
        ({"size": {"shortest_edge": 224}}, "height"),
        ({"size": {"height": 2, "width": 3}}, "square"),
        ({"image_std": [1.0]}, "3 channels"),
    ],
)
def test_other_preprocessing_is_refused(tmp_path, change, message):
    path = tmp_path / "preprocessor_config.json"
    Preprocessing(12).to_file(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=message):
        Preprocessing.from_file(path)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 4, 4, 3), dtype=np.float32),
        np.zeros((4, 4, 3), dtype=np.uint8),
        np.zeros((2, 3, 4, 4), dtype=np.uint8),
        np.zeros((0, 4, 4, 3), dtype=np.uint8),
    ],
)
def test_frames_of_another_form_are_refused(frames):
    with pytest.raises(ValueError, match="expected uint8"):
        preprocess(frames, Preprocessing(4))
