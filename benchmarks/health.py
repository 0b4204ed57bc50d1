"""Whether a server tells its health while others give it the most to do.

    python -m benchmarks.health --bundle data/export/bundle

Every burden is tried on a server of its own while a process asks for /health. The last line is
JSON: seconds until /health was answered, by burden.
"""

import argparse
import asyncio
import base64
import json
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from benchmarks.running import Server, serve
from benchmarks.served import CHAT, Body, Shape, bodies
from benchmarks.watching import watch

MIB = 2**20
LONG: Body = {"max_tokens": 100_000, "n": 16, "temperature": 2.0, "seed": 0}


async def text(client: httpx.AsyncClient, good: Body) -> None:
    """16 MB of text, far more than is read."""
    words = "onion " * (16 * 10**6 // 6)
    body = good | {"messages": [{"role": "user", "content": words}]}
    for _ in range(4):
        await _post(client, body, 400)


async def values(client: httpx.AsyncClient, _good: Body) -> None:
    """16 MB of empty JSON objects."""
    for _ in range(4):
        await _post(client, b'{"messages":[' + b"{}," * (16 * MIB // 3) + b"{}]}", 400)


async def videos(client: httpx.AsyncClient, good: Body) -> None:
    """Eight requests of 60 MiB, all at once, that no decoder can read."""
    noise = base64.b64encode(random.Random(0).randbytes(45 * MIB)).decode()  # noqa: S311
    part = {"type": "video_url", "video_url": {"url": f"data:video/mp4;base64,{noise}"}}
    body = json.dumps(good | {"messages": [{"role": "user", "content": [part]}]}).encode()
    await asyncio.gather(*(_post(client, body, 422) for _ in range(8)))


async def slow_clients(client: httpx.AsyncClient, good: Body) -> None:
    """16 clients that send a request in 256 pieces."""
    body = json.dumps(good).encode()
    step = len(body) // 255

    async def pieces() -> Any:
        for start in range(0, len(body), step):
            yield body[start : start + step]
            await asyncio.sleep(0.02)

    await asyncio.gather(*(_post(client, pieces(), 200) for _ in range(16)))


async def hang_ups(client: httpx.AsyncClient, good: Body) -> None:
    """16 clients that hang up in the middle of 16 long answers each."""

    async def hang_up() -> None:
        async with client.stream("POST", CHAT, json=good | LONG | {"stream": True}) as response:
            await anext(response.aiter_bytes())

    await asyncio.gather(*(hang_up() for _ in range(16)))


async def large_answers(client: httpx.AsyncClient, good: Body) -> None:
    """Four times 16 answers of all the tokens that there is room for, each with 20 others."""
    body = good | LONG | {"logprobs": True, "top_logprobs": 20}
    await asyncio.gather(*(_post(client, body, 200) for _ in range(4)))


async def _post(client: httpx.AsyncClient, body: Any, status: int) -> None:
    given = {"json": body} if isinstance(body, dict) else {"content": body}
    response = await client.post(CHAT, **given)
    if response.status_code != status:
        raise SystemExit(f"error: {response.status_code} in place of {status}: {response.text}")


Burden = Callable[[httpx.AsyncClient, Body], Awaitable[None]]
BURDENS: tuple[Burden, ...] = (text, values, videos, slow_clients, hang_ups, large_answers)


async def at_the_end(server: Server, good: Body, number: int) -> int:
    """Tell a server to stop while it writes so many long answers; how many come to their end."""

    async def read(client: httpx.AsyncClient, begun: asyncio.Event) -> bool:
        content = b""
        try:
            async with client.stream("POST", CHAT, json=good | LONG | {"stream": True}) as response:
                async for piece in response.aiter_bytes():
                    content += piece
                    begun.set()
        finally:
            begun.set()  # also where nothing came
        return content.endswith(b"data: [DONE]\n\n") and b'"error"' not in content

    all_begun = [asyncio.Event() for _ in range(number)]
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        reading = [asyncio.create_task(read(client, begun)) for begun in all_begun]
        await asyncio.gather(*(begun.wait() for begun in all_begun))
        server.process.terminate()
        return sum(await asyncio.gather(*reading))


async def _burden(server: Server, burden: Burden, good: Body) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        await burden(client, good)


def measure(bundle: Path, good: Body) -> dict[str, Any]:
    """All of them, one after the other."""
    told: dict[str, Any] = {}
    for burden in BURDENS:
        with serve(bundle, "--log-level", "error") as server, watch(server.url) as health:
            asyncio.run(_burden(server, burden, good))
            told[burden.__name__] = health().figures()
        print(burden.__name__, told[burden.__name__], flush=True)
    with serve(bundle, "--log-level", "error") as server, watch(server.url) as health:
        whole = asyncio.run(at_the_end(server, good, 4))
        told["at_the_end"] = health().figures() | {"whole": whole}
    print("at_the_end", told["at_the_end"])
    return told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.health",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=Path("data/export/bundle"))
    good = next(bodies(Shape(2, 1.0, 64), "same", seed=0))
    print(json.dumps(measure(parser.parse_args().bundle, good)))


if __name__ == "__main__":
    main()
