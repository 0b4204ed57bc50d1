"""Copies of remote videos on this machine's disk: a few at a time, each downloaded once."""

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from eilev.io import DataError, naming_the_full
from eilev.remote import RemoteFile, download, find_file, is_remote

# Left free on the disk beside a video.
_SPARE_BYTES = 64 << 20


@dataclass
class _Copy:
    # One thread downloads, the others wait for it.
    lock: threading.Lock = field(default_factory=threading.Lock)
    file: IO[bytes] | None = None
    users: int = 0


class Fetched:
    """The copies that threads are working on, and the latest others.

    They lie in the system's folder for temporary files (TMPDIR) and have no names there: they are
    gone with this process, however that ends.

    Args:
        most: copies that are kept; where more threads work at once, there are as many as they need.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        # The latest used last.
        self._copies: dict[str, _Copy] = {}

    @contextmanager
    def local(self, video: str) -> Iterator[str | None]:
        """Yield where a video lies on this machine, or None where an address leads to none.

        A path is yielded as it is.

        Raises:
            DataError: a video can't be downloaded, or the disk has no room for it.
        """
        if not is_remote(video):
            yield video
            return
        copy = self._take(video)
        try:
            with copy.lock:
                file = copy.file = copy.file or _fetch(video)
            # Other processes of ours find it there, too.
            yield None if file is None else f"/proc/{os.getpid()}/fd/{file.fileno()}"
        finally:
            self._give_back(copy)

    def close(self) -> None:
        """Remove all copies."""
        with self._lock:
            for copy in self._copies.values():
                _close(copy)
            self._copies.clear()

    def _take(self, video: str) -> _Copy:
        with self._lock:
            copy = self._copies.pop(video) if video in self._copies else _Copy()
            copy.users += 1
            self._copies[video] = copy
            self._drop_idle()
            return copy

    def _give_back(self, copy: _Copy) -> None:
        with self._lock:
            copy.users -= 1
            self._drop_idle()

    def _drop_idle(self) -> None:
        idle = [video for video, copy in self._copies.items() if not copy.users]
        for video in idle[: max(len(self._copies) - self._most, 0)]:
            _close(self._copies.pop(video))


def _close(copy: _Copy) -> None:
    if copy.file is not None:
        copy.file.close()


def _fetch(url: str) -> IO[bytes] | None:
    remote = find_file(url)
    if remote is None:
        return None
    _check_room(remote)
    file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by `_close`)
    try:
        with naming_the_full(_folder()):
            download(remote, file)
            file.flush()
    except BaseException:
        file.close()
        raise
    return file


def _check_room(remote: RemoteFile) -> None:
    free = shutil.disk_usage(_folder()).free
    if remote.size + _SPARE_BYTES > free:
        raise DataError(
            f"{remote.url}: {remote.size / 1e9:.1f} GB do not fit into {_folder()}, where "
            f"{free / 1e9:.1f} GB are free: set TMPDIR to a larger disk, or lower clips.processes"
        )


def _folder() -> Path:
    return Path(tempfile.gettempdir())
