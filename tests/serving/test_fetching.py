"""Against a real server over TLS: what is fetched, and that nothing else ever connects."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from eilev.clips.limits import Limits
from eilev.serving.decoding import DecoderPool
from eilev.serving.fetching import Fetcher, Fetching
from eilev.serving.media import MediaError, Payload
from eilev.serving.models import Models
from tests.serving.conftest import make_app
from tests.serving.hosts import Authority, Handler, Host, Names, replies

VIDEO = bytes(range(256)) * 400
LOOPBACK = ip_network("127.0.0.0/8")
HOST = "media.test"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names({HOST: [["127.0.0.1"]]}).install(monkeypatch)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), (HOST, f"a.b.{HOST}"))


def rules(host: Host, authority: Authority) -> Fetching:
    """Of an operator whose own server is on this machine."""
    allowed = (f"{HOST}:{host.port}", f"*.{HOST}:{host.port}")
    return Fetching(allowed, (LOOPBACK,), authority.file, timeout_s=20)


async def fetch(url: str, chosen: Fetching) -> bytes:
    fetcher = Fetcher(chosen)
    return await fetcher.fetch(url, fetcher.room())


async def refused(url: str, fetcher: Fetcher) -> str:
    """The message."""
    with pytest.raises(MediaError) as error:
        await fetcher.fetch(url, fetcher.room())
    assert len(str(error.value)) < 300
    return str(error.value)


def run(
    authority: Authority, handler: Handler, scenario: Callable[[Host], Awaitable[None]]
) -> Host:
    """Run a scenario beside a server."""

    async def main() -> Host:
        async with authority.serve(handler) as host:
            await scenario(host)
        return host

    return asyncio.run(main())


def test_a_video_of_a_named_host_is_fetched(
    authority: Authority, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    names.answers[f"a.b.{HOST}"] = [["127.0.0.7"]]
    query = "/a%2Fb%20c.mp4?X-Amz-Signature=a%2Bb/c+d&e='(f)*'&g={h}|[i]~"

    async def scenario(host: Host) -> None:
        chosen = rules(host, authority)
        assert await fetch(f"https://{HOST}:{host.port}{query}#t=1", chosen) == VIDEO
        assert await fetch(f"HTTPS://A.B.Media.Test:{host.port}?x", chosen) == VIDEO
        assert await fetch(f"https://{HOST}:{host.port}", chosen) == VIDEO

    host = run(authority, replies(VIDEO, "200 OK", "Content-Type: text/html"), scenario)
    first, second, third = (request.split("\r\n") for request in host.requests)
    assert first[0] == f"GET {query} HTTP/1.1"
    assert second[0] == "GET /?x HTTP/1.1"
    assert third[0] == "GET / HTTP/1.1"
    assert f"Host: {HOST}:{host.port}" in first
    assert f"Host: a.b.{HOST}:{host.port}" in second
    assert host.server_names == [HOST, f"a.b.{HOST}", HOST]
    sent = {line.partition(":")[0].lower() for line in first[1:] if line}
    assert sent == {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert "Accept-Encoding: identity" in first


def test_cookies_are_not_kept(authority: Authority, names: Names) -> None:
    async def scenario(host: Host) -> None:
        fetcher = Fetcher(rules(host, authority))
        for _ in range(2):
            await fetcher.fetch(f"https://{HOST}:{host.port}/", fetcher.room())

    host = run(authority, replies(VIDEO, "200 OK", "Set-Cookie: a=b"), scenario)
    assert "cookie" not in host.requests[1].lower()


# With the port of the server in the place of {port}.
NOT_ALLOWED = [
    "https://localhost:{port}/",
    "https://127.0.0.1:{port}/",
    "https://127.1:{port}/",
    "https://2130706433:{port}/",
    "https://0x7f.0.0.1:{port}/",
    "https://0x7f000001:{port}/",
    "https://0177.0.0.1:{port}/",
    "https://0:{port}/",
    "https://[::1]:{port}/",
    "https://[::ffff:127.0.0.1]:{port}/",
    "https://media.test.:{port}/",
    "https://media.test/",
    "https://media.test:443/",
    "https://media.test:0{port}0/",
    "https://notmedia.test:{port}/",
    "https://media.test.evil.test:{port}/",
    "https://.media.test:{port}/",
    "https://test:{port}/",
    "https://user@media.test:{port}/",
    "https://user:secret@media.test:{port}/",
    "https://media.test:{port}@127.0.0.1:{port}/",
    "https://media.test:{port}\\@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\\@media.test:{port}/",
    "https://127.0.0.1:{port}#@media.test:{port}/",
    "https://127.0.0.1:{port}?@media.test:{port}/",
    "https://127.0.0.1:{port}/@media.test:{port}/",
    "https://127.0.0.1%00.media.test:{port}/",
    "https://127.0.0.1%2f.media.test:{port}/",
    "https://media.test%2f@127.0.0.1:{port}/",
    "https://me\tdia.test:{port}/",
    "https://media.test:{port}/a b",
    "https://media.test:{port}/a\r\nX-Header: b",
    "https://media.test:{port}/a\x00",
    "https://media.test:{port}/\u00e9",
    "https://media.test:{port}/\ud800",
    "https://media.test:{port}/" + "a" * 9000,
    "https://\uff4dedia.test:{port}/",
    "https://media\u3002test:{port}/",
    "https://media.test:\uff11/",
    "https://media.test:/",
    "https://media.test:-1/",
    "https://media.test:99999/",
    "https://media.test:0/",
    "https://:{port}/",
    "https:///",
    "https://",
    "https:media.test:{port}/",
    "https:/media.test:{port}/",
    "https:\\\\media.test:{port}/",
    "http://media.test:{port}/",
    "//media.test:{port}/",
    "media.test:{port}/",
    " https://media.test:{port}/",
    "ftp://media.test:{port}/",
    "file:///etc/passwd",
    "s3://bucket/a.mp4",
    "gopher://media.test:{port}/",
    "/etc/passwd",
    "a.mp4",
    "",
]


def test_nothing_connects_for_another_address(authority: Authority, names: Names) -> None:
    async def scenario(host: Host) -> None:
        fetcher = Fetcher(rules(host, authority))
        for form in NOT_ALLOWED:
            url = form.replace("{port}", str(host.port))
            message = await refused(url, fetcher)
            assert re.search("nothing is fetched from|is https://HOST/PATH in ASCII", message), url
            with pytest.raises(MediaError):
                await fetcher.read(url, Limits(), fetcher.room())
            assert (host.num_connections, names.asked) == (0, []), url

    run(authority, replies(VIDEO), scenario)


# What is on this machine, or could be in a network around it.
NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104
    "0.1.2.3", "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1",
    "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200",
    "100.127.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "168.63.129.16", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1",
    "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip


def test_a_name_may_not_lead_inside(authority: Authority, names: Names) -> None:
    async def scenario(host: Host) -> None:
        fetcher = Fetcher(replace(rules(host, authority), networks=()))
        for address in NOT_PUBLIC:
            for addresses in ([address], ["8.8.8.8", address], [address, "2606:4700::1111"]):
                names.answers[HOST] = [addresses]
                message = await refused(f"https://{HOST}:{host.port}/", fetcher)
                assert "has an address that is not public" in message, address
            assert host.num_connections == 0, address

    run(authority, replies(VIDEO), scenario)


def test_only_networks_that_are_named_are_opened(authority: Authority, names: Names) -> None:
    names.answers[HOST] = [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["10.0.0.1"]]

    async def scenario(host: Host) -> None:
        fetcher, url = Fetcher(rules(host, authority)), f"https://{HOST}:{host.port}/"
        assert await fetcher.fetch(url, fetcher.room()) == VIDEO
        for _ in range(3):
            assert "an address that is not public" in await refused(url, fetcher)

    assert run(authority, replies(VIDEO), scenario).num_connections == 1


def test_a_name_is_looked_up_once(authority: Authority, names: Names) -> None:
    names.answers[HOST] = [["127.0.0.1"], ["169.254.169.254"]]

    async def scenario(host: Host) -> None:
        assert await fetch(f"https://{HOST}:{host.port}/", rules(host, authority)) == VIDEO

    run(authority, replies(VIDEO), scenario)
    assert names.asked.count(HOST) == 1


def test_a_host_may_have_several_addresses(authority: Authority, names: Names) -> None:
    names.answers[HOST] = [["127.0.0.3", "127.0.0.2"]]

    async def main() -> None:
        async with authority.serve(replies(VIDEO), "127.0.0.2") as host:
            assert await fetch(f"https://{HOST}:{host.port}/", rules(host, authority)) == VIDEO

    asyncio.run(main())


def test_an_unknown_host(authority: Authority, names: Names) -> None:
    async def scenario(host: Host) -> None:
        fetcher = Fetcher(rules(host, authority))
        for name in (f"gone.{HOST}", f"{'a' * 64}.{HOST}", f"a..{HOST}", f"-.{HOST}"):
            message = await refused(f"https://{name}:{host.port}/", fetcher)
            assert message == f"the host '{name}' is not found"

    assert run(authority, replies(VIDEO), scenario).num_connections == 0


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (replies(b"", "302 Found", "Location: /elsewhere"), "redirects elsewhere"),
        (replies(b"", "307 Moved", "Location: https://127.0.0.1/"), "redirects elsewhere"),
        (replies(b"gone", "404 Not Found"), "answers with status 404"),
        (replies(VIDEO, "206 Partial Content"), "answers with status 206"),
        (replies(b"", "204 No Content"), "answers with status 204"),
        (replies(b"busy", "503 Unavailable"), "answers with status 503"),
        (replies(VIDEO, "200 OK", "Content-Encoding: gzip"), "packed as gzip"),
        (replies(b""), "an empty file"),
        (replies(b"", "nonsense"), "can't be fetched"),
        (replies(b"", "200 OK", f"Content-Length: {'9' * 5000}"), "can't be fetched"),
        (replies(b"", "200 OK", f"X: {'9' * 200_000}"), "can't be fetched"),
        (replies(bytes(150_000)), "more than 120,000 bytes"),
    ],
)
def test_other_answers_are_refused(
    handler: Handler, message: str, authority: Authority, names: Names
) -> None:
    async def scenario(host: Host) -> None:
        fetcher = Fetcher(replace(rules(host, authority), max_bytes=120_000))
        assert message in await refused(f"https://{HOST}:{host.port}/", fetcher)

    assert run(authority, handler, scenario).num_connections == 1


def test_what_is_cut_off_is_refused(authority: Authority, names: Names) -> None:
    async def handler(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + bytes(50))
        await writer.drain()

    async def scenario(host: Host) -> None:
        fetcher = Fetcher(rules(host, authority))
        assert "can't be fetched" in await refused(f"https://{HOST}:{host.port}/", fetcher)

    run(authority, handler, scenario)


@pytest.mark.parametrize("declared", ["", "Content-Length: 10\r\n"])
def test_bytes_are_counted_as_they_come(declared: str, authority: Authority, names: Names) -> None:
    sent = 0

    async def handler(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{declared}\r\n".encode())
        while True:
            writer.write(b"1000\r\n" + bytes(4096) + b"\r\n")
            await writer.drain()
            sent += 4096

    async def scenario(host: Host) -> None:
        fetcher = Fetcher(replace(rules(host, authority), max_bytes=100_000))
        message = await refused(f"https://{HOST}:{host.port}/", fetcher)
        assert re.search("more than 100,000 bytes|can't be fetched", message)

    run(authority, handler, scenario)
    assert sent < 10_000_000


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_the_time_is_that_of_all_reads(head: bytes, authority: Authority, names: Names) -> None:
    async def handler(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            await asyncio.sleep(0.02)
            writer.write(b"a")
            await writer.drain()

    async def scenario(host: Host) -> None:
        fetcher = Fetcher(replace(rules(host, authority), timeout_s=0.5))
        assert "takes longer than 0.5 s" in await refused(f"https://{HOST}:{host.port}/", fetcher)

    run(authority, handler, scenario)


def test_the_videos_of_a_request_share_its_room(authority: Authority, names: Names) -> None:
    async def scenario(host: Host) -> None:
        fetcher = Fetcher(replace(rules(host, authority), max_bytes=2 * len(VIDEO)))
        room, url = fetcher.room(), f"https://{HOST}:{host.port}/"
        first = await fetcher.read(url, Limits(), room)
        assert first == Payload((VIDEO,))
        await fetcher.read(url, Limits(), room)
        assert await fetcher.read("data:,a", Limits(), room) == Payload((b"a",))
        with pytest.raises(MediaError, match="more than"):
            await fetcher.read(url, Limits(), room)

    run(authority, replies(VIDEO), scenario)


def test_the_certificate_must_be_the_hosts(
    authority: Authority, names: Names, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, (HOST,))
    other = Authority(tmp_path, ("other.test", "127.0.0.1"), authority.issuer)

    async def scenario(host: Host) -> None:
        fetcher = Fetcher(rules(host, authority))
        assert "can't be fetched" in await refused(f"https://{HOST}:{host.port}/", fetcher)

    for wrong in (stranger, other):
        host = run(wrong, replies(VIDEO), scenario)
        assert host.num_connections == 1
        assert host.requests == []


def test_nothing_is_fetched_by_default(authority: Authority, names: Names) -> None:
    async def scenario(host: Host) -> None:
        fetcher = Fetcher(Fetching())
        url = f"https://{HOST}:{host.port}/"
        with pytest.raises(MediaError, match=r"^'https:' is not accepted; send the file itself"):
            await fetcher.read(url, Limits(), fetcher.room())
        assert "nothing is fetched from" in await refused(url, fetcher)

    assert run(authority, replies(VIDEO), scenario).num_connections == 0


@pytest.mark.parametrize(
    "host",
    ["", "*", "*.", "https://a.test", "a.test/", "A.test", "a..test", "*a.test", "a.*.test",
     "a.test:", "a.test:x", "user@a.test", "[::1]", "\u00e9.test", "a.test\n"],
)  # fmt: skip
def test_hosts_are_written_in_one_form(host: str) -> None:
    with pytest.raises(ValueError, match="is not a host from which videos may be fetched"):
        Fetching((host,))


def test_which_hosts_are_named() -> None:
    chosen = Fetching(("a.test", "*.b.test", "c.test:9000", "*.d.test:9000", "e.test:443"))
    named = [("a.test", 443), ("x.b.test", 443), ("x.y.b.test", 443), ("c.test", 9000),
             ("x.d.test", 9000), ("e.test", 443)]  # fmt: skip
    others = [("a.test", 9000), ("x.a.test", 443), ("b.test", 443), ("xb.test", 443),
              (".b.test", 443), ("c.test", 443), ("d.test", 9000), ("x.b.test", 80)]  # fmt: skip
    assert all(chosen.names(*host) for host in named)
    assert not any(chosen.names(*host) for host in others)


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Fetcher(Fetching(("a.test",), ca_file=tmp_path / "ca.pem"))


def test_the_server_fetches_where_its_settings_say_so(
    authority: Authority,
    names: Names,
    models: Models,
    decoders: DecoderPool,
    video_urls: list[str],
) -> None:
    content = base64.b64decode(video_urls[0].partition(",")[2])

    async def ask(app: FastAPI, url: str) -> httpx.Response:
        parts = [{"type": "video_url", "video_url": {"url": url}}]
        body = {"model": "eilev", "messages": [{"role": "user", "content": parts}]}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://eilev") as client:
            return await client.post("/v1/chat/completions", json=body)

    async def scenario(host: Host) -> None:
        url = f"https://{HOST}:{host.port}/a.mp4"
        settings = {
            "media_host": [f"{HOST}:{host.port}"],
            "media_network": "127.0.0.0/8",
            "media_ca_file": authority.file,
        }
        told = make_app(models, decoders, **settings)
        fetched, sent = await ask(told, url), await ask(told, video_urls[0])
        assert fetched.status_code == 200, fetched.text
        assert fetched.json()["choices"] == sent.json()["choices"]
        other = await ask(told, f"https://localhost:{host.port}/a.mp4")
        assert other.status_code == 422
        assert "nothing is fetched from 'localhost'" in other.json()["error"]["message"]
        untold = await ask(make_app(models, decoders), url)
        assert "'https:' is not accepted" in untold.json()["error"]["message"]

    assert len(run(authority, replies(content, "200 OK"), scenario).requests) == 1
