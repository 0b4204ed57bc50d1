"""Frames of many clips, decoded once into memory where they fit."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from eilev.clips.frame_choice import Frames
from eilev.ids import id_array

# The synthetic source's clips take about 75 MB; where clips take more than this, each batch reads
# its own from the memory-mapped shards.
MAX_CACHE_BYTES = 2 * 1024**3


class ClipSource(Protocol):
    """Where the frames of a clip come from; store.ClipStore is one."""

    def __getitem__(self, clip_id: str, /) -> Frames:
        """Return uint8 (T, H, W, 3)."""


class ClipCache:
    """Frames of clips by narration id.

    Args:
        source: The clips stage's shards.
        clip_ids: The clips that will be asked for.
        max_bytes: Largest cache; more clips than fit are read from the source at every request.
        show_progress: Whether a bar is drawn; one of several processes should.
    """

    def __init__(
        self,
        source: ClipSource,
        clip_ids: "Iterable[str] | pa.StringArray",
        max_bytes: int = MAX_CACHE_BYTES,
        show_progress: bool = True,
    ):
        self._source = source
        ids = pc.unique(id_array(clip_ids))
        first = source[str(ids[0])]
        self.cached = first.nbytes * len(ids) <= max_bytes
        if self.cached:
            self._row_of = {clip_id: row for row, clip_id in enumerate(map(str, ids))}
            self._frames = np.empty((len(ids), *first.shape), np.uint8)
            bar = tqdm(self._row_of, desc="decode clips", unit="clip", disable=not show_progress)
            for row, clip_id in enumerate(bar):
                self._frames[row] = source[clip_id]

    def take(self, clip_ids: Sequence[str]) -> Frames:
        """Return the frames of clips in the order asked: uint8 (num_clips, T, H, W, 3)."""
        if self.cached:
            return self._frames[[self._row_of[clip_id] for clip_id in clip_ids]]
        return np.stack([self._source[clip_id] for clip_id in clip_ids])
