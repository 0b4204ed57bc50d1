"""Episodes of different lengths, stacked into one batch of tensors."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from eilev.clips.cache import ClipCache
from eilev.inputs.interleave import pad_layouts
from eilev.training.dataset import EpisodeItem


@dataclass(frozen=True)
class InterleavedCollator:
    """Pad token layouts and gather each clip of the batch once.

    Bursty episodes share clips, and a clip is the dearest thing in a batch: `frames` holds the
    distinct ones, `clip_index` says which of them each run of placeholders shows. One clip under
    two symmetries counts as two.

    Args:
        frames: Where the clips' frames come from.
        pad_id: Token id of the padding.
        side: Right for training, left for generation.
    """

    frames: ClipCache
    pad_id: int
    side: Literal["left", "right"] = "right"

    def __call__(self, items: Sequence[EpisodeItem]) -> dict[str, Tensor]:
        """Batch the items.

        Returns:
            input_ids, attention_mask, video_input_mask and labels as pad_layouts gives them,
            int64 (batch, length); frames uint8 (num_clips, T, H, W, 3) of the distinct clips, and
            symmetry int64 (num_clips,), what each undergoes (eilev.training.augmentation.symmetry);
            clip_key int64 (num_clips,), what tells a clip in whatever batch it is;
            clip_index int64 (num_placeholder_runs,), row of `frames` for each run of
            placeholders, row-major over the batch.
        """
        padded = pad_layouts([item.layout for item in items], self.pad_id, self.side)
        shown = [(clip_id, item.symmetry) for item in items for clip_id in item.clip_ids]
        distinct = sorted(set(shown))
        row_of = {clip: row for row, clip in enumerate(distinct)}
        return {
            **{name: torch.from_numpy(values).long() for name, values in padded.items()},
            "frames": torch.from_numpy(self.frames.take([clip_id for clip_id, _ in distinct])),
            "symmetry": torch.tensor([symmetry for _, symmetry in distinct]),
            "clip_key": torch.tensor([zlib.crc32(clip_id.encode()) for clip_id, _ in distinct]),
            "clip_index": torch.tensor([row_of[clip] for clip in shown]),
        }
