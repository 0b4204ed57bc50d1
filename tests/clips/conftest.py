"""Narration tables over tiny videos, and their clips."""

from pathlib import Path

import pandas as pd
import pytest

from eilev.clips.writing import write_clips
from tests.clips.tables import TIMES_S, config, narrations
from tests.videos import crash_decoder, overwrite, write_video

FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
HEADER_FIRST = {"movflags": "faststart"}


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def table(videos: dict[str, Path]) -> pd.DataFrame:
    missing = videos["missing"]
    return narrations({videos["a"]: [*TIMES_S, 99.0], missing: [1.0, 2.0], videos["b"]: TIMES_S})


@pytest.fixture(scope="session")
def folder(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "clips"
    write_clips(table, config(), folder)
    return folder
