"""How soon a server tells its health, asked by a process that does nothing else.

A client that is busy itself would add its own delays.
"""

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

import numpy as np

_PAUSE_S = 0.05
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Health:
    """Answers to /health, each over a connection of its own, and connections that were refused."""

    answers: int
    refused: int
    p50_s: float
    p99_s: float
    worst_s: float

    def figures(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@contextmanager
def watch(url: str) -> Iterator[Callable[[], Health]]:
    """Ask all the time; what is yielded ends that and tells what came of it, once."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_ask, args=(url, theirs), daemon=True)
    process.start()
    ours.recv()  # it has started

    def told() -> Health:
        ours.send("enough")
        seconds, refused = ours.recv()
        p50, p99, worst = np.percentile(seconds or [0.0], [50, 99, 100]).round(3).tolist()
        return Health(len(seconds), refused, p50, p99, worst)

    try:
        yield told
    finally:
        process.kill()
        process.join()


def _ask(url: str, connection: Connection) -> None:
    seconds, refused = list[float](), 0
    connection.send("started")
    while not connection.poll(_PAUSE_S):
        start = time.monotonic()
        try:
            _ask_once(url)
        except OSError:  # it does not listen any more
            refused += 1
        else:
            seconds.append(time.monotonic() - start)
    connection.send((seconds, refused))


def _ask_once(url: str) -> None:
    """Ask (OSError: nobody listens)."""
    client = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_S)
    client.request("GET", "/health")
    status = client.getresponse().status
    client.close()
    if status != 200:
        raise OSError(f"/health answers {status}")
