"""A real scheduler and real workers, each in a process of its own."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client

from eilev.clips import cutting, dask_cluster
from eilev.clips.dask_cluster import ClusterError
from eilev.clips.writing import write_clips
from eilev.config.clips import ClipsConfig
from tests.clips.tables import TIMES_S, config, narrations

ROOT = Path(__file__).parents[2]


@dataclass
class Machines:
    """A scheduler and what works for it."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def scheduler_file(self) -> str:
        return str(self.folder / "scheduler.json")

    def start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments]
        place = ["--scheduler-file", self.scheduler_file, "--no-dashboard"]
        process = subprocess.Popen(
            [*command, *place],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            cwd=self.folder,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.start("dask_worker", "--no-nanny", "--nthreads", "1")

    def config(self) -> ClipsConfig:
        return config(shard_size=4, executor="dask", scheduler=self.scheduler_file)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    machines = Machines(tmp_path)
    machines.start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
    yield machines
    for process in machines.processes:
        process.kill()
        process.wait()


def test_the_shards_are_those_of_this_machine_though_a_worker_is_killed(
    machines: Machines,
    videos: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cutting, "_CLIPS_PER_JOB", 1)
    times = {"killer": [1.0, 2.0], "a": [*TIMES_S[:2], 99.0], "missing": [1.0], "b": TIMES_S[:2]}
    table = narrations({videos[name]: times_s for name, times_s in times.items()})
    write_clips(table, config(shard_size=4), tmp_path / "here")
    victim, _ = machines.start_worker(), machines.start_worker()
    killed = threading.Thread(target=kill_at_work, args=(victim, machines))
    killed.start()
    write_clips(table, machines.config(), tmp_path / "there")
    killed.join()
    assert victim.returncode == -9
    for path in (tmp_path / "here").iterdir():
        assert (tmp_path / "there" / path.name).read_bytes() == path.read_bytes()


def kill_at_work(victim: subprocess.Popen[bytes], machines: Machines) -> None:
    """Kill a worker once both are there and one of its jobs is under way."""
    with Client(scheduler_file=machines.scheduler_file, set_as_default=False) as client:
        while len(client.nthreads()) < 2 or not has_children(victim.pid):
            time.sleep(0.002)
    victim.kill()
    victim.wait()


def has_children(pid: int) -> bool:
    return any(task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children"))


def test_workers_that_would_make_other_clips_are_refused(
    machines: Machines, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = dask_cluster.made_with() | {"pillow": "1.0"}
    monkeypatch.setattr(dask_cluster, "made_with", lambda: ours)
    machines.start_worker()
    with pytest.raises(ClusterError, match=r"^tcp://\S+: this worker on \S+ has pillow .*, not 1"):
        write_clips(table, machines.config(), tmp_path / "clips")
    machines.processes[0].kill()
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 0.5)
    with pytest.raises(ClusterError, match=r"scheduler\.json: no Dask scheduler answers"):
        write_clips(table, machines.config(), tmp_path / "clips")


def test_a_scheduler_that_dies_is_one_line(
    machines: Machines, table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT_S", 5.0)
    # No worker: the jobs wait.
    killer = threading.Thread(target=kill_scheduler, args=(machines,))
    killer.start()
    with pytest.raises(ClusterError, match=r"scheduler\.json: the Dask scheduler is gone; run"):
        write_clips(table, machines.config(), tmp_path / "clips")
    killer.join()


def kill_scheduler(machines: Machines) -> None:
    """Kill it once a client other than ours is connected."""
    with Client(scheduler_file=machines.scheduler_file, set_as_default=False) as client:
        clients = "lambda dask_scheduler: len(dask_scheduler.clients)"
        while client.run_on_scheduler(eval(clients)) < 3:  # noqa: S307  ("fire-and-forget" is one)
            time.sleep(0.01)
        machines.processes[0].kill()
