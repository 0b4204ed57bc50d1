import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from eilev.clips.store import ClipStore
from eilev.io import DataError
from tests.clips.tables import FIRST_FRAMES
from tests.videos import read_numbers


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
