"""Decoding in child processes that may crash or hang without harm to the server."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from eilev.clips.frame_choice import Frames
from eilev.clips.limits import Allow, Limits
from eilev.clips.process import Worker, WorkerError, WorkerPool
from eilev.serving.media import MediaError, load_clip


@dataclass(frozen=True)
class Decoding:
    """What clips are wanted, and what a video may cost."""

    num_frames: int
    size: int
    limits: Limits
    # A client waits no longer, however long its video is.
    timeout_s: float = 30.0

    def __call__(self, url: str, allow: Allow) -> Iterator[Frames]:
        """Yield the frames of a data URL; runs in a worker's process."""
        allow(self.timeout_s)
        yield load_clip(url, self.num_frames, self.size, self.limits)


class DecoderPool:
    """A fixed number of decoding processes, each replaced when it crashed or took too long."""

    def __init__(self, num_workers: int, decoding: Decoding):
        self._pool = WorkerPool(decoding, num_workers)

    @property
    def num_workers(self) -> int:
        """Videos that are decoded at the same time."""
        return len(self._pool.workers)

    def load(self, url: str) -> Frames:
        """Frames of a data URL (see `load_clip`); waits for an idle process.

        Raises:
            MediaError: the video is refused, undecodable, too slow, or crashes the decoder.
        """
        return _ask(self._pool, url)

    def warm_up(self) -> None:
        """Return once every process answers."""
        file = io.BytesIO()
        Image.new("RGB", (16, 16)).save(file, "JPEG")
        url = f"data:video/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
        for worker in self._pool.workers:
            _ask(worker, url)

    def close(self) -> None:
        """End the processes."""
        self._pool.stop()


def _ask(worker: Worker[str, Frames] | WorkerPool[str, Frames], url: str) -> Frames:
    try:
        (frames,) = worker.ask(url)
    except WorkerError as error:
        raise MediaError(f"the video: {error}") from error
    except ValueError as error:
        raise MediaError(str(error)) from error
    return frames
