"""What a request costs a running server, over real HTTP; two servers can be held side by side.

    make serve &
    python -m benchmarks.serve --url http://127.0.0.1:8000 --modes query cold
    python -m benchmarks.serve --url http://127.0.0.1:8000 --against http://127.0.0.1:8001

Every request carries its videos as data URLs, as a client's does. In the mode `same` they are those
of the request before, in `query` only the clip to narrate is new, in `cold` all are. CPU is that of
the server's processes, which must be on this machine. Two servers are asked in turn, in --rounds
rounds, so that a busy machine slows both. The last line is JSON.
"""

import argparse
import itertools
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import httpx
import numpy as np

from benchmarks.served import CHAT, Mode, Processes, Shape, bodies

MODES: list[Mode] = ["same", "query", "cold"]


@dataclass
class Tally:
    """Of one server, in one mode, asked by `concurrency` clients that wait for each answer."""

    url: str
    mode: Mode
    concurrency: int
    times_ms: list[float] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0

    def figures(self) -> dict[str, float]:
        """All that is told of it."""
        number = len(self.times_ms)
        p50, p95 = np.percentile(self.times_ms, [50, 95])
        named = {
            "requests_per_s": number / self.wall_s,
            "p50_ms": p50,
            "p95_ms": p95,
            "cpu_ms_per_request": self.cpu_s / number * 1000,
            "wall_ms_per_request": self.wall_s / number * 1000,
        }
        return {name: round(float(value), 1) for name, value in named.items()}

    def measure(self, client: httpx.Client, sent: Sequence[bytes]) -> list[str]:
        """Send requests, add what they cost, and return the answers."""
        server = Processes.at(self.url)

        def send(body: bytes) -> str:
            start = time.perf_counter()
            response = client.post(f"{self.url}{CHAT}", content=body).raise_for_status()
            self.times_ms.append((time.perf_counter() - start) * 1000)
            return str(response.json()["choices"][0]["message"]["content"])

        with ThreadPoolExecutor(self.concurrency) as pool:
            wall, cpu = time.perf_counter(), server.cpu_s
            answers = list(pool.map(send, sent))
            self.wall_s += time.perf_counter() - wall
            self.cpu_s += server.cpu_s - cpu
        return answers


def compare(tallies: Sequence[Tally], shape: Shape, number: int, rounds: int) -> int:
    """Ask all servers the same in turn; how many answers of the others differ from the first's."""
    mode = tallies[0].mode
    different = 0
    made = (json.dumps(body).encode() for body in bodies(shape, mode, seed=tallies[0].concurrency))
    with httpx.Client(timeout=120) as client:
        first = next(made)
        for tally in tallies:  # the first request of a context is not part of it
            client.post(f"{tally.url}{CHAT}", content=first).raise_for_status()
        for turn in range(rounds):
            sent = list(itertools.islice(made, number // rounds))
            order = tallies if turn % 2 else list(reversed(tallies))
            answers = {tally.url: tally.measure(client, sent) for tally in order}
            expected = answers[tallies[0].url]
            for others in answers.values():
                different += sum(a != b for a, b in zip(expected, others, strict=True))
    return different


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--against", help="another server; ratios are to it")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--requests", type=int, default=48, help="to each server in each row")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a video")
    parser.add_argument("--side", type=int, default=64, help="width and height in pixels")
    given = parser.parse_args()
    urls = [given.url, *filter(None, [given.against])]
    shape = Shape(given.shots, given.seconds, given.side)
    results = []
    for mode, concurrency in itertools.product(given.modes, given.concurrency):
        tallies = [Tally(url, mode, concurrency) for url in urls]
        different = compare(tallies, shape, given.requests, given.rounds)
        figures = [tally.figures() for tally in tallies]
        print(
            f"{mode}, {concurrency} clients" + (f"; {different} answers differ" * bool(different))
        )
        for tally, figure in zip(tallies, figures, strict=True):
            print(f"  {tally.url}: {figure}")
        result = {"mode": mode, "concurrency": concurrency, "different": different}
        if given.against:
            ratios = {
                name: round(value / figures[1][name], 2) for name, value in figures[0].items()
            }
            print(f"  ratios: {ratios}", flush=True)
            result |= {"ratios": ratios}
        results.append(result | dict(zip(urls, figures, strict=True)))
    memory = {url: round(Processes.at(url).pss_mib) for url in urls}
    print(f"MiB: {memory}")
    print(json.dumps({"shape": asdict(shape), "results": results, "pss_mib": memory}))


if __name__ == "__main__":
    main()
