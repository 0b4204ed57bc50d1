"""A process that does what may crash, hang or eat memory, and that never outlives its parent.

A damaged file can abort the decoder's process or keep it busy for ever. The work says before each
step how long it may take; a process that is silent for longer is killed and replaced.
"""

import ctypes
import os
import queue
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Generic, TypeVar

from eilev.clips.limits import Allow

_Request = TypeVar("_Request")
_Answer = TypeVar("_Answer")
Work = Callable[[_Request, Allow], Iterator[_Answer]]

# Private memory of a process: several times what frames of the largest size take.
MEMORY_BYTES = 2 << 30
# Until a process has started, and until it says how long its first step takes.
_START_S, _FIRST_S = 120.0, 60.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_MAIN = "import sys; from eilev.clips.process import main; main(*map(int, sys.argv[1:]))"
# A child is told of the end of the thread that started it, so one thread that lasts starts all.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="starts processes")

# What a child says: how long the next step may take, an answer, the reason why there is none, the
# end of the answers.
_ALLOWED, _ANSWER, _REFUSED, _END = range(4)
_STARTED = "started"


class WorkerError(ValueError):
    """The work crashed its process or took too long; the message is the reason."""


class Worker(Generic[_Request, _Answer]):
    """One process and our end of the pipe to it; for one thread at a time.

    Args:
        work: a function of a module (it is pickled) that yields the answers to a request.
        at_most_s: bounds how long any step may take, whatever the work asks for.
    """

    _started: bool

    def __init__(self, work: "Work[_Request, _Answer]", at_most_s: float = float("inf")) -> None:
        self._work, self._at_most_s = work, at_most_s
        self._started: bool = False
        self._start()

    def ask(self, request: _Request) -> Iterator[_Answer]:
        """Yield the answers to a request; to be read to their end.

        Raises:
            ValueError: the work refuses the request.
            WorkerError: the work crashes or takes too long; a new process is ready.
            RuntimeError: no process can be started; its own messages tell why.
        """
        if self._process.poll() is not None:  # ended from outside since the last request
            self._restart()
        self._wait_for_start()
        done = False
        try:
            self._connection.send(request)
            yield from self._answers()
            done = True
        except (EOFError, OSError) as error:
            raise WorkerError("damaged (it crashes the decoder)") from error
        except _RefusedRequestError as error:
            done = True
            raise ValueError(str(error)) from error
        finally:
            if not done:
                self._restart()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._connection.close()

    def _wait_for_start(self) -> None:
        if self._started:
            return
        try:
            self._started = self._connection.poll(_START_S) and self._connection.recv() == _STARTED
        except (EOFError, OSError) as error:
            raise RuntimeError("no decoding process can be started") from error
        if not self._started:
            raise RuntimeError(f"a decoding process takes longer than {_START_S:g} s to start")

    def _answers(self) -> Iterator[_Answer]:
        allowed_s = min(_FIRST_S, self._at_most_s)
        while True:
            if not self._connection.poll(allowed_s):
                raise WorkerError(f"decoding takes longer than {allowed_s:.3g} s")
            kind, content = self._connection.recv()
            if kind == _ANSWER:
                yield content
            elif kind == _ALLOWED:
                allowed_s = min(content, self._at_most_s)
            elif kind == _REFUSED:
                raise _RefusedRequestError(content)
            else:
                return

    def _start(self) -> None:
        self._connection, theirs = Pipe()
        self._started = False
        command = [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno()), str(os.getpid())]
        # The child finds the modules that we have found.
        path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
        env = os.environ | {"PYTHONPATH": path}
        self._process = _STARTER.submit(
            subprocess.Popen,
            command,
            env=env,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        ).result()
        theirs.close()
        with suppress(BrokenPipeError):  # said when it is first asked
            self._connection.send(self._work)

    def _restart(self) -> None:
        self.stop()
        self._start()


class WorkerPool(Generic[_Request, _Answer]):
    """Several workers for the same work, for as many threads.

    Attributes:
        workers: all of them.
    """

    def __init__(self, work: "Work[_Request, _Answer]", num_workers: int) -> None:
        self.workers = [Worker(work) for _ in range(num_workers)]
        self._idle: queue.SimpleQueue[Worker[_Request, _Answer]] = queue.SimpleQueue()
        for worker in self.workers:
            self._idle.put(worker)

    def ask(self, request: _Request) -> Iterator[_Answer]:
        """As `Worker.ask`; waits for an idle one."""
        worker = self._idle.get()
        try:
            yield from worker.ask(request)
        finally:
            self._idle.put(worker)

    def stop(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.stop()


class _RefusedRequestError(ValueError):
    """What the work said of the request."""


def main(descriptor: int, parent: int) -> None:
    """Answer requests from a pipe until its other end is closed; what a child runs."""
    _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal: the parent ends us
    connection = Connection(descriptor)
    with suppress(EOFError, BrokenPipeError):
        work: Work[Any, Any] = connection.recv()
        connection.send(_STARTED)
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        while True:
            _answer(connection, work, connection.recv())


def _answer(connection: Connection, work: "Work[Any, Any]", request: Any) -> None:
    def allow(seconds: float) -> None:
        connection.send((_ALLOWED, seconds))

    try:
        for answer in work(request, allow):
            connection.send((_ANSWER, answer))
    except MemoryError:
        connection.send((_REFUSED, f"decoding it takes more than {MEMORY_BYTES >> 30} GiB"))
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        connection.send((_REFUSED, str(error)))
    else:
        connection.send((_END, None))


def _end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before
        sys.exit(1)
