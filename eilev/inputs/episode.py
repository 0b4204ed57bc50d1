"""An episode of a table as tokens: its sentences, its prompts, its layout."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eilev.inputs.interleave import Layout, interleave
from eilev.inputs.tokenizer import TextCodec
from eilev.inputs.turns import Turn


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


def clip_ids_of(episodes: Iterable[pa.Table | pa.RecordBatch]) -> list[str]:
    """Return every narration id that pieces of an episodes table show, sorted."""
    shown: set[Any] = set()
    for piece in episodes:
        for ids in (piece["query"], pc.list_flatten(piece["context"])):
            shown.update(pc.unique(ids).to_pylist())
    return sorted(shown)
