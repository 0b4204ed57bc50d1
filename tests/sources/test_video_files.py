import hashlib
import os
from pathlib import Path

import pytest

from eilev.io import DataError
from eilev.sources.video_files import (
    VideoFolder,
    as_folder,
    find_videos,
    take_inventory,
    walk_files,
)
from tests.s3 import BUCKET, s3_server


def write(folder: Path, *places: str) -> None:
    for place in places:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(place.encode())


def test_the_first_of_two_videos_of_one_name_counts(tmp_path: Path) -> None:
    write(tmp_path, "b/v.mp4", "a/v.MP4", "a/notes.txt", "flow_frames/w.mp4")
    assert find_videos(tmp_path) == {"v": str(tmp_path / "a/v.MP4")}


@pytest.mark.parametrize("name", ["x" * 300, "a\0.mp4", "a.mp4/b", "day 1", ""])
def test_what_can_be_no_file_is_none(tmp_path: Path, name: str) -> None:
    write(tmp_path, "a.mp4", "day 1/b.mp4")
    assert VideoFolder(tmp_path).find(name) == (name, None)


def test_links_are_followed_once_and_dead_ones_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "videos/a.mp4", "elsewhere/b.mkv")
    (tmp_path / "videos/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/loop").symlink_to(tmp_path / "videos")
    (tmp_path / "videos/gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    assert list(walk_files(tmp_path / "videos")) == ["a.mp4", "link/b.mkv"]


def test_up_to_a_size_in_all_files_are_told_by_content_alone(tmp_path: Path) -> None:
    write(tmp_path, "b.avi", "day 1/a.mp4")
    first = take_inventory(str(tmp_path), read_bytes=16)
    assert [*first] == ["b.avi", "day 1/a.mp4"]
    assert first["b.avi"] == {"size": 5, "blake2b": "c0ae0003ad63c9b8a1480e00d3bba72c"}
    os.utime(tmp_path / "b.avi", (1, 1))
    assert take_inventory(str(tmp_path), read_bytes=16) == first
    (tmp_path / "b.avi").write_bytes(b"b.avj")
    changed = take_inventory(str(tmp_path), read_bytes=16)
    assert changed["b.avi"] != first["b.avi"]
    assert changed["day 1/a.mp4"] == first["day 1/a.mp4"]


def test_larger_folders_are_told_by_time(tmp_path: Path) -> None:
    write(tmp_path, "b.avi", "day 1/a.mp4")
    os.utime(tmp_path / "b.avi", ns=(5, 7))
    assert take_inventory(str(tmp_path), read_bytes=15)["b.avi"] == {"size": 5, "modified": 7}


def test_a_missing_folder_names_the_parameter(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: no such folder; set ingest\.videos"):
        take_inventory(str(tmp_path / "gone"))


def test_an_address_is_a_folder() -> None:
    with s3_server() as (bucket, _):
        for key in ("v/", "v/P01/a.MP4", "v/b.avi", "v/flow_frames/w.mp4", "w/c.mp4"):
            bucket.put_object(Key=key, Body=key.encode())
        videos = f"s3://{BUCKET}/v"
        assert list(walk_files(videos)) == ["P01/a.MP4", "b.avi"]
        found = f"{videos}/P01/a.MP4"
        assert find_videos(videos) == {"a": found}
        folder = VideoFolder(as_folder(f"{videos}/"))
        for name in ("P01/a.MP4", ".\\P01\\A.mp4", found):
            assert folder.find(name) == ("P01/a.MP4", found)
        assert folder.find("c.mp4") == ("c.mp4", None)
        listed = take_inventory(videos)
    etag = hashlib.md5(b"v/b.avi", usedforsecurity=False).hexdigest()
    assert listed["b.avi"] == {"size": 7, "etag": etag}
    assert [*listed] == ["P01/a.MP4", "b.avi"]
    with pytest.raises(DataError, match=r"^gs://v: videos lie in a folder or at s3://"):
        as_folder("gs://v")
