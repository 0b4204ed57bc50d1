"""The tables that expectations are about, and the figures and plots drawn from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from eilev.distributions import measures
from eilev.distributions.items import ClipFacts, Items, gather_facts, lay_out
from eilev.episodes.classes import action_numbers
from eilev.schema import SPLITS, Split
from eilev.validation.checks import violations
from eilev.validation.suites import (
    CLIPS_SUITE,
    NARRATIONS_SUITE,
    episode_table,
    words_table,
)

# Edges of the histogram of per-episode burstiness.
_EDGES = np.linspace(0, 1, 11)


@dataclass(frozen=True)
class Tables:
    """Everything that is validated, measured and plotted."""

    # Name of the suite to its table.
    checked: Mapping[str, pd.DataFrame]
    # Splits that have episodes.
    splits: tuple[Split, ...]
    # The measured properties, JSON-ready.
    properties: Mapping[str, Any]
    # Columns rank, count: the training clips' actions.
    action_frequencies: pd.DataFrame
    # Columns phase, kind, share, episodes: histogram of the training episodes' burstiness.
    burstiness: pd.DataFrame


def make_tables(
    narrations: pd.DataFrame,
    split: pd.DataFrame,
    clips: pd.DataFrame,
    episodes: Mapping[Split, pd.DataFrame],
    phases: Sequence[str],
) -> Tables:
    """Lay out and measure the data.

    Args:
        narrations: rows of schema.NARRATIONS.
        split: rows of schema.SPLIT.
        clips: rows of schema.CLIPS_INDEX.
        episodes: rows of schema.EPISODES of each split.
        phases: the curriculum's, in order.

    Raises:
        ValueError: a phase has no training episodes.
    """
    training = split_phases(episodes["train"], phases)
    decoded_ids = set(clips.loc[clips["shard"].notna(), "narration_id"])
    # Narrations given twice are for the suite to find; measuring needs each once.
    facts = gather_facts(
        narrations.drop_duplicates("narration_id"),
        split.drop_duplicates("narration_id"),
        decoded_ids,
    )
    checked = {
        NARRATIONS_SUITE: narrations.merge(split, on="narration_id", how="left"),
        CLIPS_SUITE: _clips_table(clips, narrations),
    }
    splits = tuple(name for name in SPLITS if len(episodes[name]))
    for name in splits[1:]:
        items = lay_out(episodes[name], facts)
        checked[episode_table(name)] = episodes_table(episodes[name], items, facts, name)
    for phase, rows in training.items():
        items = lay_out(rows, facts)
        checked[episode_table("train", phase)] = episodes_table(rows, items, facts, "train")
        checked[words_table(phase)] = measures.item_columns(items)
    drawn = {phase: checked[episode_table("train", phase)] for phase in phases}
    return Tables(
        checked=checked,
        splits=splits,
        properties={
            "corpus": measures.corpus_properties(facts),
            "train_episodes": {
                phase: measures.episode_properties(table, checked[words_table(phase)])
                for phase, table in drawn.items()
            },
        },
        action_frequencies=_action_frequencies(facts),
        burstiness=pd.concat(
            [_burstiness_histogram(table).assign(phase=phase) for phase, table in drawn.items()],
            ignore_index=True,
        ),
    )


def split_phases(episodes: pd.DataFrame, phases: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Training episodes of each phase, in the curriculum's order.

    Raises:
        ValueError: a phase has none, or there are episodes of another one.
    """
    found = {str(name): rows for name, rows in episodes.groupby("phase", sort=False)}
    lacking = [phase for phase in phases if phase not in found]
    if lacking:
        raise ValueError(
            f"there are no training episodes of the phase {lacking[0]}; see the log of the episodes"
            " stage"
        )
    if other := sorted(set(found) - set(phases)):
        raise ValueError(
            f"data/episodes/train.parquet has episodes of the phase {other[0]}, which is not in"
            " params.yaml; run the episodes stage again"
        )
    return {phase: found[phase].reset_index(drop=True) for phase in phases}


def episodes_table(
    episodes: pd.DataFrame, items: Items, facts: ClipFacts, split: Split
) -> pd.DataFrame:
    """Rows of schema.EPISODES with what is measured of them and what breaks the rules."""
    columns = measures.episode_columns(episodes, items, facts)
    broken = violations(episodes, items, facts, split)
    own = episodes[["context", "narrations"]].reset_index(drop=True)
    return pd.concat([columns, own, broken], axis="columns")


def _clips_table(clips: pd.DataFrame, narrations: pd.DataFrame) -> pd.DataFrame:
    has_place = clips["shard"].notna() & clips["row"].notna() & (clips["num_frames"] > 0)
    has_reason = clips["error"].notna() & clips["shard"].isna() & clips["row"].isna()
    return clips.assign(
        is_narrated=clips["narration_id"].isin(narrations["narration_id"]),
        is_accounted_for=has_place & clips["error"].isna() | has_reason,
    )


def _action_frequencies(facts: ClipFacts) -> pd.DataFrame:
    """How often the training clips show each action, most frequent first."""
    corpus = measures.is_training_clip(facts)
    actions = action_numbers(facts.verbs[corpus], facts.nouns[corpus])
    counts = measures.action_counts(actions)
    return pd.DataFrame({"rank": np.arange(1, counts.size + 1), "count": counts})


def _burstiness_histogram(episodes: pd.DataFrame) -> pd.DataFrame:
    """Episodes of each kind by the share of context items that share a class with the query."""
    filled = episodes[episodes["context_size"] > 0]
    share = filled["num_shared"] / filled["context_size"]
    # Episodes without any context have no share: no rows.
    pieces = [pd.DataFrame({"kind": pd.Series(dtype="str"), "share": [], "episodes": []})]
    for kind in sorted(filled["kind"].unique()):
        counts, _ = np.histogram(share[filled["kind"] == kind], bins=_EDGES)
        pieces.append(
            pd.DataFrame(
                {
                    "kind": kind,
                    "share": ((_EDGES[:-1] + _EDGES[1:]) / 2).round(2),
                    "episodes": counts,
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)
