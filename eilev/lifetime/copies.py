"""Copies of DVC's lock files as they were before a stage's results were entered."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from eilev.io import atomic_file

# DVC sets it in what it starts.
ROOT = "DVC_ROOT"


def lock_files(root: Path) -> Iterator[Path]:
    """Every `dvc.lock` of the project, relative to its root, present or not."""
    yield Path("dvc.lock")
    for pattern in ("inventory/dvc.yaml", "experiments/*/dvc.yaml"):
        for pipeline in sorted(root.glob(pattern)):
            yield pipeline.with_name("dvc.lock").relative_to(root)


def copy_of(lock_file: Path, root: Path) -> Path:
    """Where the copy of a lock file lies: nothing of DVC's or git's."""
    return root / ".dvc" / "tmp" / "eilev" / lock_file


def keep_copies() -> None:
    """Copy the lock files of the project whose `dvc` has started this process, if one has.

    A stage begins when DVC has read them, and has not yet begun to write them again.
    """
    if ROOT not in os.environ:
        return
    root = Path(os.environ[ROOT])
    for name in lock_files(root):
        if (root / name).is_file():
            with atomic_file(copy_of(name, root)) as temporary:
                shutil.copyfile(root / name, temporary)
