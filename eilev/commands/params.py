"""`eilev params`: params.yaml composed from profiles, without running anything."""

import argparse

from eilev.config.compose import GROUPS, choices, compose_params
from eilev.config.section import PARAMS
from eilev.io import atomic_file


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    known = "; ".join(f"{group}={'|'.join(choices(group))}" for group in GROUPS)
    parser = subparsers.add_parser(
        "params", help="compose params.yaml from profiles", description=f"Profiles: {known}"
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--write", action="store_true", help=f"write {PARAMS}, else print it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print or write the composition; `dvc repro` then runs it.

    Raises:
        ParamsError: an unknown profile or key, or a value that breaks a rule.
    """
    text, _ = compose_params(options.overrides)
    if not options.write:
        print(text, end="")  # noqa: T201
        return
    with atomic_file(PARAMS) as temporary:
        temporary.write_text(text)
    print(f"{PARAMS}: {' '.join(options.overrides) or 'the default'}")  # noqa: T201
