"""Which narrations are trained on (the reference's rules).

By "action": frequent actions are common and are divided by video into train, val and test; clips of
rare actions are `novel`. By "video": all clips are divided by video, nothing is novel.
"""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eilev.config.split import SplitConfig
from eilev.schema import OTHER_VERB, SPLITS

_REMEDIES = {
    "train": "raise split.train_val_share or split.train_share",
    "val": "lower split.train_share",
    "test": "lower split.train_val_share",
    "novel": "lower split.common_share or split.num_common_actions, or split by video",
}


def split_narrations(
    narrations: pd.DataFrame, config: SplitConfig, rng: np.random.Generator
) -> pd.DataFrame:
    """Assign every narration (schema.NARRATIONS) to a split.

    A narration without a verb or noun class, or with the catch-all verb, has no action: it can't
    be told to be rare, so it goes with its video like the common ones.

    Returns:
        Rows of schema.SPLIT in the order of `narrations`; the same for the same `rng` state.

    Raises:
        ValueError: a split would be empty; the message names the parameter to change.
    """
    rare = (
        _is_rare(narrations, config) if config.by == "action" else np.zeros(len(narrations), bool)
    )
    split = np.full(len(narrations), "novel", dtype=object)
    split[~rare] = _split_by_video(narrations["video_id"][~rare], config, rng)
    for name in SPLITS:
        if name not in split and (name != "novel" or config.by == "action"):
            raise ValueError(
                f"split '{name}' would be empty ({len(narrations)} narrations of "
                f"{narrations['video_id'].nunique()} videos): {_REMEDIES[name]}, or add videos"
            )
    return pd.DataFrame({"narration_id": narrations["narration_id"], "split": split})


def _is_rare(narrations: pd.DataFrame, config: SplitConfig) -> NDArray[np.bool_]:
    """Whether each narration has an action that is none of the common ones."""
    verbs, nouns = narrations["verb_class"], narrations["noun_class"]
    has_action = (verbs.notna() & nouns.notna() & (verbs != OTHER_VERB)).to_numpy()
    actions = list(zip(verbs[has_action], nouns[has_action], strict=True))
    ranking = sorted(Counter(actions).items(), key=lambda item: (-item[1], item[0]))
    counts = np.array([count for _, count in ranking], dtype=np.int64)
    num_common = config.num_common_actions
    if num_common is None:
        num_common = _prefix(counts, config.common_share * counts.sum())
    rare_actions = {action for action, _ in ranking[num_common:]}
    rare = np.zeros(len(narrations), dtype=bool)
    rare[has_action] = [action in rare_actions for action in actions]
    return rare


def _split_by_video(
    video_ids: pd.Series, config: SplitConfig, rng: np.random.Generator
) -> NDArray[np.object_]:
    """Fill train + val with random videos up to its share, and train, of these, up to its own."""
    counts = video_ids.value_counts().sort_index()
    counts = counts.iloc[rng.permutation(len(counts))]
    goal = round(config.train_val_share * counts.sum())
    num_train_val = _prefix(counts.to_numpy(), goal)
    num_train = _prefix(counts.to_numpy(), round(config.train_share * goal))
    names = np.full(len(counts), "test", dtype=object)
    names[:num_train_val] = "val"
    names[:num_train] = "train"
    return video_ids.map(dict(zip(counts.index, names, strict=True))).to_numpy()


def _prefix(counts: NDArray[np.integer[Any]], goal: float) -> int:
    """How many leading counts it takes until their sum is at least `goal`."""
    return int(np.searchsorted(np.cumsum(counts), goal)) + 1 if goal > 0 else 0
