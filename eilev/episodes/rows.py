"""Episodes as rows of schema.EPISODES, straight from arrays: no Python object per clip."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eilev.episodes.classes import Floats, Ints
from eilev.episodes.meaning import WRITERS
from eilev.episodes.recipes import Recipe
from eilev.episodes.rewriter import Rewriter
from eilev.schema import EPISODES
from eilev.vocabulary import MEANINGS


def episode_rows(
    ids: "pa.StringArray",
    rewriter: Rewriter,
    phase: str | None,
    epoch: int,
    recipe: Recipe,
    items: Ints,
    uniforms: Floats,
) -> pa.Table:
    """Rows of schema.EPISODES.

    Args:
        ids: narration id of each clip (num_clips,).
        rewriter: of all clips.
        phase: of all rows.
        epoch: of all rows.
        recipe: how the contexts were drawn, and what the words mean.
        items: clips (num_episodes, shots + 1): context, then query.
        uniforms: the episodes' random numbers (num_episodes, recipe.draws or more).
    """
    count = len(items)
    offsets = pa.array(np.arange(count + 1) * recipe.shots, pa.int32())
    context = pa.ListArray.from_arrays(
        offsets, pc.take(ids, pa.array(items[:, :-1].ravel(), pa.int64()))
    )
    columns = {
        "query": pc.take(ids, pa.array(items[:, -1], pa.int64())),
        "context": context,
        "shots": pa.repeat(pa.scalar(recipe.shots, pa.int32()), count),
        "phase": pa.repeat(pa.scalar(phase, pa.string()), count),
        "epoch": pa.repeat(pa.scalar(epoch, pa.int32()), count),
        "kind": pa.repeat(recipe.kind, count),
        "meaning": pa.repeat(recipe.meaning, count),
        "narrations": _narrations(rewriter, recipe, items, uniforms),
    }
    return pa.table(columns, schema=EPISODES)


def _narrations(
    rewriter: Rewriter, recipe: Recipe, items: Ints, uniforms: Floats
) -> "pa.Array[Any]":
    kind = EPISODES.field("narrations").type
    texts: list[list[str]] | list[None] = [None] * len(items)
    if MEANINGS[recipe.meaning].rewritten:
        own = uniforms[:, recipe.context_draws : recipe.draws]
        texts = WRITERS[recipe.meaning](rewriter, items, own)
    column: pa.Array[Any] = pa.array(texts, kind)
    return column
