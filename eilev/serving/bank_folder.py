"""A folder of narrated clips to a bank: its table is read, the clips are decoded and encoded."""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eilev.bundle.bank import Bank, Example, Features
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.bundle.passes import VISION_BATCH
from eilev.clips.frame_choice import Frames
from eilev.io import DataError
from eilev.serving.decoding import ClipFormat, DecoderPool
from eilev.serving.logs import LOG
from eilev.serving.media import MediaError, Segment
from eilev.serving.protocol import MAX_NARRATION

TABLES = ("bank.csv", "bank.tsv")
NEEDED = ("file", "narration")
_DELIMITERS = ",;\t"


class BankError(DataError):
    """A folder has no table, or nothing in it can be used; the message names the file."""


@dataclass(frozen=True)
class _Line:
    """A line of a table: the example, and where and which part of a file its clip is."""

    example: Example
    path: Path
    segment: Segment | None


@dataclass(frozen=True)
class BankFolder:
    """Where the clips are, what decodes them, and how much may be kept of them."""

    folder: Path
    decoders: DecoderPool
    max_bytes: int

    def read(self, engine: OnnxEngine) -> Bank:
        """The clips as a model sees them; lines that can't be used are logged and left out.

        Raises:
            BankError: there is no table, it lacks a column, or none of its lines can be used.
        """
        table, manifest = _table(self.folder), engine.manifest
        bank = Bank.empty(self.max_bytes, manifest.num_query_tokens, manifest.hidden_size)
        lines = _lines(table)
        examples: list[Example] = []
        features: list[Features] = []
        while lines and len(examples) < bank.max_examples:
            number = min(VISION_BATCH, bank.max_examples - len(examples))
            batch, lines = lines[:number], lines[number:]
            decoded = self._decode(batch, ClipFormat(manifest.num_frames, manifest.frame_size))
            examples += [example for example, _ in decoded]
            features.append(engine.encode([frames for _, frames in decoded]))
        for line in lines:
            _leave_out(line.example.id, "no room; see --bank-mib")
        if not examples:
            raise BankError(f"{table}: no line of it can be used; the lines above tell why")
        LOG.info("%s: %d examples", table, len(examples))
        return bank.extended(examples, np.concatenate(features))

    def _decode(self, lines: Sequence[_Line], clip: ClipFormat) -> list[tuple[Example, Frames]]:
        def read(line: _Line) -> Frames | None:
            try:
                return self.decoders.read(line.path, clip, line.segment)
            except MediaError as error:
                _leave_out(line.example.id, f"{line.example.file}: {error}")
                return None

        with ThreadPoolExecutor(self.decoders.num_workers) as threads:
            frames = list(threads.map(read, lines))
        pairs = zip(lines, frames, strict=True)
        return [(line.example, found) for line, found in pairs if found is not None]


def _table(folder: Path) -> Path:
    found = [folder / name for name in TABLES if (folder / name).is_file()]
    if len(found) != 1:
        both, neither = " and ".join(TABLES), " nor ".join(TABLES)
        there = f"both {both}" if found else f"neither {neither}"
        raise BankError(f"{folder}: there is {there}; one is needed")
    return found[0]


def _lines(table: Path) -> list[_Line]:
    """Those that name a file, a narration and, if any, a part of the file."""
    lines = []
    for place, row in _rows(table):
        try:
            lines.append(_line(table.parent, place, row))
        except ValueError as error:
            _leave_out(place, str(error))
    return lines


def _rows(table: Path) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Place and cells by column of each row below the header; None has what is too much."""
    try:
        text = table.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BankError(f"{table}: not UTF-8: {error}") from error
    header, *_ = text.splitlines() or [""]
    delimiter = max(_DELIMITERS, key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        if missing := [name for name in NEEDED if name not in reader.fieldnames]:
            raise BankError(f"{table}: no column {' and '.join(missing)}; it has '{header}'")
        for row in reader:
            yield f"{table.name}, line {reader.line_num}", row
    except csv.Error as error:
        why = f"{error}; is a quotation mark out of place?"
        raise BankError(f"{table}: after line {reader.line_num}: {why}") from error


def _line(folder: Path, place: str, row: Mapping[Any, Any]) -> _Line:
    """Read a row (ValueError: why it can't be used)."""
    if None in row or None in row.values():
        raise ValueError("it has not as many fields as the header")
    file = row["file"].strip()
    # A newline ends a narration.
    narration = " ".join(row["narration"].split())
    if not narration or len(narration) > MAX_NARRATION:
        raise ValueError(f"a narration has 1 to {MAX_NARRATION} characters, not {len(narration)}")
    if not file or not (folder / file).is_file():
        raise ValueError(f"file: '{file}' is not a file in {folder}")
    segment = _segment(row.get("start", "").strip(), row.get("end", "").strip())
    return _Line(Example(place, narration, file), folder / file, segment)


def _segment(start: str, end: str) -> Segment | None:
    if not start and not end:
        return None
    try:
        segment = float(start), float(end)
    except ValueError as error:
        raise ValueError(f"start '{start}' and end '{end}' are not both seconds") from error
    if not 0 <= segment[0] < segment[1] < math.inf:
        raise ValueError(f"start '{start}' does not lie before end '{end}'")
    return segment


def _leave_out(place: str, reason: str) -> None:
    LOG.warning("%s: %s; left out", place, reason)
