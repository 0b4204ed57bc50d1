"""The thread that owns the engine: prompts are run and tokens written in turn, for all requests.

Each round takes in at most one prompt and then writes a token of every open answer, so that a long
prompt delays the others by itself only, and nobody waits for another one's last token. Requests
come in in order. What one needs is known from its layout, before anything is computed.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread

import numpy as np

from eilev.bundle.answers import Answer, Writing
from eilev.bundle.batch import Batch
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.bundle.passes import Features
from eilev.bundle.rows import Rows
from eilev.bundle.scoring import score_rows
from eilev.clips.frame_choice import Frames
from eilev.inputs.interleave import Layout

_LOG = logging.getLogger(__name__)
_MAX_CHUNK = 64


# Answers after a token, scores, features of the videos, or what went wrong.
Told = list[Answer] | list[float] | Features | Exception


@dataclass(frozen=True)
class Prompt:
    """What is run before the first token.

    layout: of the whole episode. context: what the decoder has seen of it already. frames and
    features: each clip after the context is in one of them, by its number.
    """

    layout: Layout
    frames: Mapping[int, Frames]
    features: Mapping[int, Features]
    context: Rows | None = None


@dataclass
class Job:
    """A request, from the moment its videos are there.

    streamed: whether the answers are wanted after each token, or only finished. deliver: called in
    the engine's thread with copies of them, or once with what went wrong. encoded and prefilled:
    told what may be kept. candidates: token ids of narrations to score in place of writing one;
    their scores are delivered at once. only_encoded: the features are delivered, and the prompt is
    not run.
    """

    prompt: Prompt
    writing: Writing
    streamed: bool
    deliver: Callable[[Told], None]
    encoded: Callable[[int, Features], None]
    prefilled: Callable[[Rows], None]
    candidates: Sequence[Sequence[int]] = ()
    only_encoded: bool = False
    # Set by whoever waits for it: nothing more is done.
    cancelled: bool = False
    answers: list[Answer] = field(default_factory=list)

    @property
    def finished(self) -> bool:
        """Whether all its answers are."""
        return all(answer.finish_reason for answer in self.answers)

    def tell(self) -> None:
        """Deliver the answers as far as they are wanted."""
        if self.streamed or self.finished:
            self.deliver([answer.copy() for answer in self.answers])


class Scheduler:
    """Jobs in, answers out."""

    def __init__(self, engine: OnnxEngine, max_bytes: int):
        self._engine = engine
        self._max_bytes = max_bytes
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._waiting: deque[Job] = deque()
        self._open: list[Job] = []
        self._batch = Batch(engine)
        self._closing = False
        self._thread = Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        """Jobs whose prompt has not been run."""
        return self._inbox.qsize() + len(self._waiting)

    @property
    def num_running(self) -> int:
        """Jobs whose answers are being written."""
        return len(self._open)

    def num_bytes(self, num_positions: int, num_answers: int) -> int:
        """Keys and values of so many answers that have so many positions each."""
        shape = self._engine.manifest.cache
        crossed = 1 + (self._engine.manifest.family == "encoder_decoder")
        itemsize = np.dtype(self._engine.float_type).itemsize
        position = 2 * shape.num_layers * shape.num_heads * shape.head_dim * itemsize * crossed
        return num_positions * num_answers * position

    def could_fit(self, num_positions: int, num_answers: int) -> bool:
        """Whether so many answers with so many positions each may be written at the same time."""
        return self.num_bytes(num_positions, num_answers) <= self._max_bytes

    def submit(self, job: Job) -> None:
        """Take in a job; a cancelled one costs nothing."""
        self._inbox.put(job)

    def close(self) -> None:
        """End the thread after the jobs that there are; nothing may be submitted after it."""
        self._inbox.put(None)
        self._thread.join()

    def _run(self) -> None:
        while not (self._closing and not self._open and not self._waiting):
            self._receive()
            self._forget()
            self._admit()
            self._write()

    def _receive(self) -> None:
        idle = not self._open and not self._waiting and not self._closing
        while idle or not self._inbox.empty():
            job = self._inbox.get()
            idle = False
            if job is None:
                self._closing = True
            else:
                self._waiting.append(job)

    def _forget(self) -> None:
        """Drop the jobs that nobody waits for."""
        self._waiting = deque(job for job in self._waiting if not job.cancelled)
        gone = {id(answer) for job in self._open if job.cancelled for answer in job.answers}
        if gone:
            self._open = [job for job in self._open if not job.cancelled]
            self._batch.leave(lambda answer: id(answer) in gone)

    def _admit(self) -> None:
        if not self._waiting or not self._fits(self._waiting[0]):
            return
        job = self._waiting.popleft()
        try:
            self._begin(job)
        except Exception as error:  # one request's failure is its own
            _LOG.exception("a prompt failed")
            job.deliver(error)

    def _fits(self, job: Job) -> bool:
        jobs = [*self._open, job]
        longest = max(len(one.prompt.layout.input_ids) + one.writing.max_new_tokens for one in jobs)
        num_answers = sum(one.writing.num_answers for one in jobs)
        # Alone, each fits: it was refused otherwise.
        return not self._open or self.could_fit(longest, num_answers)

    def _begin(self, job: Job) -> None:
        features = self._encode(job)
        if job.only_encoded:
            job.deliver(features)
            return
        prompt = job.prompt
        rows, logits = self._engine.prefill(prompt.layout, features, prompt.context)
        job.prefilled(rows)
        if job.candidates:
            chunk = self._chunk_size(job)
            job.deliver(score_rows(self._engine, rows, logits, job.candidates, chunk))
            return
        job.answers = self._engine.answers(prompt.layout, job.writing)
        self._batch.join(rows, logits[0, -1], job.answers)
        job.tell()
        if not job.finished:
            self._open.append(job)

    def _chunk_size(self, job: Job) -> int:
        """Candidates that are scored at the same time: each has the prompt's keys and values."""
        num_positions = len(job.prompt.layout.input_ids) + job.writing.max_new_tokens
        return min(_MAX_CHUNK, max(1, self._max_bytes // self.num_bytes(num_positions, 1)))

    def _encode(self, job: Job) -> Features:
        prompt = job.prompt
        encoded = self._engine.encode(list(prompt.frames.values()))
        new = dict(zip(prompt.frames, encoded, strict=True))
        for number, features in new.items():
            # A copy, as a view would keep all of them.
            job.encoded(number, features.copy())
        every = {**prompt.features, **new}
        return np.stack([every[number] for number in sorted(every)]) if every else encoded

    def _write(self) -> None:
        try:
            self._batch.step()
        except Exception as error:
            _LOG.exception("a step failed")
            failed, self._open, self._batch = self._open, [], Batch(self._engine)
            for job in failed:
                job.deliver(error)
            return
        for job in self._open:
            job.tell()
        self._open = [job for job in self._open if not job.finished]
