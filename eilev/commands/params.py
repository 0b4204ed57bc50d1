"""`eilev params`: params.yaml composed from profiles, and what its keys are; runs nothing."""

import argparse
from collections.abc import Sequence

import yaml

from eilev.config.compose import GROUPS, choices, compose_params
from eilev.config.explain import PAPER, Values, explain, generated
from eilev.config.section import PARAMS, read_params
from eilev.io import atomic_file


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    known = "; ".join(f"{group}={'|'.join(choices(group))}" for group in GROUPS)
    parser = subparsers.add_parser(
        "params",
        help="compose params.yaml from profiles; explain its keys",
        description=f"Profiles: {known}",
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--write", action="store_true", help=f"write {PARAMS}, else print it")
    instead.add_argument("--explain", metavar="KEY", help="say what a key or section is")
    instead.add_argument(
        "--docs", action="store_true", help="write docs/params.md and the editors' schemas"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print or write the composition, which `dvc repro` then runs; or explain keys.

    Raises:
        ParamsError: an unknown profile or key, or a value that breaks a rule.
    """
    if options.explain:
        _explain(options.explain, options.overrides)
    elif options.docs:
        _write_docs(options.overrides)
    elif options.write:
        with atomic_file(PARAMS) as temporary:
            temporary.write_text(compose_params(options.overrides)[0])
        print(f"{PARAMS}: {' '.join(options.overrides) or 'the default'}")  # noqa: T201
    else:
        print(compose_params(options.overrides)[0], end="")  # noqa: T201


def _explain(key: str, overrides: Sequence[str]) -> None:
    """Explain a key, with its value in params.yaml or, with overrides, in their composition."""
    title = " ".join(overrides) or str(PARAMS)
    values = _composed(overrides) if overrides else read_params()
    print(explain(key, {title: values, "paper's profile": _composed(PAPER)}))  # noqa: T201


def _write_docs(overrides: Sequence[str]) -> None:
    if overrides:
        raise ValueError(f"--docs is about the default: leave out {' '.join(overrides)}")
    for path, text in generated(_composed([]), _composed(PAPER)).items():
        with atomic_file(path) as temporary:
            temporary.write_text(text)
        print(path)  # noqa: T201


def _composed(overrides: Sequence[str]) -> Values:
    values: Values = yaml.safe_load(compose_params(overrides)[0])
    return values
