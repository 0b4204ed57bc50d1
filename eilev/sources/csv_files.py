"""CSV files as people and programs write them, row by row; what can't be read costs its own row."""

import codecs
import csv
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from charset_normalizer import from_bytes

from eilev.io import DataError

# What spreadsheets write in English beside UTF-8.
_ENCODINGS = ["cp1252", "utf_16", "utf_16_le", "utf_16_be"]
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DELIMITERS = ",;\t|"
_CHUNK = 1 << 20
# What Python writes for bytes that it could not decode.
_UNDECODED = re.compile("[\udc80-\udcff\ufffd]")
_WIDE = re.compile("[^\x00-\x7f\udc80-\udcff]")


@dataclass(frozen=True)
class Record:
    """A row of a file.

    Attributes:
        place: where it stands, as an editor shows it: "t.csv, line 5".
        cells: column to cell; empty where the row can't be read.
        fault: why it can't be read; empty where it can.
        text: the row as it stands, where it can't be read.
    """

    place: str
    cells: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    text: str = ""


@dataclass(frozen=True)
class Layout:
    """How a CSV file is written, and its columns in lower case."""

    encoding: str
    delimiter: str
    columns: tuple[str, ...]


def find_encoding(path: Path) -> str:
    """UTF-8 wherever the file is, but for single broken characters; else what fits best."""
    if _is_utf8(path):
        return "utf-8-sig"
    data = path.read_bytes()
    if data.startswith(_UTF_16_MARKS):
        return "utf_16"
    text = data.decode("utf-8", "surrogateescape")
    if len(_WIDE.findall(text)) > len(_UNDECODED.findall(text)):
        return "utf-8-sig"
    guess = from_bytes(data, cp_isolation=_ENCODINGS).best()
    return "cp1252" if guess is None else guess.encoding


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK):
                if "\0" in decoder.decode(chunk):  # UTF-16 without a mark.
                    return False
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def is_decoded(text: str) -> bool:
    """Whether every byte of a text that `open_text` read is a character of its encoding."""
    return text.isascii() or not _UNDECODED.search(text)


def printable(text: str) -> str:
    """The text with bytes that are no characters written out, as UTF-8 can hold it."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").strip()


def open_text(path: Path, encoding: str) -> TextIO:
    """Open a file so that bytes that are no characters cost their own row (`is_decoded`)."""
    errors = "replace" if encoding.startswith("utf_16") else "surrogateescape"
    return path.open(newline="", encoding=encoding, errors=errors)


def read_layout(path: Path, needed: Collection[str]) -> Layout:
    """Find encoding and columns; the delimiter is the one that separates most needed columns.

    Raises:
        DataError: the file is not text.
    """
    encoding = find_encoding(path)
    try:
        with open_text(path, encoding) as file:
            lines = (line for line in file if line.strip() and not _names_delimiter(line))
            header = next(lines, "")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not text in {encoding}: {error}") from error
    found = {delimiter: _columns(header, delimiter) for delimiter in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda delimiter: len({*found[delimiter]} & {*needed}))
    return Layout(encoding, best, found[best])


def _columns(header: str, delimiter: str) -> tuple[str, ...]:
    names = next(csv.reader([header], delimiter=delimiter), [])
    return tuple(printable(name).lower() for name in names)


def _names_delimiter(line: str) -> bool:
    """Whether it is the line with which Excel is told the delimiter."""
    return line.lower().startswith("sep=")


def read_rows(path: Path, layout: Layout) -> Iterator[Record]:
    """Every row below the header.

    Raises:
        DataError: the file is not text in its encoding.
    """
    with open_text(path, layout.encoding) as file:
        try:
            for number, row in _parse(_Lines(file), layout.delimiter):
                place = f"{path.name}, line {number}"
                if isinstance(row, str):
                    yield Record(place, fault="a quotation mark is out of place", text=row)
                else:
                    yield _record(place, row, layout)
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not text in {layout.encoding}: {error}") from error


def _record(place: str, row: list[str], layout: Layout) -> Record:
    columns, text = layout.columns, layout.delimiter.join(row)
    # Spreadsheets fill rows up with empty cells.
    cells = row[: len(columns)] if not any(row[len(columns) :]) else row
    if not is_decoded(text):
        return Record(place, fault=f"not in {layout.encoding}", text=printable(text))
    if len(cells) != len(columns):
        fault = f"{len(cells)} fields, but the header has {len(columns)}"
        return Record(place, fault=fault, text=text)
    return Record(place, dict(zip(columns, cells, strict=True)))


def _parse(lines: "_Lines", delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """Number of its first line and the fields of each row after the first one, the header.

    Or, of a line with a quotation mark that is never closed or goes on after it, the line as it is:
    it must not swallow the rows after it.
    """
    header = False
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        lines.begin()
        row: list[str] | str
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            row = printable(lines.give_back())
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
        if header and row:
            yield lines.first, row
        header = header or bool(row and not _names_delimiter(row[0]))


class _Lines:
    """Lines of a file; those that a row took in error can be given back."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        # Number of the current row's first line.
        self.first = 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._file)
        self._taken.append(line)
        return line

    def begin(self) -> None:
        """The lines so far belong to earlier rows."""
        self.first += len(self._taken)
        self._taken.clear()

    def give_back(self) -> str:
        """Give all lines of this row back but its first, which is returned."""
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        return self._taken[0]
