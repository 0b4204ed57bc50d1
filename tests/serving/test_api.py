"""The application in this process; test_server.py goes over real HTTP."""

import json

import pytest
from fastapi.testclient import TestClient

from eilev.clips.limits import Limits
from eilev.inputs.turns import Turn
from eilev.serving.api import Capacity, create_app
from eilev.serving.media import load_clip
from eilev.serving.service import Service
from tests.tiny import NARRATIONS, NUM_FRAMES, PROMPT

URL = "/v1/chat/completions"


@pytest.fixture(scope="module")
def client(service: Service) -> TestClient:
    # Not as a context manager: that would end the service, which other tests use.
    return TestClient(create_app(service, Capacity(max_body_bytes=2**20)))


def body(*parts, **fields):
    content = [
        {"type": "text", "text": part} if not part.startswith("data:") else video(part)
        for part in parts
    ]
    return {"model": "eilev", "messages": [{"role": "user", "content": content}], **fields}


def video(url):
    return {"type": "video_url", "video_url": {"url": url}}


def test_few_shot_request(client, service, video_urls):
    request = body(video_urls[0], NARRATIONS[0], video_urls[1], NARRATIONS[1], video_urls[2])
    answer = client.post(URL, json=request).json()
    size = service.engine.manifest.frame_size
    clips = [load_clip(url, NUM_FRAMES, size, Limits()) for url in video_urls]
    turns = [Turn(PROMPT, NARRATIONS[0]), Turn(PROMPT, NARRATIONS[1]), Turn(PROMPT, None)]
    (expected,) = service.engine.complete([(turns, clips)], 6)
    (choice,) = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": expected.text}
    assert choice["finish_reason"] == ("stop" if expected.stopped else "length")
    usage = answer["usage"]
    assert usage["prompt_tokens"] == expected.num_prompt_tokens
    assert usage["total_tokens"] == usage["prompt_tokens"] + expected.num_new_tokens
    assert (answer["object"], answer["model"]) == ("chat.completion", "eilev")


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_length_may_be_bounded(client, video_urls, field):
    answer = client.post(URL, json=body(video_urls[0], **{field: 1})).json()
    assert answer["usage"]["completion_tokens"] == 1


def test_stream_is_the_same_answer_in_events(client, video_urls):
    whole = client.post(URL, json=body(video_urls[0])).json()
    options = {"stream": True, "stream_options": {"include_usage": True}}
    response = client.post(URL, json=body(video_urls[0], **options))
    assert response.headers["content-type"].startswith("text/event-stream")
    *events, done = response.text.strip().split("\n\n")
    assert done == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    text = "".join(c["delta"].get("content", "") for chunk in chunks for c in chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert chunks[-2]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert chunks[-1]["usage"] == whole["usage"]
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_models_and_health(client):
    assert client.get("/health").json() == {"status": "ok"}
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["eilev"]
    assert URL in client.get("/openapi.json").json()["paths"]


def error_of(response):
    (envelope,) = response.json().values()
    assert set(envelope) == {"message", "type", "param", "code"}
    return envelope


@pytest.mark.parametrize(
    ("change", "status", "param", "reason"),
    [
        ({"model": "gpt-4o"}, 404, "model", "this server has 'eilev'"),
        ({"messages": []}, 400, "messages", "at least 1 item"),
        ({"messages": None}, 400, "messages", "array"),
        ({"messages": [{"role": "system", "content": "hi"}]}, 400, "messages.0", "'user'"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            400,
            "messages.0.content.0",
            "'video_url'",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {}}]}]},
            400,
            "messages.0.content.0.video_url.url",
            "required",
        ),
        ({"max_tokens": 0}, 400, "max_tokens", "greater than or equal to 1"),
        ({"max_tokens": 500}, 400, "messages", "the model has 256"),
        ({"temperature": 0.7}, 400, "temperature", "only 0 is supported"),
        ({"n": 2}, 400, "n", "only 1 is supported"),
    ],
)
def test_wrong_requests_name_the_field(client, video_urls, change, status, param, reason):
    response = client.post(URL, json=body(video_urls[0]) | change)
    assert response.status_code == status
    error = error_of(response)
    assert error["param"] == param
    assert reason in error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "url", ["data:video/mp4;base64,AAAA", "https://example.com/a.mp4", "file:///etc/passwd"]
)
def test_refused_videos_are_named(client, video_urls, url):
    request = body(video_urls[0], NARRATIONS[0])
    request["messages"][0]["content"].append(video(url))
    response = client.post(URL, json=request)
    assert response.status_code == 422
    assert error_of(response)["param"] == "messages.0.content.2"
    assert error_of(response)["code"] == "invalid_video"


def test_what_is_no_request_has_the_same_envelope(client):
    assert "JSON" in error_of(client.post(URL, content=b"{"))["message"]
    assert client.get("/nowhere").status_code == 404
    assert error_of(client.get("/nowhere"))["message"] == "GET /nowhere: Not Found"
    assert error_of(client.get(URL))["message"].endswith("Method Not Allowed")


def test_too_large_a_body_is_refused(client):
    response = client.post(URL, content=b" " * (2**20 + 1))
    assert response.status_code == 413
    assert "1048576 bytes" in error_of(response)["message"]
