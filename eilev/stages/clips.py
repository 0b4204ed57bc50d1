"""clips: the frames of every narration, decoded once."""

from eilev import paths, schema
from eilev.clips.writing import write_clips
from eilev.config.clips import ClipsConfig
from eilev.config.section import load_section
from eilev.parquet import read_table
from eilev.stages.runner import stage
from eilev.stages.watched import watched_files


@stage
def main() -> None:
    """Write data/clips/."""
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    config = load_section("clips", ClipsConfig)
    index = write_clips(narrations, config, paths.CLIPS, watched_files("clips"))
    errors = index["error"].dropna()
    print(f"{len(index) - len(errors)} clips decoded, {len(errors)} failed")  # noqa: T201
    for reason, count in errors.value_counts().head(10).items():
        print(f"  {count} x {reason}")  # noqa: T201


if __name__ == "__main__":
    main()
