import os
import subprocess
import sys

import pytest

from eilev.lifetime.exclusive import BusyError, exclusive
from tests.conftest import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from eilev.lifetime.exclusive import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path):
    """Starts another process that holds the lock for some seconds."""
    started = []

    def start(path, seconds):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, path, str(seconds)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_one_names_the_first(holder, tmp_path):
    path = tmp_path / "data" / ".train.lock"
    first = holder(path, 600)
    refused = pytest.raises(BusyError, match=f"^{path}: process {first.pid} is at work here; let")
    with refused, exclusive(path, wait_s=0):
        pass
    first.kill()
    first.wait()
    with exclusive(path, wait_s=0):
        assert path.read_text() == f"{os.getpid()}\n"
    assert path.read_text() == ""


def test_one_that_is_ending_is_waited_for(holder, tmp_path, capsys):
    path = tmp_path / ".train.lock"
    first = holder(path, 1)
    with exclusive(path):
        assert first.wait(timeout=10) == 0
    told = capsys.readouterr().err
    assert (
        told == f"{path}: process {first.pid} is at work here; waiting up to 30 s for it to end\n"
    )
