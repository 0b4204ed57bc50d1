"""Runs a command and ends it, with everything it started, once the pipe on stdin closes.

    python flows/supervisor.py GRACE_S COMMAND [ARGUMENT ...]

The parent holds the other end of the pipe. The kernel closes it however the parent ends, SIGKILL
and the out-of-memory killer included, so a training job never outlives the flow that started it.
DVC needs this: it installs no SIGTERM handler, and killing it alone leaves its stage running.

Standard library only, and run by its path, so that it starts at once and in any environment.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from threading import Event, Thread

# What a finished command leaves behind is stray (its own children were waited for).
STRAY_GRACE_S = 1.0
POLL_S = 0.05
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt_orphans() -> None:
    """Become the parent of what a dying command leaves (Linux; elsewhere the system reaps it).

    In a container without an init nobody else reaps them, and a group of zombies looks alive.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def stop_group(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """Ask every process of the child's group to end; kill what is left after `grace_s` seconds."""
    group = child.pid
    deadline = time.monotonic() + grace_s
    try:
        os.killpg(group, signal.SIGTERM)
        while time.monotonic() < deadline:
            time.sleep(POLL_S)
            if child.returncode is not None:  # else its exit code would be lost
                _reap(group)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left (macOS: only zombies are)


def _reap(group: int) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass


def supervise(command: list[str], grace_s: float) -> int:
    """Run `command` in a process group of its own until it ends or stdin closes.

    Returns:
        The command's exit code, negative where a signal ended it.
    """
    adopt_orphans()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    over, closed = Event(), Event()

    def watch(wait: Callable[[], object], *events: Event) -> None:
        wait()
        for event in events:
            event.set()

    def until_closed() -> None:
        # Not sys.stdin: a thread inside its buffer makes the interpreter abort at exit.
        while os.read(0, 1):
            pass

    Thread(target=watch, args=(until_closed, closed, over), daemon=True).start()
    Thread(target=watch, args=(child.wait, over), daemon=True).start()
    over.wait()
    stop_group(child, grace_s if closed.is_set() else STRAY_GRACE_S)
    return child.wait()


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[2:], float(sys.argv[1])))
