"""One process at a time in a stage's folder."""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What was stopped may still be saving a checkpoint.
WAIT_S = 30.0
POLL_S = 0.2


class BusyError(OSError):
    """Another process is at work where only one may be; the message names it."""


@contextmanager
def exclusive(path: Path, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the lock of a file for as long as the block lasts; the kernel frees it, however it ends.

    The file stays, empty while nobody holds it. Waits for another holder, who is named on stderr.

    Raises:
        BusyError: another process held it for `wait_s` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        _acquire(file.fileno(), path, wait_s)
        try:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield
        finally:
            file.truncate(0)


def _acquire(descriptor: int, path: Path, wait_s: float) -> None:
    deadline, told = time.monotonic() + wait_s, False
    while not _try(descriptor):
        holder = f"{path}: process {path.read_text().strip() or 'unknown'} is at work here"
        if time.monotonic() >= deadline:
            raise BusyError(f"{holder}; let it finish or stop it")
        if not told:
            sys.stderr.write(f"{holder}; waiting up to {wait_s:.0f} s for it to end\n")
            told = True
        time.sleep(POLL_S)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
