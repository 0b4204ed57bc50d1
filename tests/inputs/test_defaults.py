import pytest

from eilev.inputs.defaults import NarrationDefaults
from eilev.io import DataError


def test_round_trip(tmp_path):
    ours = NarrationDefaults(num_frames=4, window_s=1.0, frame_size=64, prompt="")
    ours.write(tmp_path)
    assert NarrationDefaults.load(tmp_path, image_size=224) == ours


@pytest.mark.parametrize(("image_size", "frame_size"), [(224, 448), (364, 736), (28, 64)])
def test_elsewhere_the_reference_is_assumed(tmp_path, image_size, frame_size):
    found = NarrationDefaults.load(tmp_path, image_size)
    assert (found.num_frames, found.window_s, found.frame_size) == (8, 8.0, frame_size)
    assert found.prompt == "Question: What is the camera wearer doing? Answer:"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "top level: Invalid JSON"),
        ('{"num_frames": 0}', "num_frames: "),
        ('{"frame_size": 100}', "frame_size: "),
        ('{"frames": 8}', "frames: Extra inputs"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, message):
    (tmp_path / "narrator.json").write_text(content)
    with pytest.raises(DataError, match=rf"narrator\.json: {message}"):
        NarrationDefaults.load(tmp_path, 224)
