"""Mends what DVC leaves half written when it is killed, or meets a full disk: its lock files.

    python -m eilev.lifetime.mend

DVC writes `dvc.lock` in place, and with half a one every later command fails. The copy of before
the last stage takes its place, else that of git's HEAD: an older one only means that stages run
again, as they do without any. `make repro` and the flow do this first.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.repo import Repo

from eilev.io import atomic_file
from eilev.lifetime.copies import copy_of, lock_files

# Another `dvc` may be writing a file: what is broken now may be whole then.
AGAIN_S = 0.5


def mend(root: Path) -> list[str]:
    """Put whole lock files in the place of broken ones; one line for each says what was done.

    Raises:
        DvcException: a lock file may be broken, and `root` is not a DVC project.
    """
    return [*_mend_locks(root), *_free(root / ".dvc" / "tmp" / "rwlock")]


def _mend_locks(root: Path) -> list[str]:
    suspects = [name for name in lock_files(root) if not _is_plain(root / name)]
    if not suspects:
        return []
    time.sleep(AGAIN_S)
    with Repo(str(root)) as repo:
        return [_mend(name, root, repo) for name in suspects if not _is_whole(name, repo)]


def _is_plain(path: Path) -> bool:
    """Whether it is a lock file at a first look, which takes a tenth of the time of DVC's own."""
    if not path.is_file():
        return True  # nothing has run yet
    try:
        Lockfile.validate(yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader))
    except (yaml.YAMLError, DvcException):
        return False
    return True


def _is_whole(name: Path, repo: Repo) -> bool:
    path = Path(repo.root_dir) / name
    if not path.is_file():
        return True
    try:
        Lockfile(repo, str(path)).load()
    except (DvcException, UnicodeDecodeError):
        return False
    return True


def _mend(name: Path, root: Path, repo: Repo) -> str:
    broken = copy_of(name, root).with_suffix(".broken")
    broken.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(root / name, broken)
    told = f"{name}: broken (half written when DVC was stopped?), kept as {broken}; "
    for origin, content in _earlier(name, root):
        with atomic_file(root / name) as temporary:
            temporary.write_bytes(content)
        if _is_whole(name, repo):
            return f"{told}{origin} is in its place; what ran since then runs again"
    (root / name).unlink(missing_ok=True)
    return f"{told}no earlier one is whole: every stage runs again"


def _earlier(name: Path, root: Path) -> Iterator[tuple[str, bytes]]:
    copy = copy_of(name, root)
    if copy.is_file():
        yield "that of before the last stage", copy.read_bytes()
    if (git := shutil.which("git")) is not None:
        command = [git, "show", f"HEAD:./{name}"]
        shown = subprocess.run(command, cwd=root, capture_output=True, check=False)
        if shown.returncode == 0:
            yield "that of git's HEAD", shown.stdout


def _free(path: Path) -> list[str]:
    """Remove DVC's list of the files in use where it is no JSON: it would stop every run."""
    for seconds in (AGAIN_S, 0.0):
        try:
            json.loads(path.read_text())
        except FileNotFoundError:
            return []
        except ValueError:
            time.sleep(seconds)
        else:
            return []
    path.unlink()
    return [f"{path}: broken (half written when DVC was stopped?), removed"]


def main() -> None:
    """Mend the project in the current folder."""
    try:
        for line in mend(Path.cwd()):
            sys.stderr.write(f"{line}\n")
    except (DvcException, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
