import json

import numpy as np
import pytest
from safetensors.numpy import load_file
from transformers.models.blip import BlipImageProcessorPil

from eilev.inputs.preprocess import Preprocessing, preprocess
from eilev.io import DataError


@pytest.mark.parametrize("family", ["opt", "t5"])
def test_golden_pixel_values(reference, family):
    folder = reference / family
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


CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
# As they were written over the years: with the first BLIP-2 models of the hub, by transformers 4
# since then, by its fast processors (which write null for what they leave to their defaults), and
# by transformers 5 (without the key of the class, in one file with the rest of the processor).
PUBLISHED = [
    {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        **CLIP,
        "image_processor_type": "BlipImageProcessor",
        "processor_class": "Blip2Processor",
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"height": 224, "width": 224},
    },
    {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_resize": True,
        **CLIP,
        "feature_extractor_type": "BlipFeatureExtractor",
        "resample": 3,
        "size": 224,
    },
    {
        "crop_size": None,
        "data_format": "channels_first",
        "default_to_square": True,
        "device": None,
        "do_center_crop": None,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_pad": None,
        "do_rescale": True,
        "do_resize": True,
        **CLIP,
        "image_processor_type": "BlipImageProcessorFast",
        "input_data_format": None,
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "return_tensors": None,
        "size": {"height": 224, "width": 224},
    },
]


@pytest.mark.parametrize("config", PUBLISHED)
def test_published_preprocessing_is_read(tmp_path, config):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(config))
    assert Preprocessing.from_folder(tmp_path) == Preprocessing(224)


def test_preprocessing_inside_a_processor_is_read(tmp_path):
    path = tmp_path / "processor_config.json"
    path.write_text(json.dumps({"image_processor": PUBLISHED[2], "num_query_tokens": 32}))
    assert Preprocessing.from_folder(tmp_path) == Preprocessing(224)
    path.write_text(json.dumps({"image_processor": PUBLISHED[2] | {"do_pad": True}}))
    with pytest.raises(DataError, match=r"processor_config\.json: 'do_pad' is True"):
        Preprocessing.from_folder(tmp_path)
    path.write_text(json.dumps({"image_processor": [224]}))
    with pytest.raises(DataError, match="not the settings of an image processor"):
        Preprocessing.from_folder(tmp_path)
    # Before transformers 5 the two had a file each.
    path.write_text(json.dumps({"num_query_tokens": 32}))
    with pytest.raises(DataError, match=r"preprocessor_config\.json: no such file"):
        Preprocessing.from_folder(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"do_center_crop": True}, "'do_center_crop' is True"),
        ({"rescale_factor": 1 / 127.5}, "only 1/255"),
        ({"do_normalize": False}, "'do_normalize' is False"),
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
