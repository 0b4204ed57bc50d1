"""What every stage does around its work."""

import functools
import inspect
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from eilev.config.params import load_params
from eilev.lifetime.copies import keep_copies
from eilev.lifetime.exclusive import exclusive
from eilev.lifetime.starters import end_with_dvc, end_with_pool
from eilev.paths import DATA

# What multiprocessing calls the module of a stage in the processes that it spawns for its pool.
IN_A_POOL = "__mp_main__"
# What is wrong for all trainers, the first one says; torchrun then ends the others.
FIRST_SPEAKS_S = 2.0


def stage(main: Callable[[], None]) -> Callable[[], None]:
    """Turn an expected failure into one line on stderr and exit code 1, which stops DVC.

    Bad data, bad parameters and unreadable files are ValueError and OSError throughout the
    project; anything else is a bug and keeps its traceback. One process runs a stage in a folder at
    a time, and it ends with the `dvc` that started it.
    """
    if main.__module__ == IN_A_POOL:
        end_with_pool()

    @functools.wraps(main)
    def run() -> None:
        try:
            _end_at_once_on_interrupt(main)
            end_with_dvc()
            keep_copies()
            # All sections: what is wrong with a later stage's shows before anything is computed.
            load_params()
            with _lock(main):
                main()
        except (ValueError, OSError) as error:
            if _follows():
                time.sleep(FIRST_SPEAKS_S)
            sys.exit(f"error: {error}")

    return run


def _follows() -> bool:
    """Whether this is one of several trainers, but not the first."""
    return os.environ.get("RANK", "0") != "0"


def _lock(main: Callable[[], None]) -> AbstractContextManager[None]:
    """The lock of the stage's folder; of several trainers, the first has it."""
    if _follows():
        return nullcontext()
    return exclusive(DATA / f".{Path(inspect.getfile(main)).stem}.lock")


def _end_at_once_on_interrupt(main: Callable[[], None]) -> None:
    """Let Ctrl-C end a stage as SIGTERM does: a pool would first finish all that it was given.

    Nothing is lost, as results replace the earlier ones whole; training saves a checkpoint first.
    """
    as_program = main.__module__ == "__main__"
    if as_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
