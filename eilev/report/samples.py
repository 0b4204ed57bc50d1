"""Sample episodes of the report: what the model saw and what it answered."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from eilev.data.clips import ClipStore

# Stored frames of the default source are tiny; they are drawn at this height in pixels.
FRAME_HEIGHT = 64


@dataclass(frozen=True)
class Clip:
    """A clip as the page shows it: its frames side by side (a data: URI) and its narration."""

    strip: str
    narration: str
    shares: str  # "verb", "noun" or "": what it shares with the query


@dataclass(frozen=True)
class Sample:
    """An episode and the model's answer."""

    context: tuple[Clip, ...]
    query: Clip
    generated: str
    verb_correct: bool
    noun_correct: bool


def choose_samples(
    predictions: pd.DataFrame,
    narrations: pd.DataFrame,
    clips: ClipStore,
    num_samples: int,
    rng: np.random.Generator,
) -> list[Sample]:
    """Draw bursty episodes with the most shots, from `novel` where there is one.

    Args:
        predictions: schema.PREDICTIONS.
        narrations: schema.NARRATIONS.
        clips: frames of every narration that takes part.
        num_samples: how many to draw (fewer where there are fewer).
        rng: source of the draw.
    """
    rows = predictions[predictions["condition"] == "bursty"]
    for column, best in (("split", "novel"), ("shots", rows["shots"].max())):
        rows = rows[rows[column] == best] if (rows[column] == best).any() else rows
    chosen = rng.permutation(len(rows))[:num_samples]
    table = narrations.set_index("narration_id")
    return [_sample(rows.iloc[index], table, clips) for index in sorted(chosen)]


def _sample(row: pd.Series, table: pd.DataFrame, clips: ClipStore) -> Sample:
    query = table.loc[row["query"]]
    context = tuple(
        Clip(_strip(clips[item]), table.loc[item, "narration"], _shares(table.loc[item], query))
        for item in row["context"]
    )
    return Sample(
        context=context,
        query=Clip(_strip(clips[row["query"]]), row["narration"], ""),
        generated=row["generated"],
        verb_correct=bool(row["verb_correct"]),
        noun_correct=bool(row["noun_correct"]),
    )


def _shares(item: pd.Series, query: pd.Series) -> str:
    if item["verb_class"] == query["verb_class"]:
        return "verb"
    return "noun" if item["noun_class"] == query["noun_class"] else ""


def _strip(frames: Sequence[np.ndarray] | np.ndarray) -> str:
    """Frames (T, H, W, 3) uint8 side by side, as a JPEG data: URI."""
    strip = Image.fromarray(np.concatenate(list(frames), axis=1))
    width = round(strip.width * FRAME_HEIGHT / strip.height)
    buffer = io.BytesIO()
    strip.resize((width, FRAME_HEIGHT), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
