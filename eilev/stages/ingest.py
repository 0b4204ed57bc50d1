"""ingest: a source's annotations as one narration table; left-out actions with their reasons."""

import json

from eilev import paths, schema
from eilev.config import load_params
from eilev.data.annotations import read_annotations
from eilev.io import write_json, write_table
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/ingest/."""
    annotations = read_annotations(load_params().ingest)
    write_table(annotations.narrations, schema.NARRATIONS, paths.NARRATIONS)
    write_table(annotations.rejects, schema.REJECTS, paths.REJECTS)
    write_json(annotations.summary(), paths.INGEST_SUMMARY)
    print(json.dumps(annotations.summary(), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
