"""A real server of S3's protocol (moto's) in a thread, and a wire to it that can break."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from eilev import remote

BUCKET = "footage"


@dataclass
class Wire:
    """Passes bytes between clients and a server, and counts those that come back.

    breaks_after: bytes after which the next connections break, one for each; then they hold.
    breaks_at: what every connection breaks at that asks for it.
    """

    server: tuple[str, int]
    breaks_after: list[int] = field(default_factory=list)
    breaks_at: bytes | None = None
    received: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:{1}".format(*self._listener.getsockname())
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self.server)
                for pump in (self._ask, self._answer):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if self.breaks_at and self.breaks_at in data:
                    client.shutdown(socket.SHUT_RDWR)
                server.sendall(data)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        with suppress(OSError), client, server:
            while data := server.recv(1 << 12):
                self.received += len(data)
                client.sendall(data)
                passed += len(data)
                if self.breaks_after and passed > self.breaks_after[0]:
                    self.breaks_after.pop(0)
                    for end in (client, server):
                        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def s3_server() -> Iterator[Any]:
    """A server with a bucket, where all that look for AWS find it; yields the bucket and a wire."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    wire = Wire(server.get_host_and_port())
    # moto keeps what it has in its process.
    httpx.post(f"{wire.url}/moto-api/reset").raise_for_status()
    with pytest.MonkeyPatch.context() as patch:
        settings = {
            "AWS_ENDPOINT_URL": wire.url,
            "AWS_ACCESS_KEY_ID": "ours",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        }
        for name, value in settings.items():
            patch.setenv(name, value)
        forget()
        region = {"LocationConstraint": settings["AWS_DEFAULT_REGION"]}
        bucket = boto3.resource("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration=region)
        yield bucket, wire
    forget()
    wire.close()
    server.stop()


def forget() -> None:
    """Have s3fs look for credentials and at the server anew."""
    import s3fs

    remote._s3.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()
