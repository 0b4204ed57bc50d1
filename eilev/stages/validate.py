"""validate: the data is as it must be, or nothing is trained on it."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from eilev import paths, schema
from eilev.config.evaluate import EvaluateConfig
from eilev.config.section import load_section
from eilev.config.train import TrainConfig
from eilev.config.validate import ValidateConfig
from eilev.episodes.availability import missing_kinds, require_some, unavailable
from eilev.episodes.facts import read_facts
from eilev.io import atomic_dir, atomic_file, read_json, write_json
from eilev.parquet import read_batches
from eilev.schema import SPLITS, Split
from eilev.stages.runner import stage
from eilev.unavailable import describe
from eilev.validation.outcomes import describe_failures, run_suites, to_json
from eilev.validation.positions import require_positions
from eilev.validation.suites import build_suites
from eilev.validation.tables import make_tables

_TABLES = (
    (paths.NARRATIONS, schema.NARRATIONS),
    (paths.SPLIT, schema.SPLIT),
    (paths.CLIPS / "index.parquet", schema.CLIPS_INDEX),
)
# What the model will be shown of an episode.
_SHOWN = ("query", "context", "shots", "narrations")


@stage
def main() -> None:
    """Write data/validate/, then fail if an expectation failed.

    What an evaluation will have no figures of is said here; where it could have none, training for
    it is refused.
    """
    config = load_section("validate", ValidateConfig)
    asked = load_section("evaluate", EvaluateConfig)
    _require_baseline(asked.baselines.no_context_model)
    summary = read_json(paths.EPISODES_SUMMARY)
    lacking = unavailable(summary, asked.conditions, asked.splits)
    require_some(summary, lacking)
    # What half a probe lacks, its conditions lack too.
    told = {
        split: describe({name: missing[name] for name in asked.conditions})
        for split, missing in lacking.items()
    }
    for split, lines in told.items():
        for line in lines:
            print(f"{split}: {line}")  # noqa: T201
    narrations, splits, clips = (partial(read_batches, *each) for each in _TABLES)
    facts = read_facts(narrations, splits, clips, once=True)
    episodes = {name: _read_episodes(name, _SHOWN) for name in SPLITS}
    sentences = facts.narrations
    require_positions(episodes, facts.ids, sentences, load_section("train", TrainConfig), asked)
    phases = [phase.name for phase in config.phases]
    tables = make_tables(narrations, clips, facts, _read_episodes, phases)
    suites = build_suites(config, tables.splits, told)
    with atomic_dir(paths.VALIDATION_DOCS) as docs:
        outcomes = run_suites(suites, tables.checked, docs)
    # Not of conditions: training depends on this file, but not on what is asked afterwards.
    missing = {"unavailable": missing_kinds(summary)}
    write_json(to_json(outcomes, tables.properties()) | missing, paths.VALIDATION)
    plots = {"action_frequencies": tables.action_frequencies(), "burstiness": tables.burstiness()}
    for name, table in plots.items():
        with atomic_file(paths.VALIDATION_PLOTS / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False)
    failures = describe_failures(outcomes)
    if failures:
        raise ValueError(
            f"the data breaks these expectations of params.yaml or of the episodes' rules, see"
            f" {paths.VALIDATION_DOCS / 'index.html'}:\n{failures}"
        )


def _read_episodes(split: Split, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    return read_batches(paths.EPISODES / f"{split}.parquet", schema.EPISODES, columns)


def _require_baseline(folder: str | None) -> None:
    """Raises ValueError: the model that the new one is to be compared with is not there."""
    if folder is not None and not (Path(folder) / "config.json").is_file():
        raise ValueError(
            f"params.yaml: evaluate.baselines.no_context_model: {folder}/config.json: no such file;"
            " train that model first, or give null"
        )


if __name__ == "__main__":
    main()
