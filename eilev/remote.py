"""Files on S3, and on what speaks its protocol, by addresses such as `s3://bucket/folder/a.mp4`.

Credentials, region and endpoint come from where all tools of AWS look for them: the environment
(AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL and so on), ~/.aws, the machine's role. The only
module that knows s3fs, which is imported where an address asks for it.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO, Any, TypeGuard

from eilev.io import DataError

SCHEME = "s3://"

# What is asked for at once. s3fs tries each piece five times within two seconds, then a download
# waits so many seconds before it goes on where it was, and gives up at last.
_PIECE_BYTES = 16 << 20
_WAITS_S = (1.0, 5.0, 20.0)
# A server that says nothing for so long is gone.
_CONNECT_S, _READ_S = 10, 60


@dataclass(frozen=True)
class RemoteFile:
    """An object: its address, its length in bytes, and the tag that changes with its content."""

    url: str
    size: int
    etag: str


def is_remote(place: object) -> TypeGuard[str]:
    """Whether a place is an address; a path is none."""
    return isinstance(place, str) and place.startswith(SCHEME)


def list_files(url: str) -> dict[str, RemoteFile]:
    """Every file below an address, by its name inside, in the order of a walk through folders.

    Raises:
        DataError: nothing lies there, or it can't be listed; the message names the address.
    """
    root = url.removeprefix(SCHEME).rstrip("/")
    with _naming(url):
        found = _s3().find(root, detail=True)
    # Consoles make folders as empty objects.
    files = {
        path.removeprefix(f"{root}/"): entry
        for path, entry in found.items()
        if path.startswith(f"{root}/") and not path.endswith("/")
    }
    if not files:
        raise DataError(f"{url}: no files lie there")
    return {name: _file(files[name]) for name in sorted(files, key=lambda name: name.split("/"))}


def find_file(url: str) -> RemoteFile | None:
    """Look a file up, or say that there is none; its folder is listed once.

    Raises:
        DataError: there is no such bucket, or it can't be listed; the message names the address.
    """
    path = url.removeprefix(SCHEME)
    with _naming(url):
        try:
            found = _s3().ls(path.rpartition("/")[0], detail=True)
        except FileNotFoundError as error:
            if error.__cause__ is not None:  # what the server says of the bucket
                raise
            return None
    return next((_file(entry) for entry in found if entry["name"] == path), None)


def download(file: RemoteFile, target: IO[bytes]) -> None:
    """Append a file to an empty one; where the connection breaks, a few times go on from there.

    Raises:
        DataError: it can't be read, or is no longer the one that was found; the message names it.
    """
    for wait_s in (*_WAITS_S, None):
        try:
            with _naming(file.url), _s3().open(file.url, cache_type="none") as source:
                if source.details["ETag"].strip('"') != file.etag:
                    raise DataError(f"{file.url}: changed while it was read; run the stage again")
                source.seek(target.tell())
                shutil.copyfileobj(source, target, _PIECE_BYTES)
                return
        except _BrokenError as error:
            if wait_s is None:
                raise DataError(f"{error}, {len(_WAITS_S) + 1} times") from error
            time.sleep(wait_s)


class _BrokenError(DataError):
    """The server does not answer as it should: it may soon."""


@contextmanager
def _naming(url: str) -> Iterator[None]:
    """Turn what s3fs and those below it raise into one line that names the address."""
    try:
        import aiohttp
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
        from botocore.parsers import ResponseParserError
        from s3fs.utils import FileExpired
    except ImportError as error:
        raise DataError(f"{url}: needs s3fs: pip install --editable '.[s3]'") from error
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{url}: {error}") from error
    except FileExpired as error:
        raise DataError(f"{url}: changed while it was read; run the stage again") from error
    except (PermissionError, NoCredentialsError) as error:
        told = f"{url}: no access ({error}); see docs/scale.md for credentials"
        raise DataError(told) from error
    except (OSError, BotoCoreError, ClientError, ResponseParserError, aiohttp.ClientError) as error:
        raise _BrokenError(f"{url}: cannot be read ({error or type(error).__name__})") from error


@cache
def _s3() -> Any:
    import s3fs

    # Each try of s3fs is one of botocore.
    settings = {"connect_timeout": _CONNECT_S, "read_timeout": _READ_S, "retries": _ONE_TRY}
    return s3fs.S3FileSystem(config_kwargs=settings, use_listings_cache=True)


_ONE_TRY = {"mode": "standard", "total_max_attempts": 1}


def _file(entry: dict[str, Any]) -> RemoteFile:
    return RemoteFile(f"{SCHEME}{entry['name']}", entry["size"], entry["ETag"].strip('"'))
