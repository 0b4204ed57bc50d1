"""What a run came to, by its lock file: parameters, series of metrics, small files."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from eilev import paths
from eilev.io import DataError
from eilev.lineage.locks import Item, made_by, read_lock
from eilev.lineage.versions import LOCK, cached, git

# Their figures become metrics, under the name of their stage.
_FIGURES = (paths.TRAIN_METRICS, paths.TRAIN_EFFORT, paths.METRICS, paths.EXPORT_METRICS)
# DVCLive's series, in its folder.
_SERIES = PurePosixPath("plots", "metrics")


@dataclass(frozen=True)
class Point:
    """A value of a metric; the step is the optimiser's, or the number of shots."""

    name: str
    step: int
    value: float


@dataclass(frozen=True)
class Record:
    """A run: the digest of its lock file, its commit, parameters, metrics, files by path."""

    digest: str
    commit: str
    params: Mapping[str, str]
    points: list[Point]
    files: Mapping[str, bytes]


def read_record(revision: str | None, root: Path, cache: Path) -> Record:
    """Read the run that a lock file describes.

    Args:
        revision: a commit, tag, branch or DVC experiment; None for the working tree.
        root: of the repository.
        cache: DVC's, of files by their MD5.

    Raises:
        DataError: no such revision, nothing was trained there, or DVC's cache lacks a result.
    """
    commit = _commit(revision, root)
    text = _lock(revision, commit, root)
    steps = read_lock(text, LOCK)
    items = {out.path: out for step in steps.values() for out in step.outs}
    if made_by(str(paths.LIVE), steps) is None:
        raise DataError(f"{LOCK} of {revision or 'the working tree'}: nothing has been trained")
    files = {str(path): _read(items[str(path)], cache) for path in _FIGURES if str(path) in items}
    params = [pair for step in steps.values() for pair in _leaves(step.params)]
    points = [*_series(items[str(paths.LIVE)], cache), *_figures(files)]
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Record(digest, commit, dict(params), points, files | {LOCK: text.encode()})


def _commit(revision: str | None, root: Path) -> str:
    refs = (git(root, "for-each-ref", "--format=%(refname)", "refs/exps") or "").split()
    experiments = [ref for ref in refs if revision and ref.endswith(f"/{revision}")]
    name = [*experiments, revision or "HEAD"][0]
    found = git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if found is None:
        raise DataError(f"{name}: no commit, tag, branch or DVC experiment; see `dvc exp show`")
    return found.strip()


def _lock(revision: str | None, commit: str, root: Path) -> str:
    if revision is None and (root / LOCK).is_file():
        return (root / LOCK).read_text()
    text = git(root, "show", f"{commit}:{LOCK}")
    if text is None:
        raise DataError(f"{commit[:9]}: has no {LOCK}; nothing has been trained")
    return text


def _read(item: Item, cache: Path) -> bytes:
    try:
        return cached(item.digest, cache).read_bytes()
    except OSError as error:
        raise DataError(f"{item.path}: not in DVC's cache; try `dvc fetch`") from error


def _series(live: Item, cache: Path) -> Iterator[Point]:
    for entry in json.loads(_read(live, cache)):
        path = PurePosixPath(entry["relpath"])
        if path.is_relative_to(_SERIES) and path.suffix == ".tsv":
            name = str(path.relative_to(_SERIES).with_suffix(""))
            text = _read(Item(f"{live.path}/{path}", entry["md5"]), cache).decode()
            for row in csv.DictReader(text.splitlines(), delimiter="\t"):
                yield Point(name, int(row["step"]), float(row[path.stem]))


def _figures(files: Mapping[str, bytes]) -> Iterator[Point]:
    """Numbers by their keys; a number of shots among the keys becomes the step."""
    for path, content in files.items():
        for keys, value in _nested(json.loads(content), (Path(path).parent.name,)):
            if isinstance(value, int | float) and not isinstance(value, bool):
                names = [key for key in keys if not key.isdigit() and key != "shots"]
                step = next((int(key) for key in keys if key.isdigit()), 0)
                yield Point("/".join(names), step, float(value))


def _leaves(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for keys, value in _nested(params, ()):
        yield ".".join(keys), value if isinstance(value, str) else json.dumps(value)


def _nested(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(value, Mapping):
        yield keys, value
        return
    for key, inner in value.items():
        yield from _nested(inner, (*keys, str(key)))
