"""Answers as they come, kept line by line: a run that was killed goes on where it was."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from eilev.io import DataError


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered.

    confidence: probability of the whole answer, None where its tokens' were not told, as are counts
    of tokens. finish_reason: "length" where the answer was cut off.
    """

    text: str
    finish_reason: str | None = None
    confidence: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class AnswerLog:
    """The answers of a file by the keys of their requests; use `open_log`."""

    def __init__(self, path: Path, answers: dict[str, Answer]):
        self._file = path.open("a")
        self.answers = answers

    def add(self, key: str, answer: Answer) -> None:
        """Keep an answer, whatever happens to this process afterwards."""
        self._file.write(json.dumps({"key": key, **asdict(answer)}) + "\n")
        self._file.flush()
        self.answers[key] = answer

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def open_log(path: Path) -> Iterator[AnswerLog]:
    """Open a file of answers to read and go on with; a last line that is torn is dropped.

    Raises:
        DataError: it is not such a file; the line is named.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    answers, whole = _read_file(path)
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(whole)
    log = AnswerLog(path, answers)
    try:
        yield log
    finally:
        log.close()


def read_answers(path: Path) -> dict[str, Answer]:
    """The answers of a file, which another process may be writing; none where there is no file.

    Raises:
        DataError: as `open_log`.
    """
    return _read_file(path)[0]


def _read_file(path: Path) -> tuple[dict[str, Answer], int]:
    """Answers by their keys, and the bytes of the lines that are whole."""
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    lines = enumerate(whole.splitlines(), start=1)
    answers = dict(_read(line, f"{path}: line {number}") for number, line in lines)
    return answers, len(whole)


def _read(line: bytes, place: str) -> tuple[str, Answer]:
    try:
        fields = json.loads(line)
        return fields.pop("key"), Answer(**fields)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise DataError(f"{place}: not an answer; choose another folder with --out") from error
