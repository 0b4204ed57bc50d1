"""Notes of answered requests for `eilev drift`: known words and figures, no videos, no other words.

A thread of its own writes them, into files that are bounded in size and number.
"""

import logging
import sys
import time
from contextlib import ExitStack
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import Queue
from typing import Any

from eilev.lifetime.exclusive import exclusive
from eilev.serving.logs import LOG
from eilev.serving.service import Written
from eilev.traffic import LOG_FILE, Features, LoggedRequest, mask, read_reference, summarize

# Notes that wait to be written; a disk that is slower than that loses some, no request waits.
_MAX_WAITING = 256


class RequestLog:
    """Writes notes until it is closed.

    Args:
        folder: for the files; one server at a time writes there.
        reference: what `eilev drift --write-reference` wrote; its words may be noted.
        max_bytes: of one file.
        num_files: that are kept; the oldest is dropped.

    Raises:
        OSError: the folder can't be written to, or another server is writing there.
        DataError: the reference can't be read.
    """

    def __init__(self, folder: Path, reference: Path, max_bytes: int, num_files: int):
        lines = _Lines(frozenset(read_reference(reference).vocabulary))
        with ExitStack() as held:
            held.enter_context(exclusive(folder / ".lock", wait_s=0))
            files = _Files(folder / LOG_FILE, maxBytes=max_bytes, backupCount=num_files - 1)
            held.callback(files.close)
            files.setFormatter(lines)
            waiting: Queue[Any] = Queue(_MAX_WAITING)
            self._inbox = _Inbox(waiting)
            listener = _Listener(waiting, files)
            listener.start()
            held.callback(listener.stop)
            self._held = held.pop_all()

    def note(self, written: Written, features: Features | None, seconds: float) -> None:
        """Have a finished answer noted; returns at once.

        Args:
            written: of several answers, the first one is noted.
            features: of the clip that is asked about, where they are still kept.
            seconds: from the request's last byte to the answer's last token.
        """
        self.put(_described(written, features, seconds))

    def put(self, request: LoggedRequest) -> None:
        """Have a line written, without the words that the training has not."""
        self._inbox.handle(logging.makeLogRecord({"msg": request}))

    def close(self) -> None:
        """Write what is waiting, and end."""
        self._held.close()


def _described(written: Written, features: Features | None, seconds: float) -> LoggedRequest:
    """What is noted of a request, all of its words still in it; nothing that holds its videos."""
    asked, answer = written.asked, written.answers[0]
    *context, _query = asked.chat.turns
    mean, std = (None, None) if features is None else summarize(features)
    return LoggedRequest(
        time=time.time(),
        model=asked.model_id,
        fingerprint=asked.model.fingerprint,
        shots=len(context),
        context=tuple(turn.narration or turn.prompt for turn in context),
        answer=answer.text,
        # Probabilities may round to just above 1.
        confidence=min(answer.confidence, 1.0),
        feature_mean=mean,
        feature_std=std,
        prompt_tokens=len(asked.layout.input_ids),
        completion_tokens=sum(each.num_new_tokens for each in written.answers),
        seconds=round(seconds, 4),
    )


class _Lines(logging.Formatter):
    """A line of JSON, with the words of the training narrations only."""

    def __init__(self, vocabulary: frozenset[str]):
        super().__init__()
        self._vocabulary = vocabulary

    def format(self, record: logging.LogRecord) -> str:
        noted: Any = record.msg
        masked = {
            "context": tuple(mask(text, self._vocabulary) for text in noted.context),
            "answer": mask(noted.answer, self._vocabulary),
        }
        line: str = noted.model_copy(update=masked).model_dump_json()
        return line


class _Inbox(QueueHandler):
    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record  # the writing thread formats it

    def handleError(self, _: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        LOG.warning("requests come faster than they can be noted: one was left out")


class _Listener(QueueListener):
    def __init__(self, waiting: Queue[Any], files: logging.Handler):
        super().__init__(waiting, files)
        self._waiting = waiting

    def enqueue_sentinel(self) -> None:
        self._waiting.put(None)  # waits for room; logging's own fails without any


class _Files(RotatingFileHandler):
    def handleError(self, _: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        error = sys.exception()
        LOG.warning("a request could not be noted in %s: %s", self.baseFilename, error)
