"""Reading and writing of files: checked on the way in, atomic on the way out."""

import errno
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# No space left, no quota left, a file longer than is allowed.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class DataError(ValueError):
    """A file of the pipeline is missing, unreadable or of the wrong form; the message names it."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it replaces `path` only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with naming_the_full(path):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; it replaces `path` only on success."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        with naming_the_full(path):
            yield temporary
            replace_dir(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_dir(source: Path, target: Path) -> None:
    """Move a folder to where an earlier one may lie, on the same file system."""
    shutil.rmtree(target, ignore_errors=True)
    source.replace(target)


@contextmanager
def naming_the_full(path: Path) -> Iterator[None]:
    """Name the file that meets a full disk; the system does not."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        told = f"{error.strerror}, nothing of it is kept"
        raise OSError(error.errno, told, str(path)) from error


def write_json(value: Any, path: Path) -> None:
    """Write `value` as indented JSON; NaN and infinity are refused (ValueError)."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; run the stage that writes it") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, which may be larger than the memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(files: Mapping[str, Path]) -> dict[str, str]:
    """SHA-256 of the contents of files, by the names that they are given.

    Raises:
        DataError: a file is missing.
    """
    try:
        return {name: sha256(path) for name, path in files.items()}
    except FileNotFoundError as error:
        raise DataError(f"{error.filename}: no such file; run the stage that writes it") from error


def fingerprint(settings: Mapping[str, Any], files: Sequence[Path]) -> str:
    """Hash everything a run's result depends on: settings and the contents of files.

    Raises:
        DataError: a file is missing.
    """
    hashes = list(hash_files({str(path): path for path in files}).values())
    made_from = {"settings": settings, "files": hashes}
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
