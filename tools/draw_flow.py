"""docs/images/data_flow.svg: which stage writes which data, and which stages read them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools import svg

_MARGIN, _LABELS, _COLUMN, _ROW, _HEAD = 20, 226, 94, 25, 42
_WRITER, _READER = "#5b9a80", "#d08b2d"
# A value of params.yaml, as dvc.yaml puts it in.
_PARAM = re.compile(r"\$\{(?P<key>[\w.]+)\}")
# Stages that depend on the list of the videos read the videos.
_STANDS_FOR = {"data/inventory/videos.json": "${ingest.videos}"}


@dataclass(frozen=True)
class Data:
    """A file or folder that a stage writes."""

    path: str
    writer: str
    readers: tuple[str, ...]


def read_flow(root: Path) -> tuple[Sequence[str], Sequence[Data]]:
    """Stages in their order, and what they write and read of each other's, from dvc.yaml."""
    stages: Mapping[str, Any] = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    params = yaml.safe_load((root / "params.yaml").read_text())
    reads = {
        name: [_with_value(dep, params) for dep in stage["deps"]] for name, stage in stages.items()
    }
    written = [(name, path) for name, stage in stages.items() for path in _outs(stage)]
    return [*stages], [
        Data(
            path,
            writer,
            tuple(name for name, deps in reads.items() if any(_is_in(dep, path) for dep in deps)),
        )
        for writer, path in written
    ]


def draw_flow(stages: Sequence[str], data: Sequence[Data]) -> str:
    """The picture as SVG: a column per stage, a line per file or folder."""
    column = {name: _MARGIN + _LABELS + (n + 0.5) * _COLUMN for n, name in enumerate(stages)}
    width = _MARGIN * 2 + _LABELS + _COLUMN * len(stages)
    bottom = _MARGIN + _HEAD + _ROW * len(data)
    pieces = []
    for number, name in enumerate(stages):
        if number % 2 == 0:
            corner = (column[name] - _COLUMN / 2, float(_MARGIN))
            pieces.append(svg.rectangle(corner, (_COLUMN, bottom - _MARGIN), svg.BAND))
        pieces.append(svg.text((column[name], _MARGIN + 24), name, 14, weight=600))
    for row, item in enumerate(data):
        pieces += _lane(item, _MARGIN + _HEAD + (row + 0.5) * _ROW, column)
    pieces += _legend(bottom + 14)
    return svg.page(width, bottom + 42, "Which stage writes and reads which data", pieces)


def _lane(item: Data, y: float, column: Mapping[str, float]) -> Iterable[str]:
    start = column[item.writer]
    yield svg.text((_MARGIN + _LABELS - 12, y + 4), item.path, 12.5, anchor="end")
    if item.readers:
        yield svg.line((start, y), (max(column[name] for name in item.readers), y))
    for name in item.readers:
        yield svg.dot((column[name], y), 5, svg.PAPER, _READER)
    yield svg.rectangle((start - 6, y - 6), (12, 12), _WRITER, radius=2)


def _legend(y: float) -> Iterable[str]:
    x = float(_MARGIN + _LABELS)
    yield svg.rectangle((x, y), (12, 12), _WRITER, radius=2)
    yield svg.text((x + 20, y + 10), "writes it", 12, svg.SOFT, anchor="start")
    yield svg.dot((x + 104, y + 6), 5, svg.PAPER, _READER)
    yield svg.text((x + 117, y + 10), "reads it, or a part of it", 12, svg.SOFT, anchor="start")


def _outs(stage: Mapping[str, Any]) -> Iterable[str]:
    for out in [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]:
        yield out if isinstance(out, str) else next(iter(out))


def _with_value(path: str, params: Any) -> str:
    path = _STANDS_FOR.get(path, path)

    def value(found: re.Match[str]) -> str:
        entry = params
        for part in found["key"].split("."):
            entry = entry[part]
        return str(entry)

    return _PARAM.sub(value, path)


def _is_in(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)
