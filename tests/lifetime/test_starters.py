"""Real stages, started as DVC does and through what lies between, outlive no starter."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from eilev.lifetime.starters import MARK
from tests.conftest import ROOT

# A stage that would work for ever, in a pool as well if it is told so.
STAGE = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from eilev.stages import runner
runner.load_params = lambda: None

def work(_=None):
    Path(f"pid-{os.getpid()}").touch()
    time.sleep(600)

@runner.stage
def main():
    Path("data").mkdir(exist_ok=True)
    if "pool" not in sys.argv:
        work()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        Path(f"pid-{os.getpid()}").touch()
        list(pool.map(work, range(2)))

if __name__ == "__main__":
    main()
"""
# Started in a session of its own, as torchrun does with trainers.
LAUNCHER = """
import subprocess, sys
sys.exit(subprocess.call([sys.executable, "stage.py"], start_new_session=True))
"""
# What DVC does: a shell in its environment with a mark.
DVC = """
import os, subprocess, sys
env = os.environ | {"DVC_STAGE": "train"}
sys.exit(subprocess.call(["/bin/bash", "-c", sys.argv[1]], env=env))
"""


@pytest.fixture
def start(tmp_path):
    """Starts a command as DVC does; returns `dvc` and the processes that have begun to work."""
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "launcher.py").write_text(LAUNCHER)
    started = []

    def begin(command, num_workers=1):
        env = {name: value for name, value in os.environ.items() if name != MARK}
        env["PYTHONPATH"] = str(ROOT)
        dvc = psutil.Popen(
            [sys.executable, "-c", DVC, command],
            cwd=tmp_path,
            env=env,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(dvc)
        while len(pids := [*tmp_path.glob("pid-*")]) < num_workers:
            assert dvc.poll() is None, dvc.stderr.read()
            time.sleep(0.05)
        workers = [psutil.Process(int(path.name[4:])) for path in pids]
        started.extend(workers)
        return dvc, workers

    yield begin
    for process in started:
        if process.is_running():
            process.kill()


def ended(processes):
    return not psutil.wait_procs(processes, timeout=20)[1]


# bash replaces itself by a single command, and stays with two.
SHELLS = ["python stage.py", "python stage.py; true", "python launcher.py; true"]


@pytest.mark.parametrize("command", SHELLS)
def test_a_stage_ends_with_its_dvc(start, command):
    dvc, workers = start(command)
    dvc.kill()
    assert ended(workers)


def test_a_stage_ends_with_its_launcher(start):
    _, workers = start(SHELLS[2])
    workers[0].parent().kill()
    assert ended(workers)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_pool_ends_with_its_stage(start, sign):
    dvc, workers = start("python stage.py pool", num_workers=2)
    (stage,) = (worker for worker in workers if worker.ppid() == dvc.pid)
    stage.send_signal(sign)
    assert ended(workers)
    assert dvc.wait(timeout=20) != 0


def test_a_stage_whose_dvc_has_ended_before_it_looks_does_not_begin(start, tmp_path):
    """`setsid` ends at once, and its child is taken in by another session."""
    command = "setsid --fork python stage.py 2> told"
    env = os.environ | {MARK: "train", "PYTHONPATH": str(ROOT)}
    (tmp_path / "stage.py").write_text(STAGE)
    subprocess.run(["/bin/bash", "-c", command], cwd=tmp_path, env=env, check=True)
    while "dvc that started this stage has ended" not in (tmp_path / "told").read_text():
        time.sleep(0.05)
    assert not list(tmp_path.glob("pid-*"))


def test_without_dvc_nothing_is_watched(tmp_path):
    (tmp_path / "stage.py").write_text(STAGE)
    env = {name: value for name, value in os.environ.items() if name != MARK}
    env["PYTHONPATH"] = str(ROOT)
    shell = psutil.Popen(
        ["/bin/bash", "-c", f"{sys.executable} stage.py & sleep 600"], cwd=tmp_path, env=env
    )
    while not (pids := list(tmp_path.glob("pid-*"))):
        time.sleep(0.05)
    stage = psutil.Process(int(pids[0].name[4:]))
    shell.children()
    for process in (shell, *[c for c in shell.children() if c.pid != stage.pid]):
        process.kill()
    try:
        with pytest.raises(psutil.TimeoutExpired):
            stage.wait(timeout=2)
    finally:
        stage.kill()
