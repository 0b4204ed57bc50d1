"""Runs the jobs of the clips stage, here or on a Dask cluster, and keeps the table's order."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Protocol

from eilev.clips.cutting import Cut, CutterPool, Job, jobs_of
from eilev.config.clips import ClipsConfig


class Future(Protocol):
    """What comes of a job: the standard library's or Dask's."""

    def result(self) -> list[Cut]:
        """Wait for it."""

    def cancel(self) -> object:
        """Give it up if it has not begun."""


def cut_in_table_order(
    videos: Sequence[str], times_s: Sequence[float], config: ClipsConfig
) -> Iterator[Cut]:
    """Cut a clip for every row of a table.

    The result does not depend on where the clips are cut, nor on how many at once. Clips of a
    table that mixes videos wait in memory for theirs.

    Raises:
        DataError: a remote video can't be downloaded.
        ClusterError: the cluster can't go on.
    """
    waiting: dict[int, Cut] = {}
    next_row = 0
    for job, cuts in _run(jobs_of(videos, times_s), config):
        waiting.update(zip(job.rows, cuts, strict=True))
        while next_row in waiting:
            yield waiting.pop(next_row)
            next_row += 1


def _run(jobs: Sequence[Job], config: ClipsConfig) -> Iterator[tuple[Job, list[Cut]]]:
    if config.scheduler is None:
        yield from _run_here(jobs, config)
    elif jobs:
        from eilev.clips.dask_cluster import Cluster

        with Cluster(config.scheduler, config) as cluster:
            yield from in_order(jobs, cluster.submit, cluster.num_at_once)


def _run_here(jobs: Sequence[Job], config: ClipsConfig) -> Iterator[tuple[Job, list[Cut]]]:
    pool = CutterPool(config, min(config.processes, len(jobs)))
    threads = ThreadPoolExecutor(config.processes)
    try:
        yield from in_order(
            jobs, lambda job: threads.submit(pool.cut, job), lambda: config.processes + 1
        )
    finally:
        pool.stop()
        threads.shutdown()


def in_order(
    jobs: Sequence[Job], submit: Callable[[Job], Future], num_at_once: Callable[[], int]
) -> Iterator[tuple[Job, list[Cut]]]:
    """Results of all jobs in order, with a bounded number of them not yet yielded."""
    rest = iter(jobs)
    begun: deque[tuple[Job, Future]] = deque()
    try:
        while True:
            free = max(num_at_once() - len(begun), 0 if begun else 1)
            begun.extend((job, submit(job)) for job in islice(rest, free))
            if not begun:
                return
            job, future = begun.popleft()
            yield job, future.result()
    finally:
        for _, future in begun:
            future.cancel()
