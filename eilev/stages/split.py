"""split: which narrations are for train, val, test and novel."""

from functools import partial

import numpy as np
import pyarrow as pa

from eilev import paths, schema
from eilev.config.section import load_section
from eilev.config.split import SplitConfig
from eilev.episodes.splits import DIVIDED_BY, split_narrations
from eilev.parquet import hold, read_batches, write_tables
from eilev.stages.runner import stage
from eilev.texts import map_texts


@stage
def main() -> None:
    """Write data/split/split.parquet."""
    config = load_section("split", SplitConfig)
    read = partial(read_batches, paths.NARRATIONS, schema.NARRATIONS)
    narrations = hold(read(DIVIDED_BY), DIVIDED_BY)
    split = split_narrations(narrations, config, np.random.default_rng(config.seed))
    ids = map_texts(piece["narration_id"] for piece in read(["narration_id"]))
    table = pa.table([ids, pa.array(split).cast(pa.string())], schema=schema.SPLIT)
    write_tables([table], schema.SPLIT, paths.SPLIT)
    counts = split.value_counts()
    print(", ".join(f"{name}: {counts[name]}" for name in schema.SPLITS))  # noqa: T201


if __name__ == "__main__":
    main()
