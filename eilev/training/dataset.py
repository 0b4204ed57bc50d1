"""Episodes as a torch dataset.

An item holds token ids and the ids of its clips; frames are stacked once per batch by the collator.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from torch.utils.data import Dataset

from eilev.ids import ById
from eilev.inputs.episode import EpisodeFormat, make_layout
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
        names: What each of the narrations' clips is called (eilev.training.naming); not needed
            without that loss.
        seed: Prompts and symmetries are drawn by (seed, epoch, row): the same in every run and
            process.
    """

    def __init__(
        self,
        episodes: pa.Table,
        narrations: ById[str],
        episode_format: EpisodeFormat,
        seed: int,
        names: NDArray[np.int32] | None = None,
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
        texts = row["narrations"] or self.narrations.take(clip_ids)
        rng = np.random.default_rng([self.seed, row["epoch"], index])
        layout = make_layout(texts, self.format, rng)
        free = self.format.symmetries and MEANINGS[row["meaning"]].reassigned
        symmetry = int(rng.integers(len(SYMMETRIES))) if free else 0
        return EpisodeItem(layout, clip_ids, symmetry, row["epoch"], self._named(row["query"]))

    def _named(self, query: str) -> Names:
        if self.names is None:
            return NAMELESS
        first, last = self.names[self.narrations.ids.place(query)].tolist()
        return first, last
