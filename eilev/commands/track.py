"""`eilev track`: put finished runs, which DVC keeps, into MLflow."""

import argparse
import os
from pathlib import Path

from dvc.repo import Repo

from eilev.tracking.mlflow_store import store
from eilev.tracking.record import read_record


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = subparsers.add_parser("track", help="put finished runs into MLflow")
    parser.add_argument(
        "revisions",
        nargs="*",
        metavar="REVISION",
        help="commits, tags, branches or DVC experiments; by default the working tree",
    )
    default = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    parser.add_argument("--uri", default=default, help=f"of MLflow's store, by default {default}")
    parser.add_argument("--experiment", default="eilev", help="MLflow's, by default eilev")
    parser.add_argument("--name", help="of the working tree's run, by default DVC_EXP_NAME")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Store each run that is not there, and say which are.

    Raises:
        DataError: a run can't be read, or MLflow refuses it.
    """
    root = Path.cwd()
    cache = Path(Repo(str(root)).cache.local.path)
    for revision in options.revisions or [None]:
        record = read_record(revision, root, cache)
        own = options.name or os.environ.get("DVC_EXP_NAME") or record.commit[:9]
        name = revision or own
        run_id, new = store(record, options.uri, options.experiment, name)
        print(f"{name}: {'stored as' if new else 'is there already:'} {run_id}")  # noqa: T201
