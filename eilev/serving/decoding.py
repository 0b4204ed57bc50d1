"""Decoding in child processes that may crash or hang without harm to the server."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from eilev.clips.frame_choice import Frames
from eilev.clips.limits import Allow, Limits
from eilev.clips.process import Worker, WorkerError, WorkerPool
from eilev.serving.media import MediaError, Payload, Segment, read_frames
from eilev.serving.memory import files_in_memory


@dataclass(frozen=True)
class ClipFormat:
    """The frames that a model takes; `size` is their side in pixels."""

    num_frames: int
    size: int


@dataclass(frozen=True)
class Decoding:
    """What a video may cost."""

    limits: Limits
    # A client waits no longer, however long its video is.
    timeout_s: float = 30.0

    def __call__(self, asked: "_Asked", allow: Allow) -> Iterator[Frames]:
        """Yield the frames of a payload's files; runs in a worker's process."""
        allow(self.timeout_s)
        files, clip, segment = asked
        yield read_frames(files, clip.num_frames, clip.size, self.limits, segment)


_Asked = tuple[Sequence[Path], ClipFormat, Segment | None]
_Decoders = Worker["_Asked", Frames] | WorkerPool["_Asked", Frames]


class DecoderPool:
    """A fixed number of decoding processes, each replaced when it crashed or took too long."""

    def __init__(self, num_workers: int, decoding: Decoding):
        self._pool = WorkerPool(decoding, num_workers)

    @property
    def num_workers(self) -> int:
        """Videos that are decoded at the same time."""
        return len(self._pool.workers)

    def decode(self, payload: Payload, clip: ClipFormat) -> Frames:
        """Frames of a video (see `read_frames`); waits for an idle process.

        Raises:
            MediaError: the video is undecodable, too large, too slow, or crashes the decoder.
        """
        return _decode(self._pool, payload, clip)

    def read(self, file: Path, clip: ClipFormat, segment: Segment | None = None) -> Frames:
        """The same of a file of the operator's, or of a part of it.

        Raises:
            MediaError: as `decode`.
        """
        return _ask(self._pool, ([file], clip, segment))

    def warm_up(self) -> None:
        """Return once every process answers."""
        file = io.BytesIO()
        Image.new("RGB", (16, 16)).save(file, "JPEG")
        for worker in self._pool.workers:
            _decode(worker, Payload((file.getvalue(),)), ClipFormat(1, 16))

    def close(self) -> None:
        """End the processes."""
        self._pool.stop()


def _decode(decoders: _Decoders, payload: Payload, clip: ClipFormat) -> Frames:
    # A process reads them where they are: no copy goes through a pipe.
    with files_in_memory(payload.sampled(clip.num_frames).parts) as files:
        return _ask(decoders, (files, clip, None))


def _ask(decoders: _Decoders, asked: _Asked) -> Frames:
    try:
        (frames,) = decoders.ask(asked)
    except WorkerError as error:
        raise MediaError(f"the video: {error}") from error
    except ValueError as error:
        raise MediaError(str(error)) from error
    return frames
