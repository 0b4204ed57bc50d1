"""episodes: who is in whose context, for every split, epoch and shot count."""

from eilev import paths, schema
from eilev.config import load_params
from eilev.data.episodes.build import build_episodes
from eilev.io import read_table, write_tables
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/episodes/{train,val,test,novel}.parquet."""
    clips = read_table(paths.CLIPS / "index.parquet", schema.CLIPS_INDEX)
    episodes = build_episodes(
        read_table(paths.NARRATIONS, schema.NARRATIONS),
        read_table(paths.SPLIT, schema.SPLIT),
        set(clips.loc[clips["shard"].notna(), "narration_id"]),
        load_params().episodes,
    )
    for split, tables in episodes.items():
        write_tables(tables, schema.EPISODES, paths.EPISODES / f"{split}.parquet")


if __name__ == "__main__":
    main()
