"""The tables that expectations are about, and the figures and plots drawn from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from eilev.distributions import measures
from eilev.distributions.items import ClipFacts, Items, gather_facts, lay_out
from eilev.episodes.classes import action_numbers
from eilev.schema import SPLITS, Split
from eilev.validation.checks import violations
from eilev.validation.suites import CLIPS_SUITE, NARRATIONS_SUITE, TRAINING_WORDS, episode_table

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
    # Columns kind, share, episodes: histogram of the training episodes' burstiness.
    burstiness: pd.DataFrame


def make_tables(
    narrations: pd.DataFrame,
    split: pd.DataFrame,
    clips: pd.DataFrame,
    episodes: Mapping[Split, pd.DataFrame],
) -> Tables:
    """Lay out and measure the data.

    Args:
        narrations: rows of schema.NARRATIONS.
        split: rows of schema.SPLIT.
        clips: rows of schema.CLIPS_INDEX.
        episodes: rows of schema.EPISODES of each split.

    Raises:
        ValueError: there are no training episodes.
    """
    if episodes["train"].empty:
        raise ValueError("there are no training episodes; see the log of the episodes stage")
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
    for name in splits:
        items = lay_out(episodes[name], facts)
        checked[episode_table(name)] = episodes_table(episodes[name], items, facts, name)
        if name == "train":
            checked[TRAINING_WORDS] = measures.item_columns(items)
    training = checked[episode_table("train")]
    return Tables(
        checked=checked,
        splits=splits,
        properties={
            "corpus": measures.corpus_properties(facts),
            "train_episodes": measures.episode_properties(training, checked[TRAINING_WORDS]),
        },
        action_frequencies=_action_frequencies(facts),
        burstiness=_burstiness_histogram(training),
    )


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
