"""Whatever is sent, the server says what is wrong with it, goes on and keeps nothing of it."""

import itertools
import json
import socket
import struct

import httpx
import psutil
import pytest
from fastapi.testclient import TestClient

from benchmarks.malformed import wrong_bodies
from eilev.serving.protocol import MAX_CANDIDATES
from eilev.serving.values import MAX_COMMAS, MAX_VALUES
from tests.serving.asking import URL
from tests.serving.conftest import make_app
from tests.serving.running import few_shot

MIB = 2**20


@pytest.fixture(scope="module")
def request_body(video_urls):
    fields = {"temperature": 0.5, "top_p": 0.9, "top_k": 3, "seed": 1, "n": 2, "max_tokens": 2}
    extra = {"stop": ["z"], "stream": False, "logprobs": True, "top_logprobs": 2}
    return {"model": "eilev", "messages": few_shot(video_urls), **fields, **extra}


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=server.url, timeout=60) as http:
        yield http


def test_mutated_requests_are_refused_and_leave_nothing(server, http, request_body):
    process = psutil.Process(server.process.pid)
    bodies = wrong_bodies(request_body, 400)

    def send(number):
        statuses = [
            http.post(URL, content=body).status_code for body in itertools.islice(bodies, number)
        ]
        # Some are right by chance: a seed of -1, say.
        assert set(statuses) <= {200, 400, 404, 422}
        assert statuses.count(200) < number / 4

    send(150)  # what is kept is full
    before = process.memory_info().rss
    send(250)
    assert process.memory_info().rss - before < 32 * MIB
    assert http.post(URL, json=request_body).status_code == 200


POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b", 400),
        (POST + b"Content-Length: 2\r\nContent-Type: image/png\r\n\r\n{}", 400),
        (POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}", 100),
        (POST.replace(b"POST", b"PUT") + b"\r\n", 405),
        (POST.replace(b"POST", b"HEAD") + b"\r\n", 405),
        (POST.replace(b"POST", b"OPTIONS") + b"\r\n", 405),
        (POST.replace(b"/v1", b"/v1/%ff%00") + b"\r\n", 404),
        (POST.replace(b"t\r\n", b"[\r\n") + b"Content-Length: 2\r\n\r\n{}", 400),
        (POST + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500, 400),
        (b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n" * 50 + POST + b"\r\n", 200),
    ],
    ids=lambda value: None if isinstance(value, int) else value[-24:].decode("latin-1"),
)
def test_what_is_hardly_http_is_answered(server, http, sent, status):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as raw:
        raw.sendall(sent)
        assert raw.recv(12) == f"HTTP/1.1 {status}".encode()
    assert http.get("/health").status_code == 200


def test_other_methods_are_told_which_are_allowed(http):
    assert http.put(URL).headers["allow"] == "POST"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"eilev","messages":[' + b"{}," * MAX_VALUES + b"{}]}",
        b'{"model":"eilev","stop":[' + b"1," * MAX_COMMAS + b"1]}",
        b'{"model":"eilev",' + b",".join(b'"%x":1' % key for key in range(MAX_VALUES)) + b"}",
    ],
    ids=["objects", "numbers", "fields"],
)
@pytest.mark.parametrize("path", [URL, "/v1/score", "/v2/models/eilev/infer"])
def test_too_many_values_are_refused_before_they_are_read(http, path, body):
    response = http.post(path, content=body)
    assert response.status_code == 400
    assert "are read" in response.text


def test_as_many_values_as_are_allowed_name_the_first_wrong_one(http):
    body = b'{"model":"eilev","messages":[' + b"{}," * (MAX_VALUES - 100) + b"{}]}"
    assert http.post(URL, content=body).json()["error"]["param"] == "messages.0"


@pytest.mark.parametrize("change", [{"model": "x" * MIB}, {"messages": [{"role": "x" * MIB}]}])
def test_an_error_quotes_little(http, request_body, change):
    assert len(http.post(URL, json=request_body | change).content) < 2000


def test_no_client_writes_lines_of_the_log(models, decoders, request_body, caplog):
    caplog.set_level("INFO", "eilev.serving")
    client = TestClient(make_app(models, decoders))
    client.post(URL, json=request_body | {"model": "a\nINFO answered\x1b[31m"})
    assert [record.message for record in caplog.records if "refused" in record.message] == [
        r"refused: model 'a\nINFO answered\x1b[31m' does not exist; this server has 'eilev'"
    ]


def infer(http, tensors, binary=b"", length=None):
    header = json.dumps({"inputs": tensors}).encode()
    headers = {"Inference-Header-Content-Length": length or str(len(header))}
    return http.post("/v2/models/eilev/infer", content=header + binary, headers=headers)


def tensor(size, name="narrations"):
    parameters = {"binary_data_size": size}
    return {"name": name, "shape": [1], "datatype": "BYTES", "parameters": parameters}


@pytest.mark.parametrize(
    ("tensors", "binary", "reason"),
    [
        ([tensor(8 * MIB)], bytes(8 * MIB), "more than 64 elements"),
        ([tensor(0)] * 1000, bytes(8 * MIB), "given twice"),
        ([tensor(9)], struct.pack("<I", 100) + b"short", "end within an element"),
        ([tensor(True)], b"a", "lacks its True bytes"),
    ],
)
def test_binary_tensors_are_bounded(http, tensors, binary, reason):
    response = infer(http, tensors, binary)
    assert response.status_code == 400
    assert reason in response.json()["error"]


def test_a_length_of_many_digits_is_none(http):
    assert infer(http, [tensor(0)], length="9" * 5000).status_code == 400


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 2.0])
def test_any_temperature_draws(http, request_body, temperature):
    response = http.post(URL, json=request_body | {"temperature": temperature, "top_k": 10**30})
    assert response.status_code == 200


def test_many_candidates_are_refused(http, request_body):
    request = request_body | {"candidates": ["cut"] * (MAX_CANDIDATES + 1)}
    assert http.post("/v1/score", json=request).status_code == 400
