"""What every stage does around its work."""

import functools
import sys
from collections.abc import Callable

from eilev.config.params import load_params


def stage(main: Callable[[], None]) -> Callable[[], None]:
    """Turn an expected failure into one line on stderr and exit code 1, which stops DVC.

    Bad data, bad parameters and unreadable files are ValueError and OSError throughout the
    project; anything else is a bug and keeps its traceback.
    """

    @functools.wraps(main)
    def run() -> None:
        try:
            # All sections: what is wrong with a later stage's shows before anything is computed.
            load_params()
            main()
        except (ValueError, OSError) as error:
            sys.exit(f"error: {error}")

    return run
