"""Clips of videos that lie on a real server of S3's protocol."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from eilev import remote, schema
from eilev.clips import cutting, fetching
from eilev.clips.fetching import Fetched
from eilev.clips.writing import write_clips
from eilev.io import DataError
from eilev.parquet import read_table
from tests.clips.tables import config
from tests.s3 import BUCKET, Wire, forget, s3_server

PLACE = f"s3://{BUCKET}/day 1"


@pytest.fixture(scope="module")
def server(videos: dict[str, Path]) -> Iterator[Wire]:
    with s3_server() as (bucket, wire):
        for name in ("a", "b"):
            bucket.upload_file(str(videos[name]), f"day 1/{name}.mp4")
        yield wire


@pytest.fixture(autouse=True)
def wire(server: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    monkeypatch.setattr(remote, "_WAITS_S", ())
    monkeypatch.setattr(cutting, "_CLIPS_PER_JOB", 2)
    forget()
    yield server
    server.breaks_at = None


@pytest.fixture
def remote_table(table: pd.DataFrame) -> pd.DataFrame:
    """The same videos by their addresses."""
    return table.assign(video_path=[f"{PLACE}/{Path(p).name}" for p in table["video_path"]])


def test_the_shards_are_those_of_the_same_files_on_disk(
    wire: Wire,
    remote_table: pd.DataFrame,
    videos: dict[str, Path],
    folder: Path,
    tmp_path: Path,
) -> None:
    before = wire.received
    write_clips(remote_table, config(processes=2), tmp_path / "clips")
    size = sum(videos[name].stat().st_size for name in ("a", "b"))
    # Each once, though both processes cut clips of each.
    assert size < wire.received - before < size + 20_000
    name = "clips-00000.arrow"
    assert (tmp_path / "clips" / name).read_bytes() == (folder / name).read_bytes()
    index = read_table(tmp_path / "clips/index.parquet", schema.CLIPS_INDEX)
    errors = index.set_index("narration_id")["error"].dropna()
    assert errors["a_4"] == f"{PLACE}/a.mp4: 99.0 s lies outside the video of 6.000 s"
    assert errors["missing_0"] == f"{PLACE}/missing.mp4: no such file"


def test_a_server_that_is_gone_stops_the_run_and_the_next_one_goes_on(
    wire: Wire, remote_table: pd.DataFrame, tmp_path: Path
) -> None:
    rows = remote_table.iloc[[0, 1, 7, 8]]
    wire.breaks_at = b"/b.mp4"
    with pytest.raises(DataError, match=rf"^{PLACE}/b\.mp4: cannot be read"):
        write_clips(rows, config(shard_size=2), tmp_path / "clips")
    wire.breaks_at = None
    finished = (tmp_path / ".clips.partial/clips/clips-00000.arrow").stat()
    write_clips(rows, config(shard_size=2), tmp_path / "clips")
    assert (tmp_path / "clips/clips-00000.arrow").stat() == finished
    write_clips(rows, config(shard_size=2), tmp_path / "whole")
    for path in (tmp_path / "whole").iterdir():
        assert (tmp_path / "clips" / path.name).read_bytes() == path.read_bytes()


def test_a_few_copies_are_kept_and_none_has_a_name(wire: Wire, tmp_path: Path) -> None:
    copies, before_it = Fetched(1), nameless_files()
    with copies.local(f"{PLACE}/a.mp4") as a, copies.local(f"{PLACE}/b.mp4") as b:
        assert a is not None and b is not None
        assert Path(a).read_bytes()[4:8] == Path(b).read_bytes()[4:8] == b"ftyp"
        assert len(nameless_files() - before_it) == 2
    assert len(nameless_files() - before_it) == 1
    before = wire.received
    threads = [threading.Thread(target=use, args=(copies, f"{PLACE}/a.mp4")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wire.received == before
    with copies.local(f"{PLACE}/none.mp4") as none, copies.local("/a/path.mp4") as path:
        assert (none, path) == (None, "/a/path.mp4")
    copies.close()
    assert nameless_files() == before_it


def nameless_files() -> set[Path]:
    places = {link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    return {place for place in places if place.name.endswith("(deleted)")}


def use(copies: Fetched, video: str) -> None:
    with copies.local(video):
        pass


def test_a_video_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_SPARE_BYTES", 1 << 62)
    with (
        pytest.raises(DataError, match=rf"^{PLACE}/a\.mp4: .* set TMPDIR to a larger disk"),
        Fetched(1).local(f"{PLACE}/a.mp4"),
    ):
        pass
