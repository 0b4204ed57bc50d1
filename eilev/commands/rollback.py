"""`eilev rollback`: promote an earlier version again, in the registry, a folder and a server.

    eilev rollback --server http://127.0.0.1:8000
    eilev rollback --to v0.0.3 --into FOLDER

docs/releasing.md has more.
"""

import argparse
from pathlib import Path

from eilev import paths
from eilev.commands.release import LOCK, add_delivery, delivery_of
from eilev.config.release import ReleaseConfig
from eilev.config.section import load_section
from eilev.lifetime.exclusive import exclusive
from eilev.release.promote import roll_back


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "rollback",
        help="promote an earlier version again",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--to", metavar="VERSION", help="by default the one promoted before")
    add_delivery(parser, f"the folder that gets the bundle, by default {paths.BUNDLE}")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Roll back, and say to what.

    Raises:
        ValueError: there is nothing to go back to, it can't be had, or the server does not take it
            (DataError, LiveError).
    """
    config, delivery = load_section("release", ReleaseConfig), delivery_of(options)
    with exclusive(LOCK):
        version = roll_back(config, Path.cwd(), options.to, delivery)
    folder = options.into or paths.BUNDLE
    print(f"{version.name} is in stage '{config.stage}' and lies in {folder}")  # noqa: T201
