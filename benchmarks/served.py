"""Servers that are measured: requests for them, and what their processes take."""

import base64
import copy
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np
import psutil

from eilev.synthetic.render import encode_mp4

FPS = 8
CHAT = "/v1/chat/completions"
Mode = Literal["same", "query", "cold"]
Body = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """Of a request: its examples, and length (seconds) and side (pixels) of each video."""

    shots: int
    seconds: float
    side: int


def bodies(shape: Shape, mode: Mode, seed: int) -> Iterator[Body]:
    """Requests without end. Which videos are new in each: none, the query's, or all.

    Videos are noise, the worst case to decode.
    """
    rng = np.random.default_rng(seed)
    body = _body([_video_url(shape, rng) for _ in range(shape.shots + 1)])
    while True:
        yield copy.deepcopy(body)
        parts = body["messages"][0]["content"]
        videos = [part for part in parts if part["type"] == "video_url"]
        for part in {"same": [], "query": videos[-1:], "cold": videos}[mode]:
            part["video_url"]["url"] = _video_url(shape, rng)


def _body(urls: list[str]) -> Body:
    content: list[dict[str, Any]] = []
    for url in urls:
        content.append({"type": "video_url", "video_url": {"url": url}})
        content.append({"type": "text", "text": "The camera wearer cuts the onion."})
    return {"model": "eilev", "messages": [{"role": "user", "content": content[:-1]}]}


def _video_url(shape: Shape, rng: np.random.Generator) -> str:
    """An MP4 in a data URL."""
    size = (int(shape.seconds * FPS), shape.side, shape.side, 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        encode_mp4(rng.integers(0, 256, size, dtype=np.uint8), FPS, path)
        return f"data:video/mp4;base64,{base64.b64encode(path.read_bytes()).decode()}"


@dataclass(frozen=True)
class Processes:
    """The process that listens at a local address, and its children."""

    root: psutil.Process

    @classmethod
    def at(cls, url: str) -> "Processes":
        """Find them (SystemExit if nobody listens there)."""
        port = urlsplit(url).port
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return cls(psutil.Process(connection.pid))
        raise SystemExit(f"error: no process of this machine listens at {url}")

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU of all of them so far."""
        times = [process.cpu_times() for process in self._all()]
        return float(sum(each.user + each.system for each in times))

    @property
    def pss_mib(self) -> float:
        """Memory; what they share is counted once."""
        return float(sum(each.memory_full_info().pss for each in self._all())) / 2**20

    def _all(self) -> list[psutil.Process]:
        return [self.root, *self.root.children(recursive=True)]
