"""Which narrations are trained on (the reference's rules).

By "action": frequent actions are common and are divided by video into train, val and test; clips of
rare actions are `novel`, but for some to choose a recipe by, `novel_val`. By "video": all clips are
divided by video, nothing is novel.

Videos and actions are numbers here that sort as their names do: a tuple of texts for each of a
million narrations would take some 200 bytes.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eilev.config.split import SplitConfig
from eilev.schema import OTHER_VERB, SPLITS

# The columns that a narration's split depends on.
DIVIDED_BY = ("video_id", "verb_class", "noun_class")

_Numbers = NDArray[np.integer[Any]]
# Places in schema.SPLITS.
_Places = NDArray[np.int8]

_TRAIN, _VAL, _TEST, _NOVEL, _NOVEL_VAL = range(len(SPLITS))
# One each for train, val and test.
_LEAST_VIDEOS = 3
_NO_RARE = "lower split.common_share or split.num_common_actions, or split by video"


def split_narrations(
    narrations: pd.DataFrame, config: SplitConfig, rng: np.random.Generator
) -> "pd.Categorical[str]":
    """Assign every narration (the columns DIVIDED_BY of schema.NARRATIONS) to a split.

    A narration without a verb or noun class, or with the catch-all verb, has no action: it can't
    be told to be rare, so it goes with its video like the common ones.

    Returns:
        Of schema.SPLITS, in the order of `narrations`; the same for the same `rng` state.

    Raises:
        ValueError: a split would be empty; the message names the parameter to change, or how many
            videos are needed.
    """
    videos = _number(narrations["video_id"]).codes
    _require_videos(videos)
    actions = _number_actions(narrations)
    rare = _is_rare(actions, config) if config.by == "action" else np.zeros(videos.size, np.bool_)
    if config.by == "action" and not rare.any():
        raise ValueError(f"split 'novel' would be empty ({_size(videos)}): {_NO_RARE}")
    split = np.empty(videos.size, np.int8)
    split[~rare] = _split_by_video(videos[~rare], config, rng)
    split[rare] = _split_rare(actions[rare], config, rng)
    return pd.Categorical.from_codes(split, pd.Index(SPLITS))


def _number(texts: pd.Series) -> "pd.Categorical[str]":
    """Texts by their alphabetical order; -1 for an empty value."""
    found = pd.Categorical(texts)
    return found.reorder_categories(sorted(found.categories))


def _number_actions(narrations: pd.DataFrame) -> NDArray[np.int64]:
    """Actions by verb, then noun (num_narrations,); -1 for a narration that has none."""
    verbs, nouns = _number(narrations["verb_class"]), _number(narrations["noun_class"])
    named = (verbs.codes >= 0) & (nouns.codes >= 0) & (verbs != OTHER_VERB)
    pairs = verbs.codes[named].astype(np.int64) * len(nouns.categories) + nouns.codes[named]
    actions = np.full(named.size, -1)
    actions[named] = pd.factorize(pairs, sort=True)[0]
    return actions


def _is_rare(actions: _Numbers, config: SplitConfig) -> NDArray[np.bool_]:
    """Whether each narration has an action that is none of the common ones."""
    counts = np.bincount(actions[actions >= 0])
    ranking = np.argsort(-counts, kind="stable")
    num_common = config.num_common_actions
    if num_common is None:
        num_common = _prefix(counts[ranking], config.common_share * counts.sum())
    # The last one is that of a narration without an action.
    rare = np.zeros(counts.size + 1, np.bool_)
    rare[ranking[num_common:]] = True
    return rare[actions]


def _split_rare(actions: _Numbers, config: SplitConfig, rng: np.random.Generator) -> _Places:
    """Fill novel_val with random actions up to its share; one action at least stays novel."""
    counts = np.bincount(actions)
    found = np.flatnonzero(counts)
    order = found[rng.permutation(found.size)]
    most = _prefix(counts[order], config.novel_val_share * actions.size)
    places = np.full(counts.size, _NOVEL, np.int8)
    places[order[: min(most, order.size - 1)]] = _NOVEL_VAL
    return places[actions]


def _split_by_video(videos: _Numbers, config: SplitConfig, rng: np.random.Generator) -> _Places:
    """Fill train + val with random videos up to its share, and train, of these, up to its own.

    Each of the three has a video, however few or unequal the videos are.
    """
    _require_videos(videos, " for common actions" if config.by == "action" else "")
    counts = np.bincount(videos)
    found = np.flatnonzero(counts)
    order = found[rng.permutation(found.size)]
    goal = round(config.train_val_share * videos.size)
    num_train_val = min(max(_prefix(counts[order], goal), 2), order.size - 1)
    num_train = _prefix(counts[order], round(config.train_share * goal))
    places = np.full(counts.size, _TEST, np.int8)
    places[order[:num_train_val]] = _VAL
    places[order[: min(max(num_train, 1), num_train_val - 1)]] = _TRAIN
    return places[videos]


def _require_videos(videos: _Numbers, which: str = "") -> None:
    if _count(videos) < _LEAST_VIDEOS:
        raise ValueError(
            f"train, val and test take different videos, so at least {_LEAST_VIDEOS} are needed,"
            f" but there are only {_size(videos)}{which}: add videos"
        )


def _size(videos: _Numbers) -> str:
    return f"{videos.size} narrations of {_count(videos)} videos"


def _count(videos: _Numbers) -> int:
    return int(np.count_nonzero(np.bincount(videos)))


def _prefix(counts: NDArray[np.int64], goal: float) -> int:
    """How many leading counts it takes until their sum is at least `goal`."""
    return int(np.searchsorted(np.cumsum(counts), goal)) + 1 if goal > 0 else 0
