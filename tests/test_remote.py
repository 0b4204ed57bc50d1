import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from eilev import remote
from eilev.io import DataError
from eilev.remote import RemoteFile, download, find_file, list_files
from tests.s3 import BUCKET, Wire, forget, s3_server

URL = f"s3://{BUCKET}/day 1/it's.mp4"
CONTENT = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Any, Wire]]:
    with s3_server() as (bucket, wire):
        for key in ("day 1/it's.mp4", "b.avi"):
            bucket.put_object(Key=key, Body=CONTENT)
        yield bucket, wire


@pytest.fixture(autouse=True)
def wire(server: tuple[Any, Wire], monkeypatch: pytest.MonkeyPatch) -> Wire:
    monkeypatch.setattr(remote, "_WAITS_S", (0.0, 0.0))
    forget()
    return server[1]


def fetch(file: RemoteFile) -> bytes:
    target = io.BytesIO()
    download(file, target)
    return target.getvalue()


def found(url: str = URL) -> RemoteFile:
    file = find_file(url)
    assert file is not None
    return file


def test_files_are_listed_without_being_read(wire: Wire) -> None:
    before = wire.received
    files = list_files(f"s3://{BUCKET}")
    assert list(files) == ["b.avi", "day 1/it's.mp4"]
    assert files["day 1/it's.mp4"] == found() == RemoteFile(URL, len(CONTENT), found().etag)
    assert wire.received - before < 10_000
    assert list(list_files(f"s3://{BUCKET}/day 1/")) == ["it's.mp4"]


def test_a_file_is_read_once(wire: Wire) -> None:
    file = found()
    before = wire.received
    assert fetch(file) == CONTENT
    assert len(CONTENT) < wire.received - before < 1.05 * len(CONTENT)


def test_what_is_not_there_is_told(wire: Wire) -> None:
    assert find_file(f"s3://{BUCKET}/day 1/b.mp4") is None
    assert find_file(f"s3://{BUCKET}/day 2/b.mp4") is None
    for ask in (list_files, find_file):
        with pytest.raises(DataError, match=r"^s3://nowhere/a.*: .*bucket does not exist"):
            ask("s3://nowhere/a/b.mp4")
    with pytest.raises(DataError, match=rf"^s3://{BUCKET}/day 2: no files lie there$"):
        list_files(f"s3://{BUCKET}/day 2")


def test_a_wire_that_breaks_is_mended_where_it_broke(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_PIECE_BYTES", 1 << 18)
    file = found()
    forget()
    before = wire.received
    wire.breaks_after[:] = [100_000, 200_000]
    assert fetch(file) == CONTENT
    assert not wire.breaks_after
    assert wire.received - before < len(CONTENT) + 3 * (1 << 18)


def test_a_server_that_is_gone_is_given_up(wire: Wire) -> None:
    file = found()
    wire.breaks_after[:] = [1000] * 99
    try:
        with pytest.raises(DataError, match=rf"^{URL}: cannot be read \(.*\), 3 times$"):
            fetch(file)
    finally:
        # Five tries of s3fs, three times.
        assert len(wire.breaks_after) == 99 - 15
        wire.breaks_after.clear()


def test_a_file_that_changes_meanwhile_is_told(server: tuple[Any, Wire]) -> None:
    bucket, _ = server
    file = found(f"s3://{BUCKET}/b.avi")
    bucket.put_object(Key="b.avi", Body=CONTENT[::-1])
    with pytest.raises(DataError, match=r"b\.avi: changed while it was read; run the stage"):
        fetch(file)
    forget()
    with pytest.raises(DataError, match=r"b\.avi: changed while it was read; run the stage"):
        fetch(file)


def test_access_is_refused_in_one_line(
    server: tuple[Any, Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    forget()
    with pytest.raises(DataError, match=rf"^s3://{BUCKET}: no access \(Unable to locate cred"):
        list_files(f"s3://{BUCKET}")

    refuse_strangers(server[1], "0")
    try:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "wrong")
        forget()
        with pytest.raises(DataError, match=rf"^s3://{BUCKET}: no access \(The AWS Access Key Id"):
            list_files(f"s3://{BUCKET}")
    finally:
        refuse_strangers(server[1], "inf")


def refuse_strangers(wire: Wire, after: str) -> None:
    """Have moto look at who asks, after so many requests."""
    headers = {"Content-Type": "text/plain"}
    url = f"{wire.url}/moto-api/reset-auth"
    httpx.post(url, content=after, headers=headers).raise_for_status()
