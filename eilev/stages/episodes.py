"""episodes: who is in whose context, for every split, epoch and shot count."""

from eilev import paths, schema
from eilev.config.episodes import EpisodesConfig
from eilev.config.section import load_section
from eilev.episodes.build import build_episodes
from eilev.parquet import read_table, write_tables
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/episodes/{train,val,test,novel}.parquet."""
    clips = read_table(paths.CLIPS / "index.parquet", schema.CLIPS_INDEX)
    episodes = build_episodes(
        read_table(paths.NARRATIONS, schema.NARRATIONS),
        read_table(paths.SPLIT, schema.SPLIT),
        set(clips.loc[clips["shard"].notna(), "narration_id"]),
        load_section("episodes", EpisodesConfig),
    )
    for split, tables in episodes.items():
        write_tables(tables, schema.EPISODES, paths.EPISODES / f"{split}.parquet")


if __name__ == "__main__":
    main()
