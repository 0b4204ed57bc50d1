"""Threads wait passively in whatever process of ours imports torch."""

import os
import subprocess
import sys

import pytest


def policy(module, **env):
    """What OpenMP, in a process of its own, says that it goes by."""
    clean = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        env=clean | {"OMP_DISPLAY_ENV": "true"} | env,
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = {line.strip() for line in done.stderr.splitlines() if "OMP_WAIT_POLICY" in line}
    return line.split("'")[1]


@pytest.mark.parametrize("module", ["eilev.stages.train", "eilev.stages.evaluate"])
def test_threads_do_not_spin(module):
    assert policy(module) == "PASSIVE"


def test_who_wants_spinning_threads_can_have_them():
    assert policy("eilev.model.build", OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"
