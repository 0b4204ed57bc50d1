"""What is asked: the trials of an episodes folder, fewer of them evenly, and what they cost."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eilev import paths, schema
from eilev.config.conditions import ASKED_FOR, CONDITIONS, shown
from eilev.episodes.availability import Unavailable, unavailable
from eilev.evaluation.trials import Trial, build_trials
from eilev.io import DataError, read_json
from eilev.parquet import read_table
from eilev.schema import EVALUATED, Split
from eilev.vocabulary import listed

# What a trial shows the model: videos, narrations of the context, blank or not.
Shown = tuple[tuple[str, ...], tuple[str, ...], bool]

# Multiples of it, without their whole parts, fill the line evenly however many there are.
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Questions:
    """The trials of each split, the narration table that judges them, and what cannot be had."""

    trials: Mapping[Split, Sequence[Trial]]
    # schema.NARRATIONS.
    narrations: pd.DataFrame
    lacking: Unavailable

    def requests(self) -> dict[Shown, Trial]:
        """A trial for everything that is shown: alike ones (no shots, say) are asked once."""
        every = [trial for trials in self.trials.values() for trial in trials]
        return {what_is_shown(trial): trial for trial in reversed(every)}


def what_is_shown(trial: Trial) -> Shown:
    """Trials of which this is alike get the same answer."""
    return trial.videos, trial.texts[:-1], trial.blank


def read_questions(
    episodes: Path, narrations: Path, splits: Sequence[Split], seed: int
) -> Questions:
    """Draw every trial of the splits, exactly as `evaluate` does with this seed.

    Args:
        episodes: folder of SPLIT.parquet and summary.json.
        narrations: the table that the episodes are about.
        splits: those to ask about.
        seed: of exchanged videos and new words, `evaluate.seed`.

    Raises:
        DataError: a file is missing or bad.
        ValueError: the splits have no episodes.
    """
    table = read_table(narrations, schema.NARRATIONS)
    summary = read_json(episodes / paths.EPISODES_SUMMARY.name)
    trials = {}
    # Evaluate numbers the splits that have episodes; conditions draw from one source in order.
    for number, (split, rows) in enumerate(_read(episodes).items()):
        if split in splits:
            _require_known(rows, table, episodes / f"{split}.parquet", narrations)
            rng = np.random.default_rng([seed, number])
            trials[split] = build_trials(rows, table, [*ASKED_FOR], rng)
    if not trials:
        raise ValueError(f"{episodes}: the {listed(splits)} episodes are empty: nothing to ask")
    return Questions(trials, table, _lacking(summary, [*trials]))


def _read(episodes: Path) -> dict[Split, pd.DataFrame]:
    found = [split for split in EVALUATED if (episodes / f"{split}.parquet").is_file()]
    if not found:
        names = listed(f"{split}.parquet" for split in EVALUATED)
        raise DataError(f"{episodes}: no {names}; name the folder of the episodes stage")
    tables = {split: read_table(episodes / f"{split}.parquet", schema.EPISODES) for split in found}
    return {split: table for split, table in tables.items() if len(table)}


def _require_known(rows: pd.DataFrame, table: pd.DataFrame, path: Path, narrations: Path) -> None:
    unknown = {*rows["query"], *rows["context"].explode().dropna()} - set(table["narration_id"])
    if unknown:
        raise DataError(
            f"{path}: {len(unknown)} clips, such as '{min(unknown)}', are not in {narrations}; "
            "name the table that the episodes were drawn from with --narrations"
        )


def _lacking(summary: Mapping[str, Any], splits: Sequence[Split]) -> Unavailable:
    kinds = set.intersection(*(set(summary.get(split, {})) for split in splits))
    conditions = [name for name, entry in ASKED_FOR.items() if entry.kind in kinds]
    return unavailable(summary, conditions, splits)


def restrict(
    questions: Questions, conditions: Sequence[str], shots: Collection[int] | None
) -> Questions:
    """Only some conditions, and those they bring along, and numbers of shots (None: all).

    Raises:
        ValueError: nothing is left.
    """
    names = set(shown(conditions))
    trials = {
        split: [t for t in every if t.condition in names and (shots is None or t.shots in shots)]
        for split, every in questions.trials.items()
    }
    if not any(trials.values()):
        has = {(t.condition, t.shots) for every in questions.trials.values() for t in every}
        kinds = ", ".join(dict.fromkeys(name for name, _ in sorted(has)))
        counts = ", ".join(str(n) for n in sorted({n for _, n in has}))
        raise ValueError(f"nothing is like that; there are {kinds} at {counts} shots")
    lacking = {
        split: {
            name: {n: why for n, why in missing.items() if shots is None or int(n) in shots}
            for name, missing in of_split.items()
            if name in names
        }
        for split, of_split in questions.lacking.items()
    }
    return replace(questions, trials=trials, lacking=lacking)


def thin_out(questions: Questions, max_requests: int | None) -> Questions:
    """Ask about fewer queries, so that there are no more distinct requests than `max_requests`.

    The same number of queries for each split and kind of context, evenly out of all of them. Their
    conditions and shots stay together, so that they can be compared query by query; a larger number
    later asks about the same queries and more.

    Raises:
        ValueError: that is less than one query's.
    """
    if max_requests is None:
        return questions
    rank_of = {split: _ranks(trials) for split, trials in questions.trials.items()}
    first: dict[Shown, int] = {}
    for split, trials in questions.trials.items():
        for trial in trials:
            rank = rank_of[split][_asked(trial)]
            first[what_is_shown(trial)] = min(rank, first.get(what_is_shown(trial), rank))
    if len(first) <= max_requests:
        return questions
    ranks = sorted(first.values())
    queries = ranks[max_requests]
    if not queries:
        fewest = sum(rank == 0 for rank in ranks)
        raise ValueError(
            f"--max-requests {max_requests} is less than the {fewest} requests about one query of "
            "each split and kind; choose fewer --conditions, --shots or --splits"
        )
    fewer = {
        split: [trial for trial in every if rank_of[split][_asked(trial)] < queries]
        for split, every in questions.trials.items()
    }
    return replace(questions, trials=fewer)


def _asked(trial: Trial) -> tuple[str, str]:
    """Kind of context and query: what the trials of one comparison share."""
    return CONDITIONS[trial.condition].kind, trial.query


def _ranks(trials: Sequence[Trial]) -> dict[tuple[str, str], int]:
    """Place of each query of a kind in an order whose every beginning is evenly spread."""
    ranks: dict[tuple[str, str], int] = {}
    asked = dict.fromkeys(map(_asked, trials))
    for kind in dict.fromkeys(kind for kind, _ in asked):
        of_kind = [each for each in asked if each[0] == kind]
        order = sorted(range(len(of_kind)), key=lambda place: place * _GOLDEN % 1)
        ranks |= {of_kind[place]: rank for rank, place in enumerate(order)}
    return ranks
