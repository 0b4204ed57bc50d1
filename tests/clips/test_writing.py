import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from eilev import schema
from eilev.clips import cutting, execution
from eilev.clips.store import ClipStore
from eilev.clips.writing import write_clips
from eilev.io import DataError
from eilev.parquet import read_table
from tests.clips.tables import TIMES_S, config, narrations
from tests.videos import read_numbers


def test_clips_that_can_not_be_decoded_have_a_reason(folder: Path, table: pd.DataFrame) -> None:
    index = read_table(folder / "index.parquet", schema.CLIPS_INDEX)
    assert list(index["narration_id"]) == list(table["narration_id"])
    failed = index[index["error"].notna()].set_index("narration_id")
    assert list(failed.index) == ["a_4", "missing_0", "missing_1"]
    assert failed["shard"].isna().all()
    assert failed["row"].isna().all()
    assert failed["decoder"].isna().all()
    assert set(index["decoder"].dropna()) == {"decord"}
    assert (failed["num_frames"] == 0).all()
    assert "a.mp4: 99.0 s lies outside the video of 6.000 s" in failed["error"]["a_4"]
    assert "missing.mp4: no such file" in failed["error"]["missing_0"]
    store = ClipStore(folder)
    assert "a_4" not in store
    with pytest.raises(KeyError, match="a_4"):
        store["a_4"]


def test_bytes_do_not_depend_on_the_number_of_processes(
    folder: Path, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutting, "_CLIPS_PER_JOB", 2)
    write_clips(table, config(processes=2), tmp_path / "clips")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["clips-00000.arrow", "index.parquet"]
    for name in names:
        assert (tmp_path / "clips" / name).read_bytes() == (folder / name).read_bytes()


def test_a_bad_video_costs_its_own_clips_only(videos: dict[str, Path], tmp_path: Path) -> None:
    table = narrations(
        {
            videos["killer"]: [1.0, 2.0],
            videos["damaged"]: [1.0, 48.0, 2.0],
            videos["a"]: TIMES_S,
        }
    )
    errors = write_clips(table, config(), tmp_path / "clips").set_index("narration_id")["error"]
    assert list(errors.dropna().index) == ["damaged_1"]
    assert "damaged.mp4: damaged or cut off" in errors["damaged_1"]
    # It aborts decord, so it is not given to it.
    assert read_numbers(ClipStore(tmp_path / "clips")["killer_0"]) == [15, 24, 34, 44]
    assert read_numbers(ClipStore(tmp_path / "clips")["damaged_2"]) == [45, 54, 64, 74]


def test_shards_and_batches_of_a_table_that_mixes_videos(
    videos: dict[str, Path], tmp_path: Path
) -> None:
    times = np.linspace(0.5, 5.5, 150).tolist()
    table = narrations({videos["a"]: times, videos["b"]: times, videos["missing"]: times[:3]})
    # Not in the order of the videos, and an index that means nothing.
    table = table.sample(frac=1, random_state=0)
    write_clips(table, config(shard_size=130), tmp_path / "clips")
    index = read_table(tmp_path / "clips" / "index.parquet", schema.CLIPS_INDEX)
    assert list(index["narration_id"]) == list(table["narration_id"])
    decoded = index[index["error"].isna()]
    assert list(decoded["row"]) == [*range(130), *range(130), *range(40)]
    with pa.ipc.open_file(str(tmp_path / "clips" / "clips-00001.arrow")) as shard:
        assert [shard.get_batch(i).num_rows for i in range(3)] == [64, 64, 2]
        ids = shard.read_all()["narration_id"].to_pylist()
    assert ids == list(decoded["narration_id"][130:260])
    store = ClipStore(tmp_path / "clips")
    for narration_id, time_s in zip(table["narration_id"], table["timestamp_s"], strict=True):
        if narration_id in store:
            first = min(max(int(np.ceil((time_s - 0.5) * 10 - 1e-2)), 0), 50)
            assert abs(read_numbers(store[narration_id])[0] - first) <= 1


def test_nothing_decoded_is_an_error_and_leaves_the_folder(
    videos: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "clips")
    with pytest.raises(DataError, match=r"none of the 2 clips .* \S*missing\.mp4: no such file"):
        write_clips(narrations({videos["missing"]: [1.0, 2.0]}), config(), tmp_path / "clips")
    with pytest.raises(DataError, match="no narrations"):
        write_clips(narrations({}), config(), tmp_path / "clips")
    assert [path.name for path in tmp_path.iterdir()] == ["clips"]
    assert ClipStore(tmp_path / "clips").ids == ClipStore(folder).ids


