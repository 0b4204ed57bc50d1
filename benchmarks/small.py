"""A copy of this tree whose stages take seconds, to be started, killed and compared."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

from eilev import paths
from eilev.lifetime.mend import mend
from eilev.stages.watched import STAGES

ROOT = Path(__file__).parents[1]
SMALL = Path(__file__).with_suffix(".yaml")
# Environment variable with the number of a trial, by which its processes are known.
MARK = "EILEV_TRIAL"


def copy_tree(folder: Path) -> None:
    """Copy this tree, as it is, without what DVC knows of it, into a git repository of its own."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for name in names.stdout.splitlines():
        if Path(name).name != "dvc.lock" and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    author = ["-c", "user.name=copy", "-c", "user.email=copy@localhost"]
    for command in (["init", "--quiet"], ["add", "."], [*author, "commit", "-qm", "Start"]):
        subprocess.run(["git", *command], cwd=folder, check=True)  # noqa: S607


class Project:
    """A copy of this tree with a git repository and a DVC cache of its own.

    Its pipeline ends with the stage `until`.
    """

    def __init__(self, folder: Path, until: str = STAGES[-1]) -> None:
        self.folder = folder
        self.stages = STAGES[: STAGES.index(until) + 1]
        copy_tree(folder)
        self.shrink(yaml.safe_load(SMALL.read_text()))

    def shrink(self, changes: dict[str, dict[str, object]]) -> None:
        """Change sections of params.yaml."""
        path = self.folder / "params.yaml"
        params = yaml.safe_load(path.read_text())
        for section, values in changes.items():
            params[section].update(values)
        path.write_text(yaml.safe_dump(params))

    def start(self, module: str, *arguments: str, trial: int = 0) -> subprocess.Popen[str]:
        """Start a module in a session of its own, as a shell starts a command."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        own = {"PATH": path, "SHELL": "/bin/bash", "PYTHONPATH": str(self.folder)}
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=os.environ | own | {"DVC_NO_ANALYTICS": "1", MARK: mark(trial)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, module: str, *arguments: str) -> tuple[int, str]:
        """Run a module to its end: exit code and output."""
        process = self.start(module, *arguments)
        output = process.communicate()[0]
        return process.returncode, output

    def repro(self) -> tuple[list[str], int, str]:
        """Bring it up to date, as `make repro` does: what was mended, exit code, output."""
        mended = mend(self.folder)
        return (mended, *self.run("dvc", "repro", *self.stages))

    def results(self) -> dict[str, str]:
        """Hashes of every file that the stages have left, but for locks and the time it took."""
        files = (path for path in (self.folder / paths.DATA).rglob("*") if path.is_file())
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
            if not (name := str(path.relative_to(self.folder))).endswith((".lock", ".gitkeep"))
            and name != str(paths.TRAIN_EFFORT)
        }

    def forget(self, stage: str) -> None:
        """Take a stage's results away, and what DVC knows of them and of earlier runs."""
        shutil.rmtree(self.folder / (paths.SYNTHETIC if stage == "synthesize" else f"data/{stage}"))
        path = self.folder / "dvc.lock"
        lock = yaml.safe_load(path.read_text())
        del lock["stages"][stage]
        path.write_text(yaml.safe_dump(lock, sort_keys=False))
        shutil.rmtree(self.folder / ".dvc/cache/runs", ignore_errors=True)


def undisturbed(project: Project) -> dict[str, float]:
    """Run the stages one by one; seconds of each."""
    seconds = {}
    for stage in project.stages:
        start = time.monotonic()
        # What it depends on is up to date, but for the inventory, which always runs.
        code, output = project.run("dvc", "repro", stage)
        if code:
            raise RuntimeError(f"the undisturbed run fails:\n{output}")
        seconds[stage] = time.monotonic() - start
    return seconds


def mark(trial: int) -> str:
    """Value of MARK in the processes of a trial."""
    return f"{os.getpid()}-{trial}"


def alive(variable: str, value: str) -> list[psutil.Process]:
    """Processes that have an environment variable of this value, the oldest first."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            running = process.status() != psutil.STATUS_ZOMBIE
            if running and process.environ().get(variable) == value:
                found.append(process)
    return sorted(found, key=lambda process: process.create_time())
