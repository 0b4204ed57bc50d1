"""Episodes of different lengths, stacked into one batch of tensors."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from eilev.clips.cache import ClipCache
from eilev.inputs.interleave import pad_layouts
from eilev.training.dataset import EpisodeItem


class Features(Protocol):
    """What frozen eyes see of clips; eilev.training.features.FeatureStore has it."""

    @property
    def seen_by(self) -> str:
        """What EpisodeModel calls it."""

    def view(self, clip_id: str, epoch: int, /) -> int:
        """Which view of a clip an epoch shows."""

    def take(self, clips: Sequence[tuple[str, int]], /) -> Tensor:
        """What is seen of (clip, view) pairs."""


@dataclass(frozen=True)
class InterleavedCollator:
    """Pad token layouts and gather each clip of the batch once.

    Bursty episodes share clips, and a clip is the dearest thing in a batch: `frames` holds the
    distinct ones, `clip_index` says which of them each run of placeholders shows. One clip under
    two symmetries or views counts as two.

    Args:
        frames: Where the clips' frames come from.
        pad_id: Token id of the padding.
        side: Right for training, left for generation.
        features: What frozen eyes see of the clips, in place of their frames.
    """

    frames: ClipCache
    pad_id: int
    side: Literal["left", "right"] = "right"
    features: Features | None = None

    def __call__(self, items: Sequence[EpisodeItem]) -> dict[str, Tensor]:
        """Batch the items.

        Returns:
            input_ids, attention_mask, video_input_mask and labels as pad_layouts gives them,
            int64 (batch, length); frames uint8 (num_clips, T, H, W, 3) of the distinct clips, and
            symmetry int64 (num_clips,), what each undergoes (eilev.training.augmentation.symmetry);
            clip_key int64 (num_clips,), what tells a clip in whatever batch it is;
            clip_index int64 (num_placeholder_runs,), row of `frames` for each run of
            placeholders, row-major over the batch; named int64 (batch, 2), the query's first and
            last telling token. With `features`, these (float32, by the name that EpisodeModel
            has for them) in place of frames, symmetry and clip_key.
        """
        padded = pad_layouts([item.layout for item in items], self.pad_id, self.side)
        shown = [
            (clip_id, self._look(item, clip_id)) for item in items for clip_id in item.clip_ids
        ]
        distinct = sorted(set(shown))
        row_of = {clip: row for row, clip in enumerate(distinct)}
        return {
            **{name: torch.from_numpy(values).long() for name, values in padded.items()},
            **self._clips(distinct),
            "clip_index": torch.tensor([row_of[clip] for clip in shown]),
            "named": torch.tensor([item.named for item in items]),
        }

    def _look(self, item: EpisodeItem, clip_id: str) -> int:
        """The symmetry that a clip undergoes, or the view of it that was encoded."""
        return item.symmetry if self.features is None else self.features.view(clip_id, item.epoch)

    def _clips(self, distinct: Sequence[tuple[str, int]]) -> dict[str, Tensor]:
        if self.features is not None:
            return {self.features.seen_by: self.features.take(distinct)}
        ids = [clip_id for clip_id, _ in distinct]
        return {
            "frames": torch.from_numpy(self.frames.take(ids)),
            "symmetry": torch.tensor([symmetry for _, symmetry in distinct]),
            "clip_key": torch.tensor([clip_key(clip_id) for clip_id in ids]),
        }


def clip_key(clip_id: str) -> int:
    """Seed of what is drawn for a clip."""
    return zlib.crc32(clip_id.encode())
