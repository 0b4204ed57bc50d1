"""validate: the data is as it must be, or nothing is trained on it."""

from eilev import paths, schema
from eilev.config.section import load_section
from eilev.config.validate import ValidateConfig
from eilev.io import atomic_dir, atomic_file, write_json
from eilev.parquet import read_table
from eilev.schema import SPLITS
from eilev.stages.runner import stage
from eilev.validation.outcomes import describe_failures, run_suites, to_json
from eilev.validation.suites import build_suites
from eilev.validation.tables import make_tables


@stage
def main() -> None:
    """Write data/validate/, then fail if an expectation failed."""
    tables = make_tables(
        read_table(paths.NARRATIONS, schema.NARRATIONS),
        read_table(paths.SPLIT, schema.SPLIT),
        read_table(paths.CLIPS / "index.parquet", schema.CLIPS_INDEX),
        {
            split: read_table(paths.EPISODES / f"{split}.parquet", schema.EPISODES)
            for split in SPLITS
        },
    )
    suites = build_suites(load_section("validate", ValidateConfig), tables.splits)
    with atomic_dir(paths.VALIDATION_DOCS) as docs:
        outcomes = run_suites(suites, tables.checked, docs)
    write_json(to_json(outcomes, tables.properties), paths.VALIDATION)
    plots = {"action_frequencies": tables.action_frequencies, "burstiness": tables.burstiness}
    for name, table in plots.items():
        with atomic_file(paths.VALIDATION_PLOTS / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False)
    failures = describe_failures(outcomes)
    if failures:
        raise ValueError(
            f"the data breaks these expectations of params.yaml or of the episodes' rules, see"
            f" {paths.VALIDATION_DOCS / 'index.html'}:\n{failures}"
        )


if __name__ == "__main__":
    main()
