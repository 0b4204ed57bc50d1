"""Which narrations are generated: the episodes of a split under every condition."""

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from eilev.config.conditions import CONDITIONS, shown
from eilev.episodes.availability import why_not
from eilev.episodes.meaning import write_permuted
from eilev.episodes.rewriter import make_rewriter, with_new_words
from eilev.ids import Ids
from eilev.inputs.episode import episode_texts


@dataclass(frozen=True)
class Trial:
    """One narration to be generated.

    `clip_ids`, `texts` and `videos` have one entry per context clip in order and a last one for
    the query. Each text belongs to its clip; each video is the clip whose frames are shown.
    """

    condition: str
    meaning: str
    clip_ids: tuple[str, ...]
    texts: tuple[str, ...]
    videos: tuple[str, ...]
    # The placeholders hold zeros instead of the videos.
    blank: bool = False

    @property
    def shots(self) -> int:
        """Number of context clips."""
        return len(self.clip_ids) - 1

    @property
    def query(self) -> str:
        """Narration id of the query."""
        return self.clip_ids[-1]


def build_trials(
    episodes: pd.DataFrame,
    narrations: pd.DataFrame,
    conditions: Sequence[str],
    rng: np.random.Generator,
) -> list[Trial]:
    """Put the episodes of a split under the conditions of docs/design.md, section 7.

    Rows without shots are the same trial under every condition (`no_video` shows it blank): each
    curve starts from the zero-shot figure of its queries. What a condition cannot be made of
    (availability.why_not) has no trial, nor has one without episodes of its kind.

    Args:
        episodes: schema.EPISODES, one split.
        narrations: schema.NARRATIONS.
        conditions: Wanted ones, which may bring others along.
        rng: Source of the derangements and of the new words.
    """
    clip_ids = {*episodes["query"], *chain.from_iterable(episodes["context"])}
    table = rows_of(narrations, clip_ids).set_index("narration_id")
    texts = table["narration"].to_dict()
    action_of = _actions(table)
    trials = []
    for name in shown(conditions):
        entry = CONDITIONS[name]
        rows = episodes[episodes["kind"] == entry.kind]
        possible = [why_not(entry, shots) is None for shots in rows["shots"]]
        rows = rows[np.array(possible, dtype=np.bool_)]
        if entry.new_words and len(rows):
            rows = _in_new_words(rows, narrations, rng)
        for row in rows.to_dict("records"):
            trial = replace(_trial(row, name, texts), blank=entry.blank)
            trials.append(_deranged(trial, action_of, rng) if entry.deranged else trial)
    return trials


def rows_of(narrations: pd.DataFrame, clip_ids: Collection[str]) -> pd.DataFrame:
    """Rows of some clips: what becomes Python objects is what of the narrations is shown."""
    return narrations[narrations["narration_id"].isin(clip_ids)]


def _in_new_words(
    episodes: pd.DataFrame, narrations: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Episodes told in words that occur nowhere in training, one for each class."""
    everywhere = np.ones(len(narrations), dtype=np.bool_)
    rewriter = with_new_words(make_rewriter(narrations, everywhere))
    ids = Ids(narrations["narration_id"])
    pieces = []
    for shots, rows in episodes.groupby("shots"):
        shown = [
            [*context, query] for context, query in zip(rows["context"], rows["query"], strict=True)
        ]
        clips = ids.find(np.ravel(shown)).reshape(len(rows), -1)
        uniforms = rng.random((len(rows), 4 * (int(str(shots)) + 1)))
        told = pd.Series(write_permuted(rewriter, clips, uniforms), index=rows.index)
        pieces.append(rows.assign(meaning="permuted", narrations=told))
    return pd.concat(pieces)


def derange(labels: Sequence[Hashable], rng: np.random.Generator) -> list[int]:
    """Draw a permutation without fixed points, and without equal labels where possible.

    A video that stays with a text of its own action would still be right, so positions of one
    label are kept apart: sorted by label and shifted by the size of the largest group. Where one
    label has more than half of the positions, positions count as all different.

    Args:
        labels: What each position shows; two or more positions.
        rng: Source of the order of groups and positions.

    Returns:
        For each position, the position whose video it gets.

    Examples:
        >>> derange(["cut onion", "cut onion", "wash pan", "wash pan"], np.random.default_rng(0))
        [2, 3, 0, 1]
    """
    shift = max(Counter(labels).values())
    if 2 * shift > len(labels):
        labels, shift = range(len(labels)), 1
    order = rng.permutation(len(labels)).tolist()
    rank: dict[Hashable, int] = {}
    for position in order:
        rank.setdefault(labels[position], len(rank))
    order.sort(key=lambda position: rank[labels[position]])
    source = dict(zip(order, order[shift:] + order[:shift], strict=True))
    return [source[position] for position in range(len(labels))]


def _trial(row: Mapping[Hashable, Any], condition: str, texts: Mapping[Hashable, str]) -> Trial:
    clip_ids = (*row["context"], row["query"])
    return Trial(
        condition=condition,
        meaning=row["meaning"],
        clip_ids=clip_ids,
        texts=tuple(episode_texts(row["narrations"], clip_ids, texts)),
        videos=clip_ids,
    )


def _deranged(trial: Trial, action_of: Mapping[str, Hashable], rng: np.random.Generator) -> Trial:
    if not trial.shots:
        return trial
    *context, query = trial.clip_ids
    sources = derange([action_of[clip_id] for clip_id in context], rng)
    return replace(trial, videos=(*(context[source] for source in sources), query))


def _actions(table: pd.DataFrame) -> dict[str, Hashable]:
    """Action of each narration; one without a class is like no other."""
    whole = table["verb_class"].notna() & table["noun_class"].notna()
    pairs = zip(table.index, table["verb_class"], table["noun_class"], whole, strict=True)
    return {clip: (verb, noun) if known else clip for clip, verb, noun, known in pairs}
