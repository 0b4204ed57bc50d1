"""A real web server over TLS on this machine, and a look-up of names that tests decide."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Host:
    """A server, and what has come to it."""

    handler: Handler
    port: int = 0
    num_connections: int = 0
    requests: list[str] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await self.handler(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def protocol(self) -> asyncio.StreamReaderProtocol:
        # Made when a connection is accepted, before anything is said.
        self.num_connections += 1
        reader = asyncio.StreamReader()
        return asyncio.StreamReaderProtocol(reader, self.answer)


@dataclass(frozen=True)
class Authority:
    """Certificates for `names`, by an authority of our own."""

    folder: Path
    names: tuple[str, ...]
    issuer: trustme.CA = field(default_factory=trustme.CA)

    @property
    def file(self) -> Path:
        path = self.folder / "ca.pem"
        self.issuer.cert_pem.write_to_path(str(path))
        return path

    def context(self, host: Host) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.issuer.issue_cert(*self.names).configure_cert(context)
        context.sni_callback = lambda _, name, __: host.server_names.append(name)
        return context

    @asynccontextmanager
    async def serve(self, handler: Handler, address: str = "0.0.0.0") -> AsyncIterator[Host]:  # noqa: S104
        """Serve on all addresses of this machine, 127.0.0.0/8 among them."""
        host = Host(handler)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(host.protocol, address, 0, ssl=self.context(host))
        host.port = server.sockets[0].getsockname()[1]
        async with server:
            yield host


@dataclass
class Names:
    """The only names that can be looked up, with one answer or several in turn."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "Names":
        real = socket.getaddrinfo

        def look_up(host: str | bytes, *args: object, **options: object) -> list[object]:
            name = host.decode() if isinstance(host, bytes) else host
            self.asked.append(name)
            turns = self.answers.get(name) or [[_literal(name)]]
            addresses = turns.pop(0) if len(turns) > 1 else turns[0]
            return [found for address in addresses for found in real(address, *args, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return self


def _literal(name: str) -> str:
    """An address, which needs no look-up."""
    try:
        return str(ip_address(name))
    except ValueError as error:
        raise socket.gaierror(socket.EAI_NONAME, "unknown in this test") from error


def replies(body: bytes, status: str = "200 OK", *headers: str) -> Handler:
    """Answer every request with this."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]

    async def handler(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return handler
