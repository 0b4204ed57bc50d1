"""Episodes as a torch dataset, and the frames they need.

An item holds token ids and the ids of its clips; frames are stacked once per batch by the collator.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from torch.utils.data import Dataset
from tqdm import tqdm

from eilev.data.interleave import Layout, Turn, interleave
from eilev.data.symmetry import SYMMETRIES
from eilev.data.tokenizer import TextCodec

# Clips are decoded once and kept in memory while they take no more than this (the synthetic
# source's take about 75 MB); beyond, each batch reads its clips from the memory-mapped shards.
MAX_CACHE_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class EpisodeItem:
    """One episode ready to be batched; `clip_ids` in the order of the layout's placeholders."""

    layout: Layout
    clip_ids: tuple[str, ...]
    # Which of symmetry.SYMMETRIES its clips undergo; 0 leaves them as they are.
    symmetry: int = 0


@dataclass(frozen=True)
class EpisodeFormat:
    """How an episode becomes tokens."""

    codec: TextCodec
    num_query_tokens: int
    encoder_decoder: bool
    # One is drawn for each clip.
    prompts: tuple[str, ...]
    loss_on: Literal["all", "query"]
    # Leaves the query's narration out, for the model to write.
    generating: bool = False
    # Permuted episodes undergo a symmetry (AugmentConfig.symmetries).
    symmetries: bool = False


class EpisodeDataset(Dataset[EpisodeItem]):
    """The rows of an episodes table (schema.EPISODES) as token layouts.

    Args:
        episodes: Rows of one split, the epochs in order.
        narrations: Narration of each narration id, used where a row brings none of its own.
        episode_format: How a row becomes tokens.
        seed: Prompts and symmetries are drawn by (seed, epoch, row): the same in every run and
            process.
    """

    def __init__(
        self,
        episodes: pd.DataFrame,
        narrations: Mapping[Hashable, str],
        episode_format: EpisodeFormat,
        seed: int,
    ):
        self.episodes = episodes.to_dict("records")
        self.narrations = narrations
        self.format = episode_format
        self.seed = seed

    def __len__(self) -> int:
        return len(self.episodes)

    def __getitem__(self, index: int) -> EpisodeItem:
        row = self.episodes[index]
        clip_ids = (*row["context"], row["query"])
        texts = episode_texts(row["narrations"], clip_ids, self.narrations)
        rng = np.random.default_rng([self.seed, int(row["epoch"]), index])
        layout = make_layout(texts, self.format, rng)
        free = self.format.symmetries and row["meaning"] in ("permuted", "renamed")
        return EpisodeItem(layout, clip_ids, int(rng.integers(len(SYMMETRIES))) if free else 0)


def episode_texts(
    own: Sequence[str] | None, clip_ids: Sequence[str], narrations: Mapping[Hashable, str]
) -> list[str]:
    """Return the sentences of an episode: its own where it has them, else the table's."""
    if own is not None:
        return list(own)
    return [narrations[clip_id] for clip_id in clip_ids]


def make_layout(
    texts: Sequence[str], episode_format: EpisodeFormat, rng: np.random.Generator
) -> Layout:
    """Interleave an episode's sentences with prompts drawn for each clip.

    Args:
        texts: Narrations of the context in order, then the query's.
        episode_format: How they become tokens.
        rng: Source of the prompts.
    """
    prompts = episode_format.prompts
    drawn = rng.integers(len(prompts), size=len(texts))
    told: list[str | None] = list(texts)
    if episode_format.generating:
        told[-1] = None
    turns = [Turn(prompts[k], text) for k, text in zip(drawn, told, strict=True)]
    return interleave(
        turns,
        episode_format.codec,
        episode_format.num_query_tokens,
        encoder_decoder=episode_format.encoder_decoder,
        loss_on=episode_format.loss_on,
    )


def clip_ids_of(episodes: pd.DataFrame) -> list[str]:
    """Return every narration id that the episodes show, sorted."""
    shown = set(episodes["query"])
    for context in episodes["context"]:
        shown.update(context)
    return sorted(shown)


class ClipSource(Protocol):
    """Where the frames of a clip come from; clips.ClipStore is one."""

    def __getitem__(self, clip_id: str, /) -> np.ndarray:
        """Return uint8 (T, H, W, 3)."""


class Frames:
    """Frames of many clips by narration id, decoded once into memory where they fit.

    Args:
        source: The clips stage's shards.
        clip_ids: The clips that will be asked for.
        max_bytes: Largest cache; more clips than fit are read from the source at every request.
    """

    def __init__(
        self, source: ClipSource, clip_ids: Iterable[str], max_bytes: int = MAX_CACHE_BYTES
    ):
        self._source = source
        ids = sorted(set(clip_ids))
        first = source[ids[0]]
        self.cached = first.nbytes * len(ids) <= max_bytes
        if self.cached:
            self._row_of = {clip_id: row for row, clip_id in enumerate(ids)}
            self._frames = np.empty((len(ids), *first.shape), np.uint8)
            for row, clip_id in enumerate(tqdm(ids, desc="decode clips", unit="clip")):
                self._frames[row] = source[clip_id]

    def take(self, clip_ids: Sequence[str]) -> np.ndarray:
        """Return the frames of clips in the order asked: uint8 (num_clips, T, H, W, 3)."""
        if self.cached:
            return self._frames[[self._row_of[clip_id] for clip_id in clip_ids]]
        return np.stack([self._source[clip_id] for clip_id in clip_ids])
