"""clips: the frames of every narration, decoded once."""

from eilev import paths, schema
from eilev.clips.store import write_clips
from eilev.config.clips import ClipsConfig
from eilev.config.section import load_section
from eilev.parquet import read_table
from eilev.stages.runner import stage


@stage
def main() -> None:
    """Write data/clips/."""
    narrations = read_table(paths.NARRATIONS, schema.NARRATIONS)
    index = write_clips(narrations, load_section("clips", ClipsConfig), paths.CLIPS)
    errors = index["error"].dropna()
    print(f"{len(index) - len(errors)} clips decoded, {len(errors)} failed")  # noqa: T201
    for reason, count in errors.value_counts().head(10).items():
        print(f"  {count} x {reason}")  # noqa: T201


if __name__ == "__main__":
    main()
