"""Decoding in child processes that may crash or hang without harm to the server.

A damaged file can abort the decoder's process or keep it busy for ever, and files come from
strangers here.
"""

import base64
import io
import multiprocessing
import queue
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from PIL import Image

from eilev.clips.decoder import Limits
from eilev.clips.frame_choice import Frames
from eilev.serving.media import MediaError, load_clip

# Not fork: threads of the server would be copied in the middle of what they do.
_CONTEXT = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Decoding:
    """What clips are wanted, and what a video may cost."""

    num_frames: int
    size: int
    limits: Limits
    timeout_s: float = 30.0


class DecoderPool:
    """A fixed number of decoding processes, each replaced when it crashed or took too long."""

    def __init__(self, num_workers: int, decoding: Decoding):
        self._workers = [_Worker(decoding) for _ in range(num_workers)]
        self._idle: queue.Queue[_Worker] = queue.Queue()
        for worker in self._workers:
            self._idle.put(worker)

    @property
    def num_workers(self) -> int:
        """Videos that are decoded at the same time."""
        return len(self._workers)

    def load(self, url: str) -> Frames:
        """Frames of a data URL (see `load_clip`); waits for an idle process.

        Raises:
            MediaError: the video is refused, undecodable, too slow, or crashes the decoder.
        """
        worker = self._idle.get()
        try:
            return worker.load(url)
        finally:
            self._idle.put(worker)

    def warm_up(self) -> None:
        """Return once every process answers."""
        file = io.BytesIO()
        Image.new("RGB", (16, 16)).save(file, "JPEG")
        url = f"data:video/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
        for worker in self._workers:
            worker.load(url)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.stop()


class _Worker:
    """One process and our end of the pipe to it; used by one thread at a time."""

    def __init__(self, decoding: Decoding):
        self._decoding = decoding
        self._start()

    def load(self, url: str) -> Frames:
        if not self._process.is_alive():  # ended from outside since the last request
            self._restart()
        try:
            self._connection.send(url)
            if not self._connection.poll(self._decoding.timeout_s):
                self._restart()
                raise MediaError(f"decoding takes longer than {self._decoding.timeout_s:g} s")
            answer: Frames | str = self._connection.recv()
        except (EOFError, OSError) as error:
            self._restart()
            raise MediaError("the video crashes the decoder") from error
        if isinstance(answer, str):
            raise MediaError(answer)
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _start(self) -> None:
        self._connection, theirs = _CONTEXT.Pipe()
        self._process: SpawnProcess = _CONTEXT.Process(
            target=_serve, args=(theirs, self._decoding), daemon=True
        )
        self._process.start()
        theirs.close()

    def _restart(self) -> None:
        self.stop()
        self._start()


def _serve(connection: Connection, decoding: Decoding) -> None:
    """Answer URLs with frames, or with the reason why not, until the server is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal: the server ends us
    while True:
        try:
            url = connection.recv()
        except EOFError:
            return
        try:
            connection.send(load_clip(url, decoding.num_frames, decoding.size, decoding.limits))
        except MediaError as error:
            connection.send(str(error))
