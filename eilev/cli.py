"""The `eilev` command: what one asks of data and models beside the pipeline."""

import argparse
import sys
from collections.abc import Sequence

from eilev.commands import describe, params, plan, show

COMMANDS = (describe, params, plan, show)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; as with the stages, bad input ends in one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="eilev", description=__doc__)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
