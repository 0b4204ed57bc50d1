"""Episodes as a torch dataset.

An item holds token ids and the ids of its clips; frames are stacked once per batch by the collator.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from torch.utils.data import Dataset

from eilev.inputs.episode import EpisodeFormat, episode_texts, make_layout
from eilev.inputs.interleave import Layout
from eilev.training.augmentation.symmetry import SYMMETRIES
from eilev.training.naming import NAMELESS, Names
from eilev.vocabulary import MEANINGS

# What an item is made of.
_COLUMNS = ("query", "context", "epoch", "meaning", "narrations")


@dataclass(frozen=True)
class EpisodeItem:
    """One episode ready to be batched; `clip_ids` in the order of the layout's placeholders."""

    layout: Layout
    clip_ids: tuple[str, ...]
    # Which of symmetry.SYMMETRIES its clips undergo; 0 leaves them as they are.
    symmetry: int = 0
    epoch: int = 0
    # What the query is called by its narrator (eilev.training.naming).
    named: Names = NAMELESS


class EpisodeDataset(Dataset[EpisodeItem]):
    """The rows of an episodes table (schema.EPISODES) as token layouts.

    Args:
        episodes: Rows of one split, the epochs in order; memory-mapped (eilev.training.episodes),
            they take no memory of their own, whatever their number and that of the processes.
        narrations: Narration of each narration id, used where a row brings none of its own.
        episode_format: How a row becomes tokens.
        names: What each clip is called (eilev.training.naming); not needed without that loss.
        seed: Prompts and symmetries are drawn by (seed, epoch, row): the same in every run and
            process.
    """

    def __init__(
        self,
        episodes: pa.Table,
        narrations: Mapping[Hashable, str],
        episode_format: EpisodeFormat,
        seed: int,
        names: Mapping[Hashable, Names] = MappingProxyType({}),
    ):
        self.episodes = episodes
        self.narrations = narrations
        self.format = episode_format
        self.seed = seed
        self.names = names

    def __len__(self) -> int:
        return len(self.episodes)

    def __getitem__(self, index: int) -> EpisodeItem:
        row = {name: self.episodes[name][index].as_py() for name in _COLUMNS}
        clip_ids = (*row["context"], row["query"])
        texts = episode_texts(row["narrations"], clip_ids, self.narrations)
        rng = np.random.default_rng([self.seed, row["epoch"], index])
        layout = make_layout(texts, self.format, rng)
        free = self.format.symmetries and MEANINGS[row["meaning"]].reassigned
        symmetry = int(rng.integers(len(SYMMETRIES))) if free else 0
        named = self.names.get(row["query"], NAMELESS)
        return EpisodeItem(layout, clip_ids, symmetry, row["epoch"], named)
