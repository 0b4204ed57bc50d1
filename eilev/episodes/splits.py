"""Which narrations are trained on (the reference's rules).

By "action": frequent actions are common and are divided by video into train, val and test; clips of
rare actions are `novel`, but for some to choose a recipe by, `novel_val`. By "video": all clips are
divided by video, nothing is novel.
"""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eilev.config.split import SplitConfig
from eilev.schema import OTHER_VERB

# One each for train, val and test.
_LEAST_VIDEOS = 3
_NO_RARE = "lower split.common_share or split.num_common_actions, or split by video"


def split_narrations(
    narrations: pd.DataFrame, config: SplitConfig, rng: np.random.Generator
) -> pd.DataFrame:
    """Assign every narration (schema.NARRATIONS) to a split.

    A narration without a verb or noun class, or with the catch-all verb, has no action: it can't
    be told to be rare, so it goes with its video like the common ones.

    Returns:
        Rows of schema.SPLIT in the order of `narrations`; the same for the same `rng` state.

    Raises:
        ValueError: a split would be empty; the message names the parameter to change, or how many
            videos are needed.
    """
    _require_videos(narrations)
    rare = (
        _is_rare(narrations, config) if config.by == "action" else np.zeros(len(narrations), bool)
    )
    split = np.full(len(narrations), "novel", dtype=object)
    if config.by == "action" and not rare.any():
        raise ValueError(f"split 'novel' would be empty ({_size(narrations)}): {_NO_RARE}")
    split[~rare] = _split_by_video(narrations[~rare], config, rng)
    split[rare] = _split_rare(narrations[rare], config, rng)
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


def _split_rare(
    narrations: pd.DataFrame, config: SplitConfig, rng: np.random.Generator
) -> NDArray[np.object_]:
    """Fill novel_val with random actions up to its share; one action at least stays novel."""
    actions = [*zip(narrations["verb_class"], narrations["noun_class"], strict=True)]
    found = sorted(set(actions))
    order = [found[index] for index in rng.permutation(len(found))]
    counts = Counter(actions)
    sizes = np.array([counts[action] for action in order], dtype=np.int64)
    most = _prefix(sizes, config.novel_val_share * len(actions))
    held = set(order[: min(most, len(order) - 1)])
    return np.array(["novel_val" if action in held else "novel" for action in actions], object)


def _split_by_video(
    narrations: pd.DataFrame, config: SplitConfig, rng: np.random.Generator
) -> NDArray[np.object_]:
    """Fill train + val with random videos up to its share, and train, of these, up to its own.

    Each of the three has a video, however few or unequal the videos are.
    """
    _require_videos(narrations, " for common actions" if config.by == "action" else "")
    counts = narrations["video_id"].value_counts().sort_index()
    counts = counts.iloc[rng.permutation(len(counts))]
    goal = round(config.train_val_share * counts.sum())
    num_train_val = min(max(_prefix(counts.to_numpy(), goal), 2), len(counts) - 1)
    num_train = _prefix(counts.to_numpy(), round(config.train_share * goal))
    names = np.full(len(counts), "test", dtype=object)
    names[:num_train_val] = "val"
    names[: min(max(num_train, 1), num_train_val - 1)] = "train"
    return narrations["video_id"].map(dict(zip(counts.index, names, strict=True))).to_numpy()


def _require_videos(narrations: pd.DataFrame, which: str = "") -> None:
    if narrations["video_id"].nunique() < _LEAST_VIDEOS:
        raise ValueError(
            f"train, val and test take different videos, so at least {_LEAST_VIDEOS} are needed,"
            f" but there are only {_size(narrations)}{which}: add videos"
        )


def _size(narrations: pd.DataFrame) -> str:
    return f"{len(narrations)} narrations of {narrations['video_id'].nunique()} videos"


def _prefix(counts: NDArray[np.integer[Any]], goal: float) -> int:
    """How many leading counts it takes until their sum is at least `goal`."""
    return int(np.searchsorted(np.cumsum(counts), goal)) + 1 if goal > 0 else 0
