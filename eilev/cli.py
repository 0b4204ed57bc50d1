"""The `eilev` command: what one asks of data and models beside the pipeline."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

# Modules of eilev.commands, and what `eilev --help` says of them.
COMMANDS = {
    "describe": "measure a corpus or episodes",
    "drift": "hold requests and new annotations against what was trained on",
    "export": "write a checkpoint as an ONNX bundle; check a bundle",
    "narrate": "narrate your own video, with narrated ones as examples",
    "params": "compose params.yaml from profiles; explain its keys",
    "plan": "what a run costs: parameters, memory, operations, disk, hours",
    "probe": "ask a served model whether it reads the videos of its context",
    "release": "promote the workspace's model if it is no worse than the promoted one",
    "rollback": "promote an earlier version again",
    "serve": "answer requests over HTTP from exported models",
    "show": "draw episodes as a page",
    "trace": "lead an answer back to data, parameters and code",
    "track": "put finished runs into MLflow",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; as with the stages, bad input ends in one line on stderr and exit code 1."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="eilev", description=__doc__)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        # Only what is asked for is imported: not every installation has what every command needs.
        if given[:1] == [name]:
            import_module(f"eilev.commands.{name}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    options = parser.parse_args(given)
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
