"""Parameters and narration tables of the tests of clips."""

from pathlib import Path
from typing import Any

import pandas as pd

from eilev.config.clips import ClipsConfig

TIMES_S = [0.0, 2.5, 1.0, 5.9]
# Windows of 10 frames: those at 0, 3, 6 and 9 from the first one are taken.
FIRST_FRAMES = [0, 20, 5, 50]


def config(**changes: Any) -> ClipsConfig:
    defaults: dict[str, Any] = {
        "window_s": 1.0,
        "num_frames": 4,
        "frame_size": 32,
        "jpeg_quality": 95,
        "max_pixels": 100_000,
        "shard_size": 100,
        "processes": 1,
        "executor": "local",
        "scheduler": None,
    }
    return ClipsConfig(**{**defaults, **changes})


def narrations(times_s: dict[Path, list[float]]) -> pd.DataFrame:
    rows = [
        (f"{path.stem}_{i}", path.stem, str(path), time_s)
        for path, times in times_s.items()
        for i, time_s in enumerate(times)
    ]
    return pd.DataFrame(rows, columns=["narration_id", "video_id", "video_path", "timestamp_s"])
