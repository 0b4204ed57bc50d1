"""Real repositories of git and DVC for tests."""

import os
import subprocess
import sys
from pathlib import Path


def dvc(root: Path, *arguments: str) -> str:
    return call(root, sys.executable, "-m", "dvc", *arguments)


def call(root: Path, *command: str) -> str:
    """Run a command, which must succeed; what it printed."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    author = {
        f"GIT_{who}_{what}": "a@b.example"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    environment = os.environ | author | {"PATH": path}
    done = subprocess.run(
        command, cwd=root, check=False, env=environment, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
