"""One command in a child process that ends with this one."""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import TIMEOUT_MAX, Event, Timer

SUPERVISOR = Path(__file__).with_name("supervisor.py")

# Seconds that a stopped command has to save a checkpoint; Prefect kills the flow after 30.
GRACE_S = 20.0
# Seconds between refreshes of a progress bar: each becomes a line in Prefect's database.
PROGRESS_S = 10
TAIL_LINES = 20


class CommandError(RuntimeError):
    """A command failed or took too long."""


def run_command(
    command: Sequence[str],
    log: Callable[[str], None],
    grace_s: float = GRACE_S,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> int:
    """Run `python -m COMMAND`; `log` gets each line of its output as it comes.

    The command sees `environment` beside this process's own.

    Any exception, also one from `log` or from outside (cancellation), stops the command with all
    its processes: SIGTERM, and SIGKILL after `grace_s` seconds.

    Returns:
        Its exit status.

    Raises:
        CommandError: it took longer than `seconds`, and was stopped.
    """
    python = [sys.executable, "-m", *command]
    with (
        _supervised(python, grace_s, environment or {}) as process,
        _limit(process, seconds) as over,
    ):
        for line in process.stdout or ():
            if text := line.rstrip():
                log(text)
    if over.is_set():
        raise CommandError(f"'{command[-1]}' took longer than {seconds} seconds and was ended")
    return process.returncode


def run_eilev(
    arguments: Sequence[str], log: Callable[[str], None], expected: Collection[int] = (0,)
) -> int:
    """Run an `eilev` command, as `run_command` does.

    Raises:
        CommandError: its exit status is none of `expected`; the message has its last lines.
    """
    tail: deque[str] = deque(maxlen=TAIL_LINES)

    def keep(line: str) -> None:
        tail.append(line)
        log(line)

    status = run_command(["eilev.cli", *arguments], keep)
    if status not in expected:
        lines = "\n".join(tail)
        raise CommandError(f"eilev {arguments[0]} failed (exit status {status}):\n{lines}")
    return status


@contextmanager
def _supervised(
    command: list[str], grace_s: float, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Run `command` under the supervisor for as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, str(SUPERVISOR), str(grace_s), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**_environment(), **environment},
        # Ctrl-C in a terminal reaches the flow only, which then stops the child in order.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.communicate()  # closes the pipe (the signal to stop), drains the output, waits


@contextmanager
def _limit(process: subprocess.Popen[str], seconds: float | None) -> Iterator[Event]:
    """Have the supervisor end its command after `seconds`, which sets the event.

    Prefect's own time limit can't interrupt a task that waits for a line of output in a thread.
    """
    over = Event()

    def end() -> None:
        over.set()
        if process.stdin is not None:
            process.stdin.close()
            process.stdin = None  # else it would be flushed

    timer = Timer(TIMEOUT_MAX if seconds is None else seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield over
    finally:
        timer.cancel()


def _environment() -> dict[str, str]:
    """Environment in which `python` and the shell of a stage do not depend on who started us."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return os.environ | {
        "PATH": path,
        "SHELL": "/bin/bash",  # DVC runs a stage's command with $SHELL
        "PYTHONUNBUFFERED": "1",
        "TQDM_MININTERVAL": str(PROGRESS_S),
    }
