"""Real repositories of git and DVC for tests."""

import os
import subprocess
import sys
from pathlib import Path


def call(root: Path, *command: str) -> None:
    """Run a command there, as somebody who may commit."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    author = {
        f"GIT_{who}_{what}": "a@b.example"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    subprocess.run(command, cwd=root, check=True, env=os.environ | author | {"PATH": path})


def dvc(root: Path, *arguments: str) -> None:
    call(root, sys.executable, "-m", "dvc", *arguments)
