"""A run with other parameters: in a copy of the last commit, so that this checkout stays as it is.

DVC reads params.yaml and dvc.lock from the folder that it runs in, so other parameters need
another folder. It shares the checkout's DVC cache, begins with the checkout's results, and is kept
under its parameters: the next run with the same ones goes on where this one ended.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path

from dvc.repo import Repo

from eilev.config.compose import compose_params
from eilev.config.section import PARAMS
from eilev.io import DataError, atomic_file
from eilev.paths import SYNTHETIC
from flows.stages import run_dvc

WORKSPACES = Path(".prefect") / "workspaces"
# Written last: a copy without it was not finished.
READY = Path(".dvc") / "ready"
LOCKS = "*dvc.lock"


@contextmanager
def workspace(overrides: Sequence[str], log: Callable[[str], None]) -> Iterator[None]:
    """Be in a copy of this checkout with `overrides`; stay here where there are none.

    Raises:
        ParamsError: an override names no profile or key, or breaks a rule.
        DataError: this checkout is not under Git.
    """
    if not overrides:
        yield
        return
    text, _ = compose_params(overrides)
    folder = WORKSPACES.absolute() / hashlib.sha256(text.encode()).hexdigest()[:12]
    log(f"{' '.join(overrides)}: works in {folder}, on the last commit")
    if not (folder / READY).exists():
        _make(folder, log)
    else:
        _follow(folder)
    with chdir(folder):
        with atomic_file(PARAMS) as temporary:
            temporary.write_text(text)
        yield


def _make(folder: Path, log: Callable[[str], None]) -> None:
    """Copy the last commit, with the results and lock files of this checkout."""
    if folder.exists():
        _git("worktree", "remove", "--force", "--force", str(folder))
    _git("worktree", "add", "--force", "--detach", str(folder), "HEAD")
    for lock in _git("ls-files", "--cached", "--others", LOCKS).splitlines():
        shutil.copy(lock, folder / lock)
    with Repo() as repo:
        cache = str(repo.cache.local.path)
    local = Path(".dvc") / "config.local"
    if local.exists():
        shutil.copy(local, folder / local)
    _link_sources(folder)
    with chdir(folder):
        run_dvc(["config", "--local", "cache.dir", cache], log)
        run_dvc(["checkout", "--allow-missing"], log)
        READY.touch()


def _link_sources(folder: Path) -> None:
    """Let the copy see the annotations and videos that lie here and are nobody's output."""
    raw = folder / SYNTHETIC.parent
    raw.mkdir(parents=True, exist_ok=True)
    for source in SYNTHETIC.parent.glob("*"):
        if source != SYNTHETIC:
            (raw / source.name).symlink_to(source.absolute())


def _follow(folder: Path) -> None:
    """Take a copy to the last commit, with the lock files that it has come to."""
    head = _git("rev-parse", "HEAD").strip()
    with chdir(folder):
        locks = {Path(name): Path(name).read_bytes() for name in _git("ls-files", LOCKS).split()}
        _git("checkout", "--force", "--detach", head)
        for lock, content in locks.items():
            lock.write_bytes(content)


def _git(*arguments: str) -> str:
    """What `git` prints.

    Raises:
        DataError: it failed, as outside of a repository.
    """
    command = ["git", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise DataError(f"overrides need this checkout's Git: {result.stderr.strip()}")
    return result.stdout
