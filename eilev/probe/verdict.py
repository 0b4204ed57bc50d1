"""Whether a model reads the videos of its context or copies their words: figures and a sentence.

Two trials of the same episode are compared, one as it is and one with its videos exchanged or
blank, query by query at the most shots. What a difference is worth is its 95 % interval, from
resampled queries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from eilev.config.conditions import CONTRASTIVE_SHUFFLED
from eilev.distributions.intervals import bootstrap_intervals

_RESAMPLES = 1000

# What is compared: conditions as they are, and the same episodes otherwise.
EXCHANGED = {"contrastive": CONTRASTIVE_SHUFFLED, "bursty": "shuffled"}
BLANK = {"bursty": "no_video"}


@dataclass(frozen=True)
class Effect:
    """Action accuracy of a condition and of another about the same queries.

    low and high are the ends of the 95 % interval of the difference.
    """

    condition: str
    without: str
    shots: int
    queries: int
    accuracy: float
    left: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        """What is lost."""
        return self.accuracy - self.left


def effects_of(predictions: pd.DataFrame, split: str, seed: int = 0) -> list[Effect]:
    """Every comparison that a split has the answers for.

    Args:
        predictions: of `scoring.score`.
        split: of them.
        seed: of the resampling.
    """
    rows = predictions[(predictions["split"] == split) & predictions["scored"]]
    pairs = [*EXCHANGED.items(), *BLANK.items()]
    found = (_effect(rows, condition, without, seed) for condition, without in pairs)
    return [effect for effect in found if effect is not None]


def gain_of(predictions: pd.DataFrame, split: str, seed: int = 0) -> Effect | None:
    """What the context adds: contrastive or bursty at the most shots, and without any."""
    rows = predictions[(predictions["split"] == split) & predictions["scored"]]
    for condition in EXCHANGED:
        of_condition = rows[rows["condition"] == condition]
        most = of_condition[of_condition["shots"] == of_condition["shots"].max()]
        none = of_condition[of_condition["shots"] == 0]
        if len(none) and most["shots"].max() > 0:
            return _paired(most, none.assign(condition="no context"), seed)
    return None


def _effect(rows: pd.DataFrame, condition: str, without: str, seed: int) -> Effect | None:
    one, other = (rows[rows["condition"] == name] for name in (condition, without))
    shots = set(one["shots"]) & set(other["shots"]) - {0}
    if not shots:
        return None
    return _paired(one[one["shots"] == max(shots)], other[other["shots"] == max(shots)], seed)


def _paired(one: pd.DataFrame, other: pd.DataFrame, seed: int) -> Effect | None:
    """Compare rows of the same queries; None where there are fewer than two."""
    right = [(each["verb_correct"] & each["noun_correct"]) for each in (one, other)]
    tables = [r.groupby(each["query"]).mean() for r, each in zip(right, (one, other), strict=True)]
    both = pd.concat(tables, axis=1, join="inner")
    if len(both) < 2:
        return None
    values = both.to_numpy(np.float64)
    differences = values[:, 0] - values[:, 1]
    intervals = bootstrap_intervals(
        both.index.to_numpy(),
        lambda rows: {"difference": float(differences[rows].mean())},
        _RESAMPLES,
        np.random.default_rng(seed),
    )
    low, high = intervals["difference"] or (np.nan, np.nan)
    accuracy, left = values.mean(axis=0).tolist()
    names = (one["condition"].iloc[0], other["condition"].iloc[0])
    return Effect(*names, int(one["shots"].iloc[0]), len(both), accuracy, left, low, high)


def verdict(effects: list[Effect], gain: Effect | None, rates: Mapping[str, Any]) -> list[str]:
    """Sentences that say what the figures do.

    Args:
        effects: of a split.
        gain: what the context adds.
        rates: `scoring.copying_rates` of the split.
    """
    by_pair = {(effect.condition, effect.without): effect for effect in effects}
    exchanged = next((by_pair[pair] for pair in EXCHANGED.items() if pair in by_pair), None)
    blank = next((by_pair[pair] for pair in BLANK.items() if pair in by_pair), None)
    lines = [_about_context(exchanged, rates)]
    if blank is not None:
        sees = "It looks at videos" if blank.low > 0 else "No sign that it looks at any video"
        lines.append(f"{sees}: with all of them blank, the query's too, {_lost(blank)}.")
    if gain is not None:
        helps = "Its context helps" if gain.low > 0 else "No sign that its context helps"
        if gain.high < 0:
            helps = "Its context does harm"
        lines.append(
            f"{helps}: {gain.accuracy:.2f} with {gain.shots} clips ({gain.condition}), "
            f"{gain.left:.2f} of the same {gain.queries} queries without any."
        )
    return lines


def _about_context(exchanged: Effect | None, rates: Mapping[str, Any]) -> str:
    if exchanged is None:
        return (
            "Whether it reads the videos of its context was not asked: that takes the conditions "
            "bursty and shuffled, better contrastive too, two shots or more, and two queries."
        )
    lost = f"with these exchanged against their texts, {_lost(exchanged)}"
    if exchanged.low > 0:
        return f"It reads the videos of its context: {lost}.{_led(exchanged, rates)}"
    if exchanged.high < 0:
        return f"Exchanged videos do it good, which needs a look at the answers: {lost}."
    told = rates[exchanged.condition][str(exchanged.shots)]
    copied = (
        f" Of its answers, {told['copied']:.0%} are the words of one sentence of the context and "
        f"{told['copied_majority']:.0%} its most frequent words."
    )
    return f"No sign that it reads the videos of its context: {lost}.{copied}"


def _led(exchanged: Effect, rates: Mapping[str, Any]) -> str:
    told = rates[exchanged.without][str(exchanged.shots)]
    if told["told_beside"] is None:
        return ""
    return (
        f" Then {told['told_beside']:.0%} of its answers are the words that stand beside the videos"
        f" like the query's, as {told['beside_by_chance']:.0%} of the context's sentences are."
    )


def _lost(effect: Effect) -> str:
    return (
        f"{effect.left:.2f} of {effect.accuracy:.2f} is left ({effect.condition}, {effect.shots} "
        f"shots, {effect.queries} queries; difference {effect.difference:.2f}, 95 % interval "
        f"{effect.low:.2f} to {effect.high:.2f})"
    )
