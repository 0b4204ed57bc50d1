"""Videos at https:// addresses, of hosts that the operator names; by default of none.

A stranger says what is fetched, from inside the operator's network. So only an address of a strict
form is taken apart, once; the host must be on the list; its name is looked up once, and the
connection goes to the address that was checked. Redirects, proxies and cookies do not exist.
"""

import asyncio
import re
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

import httpx2

from eilev.clips.limits import Limits
from eilev.serving.addresses import Address, Network, is_public
from eilev.serving.aside import aside
from eilev.serving.media import SEND_IT, MediaError, Payload, read_payload

_HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]{1,5})?")
# No user, no IPv6, nothing that two readers could take for different hosts.
_URL = re.compile(
    r"https://(?P<host>[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?(?P<target>[/?][!-\"$-\[\]-~]*)?(#.*)?",
    re.I | re.S,
)
_HTTPS_PORT = 443
_MAX_URL = 8192


@dataclass(frozen=True)
class Fetching:
    """What may be fetched, and what it may cost.

    Attributes:
        hosts: `media.example.com`, `*.example.com` for every host below it, `minio.lan:9000` where
            the port is not 443.
        networks: of which hosts may have addresses that are not public.
        ca_file: certificates (PEM) that are trusted besides the system's.
        max_bytes: of all videos of a request that are fetched.
        timeout_s: for a video, from the look-up of the name to the last byte.
        max_connections: at the same time.

    Raises:
        ValueError: a host is written in another form.
    """

    hosts: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    ca_file: Path | None = None
    max_bytes: int = 64 * 2**20
    timeout_s: float = 30.0
    max_connections: int = 32

    def __post_init__(self) -> None:
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(
                    f"'{host}' is not a host from which videos may be fetched: write it as "
                    "media.example.com, *.example.com or media.example.com:9000, in small letters"
                )

    def names(self, host: str, port: int) -> bool:
        """Whether a host, in small letters, is on the list with this port."""
        suffix = "" if port == _HTTPS_PORT else f":{port}"
        parents = [host[place:] for place, letter in enumerate(host) if letter == "." and place]
        own = {f"{host}{suffix}", *(f"*{parent}{suffix}" for parent in parents)}
        return not own.isdisjoint(entry.removesuffix(f":{_HTTPS_PORT}") for entry in self.hosts)


class Room:
    """Bytes that the videos of one request may still bring in."""

    def __init__(self, num_bytes: int) -> None:
        self._all = self._left = num_bytes

    def check(self, num_bytes: int) -> None:
        """See whether so many fit (MediaError: they don't)."""
        if num_bytes > self._left:
            raise MediaError(f"more than {self._all:,} bytes would have to be fetched")

    def take(self, num_bytes: int) -> None:
        """Use some of it (MediaError: there is less)."""
        self.check(num_bytes)
        self._left -= num_bytes


@dataclass(frozen=True)
class _Source:
    """An address, taken apart."""

    host: str
    port: int
    # Path and query.
    target: str = field(repr=False)


class Fetcher:
    """Fetches by rules, for one event loop."""

    def __init__(self, rules: Fetching) -> None:
        """Read the certificates.

        Raises:
            OSError: `rules.ca_file` can't be read.
        """
        self._rules = rules
        self._slots = asyncio.Semaphore(rules.max_connections)
        self._tls = httpx2.create_ssl_context(trust_env=False)
        if rules.ca_file is not None:
            self._tls.load_verify_locations(rules.ca_file)

    def room(self) -> Room:
        """What the videos of a request may bring in together."""
        return Room(self._rules.max_bytes)

    async def read(self, url: str, limits: Limits, room: Room) -> Payload:
        """What a URL stands for: fetched, or in the URL itself (see `read_payload`).

        Raises:
            MediaError: it is neither, can't be had, or is too large.
        """
        if url[:8].lower() == "https://" and self._rules.hosts:
            return Payload((await self.fetch(url, room),))
        return await aside(read_payload, url, limits)

    async def fetch(self, url: str, room: Room) -> bytes:
        """What is at an https:// address.

        Raises:
            MediaError: the rules forbid it, it can't be had, or is too large.
        """
        source = _parse(url)
        if not self._rules.names(source.host, source.port):
            raise MediaError(
                f"nothing is fetched from '{source.host}' port {source.port}; {SEND_IT}"
            )
        timeout_s = self._rules.timeout_s
        try:
            async with self._slots, asyncio.timeout(timeout_s):
                return await self._get(source, await self._addresses(source), room)
        except TimeoutError as error:
            raise MediaError(f"'{source.host}' takes longer than {timeout_s:g} s") from error
        except httpx2.HTTPError as error:
            raise MediaError(f"can't be fetched from '{source.host}': {error}") from error

    async def _addresses(self, source: _Source) -> list[Address]:
        """Where the host is; refused if any of it is where nothing may be fetched."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                source.host, source.port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            raise MediaError(f"the host '{source.host}' is not found") from error
        addresses = [ip_address(entry[4][0]) for entry in found]
        if not addresses or not all(map(self._may_connect, addresses)):
            raise MediaError(f"the host '{source.host}' has an address that is not public")
        return addresses

    def _may_connect(self, address: Address) -> bool:
        return is_public(address) or any(address in network for network in self._rules.networks)

    async def _get(self, source: _Source, addresses: list[Address], room: Room) -> bytes:
        """From the first address that is reached."""
        *others, last = addresses
        for address in others:
            try:
                return await self._get_at(source, address, room)
            except httpx2.ConnectError:
                continue
        return await self._get_at(source, last, room)

    async def _get_at(self, source: _Source, address: Address, room: Room) -> bytes:
        literal = f"[{address}]" if address.version == 6 else str(address)
        named = source.host if source.port == _HTTPS_PORT else f"{source.host}:{source.port}"
        client = httpx2.AsyncClient(
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
            timeout=None,
        )
        async with (
            client,
            client.stream(
                "GET",
                f"https://{literal}:{source.port}/",
                headers={"Host": named, "Accept-Encoding": "identity", "User-Agent": "eilev"},
                # The certificate must be the host's, whatever address it has.
                extensions={"sni_hostname": source.host, "target": source.target.encode()},
            ) as response,
        ):
            return await _body(source, response, room)


async def _body(source: _Source, response: httpx2.Response, room: Room) -> bytes:
    if response.is_redirect:
        raise MediaError(f"'{source.host}' redirects elsewhere, which is not followed")
    if response.status_code != httpx2.codes.OK:
        raise MediaError(f"'{source.host}' answers with status {response.status_code}")
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise MediaError(f"'{source.host}' sends it packed as {encoding[:20]}, unasked")
    room.check(int(response.headers.get("Content-Length", 0)))
    content = bytearray()
    async for chunk in response.aiter_raw():
        room.take(len(chunk))
        content += chunk
    if not content:
        raise MediaError(f"'{source.host}' sends an empty file")
    return bytes(content)


def _parse(url: str) -> _Source:
    match = _URL.fullmatch(url) if len(url) <= _MAX_URL else None
    if match is None:
        _refuse()
    port = int(match["port"] or _HTTPS_PORT)
    if not 0 < port < 2**16:
        _refuse()
    target = match["target"] or "/"
    return _Source(match["host"].lower(), port, target if target[0] == "/" else f"/{target}")


def _refuse() -> NoReturn:
    raise MediaError(
        "an address that is fetched is https://HOST/PATH in ASCII, without a user, spaces and "
        f"backslashes, of at most {_MAX_URL:,} characters; percent-encode what its path needs"
    )
