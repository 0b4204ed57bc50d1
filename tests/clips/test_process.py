"""Real crashes, hangs and floods in real processes."""

import os
import time
from collections.abc import Iterator

import pytest

from eilev.clips import process
from eilev.clips.limits import Allow
from eilev.clips.process import MEMORY_BYTES, Worker, WorkerError


def work(request: str, allow: Allow) -> Iterator[str]:
    yield f"begins {request}"
    if request == "crash":
        os.abort()
    if request == "hang":
        allow(0.2)
        time.sleep(600)
    if request == "flood":
        yield str(len(bytearray(MEMORY_BYTES)))
    if request == "refuse":
        raise ValueError("not this one")
    yield "done"


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker[str, str]]:
    worker = Worker(work)
    yield worker
    worker.stop()


def test_answers_come_one_by_one(worker: Worker[str, str]) -> None:
    assert list(worker.ask("work")) == ["begins work", "done"]
    assert list(worker.ask("again")) == ["begins again", "done"]


@pytest.mark.parametrize(
    ("request_", "kind", "reason"),
    [
        ("crash", WorkerError, "crashes the decoder"),
        ("hang", WorkerError, r"takes longer than 0\.2 s"),
        ("flood", ValueError, "more than 2 GiB"),
        ("refuse", ValueError, "not this one"),
    ],
)
def test_what_goes_wrong_is_an_error_and_the_next_request_is_answered(
    worker: Worker[str, str], request_: str, kind: type[ValueError], reason: str
) -> None:
    answers = worker.ask(request_)
    assert next(answers) == f"begins {request_}"
    with pytest.raises(kind, match=reason):
        next(answers)
    assert list(worker.ask("work")) == ["begins work", "done"]


def test_answers_that_nobody_wants_are_not_taken_for_the_next_ones(
    worker: Worker[str, str],
) -> None:
    answers = worker.ask("work")
    next(answers)
    answers.close()
    assert list(worker.ask("again")) == ["begins again", "done"]


def test_a_process_that_does_not_start_is_no_fault_of_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "_MAIN", "raise SystemExit(1)")
    worker: Worker[str, str] = Worker(work)
    with pytest.raises(RuntimeError, match="no decoding process can be started"):
        list(worker.ask("work"))
    worker.stop()
