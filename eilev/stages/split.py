"""split: which narrations are for train, val, test and novel."""

import numpy as np

from eilev import paths, schema
from eilev.config.section import load_section
from eilev.config.split import SplitConfig
from eilev.episodes.splits import split_narrations
from eilev.parquet import read_table, write_table
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/split/split.parquet."""
    config = load_section("split", SplitConfig)
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    split = split_narrations(narrations, config, np.random.default_rng(config.seed))
    write_table(split, schema.SPLIT, paths.SPLIT)
    counts = split["split"].value_counts()
    print(", ".join(f"{name}: {counts.get(name, 0)}" for name in schema.SPLITS))  # noqa: T201


if __name__ == "__main__":
    main()
