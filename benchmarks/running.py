"""A server as a process of its own, as tests and benchmarks start it: in this one place."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

COMMAND = [sys.executable, "-m", "eilev.cli", "serve", "--bundle"]
# Until it answers; a busy machine has its time.
_START_S, _END_S = 300.0, 120.0


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """A process that answers at a port of this machine; `ready_s` is how long its start took."""

    process: subprocess.Popen[bytes]
    port: int
    ready_s: float

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(bundle: Path, *options: str) -> Iterator[Server]:
    """Start a server that answers, and stop it in the end, whatever happens.

    Raises:
        RuntimeError: it ended before it answered, or not as it should.
    """
    port, start = free_port(), time.monotonic()
    process = subprocess.Popen([*COMMAND, str(bundle), "--port", str(port), *options])
    try:
        _wait_until_ready(process, port)
        ready_s = time.monotonic() - start
        children = psutil.Process(process.pid).children(recursive=True)
        yield Server(process, port, ready_s)
        process.terminate()
        code = process.wait(timeout=_END_S)
        _, left = psutil.wait_procs(children, timeout=10)
        if code not in (0, -signal.SIGTERM) or left:
            raise RuntimeError(f"the server ended with {code} and left {len(left)} processes")
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it answered")
        try:
            httpx.get(f"http://127.0.0.1:{port}/health", timeout=30).raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"the server does not answer after {_START_S:g} s")
