"""An episode of a table as tokens: its sentences, its prompts, its layout."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from eilev.ids import ById, Ids
from eilev.inputs.interleave import Layout, interleave
from eilev.inputs.tokenizer import TextCodec
from eilev.inputs.turns import Turn
from eilev.parquet import text_array


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


def narrations_by_id(narrations: pd.DataFrame) -> ById[str]:
    """The sentences of a table of narrations (schema.NARRATIONS) by their ids."""
    return ById(Ids(narrations["narration_id"]), text_array(narrations["narration"]))


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


def clip_ids_of(episodes: Iterable[pa.Table | pa.RecordBatch]) -> "pa.StringArray":
    """Return every narration id that pieces of an episodes table show, sorted."""
    shown: Any = pa.array([], pa.string())
    # Ids that have come since: as many as are known already, so that few are compared twice.
    new: list[Any] = []
    for piece in episodes:
        shown_here = (piece["query"], pc.list_flatten(piece["context"]))
        new += [pc.unique(ids).cast(pa.string()) for ids in shown_here]
        if sum(map(len, new)) > len(shown):
            shown, new = pc.unique(pa.concat_arrays([shown, *new])), []
    shown = pc.unique(pa.concat_arrays([shown, *new]))
    in_order: pa.StringArray = shown.take(pc.sort_indices(shown))
    return in_order
