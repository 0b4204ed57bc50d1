"""A server under twice its load, with clients that hang up and requests that are wrong.

    python -m benchmarks.load --bundle data/export/bundle --minutes 10 --malformed 2000

It starts a server that takes --places requests and keeps twice as many clients asking. Each answer
is held against that of the bundle's engine in this process; another process asks for /health. In
the end the server is told to stop while it writes long answers: all of them must come to their end.
Exits with 1 if anything was not as promised; the last line is JSON.
"""

import argparse
import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.health import at_the_end
from benchmarks.malformed import wrong_bodies
from benchmarks.running import Server, serve
from benchmarks.served import CHAT, Body, Processes, Shape, bodies
from benchmarks.watching import watch
from eilev.bundle.answers import Writing
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.clips.limits import Limits
from eilev.serving.chat import read_chat
from eilev.serving.media import load_clip
from eilev.serving.protocol import ChatRequest

HANG_UPS = 0.15
# All that is kept has been, after this share of the time; from then on memory may grow by so much.
WARM, GROWTH = 0.2, 1.2


@dataclass(frozen=True)
class Question:
    """A request, and the answer that is right."""

    body: Body
    answer: str


@dataclass
class Seen:
    """What came of it."""

    outcomes: Counter[str] = field(default_factory=Counter)
    malformed: Counter[int] = field(default_factory=Counter)
    mib: list[int] = field(default_factory=list)


def questions(engine: OnnxEngine, number: int) -> list[Question]:
    """Requests that share examples and others that don't, with their answers."""
    shapes = (Shape(3, 1.0, 64), Shape(8, 1.0, 64), Shape(0, 2.0, 64))
    made = [bodies(shape, "query", seed) for seed, shape in enumerate(shapes)]
    drawn = itertools.islice(itertools.chain.from_iterable(zip(*made, strict=True)), number)
    return [Question(body, _right(engine, body)) for body in drawn]


def _right(engine: OnnxEngine, body: Body) -> str:
    manifest = engine.manifest
    messages = ChatRequest.model_validate(body).messages
    chat = read_chat(messages, manifest.prompt, manifest.takes_questions)
    clips = [
        load_clip(video.url, manifest.num_frames, manifest.frame_size, Limits())
        for video in chat.videos
    ]
    return engine.complete([(chat.turns, clips)], Writing(manifest.max_new_tokens))[0].text


async def ask(client: httpx.AsyncClient, question: Question, *, streamed: bool) -> str:
    """Ask once, and say what came of it."""
    try:
        response = await client.post(CHAT, json=question.body | {"stream": streamed})
    except httpx.HTTPError as error:
        return f"no answer: {type(error).__name__}"
    if response.status_code != 200:
        return str(response.status_code)
    text = _streamed(response.text) if streamed else _whole(response.json())
    return "right" if text == question.answer else "WRONG"


def _whole(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])


def _streamed(events: str) -> str:
    *chunks, _done, _end = events.split("\n\n")
    deltas = [json.loads(chunk[6:])["choices"][0]["delta"] for chunk in chunks]
    return "".join(delta.get("content", "") for delta in deltas)


async def keep_asking(
    client: httpx.AsyncClient, asked: list[Question], seen: Seen, drawn: random.Random, until: float
) -> None:
    """One client: it asks, or asks and hangs up, and waits a little where it was refused."""
    while time.monotonic() < until:
        work = ask(client, drawn.choice(asked), streamed=drawn.random() < 0.5)
        if drawn.random() < HANG_UPS:
            try:
                await asyncio.wait_for(work, drawn.uniform(0.0, 0.5))
            except TimeoutError:
                seen.outcomes["hung up"] += 1
            continue
        outcome = await work
        seen.outcomes[outcome] += 1
        if outcome == "429":
            await asyncio.sleep(drawn.uniform(0.02, 0.2))


async def send_malformed(
    client: httpx.AsyncClient, wrong: Iterator[bytes], seen: Seen, pause_s: float, until: float
) -> None:
    """Wrong requests, spread over the whole time; on a busy machine not all of them."""
    for body in itertools.takewhile(lambda _: time.monotonic() < until, wrong):
        response = await client.post(CHAT, content=body)
        seen.malformed[response.status_code] += 1
        await asyncio.sleep(pause_s)


async def weigh(server: Processes, seen: Seen, until: float) -> None:
    """Memory, as long as the load lasts."""
    while time.monotonic() < until:
        seen.mib.append(round(await asyncio.to_thread(lambda: server.pss_mib)))
        await asyncio.sleep(2)


async def load(server: Server, asked: list[Question], given: argparse.Namespace) -> dict[str, Any]:
    """All of it, on a server that answers."""
    seen, drawn = Seen(), random.Random(0)  # noqa: S311
    limits, seconds = httpx.Limits(max_connections=None), given.minutes * 60
    processes = Processes.at(server.url)
    async with httpx.AsyncClient(base_url=server.url, timeout=150, limits=limits) as client:
        cpu, until = processes.cpu_s, time.monotonic() + seconds
        wrong = wrong_bodies(asked[0].body, given.malformed)
        with watch(server.url) as health:
            await asyncio.gather(
                weigh(processes, seen, until),
                send_malformed(client, wrong, seen, seconds / given.malformed / 2, until),
                *(keep_asking(client, asked, seen, drawn, until) for _ in range(2 * given.places)),
            )
            told = health()
        cpu = processes.cpu_s - cpu
    start = time.monotonic()
    whole = await at_the_end(server, asked[0].body, given.places)
    code = await asyncio.to_thread(server.process.wait, 60)
    drain = {"whole": whole, "exit_code": code, "seconds": round(time.monotonic() - start, 1)}
    warm = seen.mib[int(WARM * len(seen.mib))]
    return {
        "ready_s": round(server.ready_s, 1),
        "outcomes": dict(seen.outcomes),
        "malformed": dict(sorted(seen.malformed.items())),
        "health": told.figures(),
        "mib": {"start": seen.mib[0], "warm": warm, "end": seen.mib[-1], "most": max(seen.mib)},
        "cpu_s": round(cpu, 1),
        "drain": drain,
    }


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Start a server and load it."""
    asked = questions(OnnxEngine.load(given.bundle, 1), 24)
    options = ("--log-level", "warning", "--max-requests", str(given.places))
    with serve(given.bundle, *options) as server:
        return asyncio.run(load(server, asked, given))


def broken(report: dict[str, Any], places: int) -> list[str]:
    """Promises that were not kept."""
    expected = {"right", "429", "hung up"}
    found = [f"{name}: {n}" for name, n in report["outcomes"].items() if name not in expected]
    found += [f"malformed: {n} times {s}" for s, n in report["malformed"].items() if s >= 500]
    found += [f"/health: {n} times no answer" for n in [report["health"]["refused"]] if n]
    if report["mib"]["end"] > GROWTH * report["mib"]["warm"]:
        found.append(f"memory: {report['mib']}")
    if report["drain"]["whole"] != places:
        found.append(f"at the end: {report['drain']}")
    return found


def main() -> None:
    """Run, print, and fail where a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--bundle", type=Path, default=Path("data/export/bundle"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--places", type=int, default=8, help="the server's --max-requests")
    parser.add_argument("--malformed", type=int, default=2000)
    given = parser.parse_args()
    report = run(given)
    print(json.dumps(report))
    if found := broken(report, given.places):
        raise SystemExit("error: " + "; ".join(found))


if __name__ == "__main__":
    main()
