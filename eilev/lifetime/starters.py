"""A stage ends with the `dvc` that started it, however that ends: SIGKILL and out of memory too.

DVC leaves its stage running when it is killed. The kernel's parent-death signal would reach only
the children of `dvc` itself, and between it and a trainer stand a shell and Accelerate's launcher,
which starts the trainers in sessions of their own. So every process of a stage looks after its own
starters. This works on Linux and macOS; elsewhere a killed `dvc` leaves its stage running, and
`eilev.lifetime.exclusive` keeps a second one out.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

import psutil

# DVC sets it in what it starts; all that this starts inherits it.
MARK = "DVC_STAGE"
POLL_S = 0.5
# What a training has to save a checkpoint, as under Prefect (flows/stages.py).
GRACE_S = 20.0


def end_with_dvc() -> None:
    """End this process once `dvc`, or what `dvc` started it through, has ended.

    It gets SIGTERM, and SIGKILL after `GRACE_S` seconds. Not started by `dvc`, it is left alone.

    Raises:
        ProcessLookupError: the `dvc` that started it has ended already.
    """
    if MARK not in os.environ:
        return
    starters = _starters()
    if not starters or _is_adopted([psutil.Process(), *starters]):
        raise ProcessLookupError("the dvc that started this stage has ended: stopping")
    _in_background(_watch, starters)


def end_with_pool() -> None:
    """Kill this process, which `multiprocessing` is spawning, once its parent has ended.

    A pool that is killed leaves its processes waiting for ever.
    """
    _in_background(_watch_parent)


def _starters() -> list[psutil.Process]:
    """From this process's parent up to the first that `dvc` did not start: `dvc` itself."""
    found = []
    for process in psutil.Process().parents():
        found.append(process)
        if not _is_marked(process):
            break
    return found


def _is_marked(process: psutil.Process) -> bool:
    try:
        return MARK in process.environ()
    except psutil.Error:  # it has ended, or is another user's
        return False


def _is_adopted(line: Sequence[psutil.Process]) -> bool:
    """Whether the last in line, which should be `dvc`, is but what takes orphans in.

    Only `dvc` shares its session with what it has started.
    """
    try:
        return os.getsid(line[-1].pid) != os.getsid(line[-2].pid)
    except ProcessLookupError:
        return True


def _watch(starters: Sequence[psutil.Process]) -> None:
    while all(_is_alive(process) for process in starters):
        time.sleep(POLL_S)
    sys.stderr.write("what started this stage has ended: stopping\n")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _watch_parent() -> None:
    # It is known only when the modules have been imported.
    while (parent := multiprocessing.parent_process()) is None or os.getppid() == parent.pid:
        time.sleep(POLL_S)
    os.kill(os.getpid(), signal.SIGKILL)


def _in_background(work: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=work, args=arguments, daemon=True).start()
