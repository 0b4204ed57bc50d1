"""Folders of ready examples: the package's own, and wrong ones."""

import json
from pathlib import Path

import pytest

from eilev.clips.limits import Limits
from eilev.serving.media import read_frames
from eilev.serving.pages import EXAMPLES
from eilev.serving.ready import read_examples
from eilev.serving.settings import Settings


def test_our_own_clips_can_be_decoded_and_all_are_used():
    found = read_examples(EXAMPLES)
    used = {clip.video for each in found.sets for clip in (*each.examples, each.query)}
    assert used == {path.name for path in EXAMPLES.glob("*.mp4")}
    for name in used:
        assert read_frames([EXAMPLES / name], 4, 64, Limits()).shape == (4, 64, 64, 3)


def write_index(folder: Path, video: str = "a.mp4", **fields: object) -> Path:
    clip = {"video": video, "narration": "The camera wearer cuts the onion."}
    entry = {"title": "One", "about": "of them", "examples": [clip], "query": clip, **fields}
    (folder / "a.mp4").touch()
    (folder / "index.json").write_text(json.dumps({"sets": [entry]}))
    return folder


def test_a_folder_is_checked_before_anything_is_loaded(tmp_path):
    assert Settings(page_examples=write_index(tmp_path)).page_examples == tmp_path
    with pytest.raises(ValueError, match=r"index\.json: sets\.0\.titel: Extra inputs"):
        read_examples(write_index(tmp_path, titel="One"))
    with pytest.raises(ValueError, match=r"index\.json: sets\.0\.query\.narration: Field required"):
        read_examples(write_index(tmp_path, query={"video": "a.mp4"}))
    with pytest.raises(ValueError, match=r"index\.json: 'b\.mp4' is no file of"):
        read_examples(write_index(tmp_path, video="b.mp4"))
    with pytest.raises(ValueError, match=r"'\.\./secret\.mp4' is no file of"):
        (tmp_path.parent / "secret.mp4").touch()
        read_examples(write_index(tmp_path, video="../secret.mp4"))
    (tmp_path / "index.json").write_text("[")
    with pytest.raises(ValueError, match=r"index\.json: it: Invalid JSON"):
        read_examples(tmp_path)
    with pytest.raises(ValueError, match=r"--page-examples \(|No such file"):
        Settings(page_examples=tmp_path / "missing")
