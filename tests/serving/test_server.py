"""The server as a process of its own, asked over real HTTP by OpenAI's client."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import psutil
import pytest

from eilev.bundle.answers import Writing
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.clips.limits import Limits
from eilev.inputs.turns import Turn
from eilev.serving.media import load_clip
from eilev.serving.settings import Settings
from tests.tiny import NARRATIONS, NUM_FRAMES, PROMPT
from tests.videos import write_video

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


@pytest.fixture(scope="module")
def server(tiny_bundle: Path) -> Iterator[Server]:
    with serve(tiny_bundle) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return client_of(server)


def client_of(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def few_shot(video_urls: list[str]) -> list[dict]:
    content = []
    for url, narration in zip(video_urls, [*NARRATIONS[:2], None], strict=True):
        content.append({"type": "video_url", "video_url": {"url": url}})
        if narration:
            content.append({"type": "text", "text": narration})
    return [{"role": "user", "content": content}]


def test_openai_client_gets_a_narration(client, video_urls):
    messages = few_shot(video_urls)
    answer = client.chat.completions.create(model="eilev", messages=messages, temperature=0)
    (choice,) = answer.choices
    assert choice.message.content
    assert choice.finish_reason in ("stop", "length")
    assert answer.usage.prompt_tokens > 3 * 3  # the query tokens of three videos and their text

    stream = client.chat.completions.create(model="eilev", messages=messages, stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(pieces) == choice.message.content


def test_a_llama_is_served_as_its_engine_narrates(llama_bundle, video_urls):
    engine = OnnxEngine.load(llama_bundle, num_threads=1)
    size = engine.manifest.frame_size
    clips = [load_clip(url, NUM_FRAMES, size, Limits()) for url in video_urls]
    turns = [Turn(PROMPT, text) for text in (*NARRATIONS[:2], None)]
    (expected,) = engine.complete([(turns, clips)], Writing(engine.manifest.max_new_tokens))
    with serve(llama_bundle) as server:
        answer = client_of(server).chat.completions.create(
            model="eilev", messages=few_shot(video_urls)
        )
    assert answer.choices[0].message.content == expected.text != ""
    assert answer.usage.prompt_tokens == expected.num_prompt_tokens


def test_openai_client_sees_the_model_and_typed_errors(client, video_urls):
    assert [model.id for model in client.models.list()] == ["eilev"]
    with pytest.raises(openai.NotFoundError, match="this server has 'eilev'"):
        client.chat.completions.create(model="gpt-4o", messages=few_shot(video_urls))
    messages = few_shot([*video_urls[:2], "https://example.com/a.mp4"])
    with pytest.raises(
        openai.UnprocessableEntityError, match="is not accepted; send the file itself"
    ) as error:
        client.chat.completions.create(model="eilev", messages=messages)
    assert error.value.param == "messages.0.content.4"
    assert error.value.code == "invalid_video"


def test_slow_clients_keep_nobody_out(server, client, video_urls):
    header = b"POST /v1/chat/completions HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(Settings().max_requests):
            waiting = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            waiting.sendall(header)
        time.sleep(0.5)
        assert client.chat.completions.create(model="eilev", messages=few_shot(video_urls)).choices


def test_stopping_waits_no_longer_than_told(tiny_bundle):
    header = b"POST /v1/chat/completions HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n"
    with ExitStack() as stack, serve(tiny_bundle, "--drain-s", "1") as server:
        for _ in range(4):
            open_request = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            open_request.sendall(header)
        time.sleep(0.5)
        server.process.terminate()
        # These would go on arriving for a minute.
        server.process.wait(timeout=30)


def test_who_hangs_up_frees_the_place(server, client, video_urls):
    request = json.dumps({"model": "eilev", "messages": few_shot(video_urls) * 10}).encode()
    header = f"POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nContent-Length: {len(request)}"
    for _ in range(2 * Settings().max_requests):
        with socket.create_connection(("127.0.0.1", server.port)) as hasty:
            hasty.sendall(header.encode() + b"\r\n\r\n" + request)
    time.sleep(0.5)
    assert client.chat.completions.create(model="eilev", messages=few_shot(video_urls)).choices


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A server that is expected not to start."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_a_taken_port_is_named(server, tiny_bundle):
    result = start(str(tiny_bundle), "--port", str(server.port))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: can't listen on 127.0.0.1:{server.port}")


def flip_byte(bundle: Path) -> str:
    content = bytearray((bundle / "decoder.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / "decoder.onnx").write_bytes(content)
    return "decoder.onnx: altered"


def remove_file(bundle: Path) -> str:
    (bundle / "vision.onnx").unlink()
    return "vision.onnx: no such file"


def change_version(bundle: Path) -> str:
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"format_version": 99}))
    return "manifest.json: format_version"


def remove_bundle(bundle: Path) -> str:
    shutil.rmtree(bundle)
    return "manifest.json: no such file"


@pytest.mark.parametrize("damage", [flip_byte, remove_file, change_version, remove_bundle])
def test_a_corrupt_bundle_is_named(tiny_bundle, tmp_path, damage):
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    message = damage(bundle)
    result = start(str(bundle), "--port", str(free_port()))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert f"{bundle}/{message}" in line


def test_the_server_does_without_torch():
    code = "import sys, eilev.serving.server; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "transformers", "accelerate", "onnx", "prefect", "great_expectations"}
    assert not heavy & set(result.stdout.split())


def test_a_bank_is_shown_and_read_again_on_a_signal(tiny_bundle, tmp_path, video_urls):
    table = tmp_path / "bank.csv"
    write_video(tmp_path / "a.mp4", num_frames=8)
    table.write_text(f"file,narration\na.mp4,{NARRATIONS[0]}\n")
    with serve(tiny_bundle, "--bank", str(tmp_path), "--bank-may-grow", "true") as server:
        client = client_of(server)

        def narrations():
            messages = [{"role": "user", "content": few_shot(video_urls)[0]["content"][-1:]}]
            examples = {"examples": {"number": 4, "rounds": 2}}
            answer = client.chat.completions.create(
                model="eilev", messages=messages, extra_body=examples
            )
            return {one["narration"] for one in answer.examples_used}

        assert narrations() == {NARRATIONS[0]}
        sent = {"model": "eilev", "video_url": {"url": video_urls[1]}, "narration": NARRATIONS[1]}
        httpx.post(f"{server.url}/v1/bank", json=sent, timeout=30).raise_for_status()
        assert narrations() == {*NARRATIONS[:2]}
        # What can't be read leaves the earlier bank.
        for text, expected in (("file\n", 2), (f"file,narration\na.mp4,{NARRATIONS[2]}\n", 1)):
            table.write_text(text)
            server.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 30
            while len(narrations()) != expected and time.monotonic() < deadline:
                time.sleep(0.1)
            assert len(narrations()) == expected
        assert narrations() == {NARRATIONS[2]}


def test_a_bank_that_cannot_be_read_is_named(tiny_bundle, tmp_path):
    result = start(str(tiny_bundle), "--port", str(free_port()), "--bank", str(tmp_path))
    assert result.returncode == 1
    assert f"error: {tmp_path}: there is neither bank.csv nor bank.tsv" in result.stderr
