"""The tables that expectations are about, and the figures and plots drawn from them.

All pass in pieces and are counted on the way, so that any number of rows can be checked. What is
known of the narrations is held in columns (`ClipFacts`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from eilev.distributions import measures
from eilev.distributions.items import lay_out
from eilev.distributions.tally import Tally, add_up, tally
from eilev.episodes.classes import Bools, Ints, action_numbers
from eilev.episodes.facts import ClipFacts, Pieces, facts_of
from eilev.schema import SPLITS, Split
from eilev.validation import figures
from eilev.validation.checks import violations
from eilev.validation.outcomes import Table
from eilev.validation.repeats import Repeats
from eilev.validation.suites import (
    CLIPS_SUITE,
    NARRATIONS_SUITE,
    episode_table,
    words_table,
)

# Of an episode.
_LISTS = ("context", "narrations")

# Middles of the tenths of the histogram of per-episode burstiness.
_MIDDLES = np.linspace(0.05, 0.95, 10).round(2)

# Pieces of schema.EPISODES of a split, from the first; with names, these columns only.
Reader = Callable[[Split, Sequence[str] | None], Iterable[pa.RecordBatch]]


@dataclass
class Counted:
    """What is known of episodes that have passed."""

    repeats: Repeats
    # None before the first.
    counts: Tally | None = None

    @property
    def all(self) -> Tally:
        """The counts of a table that has been read to its end."""
        assert self.counts is not None  # noqa: S101  # a table without episodes is not checked
        return self.counts


@dataclass(frozen=True)
class Tables:
    """Everything that is validated, measured and plotted."""

    # Name of the suite to its table.
    checked: Mapping[str, Table]
    # Splits that have episodes.
    splits: tuple[Split, ...]
    facts: ClipFacts
    # By phase, of its training episodes; complete once these have been checked.
    counted: Mapping[str, Counted]

    def properties(self) -> dict[str, Any]:
        """The measured properties, JSON-ready."""
        episodes = {
            phase: measures.tallied_properties(each.all) for phase, each in self.counted.items()
        }
        return {"corpus": measures.corpus_properties(self.facts), "train_episodes": episodes}

    def action_frequencies(self) -> pd.DataFrame:
        """How often the training clips show each action, most frequent first: rank, count."""
        corpus = self.facts.corpus
        actions = action_numbers(self.facts.verbs[corpus], self.facts.nouns[corpus])
        counts = measures.action_counts(actions)
        return pd.DataFrame({"rank": np.arange(1, counts.size + 1), "count": counts})

    def burstiness(self) -> pd.DataFrame:
        """Histogram of the training episodes' burstiness: kind, share, episodes, phase."""
        pieces = [
            _burstiness_histogram(each.all.shares).assign(phase=phase)
            for phase, each in self.counted.items()
        ]
        return pd.concat(pieces, ignore_index=True)


def make_tables(
    narrations: Pieces, clips: Pieces, facts: ClipFacts, episodes: Reader, phases: Sequence[str]
) -> Tables:
    """Prepare the data for being checked and measured.

    Args:
        narrations: reads rows of schema.NARRATIONS.
        clips: reads rows of schema.CLIPS_INDEX.
        facts: what is known of them.
        episodes: reads those of a split.
        phases: the curriculum's, in order.

    Raises:
        ValueError: a phase has no training episodes.
    """
    require_phases(episodes("train", ["phase"]), phases)
    checked = {
        NARRATIONS_SUITE: _listed(narrations(None), facts, _with_split, "narration_id"),
        CLIPS_SUITE: _listed(clips(None), facts, _accounted, "shard"),
    }
    splits = tuple(name for name in SPLITS if any(map(len, episodes(name, ["query"]))))
    for name in splits[1:]:
        checked[episode_table(name)] = count_episodes(episodes(name, None), facts, name)[0]
    counted = {}
    for phase in phases:
        rows = _of_phase(episodes("train", None), phase)
        table, counted[phase] = count_episodes(rows, facts, "train")
        checked[episode_table("train", phase)] = table
        checked[words_table(phase)] = Table([], figures=table.figures)
    return Tables(checked, splits, facts, counted)


def _listed(
    pieces: Iterable[pa.RecordBatch],
    facts: ClipFacts,
    extend: Callable[[pd.DataFrame, Ints, ClipFacts], pd.DataFrame],
    column: str,
) -> Table:
    """Make a table of rows that have a narration id, each once.

    Args:
        pieces: its rows, at least one piece.
        facts: what is known of the narrations.
        extend: adds columns to a piece, given the places of its ids.
        column: of it is told as a whole where it is empty.
    """
    repeats = Repeats(facts, ["narration_id"])
    filled: list[Bools] = []

    def checked() -> Iterator[pd.DataFrame]:
        for piece in pieces:
            rows = piece.to_pandas()
            places = facts.ids.find(piece["narration_id"])
            repeats.add(rows, places)
            filled.append(rows[column].notna().to_numpy())
            yield extend(rows, places, facts)

    def whole() -> pd.DataFrame:
        return pd.DataFrame({column: np.where(np.concatenate(filled), 1.0, np.nan)})

    return Table(checked(), columns=whole, repeats=repeats.rows)


