"""`eilev release`: promote the workspace's model if the rules of params.yaml let it.

    eilev release --check
    eilev release --server http://127.0.0.1:8000 --push

Judges data/evaluate/metrics.json against the promoted version's, registers a version with GTO,
writes its model card, tells a running server, and assigns the stage. docs/releasing.md has more.
"""

import argparse
import sys
from pathlib import Path

from eilev import paths
from eilev.config.release import ReleaseConfig
from eilev.config.section import load_section
from eilev.lifetime.exclusive import exclusive
from eilev.release.candidate import commit_locks
from eilev.release.card import CARD
from eilev.release.live import Server
from eilev.release.promote import Delivery, Review, release, review

LOCK = paths.DATA / ".release.lock"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "release",
        help="promote the workspace's model if it is no worse than the promoted one",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    first = parser.add_mutually_exclusive_group()
    first.add_argument("--check", action="store_true", help="judge only, change nothing")
    first.add_argument(
        "--commit",
        action="store_true",
        help="commit what DVC has written first, if it is all that has changed",
    )
    add_delivery(parser, "a folder that gets the bundle, such as the one that a server reads")
    parser.set_defaults(run=run)


def add_delivery(parser: argparse.ArgumentParser, into: str) -> None:
    """Declare where a version goes; `into` says what --into is."""
    parser.add_argument("--into", type=Path, metavar="FOLDER", help=into)
    parser.add_argument("--server", metavar="URL", help="a running `eilev serve --may-load true`")
    parser.add_argument("--model", default="eilev", help="its id there")
    parser.add_argument("--api-key-env", metavar="NAME", help="environment variable with the key")
    parser.add_argument(
        "--push", action="store_true", help="to DVC's remote, and the tags to git's origin"
    )


def delivery_of(options: argparse.Namespace) -> Delivery:
    """Where a version goes, as the options say.

    Raises:
        ValueError: a key for no server.
    """
    if options.server is None:
        if options.api_key_env is not None:
            raise ValueError("--api-key-env is of no use without --server")
        return Delivery(options.into, push=options.push)
    server = Server(options.server, options.model, options.api_key_env)
    return Delivery(options.into, server, options.push)


def run(options: argparse.Namespace) -> None:
    """Print the verdicts, and release.

    Raises:
        ValueError: a rule refuses (RefusedError), or something is missing or altered (DataError,
            LiveError).
    """
    config, delivery = load_section("release", ReleaseConfig), delivery_of(options)
    with exclusive(LOCK):
        if options.commit:
            commit_locks(Path.cwd())
        found = review(config, Path.cwd())
        print(describe(found))  # noqa: T201
        if options.check:
            sys.exit(1 if found.refused else 0)
        version = release(config, found, delivery)
    print(f"{version.name} is in stage '{config.stage}'; its card: {CARD}")  # noqa: T201


def describe(found: Review) -> str:
    """What is judged, against what, and every verdict in a line."""
    now = found.registry.promoted
    against = "nothing is promoted yet" if now is None else f"against {now.name}"
    if now is not None and found.is_promoted:
        against = f"it is {now.name}, which is promoted"
    lines = [f"{found.candidate.manifest.fingerprint}: {against}"]
    return "\n".join([*lines, *(f"  {verdict}" for verdict in found.verdicts)])