# What the stage does, in a process of its own: a shard for every two clips. After the second it is
# killed with all its group, or it waits.
RUN = """
import os, signal, sys, time
import pandas as pd
from pathlib import Path
from eilev.clips import cutting, execution
from eilev.clips.resumption import Unfinished
from eilev.clips.writing import write_clips
from tests.clips.tables import config

finish = Unfinished.finish

def finish_two(self, shard, places):
    finish(self, shard, places)
    if self.num_shards == 2:
        if sys.argv[3] == "killed":
            os.killpg(0, signal.SIGKILL)
        time.sleep(600)

Unfinished.finish = finish_two
cutting._CLIPS_PER_JOB = 2
table, out = pd.read_parquet(sys.argv[1]), Path(sys.argv[2])
write_clips(table, config(shard_size=2, processes=2), out)
"""


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():  # or pytest's own limit
        time.sleep(0.005)


def children(pid: int) -> list[int]:
    return [
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if stat.read_text().rpartition(")")[2].split()[1] == str(pid)
    ]


def start_stage(table: pd.DataFrame, folder: Path, then: str) -> subprocess.Popen[bytes]:
    table.to_parquet(folder / "table.parquet")
    arguments = [str(folder / "table.parquet"), str(folder / "clips"), then]
    return subprocess.Popen([sys.executable, "-c", RUN, *arguments], start_new_session=True)


@pytest.fixture(scope="module")
def killed(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves of which the whole group was killed once some shards were finished."""
    folder = tmp_path_factory.mktemp("killed")
    assert start_stage(table, folder, "killed").wait() == -signal.SIGKILL
    assert not (folder / "clips").exists()
    return folder / ".clips.partial"


@pytest.fixture
def stopped(killed: Path, tmp_path: Path) -> Path:
    shutil.copytree(killed, tmp_path / killed.name)
    return tmp_path / "clips"


def test_a_killed_run_goes_on_where_it_was(
    stopped: Path, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = tmp_path / ".clips.partial" / "clips"
    finished = {
        path.with_suffix(".arrow").name: (shards / path.name).with_suffix(".arrow").stat()
        for path in shards.parent.glob("*.json")
    }
    asked: list[str] = []
    monkeypatch.setattr(execution, "jobs_of", noting(execution.jobs_of, asked))
    write_clips(table, config(shard_size=2), stopped)
    # What is finished was neither decoded nor written again, rejects included.
    assert len(asked) <= len(table) - 2 * len(finished)
    for name, before in finished.items():
        after = (stopped / name).stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write_clips(table, config(shard_size=2), tmp_path / "whole")
    for path in (tmp_path / "whole").iterdir():
        assert (stopped / path.name).read_bytes() == path.read_bytes()
    assert not shards.parent.exists()


def noting(jobs: Callable, asked: list[str]) -> Callable:
    def note(paths: list[str], times_s: list[float]) -> list[cutting.Job]:
        asked.extend(paths)
        return jobs(paths, times_s)

    return note


@pytest.mark.parametrize("change", ["a shard", "a parameter", "the table"])
def test_what_no_longer_agrees_is_decoded_again(
    change: str, stopped: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    changed, rows = config(shard_size=2), table
    if change == "a shard":
        shard = tmp_path / ".clips.partial/clips/clips-00000.arrow"
        shard.write_bytes(shard.read_bytes()[:-1])
    elif change == "a parameter":
        changed = config(shard_size=2, jpeg_quality=50)
    else:
        rows = table.assign(timestamp_s=table["timestamp_s"] + [0.3, *[0.0] * (len(table) - 1)])
    write_clips(rows, changed, stopped)
    write_clips(rows, changed, tmp_path / "whole")
    for path in (tmp_path / "whole").iterdir():
        assert (stopped / path.name).read_bytes() == path.read_bytes()


def test_a_killed_stage_leaves_no_process_behind(table: pd.DataFrame, tmp_path: Path) -> None:
    stage = start_stage(table, tmp_path, "waits")
    wait_for(lambda: len(list(tmp_path.glob(".clips.partial/*.json"))) == 2)
    workers = children(stage.pid)
    assert len(workers) == 2
    stage.kill()
    stage.wait()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
