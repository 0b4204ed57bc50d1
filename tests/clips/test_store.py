import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from eilev import schema
from eilev.clips import store
from eilev.clips.store import ClipStore, write_clips
from eilev.config.clips import ClipsConfig
from eilev.io import DataError
from eilev.parquet import read_table
from tests.videos import crash_decoder, overwrite, read_numbers, write_video


def config(**changes: Any) -> ClipsConfig:
    defaults: dict[str, Any] = {
        "window_s": 1.0,
        "num_frames": 4,
        "frame_size": 32,
        "jpeg_quality": 95,
        "shard_size": 100,
        "processes": 1,
    }
    return ClipsConfig(**{**defaults, **changes})


def narrations(times_s: dict[Path, list[float]]) -> pd.DataFrame:
    rows = [
        (f"{path.stem}_{i}", path.stem, str(path), time_s)
        for path, times in times_s.items()
        for i, time_s in enumerate(times)
    ]
    return pd.DataFrame(rows, columns=["narration_id", "video_id", "video_path", "timestamp_s"])


FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
HEADER_FIRST = {"movflags": "faststart"}
TIMES_S = [0.0, 2.5, 1.0, 5.9]
# Windows of 10 frames: those at 0, 3, 6 and 9 from the first one are taken.
FIRST_FRAMES = [0, 20, 5, 50]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("videos")
    a = write_video(folder / "a.mp4", 60, fps=10, options={"g": "8"})
    b = write_video(folder / "b.mp4", 60, fps=10, options={"g": "8"})
    long = write_video(folder / "long.mp4", 1500, options={"g": "8"}, muxer=HEADER_FIRST)
    fragmented = write_video(folder / "fragmented.mp4", 60, muxer=FRAGMENTED)
    return {
        "a": a,
        "b": b,
        "damaged": overwrite(folder / "damaged.mp4", long, 0.9, 1.0),
        "killer": crash_decoder(folder / "killer.mp4", fragmented),
        "missing": folder / "missing.mp4",
    }


@pytest.fixture(scope="module")
def table(videos: dict[str, Path]) -> pd.DataFrame:
    missing = videos["missing"]
    return narrations({videos["a"]: [*TIMES_S, 99.0], missing: [1.0, 2.0], videos["b"]: TIMES_S})


@pytest.fixture(scope="module")
def folder(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "clips"
    write_clips(table, config(), folder)
    return folder


def test_clips_come_back(folder: Path) -> None:
    store = ClipStore(folder)
    for video in ("a", "b"):
        for i, first in enumerate(FIRST_FRAMES):
            frames = store[f"{video}_{i}"]
            assert frames.shape == (4, 32, 32, 3)
            assert frames.dtype == np.uint8
            assert read_numbers(frames) == [first, first + 3, first + 6, first + 9]
    assert store.ids == ("a_0", "a_1", "a_2", "a_3", "b_0", "b_1", "b_2", "b_3")
    assert len(store) == 8


def test_clips_that_can_not_be_decoded_have_a_reason(folder: Path, table: pd.DataFrame) -> None:
    index = read_table(folder / "index.parquet", schema.CLIPS_INDEX)
    assert list(index["narration_id"]) == list(table["narration_id"])
    failed = index[index["error"].notna()].set_index("narration_id")
    assert list(failed.index) == ["a_4", "missing_0", "missing_1"]
    assert failed["shard"].isna().all()
    assert failed["row"].isna().all()
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
    monkeypatch.setattr(store, "_CLIPS_PER_JOB", 2)
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
    assert list(errors.dropna().index) == ["killer_0", "killer_1", "damaged_1"]
    assert errors["killer_0"] == f"{videos['killer']}: damaged (it crashes the decoder)"
    assert "damaged.mp4: damaged or cut off" in errors["damaged_1"]
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


def read_in_child(store: ClipStore) -> list[int]:
    return read_numbers(store["a_1"])


def test_a_store_goes_to_other_processes(folder: Path) -> None:
    store = ClipStore(folder)
    expected = read_numbers(store["a_1"])
    assert read_in_child(pickle.loads(pickle.dumps(store))) == expected  # noqa: S301
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        assert pool.submit(read_in_child, store).result() == expected


def test_a_broken_folder_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"index\.parquet: no such file"):
        ClipStore(tmp_path)
    shutil.copytree(folder, tmp_path / "clips")
    shard = tmp_path / "clips" / "clips-00000.arrow"
    shard.write_bytes(b"no shard")
    with pytest.raises(DataError, match=r"clips-00000\.arrow: not a readable Arrow file"):
        ClipStore(tmp_path / "clips")["a_0"]
    shard.unlink()
    with pytest.raises(DataError, match=r"clips-00000\.arrow: no such file"):
        ClipStore(tmp_path / "clips")
