"""Cuts clips on the workers of a Dask cluster; the only module that knows Dask.

Each job is done as on this machine (cutting.CutterPool), and its frames come back here, where the
shards are written: a worker that is killed costs the time of its jobs, which others begin again.
What passes between the machines is pickled, so all of them must trust each other.
"""

import hashlib
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Self

from distributed import CancelledError, Client, Future, KilledWorker, get_worker
from distributed.client import ClosedClientError
from distributed.comm.core import CommClosedError

from eilev.clips.cutting import Cut, CutterPool, Job
from eilev.config.clips import ClipsConfig

# For each thread of the cluster: a job that is worked on, and one that waits or has come back.
_JOBS_PER_THREAD = 2
# Until the scheduler answers.
CONNECT_S = 30.0
# What decodes and encodes; other versions may give other bytes.
_PACKAGES = ("av", "decord", "numpy", "pillow")


class ClusterError(OSError):
    """The cluster can't go on; the message names its scheduler."""


class Cluster:
    """The workers behind a scheduler, which may come and go.

    Args:
        scheduler: its address, or the path of the file in which it has written it.
        config: how clips are cut.
    """

    def __init__(self, scheduler: str, config: ClipsConfig) -> None:
        """Connect.

        Raises:
            ClusterError: no scheduler answers there.
        """
        self._scheduler, self._config = scheduler, config
        place = {"address" if "://" in scheduler else "scheduler_file": scheduler}
        try:
            self._client = Client(**place, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(f"{scheduler}: no Dask scheduler answers ({error})") from error
        if not self.num_at_once():
            sys.stderr.write(f"{scheduler}: no worker yet, waiting for the first\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close(timeout=CONNECT_S)

    def num_at_once(self) -> int:
        """How many jobs keep the workers busy that are there now."""
        with self._naming():
            threads: list[int] = list(self._client.nthreads().values())
            return _JOBS_PER_THREAD * sum(threads)

    def submit(self, job: Job) -> "_Result":
        """Have a worker cut the clips of a job."""
        future = self._client.submit(_cut, job, self._config, made_with(), pure=False)
        return _Result(future, self)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Turn the failures of a cluster into one line."""
        again = "run the stage again, and it goes on at the last finished shard"
        try:
            yield
        except KilledWorker as error:
            raise ClusterError(f"{self._scheduler}: {error}; {again}") from error
        except (CancelledError, ClosedClientError, CommClosedError) as error:
            raise ClusterError(f"{self._scheduler}: the Dask scheduler is gone; {again}") from error
        except ImportError as error:
            told = f"{self._scheduler}: a worker can't import what it needs ({error})"
            raise ClusterError(f"{told}: install this project there") from error


@dataclass(frozen=True)
class _Result:
    """What comes of a job."""

    future: "Future[list[Cut]]"
    cluster: Cluster

    def result(self) -> list[Cut]:
        with self.cluster._naming():
            return self.future.result()

    def cancel(self) -> None:
        self.future.cancel()


def _cut(job: Job, config: ClipsConfig, expected: Mapping[str, str]) -> list[Cut]:
    """Cut a job's clips in a worker."""
    own = made_with()
    differing = [
        f"{name} {own[name]}, not {expected[name]}" for name in own if own[name] != expected[name]
    ]
    if differing:
        raise ClusterError(
            f"{get_worker().address}: this worker on {platform.node()} has {', '.join(differing)}:"
            " other clips might come of it; install the same everywhere (constraints.txt)"
        )
    pool = CutterPool(config, 1)
    try:
        return pool.cut(job)
    finally:
        pool.stop()


@cache
def made_with() -> dict[str, str]:
    """What the bytes of a clip depend on, by name: versions, and a hash of this package's code."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    versions = {name: version(name) for name in _PACKAGES}
    return {**versions, "the code of eilev.clips": code.hexdigest()[:12]}
