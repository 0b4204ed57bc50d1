"""ingest: a source's annotations as one narration table; left-out actions with their reasons."""

from eilev import paths, schema
from eilev.config.ingest import IngestConfig
from eilev.config.section import load_section
from eilev.io import write_json
from eilev.parquet import write_tables
from eilev.sources.adapters import read_annotations
from eilev.sources.annotations import format_summary
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/ingest/."""
    annotations = read_annotations(load_section("ingest", IngestConfig))
    write_tables([annotations.kept], schema.NARRATIONS, paths.NARRATIONS)
    write_tables([annotations.left_out], schema.REJECTS, paths.REJECTS)
    summary = annotations.summary()
    write_json(summary, paths.INGEST_SUMMARY)
    print(format_summary(summary))  # noqa: T201


if __name__ == "__main__":
    main()
