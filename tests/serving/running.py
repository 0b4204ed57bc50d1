"""A server as a process of its own, and how its clients ask."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import psutil

from tests.tiny import NARRATIONS

COMMAND = [sys.executable, "-m", "eilev.cli", "serve", "--bundle"]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(bundle: Path, *options: str) -> Iterator[Server]:
    port = free_port()
    process = subprocess.Popen([*COMMAND, str(bundle), "--port", str(port), *options])
    server = Server(process, port)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            httpx.get(f"{server.url}/health", timeout=30).raise_for_status()
            break
        except httpx.ConnectError:
            time.sleep(0.1)
    decoders = psutil.Process(process.pid).children(recursive=True)
    assert decoders
    yield server
    process.terminate()
    assert process.wait(timeout=30) in (0, -signal.SIGTERM)
    assert not psutil.wait_procs(decoders, timeout=10)[1]


def client_of(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def few_shot(video_urls: list[str]) -> list[dict]:
    content = []
    for url, narration in zip(video_urls, [*NARRATIONS[:2], None], strict=True):
        content.append({"type": "video_url", "video_url": {"url": url}})
        if narration:
            content.append({"type": "text", "text": narration})
    return [{"role": "user", "content": content}]
