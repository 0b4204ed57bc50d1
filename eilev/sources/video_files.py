"""The files below a folder of videos, and what tells that one of them changed.

A folder is a path, or an address of S3. The stage `inventory` imports this at every `dvc repro`.
"""

import hashlib
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from eilev.io import DataError
from eilev.remote import SCHEME, is_remote, list_files

# Files of more bytes in all are told by size and time: reading terabytes takes hours, and this much
# half a second of every `dvc repro`.
_READ_BYTES = 1 << 28
# Published beside the videos, with a file per frame or none of interest.
_NOT_VIDEOS = frozenset(
    {"frames_rgb_flow", "rgb_frames", "flow_frames", "object_detection_images", "hand-objects"}
)
# A path, or an address.
Folder = Path | str


def as_folder(videos: str) -> Folder:
    """The folder that `ingest.videos` names.

    Raises:
        DataError: it is no folder on a disk, and no address of S3.
    """
    if is_remote(videos):
        return videos.rstrip("/")
    if "://" in videos:
        raise DataError(f"{videos}: videos lie in a folder or at {SCHEME}; see ingest.videos")
    folder = Path(videos)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; set ingest.videos in params.yaml")
    return folder


def walk_files(folder: Folder) -> Iterator[str]:
    """Name inside of every file under a folder, however deep, in alphabetical order.

    Folders of extracted frames are passed over; links are followed unless they lead nowhere.
    """
    if is_remote(folder):
        return filter(_may_be_one, list_files(folder))
    return (file.relative_to(folder).as_posix() for file in _walk(Path(folder), set()))


def _may_be_one(name: str) -> bool:
    return _NOT_VIDEOS.isdisjoint(PurePosixPath(name).parts[:-1])


def _place(folder: Folder, name: str) -> str:
    return f"{folder}/{name}" if is_remote(folder) else str(Path(folder) / name)


def _walk(folder: Path, visited: set[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in visited:  # A link to a folder above itself.
        return
    visited.add(real)
    for entry in sorted(folder.iterdir()):
        if entry.is_file():
            yield entry
        elif entry.is_dir() and entry.name not in _NOT_VIDEOS:
            yield from _walk(entry, visited)


def find_videos(folder: Folder) -> dict[str, str]:
    """Name without suffix to path or address of every MP4 under a folder (`walk_files`).

    Of videos of one name (EPIC-KITCHENS in two layouts, Ego4D in two sizes) the first in
    alphabetical order of paths counts.
    """
    found: dict[str, str] = {}
    for name in walk_files(folder):
        file = PurePosixPath(name)
        if file.suffix.lower() == ".mp4":
            found.setdefault(file.stem, _place(folder, name))
    return found


@dataclass(frozen=True)
class VideoFolder:
    """Finds videos by names as people write them; None stands for a folder that has them all."""

    folder: Folder | None
    _found: dict[str, tuple[str, str | None]] = field(default_factory=dict)

    def find(self, video: str) -> tuple[str, str | None]:
        """One name for all spellings of a video, and the path of its file, None without one.

        A name is a path inside the folder, also as Windows writes it, or an absolute one. Where no
        file has it, the only one counts that differs in nothing but capital letters.
        """
        if video not in self._found:
            self._found[video] = self._look_for(video)
        return self._found[video]

    def _look_for(self, video: str) -> tuple[str, str | None]:
        if not video:
            return "", None
        name = video.replace("\\", "/")
        if is_remote(self.folder):
            name = name.removeprefix(f"{self.folder}/")
        name = posixpath.normpath(name)
        if self.folder is None:
            return name, name
        if isinstance(self.folder, Path) and Path(name).is_relative_to(self.folder.resolve()):
            name = str(Path(name).relative_to(self.folder.resolve()))
        names = [name] if self._has(name) else self._spellings.get(name.lower(), [])
        # An absolute path stays itself.
        return (names[0], _place(self.folder, names[0])) if len(names) == 1 else (name, None)

    def _has(self, name: str) -> bool:
        if not isinstance(self.folder, Path):
            return name in self._spellings.get(name.lower(), [])
        # pathlib raises an error where a name is too long for one.
        return os.path.isfile(self.folder / name)  # noqa: PTH113

    @cached_property
    def _spellings(self) -> dict[str, list[str]]:
        """Names of the files inside, by the same in lower case."""
        names: dict[str, list[str]] = {}
        for name in walk_files(self.folder) if self.folder else ():
            names.setdefault(name.lower(), []).append(name)
        return names


def take_inventory(videos: str, read_bytes: int = _READ_BYTES) -> dict[str, dict[str, Any]]:
    """What tells the files under a folder (`walk_files`) from changed ones.

    Args:
        videos: the folder of videos, or its address.
        read_bytes: up to this many bytes in all, files are read and told by their content alone, so
            that copies have the same inventory on every machine. Above, a file is told by its
            modification time.

    Returns:
        Path inside the folder to its `size` in bytes, and `blake2b` (hexadecimal) or `modified`
        (nanoseconds since 1970); of an address, `etag`, which its listing has.

    Raises:
        DataError: there is no such folder, or it can't be listed.
        OSError: a file can't be read.
    """
    folder = as_folder(videos)
    if is_remote(folder):
        return {
            name: {"size": file.size, "etag": file.etag}
            for name, file in list_files(folder).items()
            if _may_be_one(name)
        }
    stats = {name: (Path(folder) / name).stat() for name in walk_files(folder)}
    small = sum(stat.st_size for stat in stats.values()) <= read_bytes
    return {
        name: {"size": stat.st_size}
        | ({"blake2b": _hash(Path(folder) / name)} if small else {"modified": stat.st_mtime_ns})
        for name, stat in stats.items()
    }


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
