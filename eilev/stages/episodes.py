"""episodes: who is in whose context, for every split, epoch and shot count."""

from eilev import paths, schema
from eilev.config.episodes import EpisodesConfig
from eilev.config.section import load_section
from eilev.episodes.account import Account
from eilev.episodes.build import build_episodes
from eilev.io import write_json
from eilev.parquet import read_table, write_tables
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/episodes/: the tables, and what the corpus cannot give (summary.json)."""
    counts = Account()
    clips = read_table(paths.CLIPS / "index.parquet", schema.CLIPS_INDEX)
    episodes = build_episodes(
        read_table(paths.NARRATIONS, schema.NARRATIONS),
        read_table(paths.SPLIT, schema.SPLIT),
        set(clips.loc[clips["shard"].notna(), "narration_id"]),
        load_section("episodes", EpisodesConfig),
        counts,
    )
    for split, tables in episodes.items():
        write_tables(tables, schema.EPISODES, paths.EPISODES / f"{split}.parquet")
    write_json(counts.to_json(), paths.EPISODES_SUMMARY)
    for line in counts.lines():
        print(line)  # noqa: T201
    counts.check()


if __name__ == "__main__":
    main()
