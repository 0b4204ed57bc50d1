"""Sample episodes of the report: what the model saw and what it answered."""

import base64
import io
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from eilev.clips.store import ClipStore

# Stored frames of the default source are tiny; they are drawn at this height in pixels.
FRAME_HEIGHT = 64

Facts = Mapping[Hashable, Mapping[Hashable, Any]]


@dataclass(frozen=True)
class ShownClip:
    """A clip as the page shows it: its frames side by side (a data: URI) and its narration."""

    strip: str
    narration: str
    shares: str  # "action", "verb", "noun" or "": what it shares with the query


@dataclass(frozen=True)
class Answer:
    """What a model said of the query."""

    generated: str
    # Probability that the model gave it.
    confidence: float
    verb_correct: bool
    noun_correct: bool


@dataclass(frozen=True)
class Sample:
    """An episode, and the model's answer where there is one."""

    context: tuple[ShownClip, ...]
    query: ShownClip
    answer: Answer | None


def choose_samples(
    predictions: pd.DataFrame,
    narrations: pd.DataFrame,
    clips: ClipStore,
    num_samples: int,
    rng: np.random.Generator,
    condition: str = "bursty",
) -> list[Sample]:
    """Draw episodes of a condition with the most shots, from `novel` where there is one.

    Args:
        predictions: schema.PREDICTIONS.
        narrations: schema.NARRATIONS.
        clips: frames of every narration that takes part.
        num_samples: how many to draw (fewer where there are fewer).
        rng: source of the draw.
        condition: one whose videos belong to their texts.
    """
    rows = predictions[predictions["condition"] == condition]
    for column, best in (("split", "novel"), ("shots", rows["shots"].max())):
        rows = rows[rows[column] == best] if (rows[column] == best).any() else rows
    chosen = rng.permutation(len(rows))[:num_samples]
    facts = narration_facts(narrations)
    return [
        make_sample(
            (*row["context"], row["query"]),
            (*(facts[clip_id]["narration"] for clip_id in row["context"]), row["narration"]),
            make_answer(row),
            facts,
            clips,
        )
        for row in rows.iloc[sorted(chosen)].to_dict("records")
    ]


def narration_facts(narrations: pd.DataFrame) -> Facts:
    """Rows of schema.NARRATIONS by narration id."""
    facts: Facts = narrations.set_index("narration_id").to_dict("index")
    return facts


def make_answer(row: Mapping[Hashable, Any]) -> Answer:
    """Take the answer out of a row of schema.PREDICTIONS."""
    return Answer(
        row["generated"], row["confidence"], bool(row["verb_correct"]), bool(row["noun_correct"])
    )


def make_sample(
    clip_ids: Sequence[str],
    texts: Sequence[str],
    answer: Answer | None,
    facts: Facts,
    clips: ClipStore,
) -> Sample:
    """Picture one episode.

    Args:
        clip_ids: the context in order, then the query.
        texts: a narration for each.
        answer: the model's, where there is one.
        facts: what `narration_facts` gives.
        clips: their frames.
    """
    query = facts[clip_ids[-1]]
    shown = [
        ShownClip(_strip(clips[clip_id]), text, _shares(facts[clip_id], query))
        for clip_id, text in zip(clip_ids, texts, strict=True)
    ]
    return Sample(tuple(shown[:-1]), replace(shown[-1], shares=""), answer)


def _shares(item: Mapping[Hashable, Any], query: Mapping[Hashable, Any]) -> str:
    verb = item["verb_class"] == query["verb_class"]
    noun = item["noun_class"] == query["noun_class"]
    if verb and noun:
        return "action"
    return "verb" if verb else "noun" if noun else ""


def _strip(frames: Sequence[np.ndarray] | np.ndarray) -> str:
    """Frames (T, H, W, 3) uint8 side by side, as a JPEG data: URI."""
    strip = Image.fromarray(np.concatenate(list(frames), axis=1))
    width = round(strip.width * FRAME_HEIGHT / strip.height)
    buffer = io.BytesIO()
    strip.resize((width, FRAME_HEIGHT), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
