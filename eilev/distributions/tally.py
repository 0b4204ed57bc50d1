"""Counts that every figure of episodes is computed from, small whatever the number of episodes.

Tables of episodes come in pieces; the counts of pieces add up to those of the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from eilev.episodes.classes import Ints, pair_keys

Part = Literal["verb", "noun"]
PARTS: tuple[Part, ...] = get_args(Part)

_SHARES = ["kind", "context_size", "num_shared", "num_verb_shared", "num_noun_shared"]
_ACTIONS = ["kind", "context_size", "action", "random_verb_share", "random_noun_share"]
_WORDS = ["class", "word"]
_GROUPS = ["of", "size"]


@dataclass(frozen=True)
class Tally:
    """Tables with a column `count`, one row per combination of what is counted."""

    # Episodes by kind, context_size, num_shared, num_verb_shared and num_noun_shared.
    shares: pd.DataFrame
    # Episodes by kind, context_size, action, random_verb_share and random_noun_share.
    actions: pd.DataFrame
    # By part of speech: narrated clips by class and word, in the order in which they come.
    words: Mapping[Part, pd.DataFrame]
    # By part of speech: groups of equal "class", "word" or "pair" of them within an episode, by
    # their size.
    groups: Mapping[Part, pd.DataFrame]

    @property
    def num_episodes(self) -> int:
        """Episodes that were counted."""
        return int(self.shares["count"].sum())


def tally_words(items: pd.DataFrame) -> dict[Part, pd.DataFrame]:
    """`Tally.words` of rows of `measures.item_columns`; those without a class or word don't count.

    Columns of the tables: class, word, count.
    """
    return {part: _count(_named(items, part), _WORDS) for part in PARTS}


def tally(episodes: pd.DataFrame, items: pd.DataFrame) -> Tally:
    """Count whole episodes: rows of `measures.episode_columns` and of `measures.item_columns`."""
    return Tally(
        shares=_count(episodes, _SHARES),
        actions=_count(episodes, _ACTIONS),
        words=tally_words(items),
        groups={part: _count_groups(_named(items, part)) for part in PARTS},
    )


def add_up(first: Tally, second: Tally) -> Tally:
    """The counts of both."""
    return Tally(
        shares=_add(first.shares, second.shares, _SHARES),
        actions=_add(first.actions, second.actions, _ACTIONS),
        words={part: _add(first.words[part], second.words[part], _WORDS) for part in PARTS},
        groups={part: _add(first.groups[part], second.groups[part], _GROUPS) for part in PARTS},
    )


def _named(items: pd.DataFrame, part: Part) -> pd.DataFrame:
    named = (items[f"{part}_class"] >= 0) & (items[f"{part}_word"] != "")
    names = {f"{part}_class": "class", f"{part}_word": "word"}
    return items[named].rename(columns=names)


def _count(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    # Not sorted: combinations stay in the order in which they come.
    return table.groupby(columns, sort=False, dropna=False).size().reset_index(name="count")


def _add(first: pd.DataFrame, second: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    both = pd.concat([first, second], ignore_index=True)
    return both.groupby(columns, sort=False, dropna=False)["count"].sum().reset_index()


def _count_groups(named: pd.DataFrame) -> pd.DataFrame:
    episode, classes = (named[name].to_numpy("int64") for name in ("episode", "class"))
    words = pd.factorize(named["word"])[0].astype(np.int64)
    by_class, by_word = pair_keys(episode, classes), pair_keys(episode, words)
    pairs = pair_keys(pd.factorize(by_class)[0].astype(np.int64), words)
    groups = {"class": by_class, "word": by_word, "pair": pairs}
    return pd.concat([_sizes(keys, of) for of, keys in groups.items()], ignore_index=True)


def _sizes(keys: Ints, of: str) -> pd.DataFrame:
    sizes, times = np.unique(np.unique(keys, return_counts=True)[1], return_counts=True)
    return pd.DataFrame({"of": of, "size": sizes, "count": times})