def require_phases(episodes: Iterable[pa.RecordBatch], phases: Sequence[str]) -> None:
    """Check the phases of the training episodes.

    Raises:
        ValueError: a phase has none, or there are episodes of another one.
    """
    found: set[Any] = set()
    for piece in episodes:
        found.update(pc.unique(piece["phase"]).to_pylist())
    lacking = [phase for phase in phases if phase not in found]
    if lacking:
        raise ValueError(
            f"there are no training episodes of the phase {lacking[0]}; see the log of the episodes"
            " stage"
        )
    if other := sorted(found - set(phases)):
        raise ValueError(
            f"data/episodes/train.parquet has episodes of the phase {other[0]}, which is not in"
            " params.yaml; run the episodes stage again"
        )


def _of_phase(episodes: Iterable[pa.RecordBatch], phase: str) -> Iterator[pa.RecordBatch]:
    for piece in episodes:
        rows = piece.filter(pc.equal(piece["phase"], pa.scalar(phase)))
        if len(rows):
            yield rows


def count_episodes(
    pieces: Iterable[pa.RecordBatch], facts: ClipFacts, split: Split
) -> tuple[Table, Counted]:
    """Make a table of pieces of schema.EPISODES of a split; they are counted as they pass."""
    counted = Counted(Repeats(facts))
    table = Table(
        pieces=_checked_pieces(pieces, facts, split, counted),
        figures=lambda: figures.measure(counted.all),
        repeats=counted.repeats.rows,
    )
    return table, counted


def _checked_pieces(
    pieces: Iterable[pa.RecordBatch], facts: ClipFacts, split: Split, counted: Counted
) -> Iterator[pd.DataFrame]:
    start = 0
    for piece in pieces:
        table = _checked(piece, facts, split, counted)
        table.index = pd.RangeIndex(start, start + len(table))
        start += len(table)
        yield table


def _checked(
    piece: pa.RecordBatch, facts: ClipFacts, split: Split, counted: Counted
) -> pd.DataFrame:
    """Rows of schema.EPISODES with what is measured of them and what breaks the rules.

    Lists are told by their lengths: what is in them has been looked at, and Great Expectations
    would pickle each of them for a fingerprint.
    """
    episodes = piece.drop_columns("context").to_pandas()
    items = lay_out(episodes, facts, piece["context"])
    columns = measures.episode_columns(episodes, items, facts)
    counts = tally(columns, measures.item_columns(items))
    counted.counts = counts if counted.counts is None else add_up(counted.counts, counts)
    counted.repeats.add(episodes, items.clip[items.is_query])
    lists = {name: pc.list_value_length(piece[name]).to_pandas() for name in _LISTS}
    return pd.concat(
        [columns.assign(**lists), violations(episodes, items, facts, split)], axis="columns"
    )


def _with_split(narrations: pd.DataFrame, places: Ints, facts: ClipFacts) -> pd.DataFrame:
    splits = pd.Series(facts_of(facts.splits, facts.traits_of(places), ""), dtype="str")
    return narrations.assign(split=splits.replace("", None))


def _accounted(clips: pd.DataFrame, places: Ints, _facts: ClipFacts) -> pd.DataFrame:
    has_place = clips["shard"].notna() & clips["row"].notna() & (clips["num_frames"] > 0)
    has_reason = clips["error"].notna() & clips["shard"].isna() & clips["row"].isna()
    return clips.assign(
        is_narrated=places >= 0,
        is_accounted_for=has_place & clips["error"].isna() | has_reason,
    )


def _burstiness_histogram(shares: pd.DataFrame) -> pd.DataFrame:
    """Episodes of each kind by the share of context items that share a class with the query."""
    filled = shares[shares["context_size"] > 0]
    # Episodes without any context have no share: no rows.
    pieces = [pd.DataFrame({"kind": pd.Series(dtype="str"), "share": [], "episodes": []})]
    for kind in sorted(filled["kind"].unique()):
        counts = measures.share_histogram(filled[filled["kind"] == kind])
        pieces.append(pd.DataFrame({"kind": kind, "share": _MIDDLES, "episodes": counts}))
    return pd.concat(pieces, ignore_index=True)
