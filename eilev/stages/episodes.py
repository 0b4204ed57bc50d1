"""episodes: who is in whose context, for every split, epoch and shot count."""

from functools import partial

from eilev import paths, schema
from eilev.config.episodes import EpisodesConfig
from eilev.config.section import load_section
from eilev.episodes.account import Account
from eilev.episodes.build import build_episodes
from eilev.episodes.facts import read_facts
from eilev.io import write_json
from eilev.parquet import read_batches, write_tables
from eilev.stages.runner import stage

_TABLES = (
    partial(read_batches, paths.NARRATIONS, schema.NARRATIONS),
    partial(read_batches, paths.SPLIT, schema.SPLIT),
    partial(read_batches, paths.CLIPS / "index.parquet", schema.CLIPS_INDEX),
)


@stage
def main() -> None:
    """Write data/episodes/: the tables, and what the corpus cannot give (summary.json)."""
    counts = Account()
    config = load_section("episodes", EpisodesConfig)
    episodes = build_episodes(read_facts(*_TABLES), config, counts)
    for split, tables in episodes.items():
        write_tables(tables, schema.EPISODES, paths.EPISODES / f"{split}.parquet")
    write_json(counts.to_json(), paths.EPISODES_SUMMARY)
    for line in counts.lines():
        print(line)  # noqa: T201
    counts.check()


if __name__ == "__main__":
    main()
