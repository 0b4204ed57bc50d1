"""Frames of single clips by decord; the only module that knows it.

It seeks well and is given only what it reads rightly (container.Track.suits_decord). decord 0.6 has
traps, each handled here and tested on real files:

- After `get_batch` its decoder thread runs ahead until the rest of the file is in memory; a seek to
  the start stops it (dmlc/decord issues 157 and 208), at the price of decoding there in vain.
- After an error a reader may give wrong frames: a failed read is tried once more with a new reader.
- Its messages name C++ lines, and FFmpeg's log goes to stderr.

It may abort its process or hang on a damaged file: it runs in a process of its own (process.py).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import decord
import numpy as np
from numpy.typing import NDArray

from eilev.clips.frame_choice import Frames, Indices
from eilev.clips.limits import RefusedError

_Result = TypeVar("_Result")

# Decoded frames that may pile up in memory before the decoder thread is stopped.
_RUN_AHEAD_BYTES = 64 << 20
_ERRORS = (decord.DECORDError, RuntimeError, AssertionError, StopIteration)
_CPP_LOCATION = re.compile(r"\[\d\d:\d\d:\d\d\] \S+:\d+: ")


class DecordReader:
    """Reads clips here and there; for one thread."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._size = path, size
        self._reader: Any = None

    def read(
        self, clips: Sequence[Indices], encode: Callable[[NDArray[np.uint8]], _Result]
    ) -> Iterator[tuple[int, list[_Result] | RefusedError]]:
        """See `pyav_reader.PyavReader.read`."""
        for place, indices in enumerate(clips):
            try:
                yield place, [encode(frame) for frame in self._frames(indices)]
            except RefusedError as error:
                yield place, error

    def _frames(self, indices: Indices) -> Frames:
        if self._reader is not None:
            with suppress(*_ERRORS):
                return self._batch(indices)
        try:
            self._reader = self._open()
            return self._batch(indices)
        except _ERRORS as error:
            raise RefusedError(_reason(str(error))) from error

    def _open(self) -> Any:
        decord.logging.set_level(decord.logging.QUIET)
        path = str(self._path.absolute())
        # More threads would fight with those of other workers.
        return decord.VideoReader(
            path, decord.cpu(0), width=self._size, height=self._size, num_threads=1
        )

    def _batch(self, indices: Indices) -> Frames:
        # Kept only if all goes well.
        reader, self._reader = self._reader, None
        batch: Frames = reader.get_batch(indices.tolist()).asnumpy()
        if batch[0].nbytes * len(reader) > _RUN_AHEAD_BYTES:
            reader.seek(0)
        self._reader = reader
        return batch


def _reason(message: str) -> str:
    """What a message of decord means, without C++ line numbers and stack."""
    detail = _CPP_LOCATION.sub("", message.partition("\n")[0]).strip()
    if not detail or detail.startswith("Error reading"):
        return "damaged or cut off"
    return f"damaged or cut off ({detail})"
