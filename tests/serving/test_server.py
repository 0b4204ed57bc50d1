"""The server as a process of its own, asked over real HTTP by OpenAI's client."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import openai
import pytest

from benchmarks.running import COMMAND, Server, free_port, serve
from eilev.bundle.answers import Writing
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.clips.limits import Limits
from eilev.inputs.turns import Turn
from eilev.serving.media import load_clip
from eilev.serving.settings import MIB, Settings
from tests.serving.running import client_of, few_shot
from tests.tiny import NARRATIONS, NUM_FRAMES, PROMPT
from tests.videos import write_video


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return client_of(server)


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


def test_who_never_ends_a_header_is_left(tiny_bundle):
    beginnings = [b"", b"GET /health HTTP/1.1\r\nHost:"]
    with ExitStack() as stack, serve(tiny_bundle, "--body-timeout-s", "1") as server:
        for beginning in beginnings:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.settimeout(30)
            client.sendall(beginning)
            assert client.recv(1) == b""
        # The second request of a connection that is kept open has the same limit.
        client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        client.settimeout(30)
        client.sendall(b"GET /health HTTP/1.1\r\nHost: test\r\n\r\nGET /heal")
        answers = b"".join(iter(lambda: client.recv(2**16), b""))
        assert answers.startswith(b"HTTP/1.1 200")
        assert answers.count(b"HTTP/1.1") == 1
        # One that goes on asking is not closed after a second.
        with httpx.Client() as keeping:
            for _ in range(3):
                assert keeping.get(f"{server.url}/health").is_success
                time.sleep(0.7)


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


@contextmanager
def health_is_told(server):
    """Ask for it all the time; a second at most is promised, more than that shows a standstill."""
    slowest, ended = [0.0], threading.Event()

    def ask():
        with httpx.Client(base_url=server.url, timeout=60) as http:
            while not ended.is_set():
                start = time.monotonic()
                http.get("/health").raise_for_status()
                slowest[0] = max(slowest[0], time.monotonic() - start)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        yield
        ended.set()
        asking.result()
    assert slowest[0] < 10


def test_health_is_told_while_megabytes_of_text_are_refused(server, client):
    messages = [{"role": "user", "content": "onion " * (16 * MIB // 6)}]
    with health_is_told(server), pytest.raises(openai.BadRequestError, match="bytes of text"):
        client.chat.completions.create(model="eilev", messages=messages)


def test_health_is_told_while_many_hang_up_in_their_streams(server, client, video_urls):
    fields = {"max_tokens": 4000, "n": 16, "temperature": 2.0, "stream": True}
    with health_is_told(server):
        for _ in range(16):
            stream = client.chat.completions.create(
                model="eilev", messages=few_shot(video_urls), **fields
            )
            next(iter(stream))
            stream.close()
    running = "eilev_num_requests_running{"
    for _ in range(100):
        lines = httpx.get(f"{server.url}/metrics").text.splitlines()
        if [line for line in lines if line.startswith(running) and line.endswith(" 0.0")]:
            return
        time.sleep(0.1)
    pytest.fail("what nobody reads is written on")


def test_long_answers_are_finished_when_told_to_stop(tiny_bundle, video_urls):
    fields = {"max_tokens": 4000, "n": 16, "temperature": 2.0, "seed": 1}
    with serve(tiny_bundle) as server, ThreadPoolExecutor(4) as pool:
        create = client_of(server).chat.completions.create
        streams = [
            create(model="eilev", messages=few_shot(video_urls), stream=True, **fields)
            for _ in range(4)
        ]
        begun = [next(iter(stream)) for stream in streams]
        assert len(begun) == 4
        server.process.terminate()
        reasons = list(pool.map(_reasons, streams))
        assert [len(each) for each in reasons] == [16] * 4
        assert all({*each} <= {"stop", "length"} for each in reasons)
        assert server.process.wait(timeout=60) in (0, -signal.SIGTERM)


def _reasons(stream):
    return [
        choice.finish_reason for chunk in stream for choice in chunk.choices if choice.finish_reason
    ]


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
