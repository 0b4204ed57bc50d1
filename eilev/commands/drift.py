"""`eilev drift`: whether requests and new annotations are still as what was trained on."""

import argparse
import sys
from pathlib import Path

from eilev import paths, schema
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.clips.store import ClipStore
from eilev.config.params import load_params
from eilev.drift.checks import (
    check,
    format_table,
    judge_annotations,
    judge_requests,
    read_log,
    summary_of,
)
from eilev.drift.reference import Trained, make_reference
from eilev.io import write_json
from eilev.parquet import read_table
from eilev.sources.adapters import read_source
from eilev.traffic import DRIFTED, read_reference
from eilev.validation.outcomes import describe_failures

FOLDER = paths.DATA / "drift"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "drift", help="hold requests and new annotations against what was trained on"
    )
    parser.add_argument(
        "--write-reference", action="store_true", help="measure what the bundle was trained on"
    )
    parser.add_argument("--requests", type=Path, help="folder of eilev serve --request-log")
    parser.add_argument("--annotations", type=Path, help="new ones, of the source ingest.source")
    parser.add_argument("--reference", type=Path, default=FOLDER / "reference.json")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for drift.json and docs/")
    parser.add_argument("--bundle", type=Path, default=paths.BUNDLE, help="of the reference")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the reference, or judge by it; print a table and write drift.json.

    Exits with status DRIFTED where a bound is left.

    Raises:
        ValueError: nothing is asked for, or input is bad (DataError, ParamsError).
    """
    if options.write_reference:
        write_reference(options.bundle, options.reference)
    elif options.requests is None and options.annotations is None:
        raise ValueError("give --requests, --annotations or both, or --write-reference")
    else:
        judge(options)


def write_reference(bundle: Path, place: Path) -> None:
    """Measure what lies in data/ and a bundle's features of its clips."""
    params = load_params()
    store = ClipStore(paths.CLIPS)
    trained = Trained(
        read_table(paths.NARRATIONS, schema.NARRATIONS),
        read_table(paths.SPLIT, schema.SPLIT),
        read_table(paths.EPISODES / "train.parquet", schema.EPISODES),
        store.ids,
        store.__getitem__,
        OnnxEngine.load(bundle),
    )
    reference = make_reference(trained, params.drift.num_clips, params.train.seed)
    write_json(reference.model_dump(mode="json"), place)
    print(f"{place}: the reference of {bundle} ({reference.fingerprint})")  # noqa: T201


def judge(options: argparse.Namespace) -> None:
    """Hold what is given against the reference."""
    params, reference = load_params(), read_reference(options.reference)
    subjects = []
    if options.requests is not None:
        subjects.append(judge_requests(read_log(options.requests), reference, params.drift))
    if options.annotations is not None:
        ingest = params.ingest
        synonyms = None if ingest.synonyms is None else Path(ingest.synonyms)
        source = read_source(ingest.source, options.annotations, None, synonyms, ingest.epic_time)
        subjects.append(
            judge_annotations(source.narrations, reference, params.drift, params.validate_)
        )
    outcomes = check(subjects, options.out / "docs")
    print(format_table(subjects, outcomes))  # noqa: T201
    write_json(summary_of(subjects, outcomes), options.out / "drift.json")
    if failures := describe_failures(outcomes):
        sys.stderr.write(f"what was trained on and this differ:\n{failures}\n")
        sys.exit(DRIFTED)
