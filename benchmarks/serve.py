"""Latency and throughput of a running server, over real HTTP.

    make serve &
    python -m benchmarks.serve --url http://127.0.0.1:8000 --shots 8

Every request carries its videos as data URLs, as a client's does. The last line is JSON.
"""

import argparse
import base64
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from eilev.synthetic.render import encode_mp4

FPS = 8


@dataclass(frozen=True)
class Result:
    """Requests sent by `concurrency` clients, each waiting for its answer before the next."""

    concurrency: int
    requests_per_s: float
    p50_ms: float
    p95_ms: float
    max_ms: float


def request_body(shots: int, seconds: float, side: int) -> dict[str, Any]:
    """A few-shot request with `shots` + 1 different videos of noise, the worst case to decode."""
    rng = np.random.default_rng(0)
    content: list[dict[str, Any]] = []
    for number in range(shots + 1):
        frames = rng.integers(0, 256, (int(seconds * FPS), side, side, 3), dtype=np.uint8)
        content.append({"type": "video_url", "video_url": {"url": video_url(frames)}})
        if number < shots:
            content.append({"type": "text", "text": "The camera wearer cuts the onion."})
    return {"model": "eilev", "messages": [{"role": "user", "content": content}]}


def video_url(frames: np.ndarray) -> str:
    """The frames as an MP4 in a data URL."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        encode_mp4(frames, FPS, path)
        return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"


def measure(url: str, body: bytes, concurrency: int, num_requests: int) -> Result:
    """Send `num_requests` requests and time each."""
    with httpx.Client(base_url=url, timeout=120) as client, ThreadPoolExecutor(concurrency) as pool:

        def send(_: int) -> float:
            start = time.perf_counter()
            client.post("/v1/chat/completions", content=body).raise_for_status()
            return (time.perf_counter() - start) * 1000

        send(0)  # the connection is not part of it
        start = time.perf_counter()
        times = list(pool.map(send, range(num_requests)))
        elapsed = time.perf_counter() - start
    p50, p95 = np.percentile(times, [50, 95])
    figures = (num_requests / elapsed, p50, p95, max(times))
    return Result(concurrency, *(round(float(figure), 1) for figure in figures))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a video")
    parser.add_argument("--side", type=int, default=64, help="width and height in pixels")
    parser.add_argument("--requests", type=int, default=50)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args()
    body = json.dumps(request_body(arguments.shots, arguments.seconds, arguments.side)).encode()
    print(f"{arguments.shots} shots, {len(body) / 1e6:.2f} MB a request")
    print("clients  requests/s   p50 ms   p95 ms   max ms")
    results = []
    for concurrency in arguments.concurrency:
        result = measure(arguments.url, body, concurrency, arguments.requests)
        results.append(result)
        print(
            f"{result.concurrency:7d} {result.requests_per_s:11.1f} {result.p50_ms:8.1f} "
            f"{result.p95_ms:8.1f} {result.max_ms:8.1f}"
        )
    print(json.dumps([asdict(result) for result in results]))


if __name__ == "__main__":
    main()
