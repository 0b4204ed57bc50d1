"""Which code each stage's result depends on: the one list of it.

dvc.yaml, the experiments' dvc.yaml and the fingerprint of a resumable training follow this list; a
test holds it against the imports both ways (tests/pipeline/test_watched.py). A room is watched
whole; a file is named where its room would make a stage stale for nothing.
"""

from collections.abc import Mapping
from pathlib import Path

# What every stage has: how it runs, reads its parameters, and reads and writes files.
COMMON = (
    "eilev/config/section.py",
    "eilev/io.py",
    "eilev/paths.py",
    "eilev/schema.py",
    "eilev/stages/runner.py",
    "eilev/vocabulary.py",
)

# Imported, but without a say in any result: what refuses bad parameters, how a stage ends, and this
# list.
UNWATCHED = (
    "eilev/config/params.py",
    "eilev/lifetime/__init__.py",
    "eilev/lifetime/copies.py",
    "eilev/lifetime/exclusive.py",
    "eilev/lifetime/starters.py",
    "eilev/stages/watched.py",
)

# Beyond COMMON, the stage's own module and its section's; inventory, which always runs, has none.
_ROOMS: Mapping[str, tuple[str, ...]] = {
    "synthesize": ("eilev/synthetic",),
    "ingest": ("eilev/language", "eilev/parquet.py", "eilev/remote.py", "eilev/sources"),
    "split": ("eilev/episodes/splits.py", "eilev/parquet.py", "eilev/texts.py"),
    "clips": ("eilev/clips", "eilev/ids.py", "eilev/parquet.py", "eilev/remote.py"),
    "episodes": (
        "eilev/episodes",
        "eilev/ids.py",
        "eilev/language",
        "eilev/parquet.py",
        "eilev/texts.py",
    ),
    "validate": (
        "eilev/clips/frame_choice.py",
        "eilev/config/conditions.py",
        "eilev/config/evaluate.py",
        "eilev/config/train.py",
        "eilev/distributions",
        "eilev/episodes",
        "eilev/ids.py",
        "eilev/inputs",
        "eilev/language",
        "eilev/parquet.py",
        "eilev/texts.py",
        "eilev/unavailable.py",
        "eilev/validation",
    ),
    "train": (
        "eilev/clips",
        "eilev/config/clips.py",
        "eilev/config/launch.py",
        "eilev/ids.py",
        "eilev/inputs",
        "eilev/language",
        "eilev/model",
        "eilev/parquet.py",
        "eilev/training",
    ),
    "evaluate": (
        "eilev/clips",
        "eilev/config/conditions.py",
        "eilev/episodes",
        "eilev/evaluation",
        "eilev/ids.py",
        "eilev/inputs",
        "eilev/language",
        "eilev/model",
        "eilev/parquet.py",
        "eilev/unavailable.py",
    ),
    "export": (
        "eilev/bundle",
        "eilev/clips",
        "eilev/config/clips.py",
        "eilev/config/conditions.py",
        "eilev/config/evaluate.py",
        "eilev/evaluation/scores.py",
        "eilev/export",
        "eilev/ids.py",
        "eilev/inputs",
        "eilev/language",
        "eilev/model",
        "eilev/parquet.py",
    ),
    "report": (
        "eilev/clips",
        "eilev/config/conditions.py",
        "eilev/ids.py",
        "eilev/parquet.py",
        "eilev/report",
        "eilev/unavailable.py",
    ),
}

STAGES = tuple(_ROOMS)
# The stages that an experiment runs with its own parameters, and what runs and compares them.
OF_AN_EXPERIMENT = ("episodes", "validate", "train", "evaluate")
EXPERIMENT = ("eilev/config/compose.py", "eilev/experiments/variants.py")
EXPERIMENT_RESULTS = (
    "eilev/config/compose.py",
    "eilev/config/conditions.py",
    "eilev/config/section.py",
    "eilev/experiments",
    "eilev/io.py",
    "eilev/paths.py",
    "eilev/report",
    "eilev/unavailable.py",
    "eilev/vocabulary.py",
)


def watched(stage: str) -> list[str]:
    """Folders and files of code that a stage's result depends on, sorted, from the root."""
    own = (f"eilev/config/{stage}.py", f"eilev/stages/{stage}.py")
    return sorted([*COMMON, *own, *_ROOMS[stage]])


def watched_by_experiments() -> list[str]:
    """The same of an experiment, which runs several stages."""
    paths = {*EXPERIMENT, *(path for name in OF_AN_EXPERIMENT for path in watched(name))}
    # A file that one stage watches may lie in a room that another watches whole.
    return sorted(path for path in paths if not {*map(str, Path(path).parents)} & paths)


def watched_files(stage: str) -> list[Path]:
    """Every file below what a stage watches, wherever the package lies, in a fixed order."""
    root = Path(__file__).parents[2]
    places = [root / path for path in watched(stage)]
    files = [file for place in places for file in ([place] if place.is_file() else _below(place))]
    return sorted(set(files))


def _below(folder: Path) -> list[Path]:
    return [
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
