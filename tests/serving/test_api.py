"""The application in this process; test_server.py goes over real HTTP."""

import base64
import io
import json

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from eilev.bundle.answers import Writing
from eilev.clips.limits import Limits
from eilev.inputs.turns import Turn
from eilev.serving.api import create_app
from eilev.serving.media import load_clip
from eilev.serving.settings import Settings
from tests.serving.asking import URL, body, error_of, text_of, video
from tests.serving.conftest import make_answering
from tests.tiny import NARRATIONS, NUM_FRAMES, PROMPT


def test_few_shot_request(client, engine, video_urls):
    request = body(video_urls[0], NARRATIONS[0], video_urls[1], NARRATIONS[1], video_urls[2])
    answer = client.post(URL, json=request).json()
    size = engine.manifest.frame_size
    clips = [load_clip(url, NUM_FRAMES, size, Limits()) for url in video_urls]
    turns = [Turn(PROMPT, NARRATIONS[0]), Turn(PROMPT, NARRATIONS[1]), Turn(PROMPT, None)]
    (expected,) = engine.complete([(turns, clips)], Writing(6))
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


@pytest.mark.parametrize(
    ("change", "status", "param", "reason"),
    [
        ({"model": "gpt-4o"}, 404, "model", "this server has 'eilev'"),
        ({"messages": []}, 400, "messages", "at least 1 item"),
        ({"messages": None}, 400, "messages", "required"),
        ({"messages": [{"role": "tool", "content": "hi"}]}, 400, "messages.0", "'user'"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            400,
            "messages.0.content.0.image_url.url",
            "required",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {}}]}]},
            400,
            "messages.0.content.0.video_url.url",
            "required",
        ),
        ({"max_tokens": 0}, 400, "max_tokens", "greater than or equal to 1"),
        ({"temperature": 2.5}, 400, "temperature", "less than or equal to 2"),
        ({"n": 17}, 400, "n", "less than or equal to 16"),
        ({"stop": [""]}, 400, "stop.0", "at least 1"),
        ({"tools": [{"type": "function"}]}, 400, "tools", "can't do that"),
        ({"response_format": {"type": "json_object"}}, 400, "response_format", "can't do that"),
        ({"frequency_penalty": 0.5}, 400, "frequency_penalty", "can't do that"),
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


@pytest.mark.parametrize(
    "fields",
    [
        dict.fromkeys(
            [
                "max_tokens",
                "temperature",
                "top_p",
                "n",
                "stop",
                "seed",
                "stream",
                "stream_options",
                "logprobs",
                "tools",
            ]
        ),
        {"max_tokens": 4096},
        {"tools": [], "tool_choice": "none", "response_format": {"type": "text"}},
        {"user": "me", "metadata": {"a": "b"}, "store": False, "logit_bias": {}},
        {"frequency_penalty": 0.0, "presence_penalty": 0, "top_p": 1, "top_k": -1},
    ],
    ids=["null is not given", "more tokens than room", "nothing asked", "harmless", "defaults"],
)
def test_what_changes_nothing_passes(client, video_urls, fields):
    plain = client.post(URL, json=body(video_urls[0]))
    answer = client.post(URL, json=body(video_urls[0]) | fields)
    assert text_of(answer).startswith(text_of(plain))


def test_an_answer_ends_before_a_stop_text(client, video_urls):
    whole = text_of(client.post(URL, json=body(video_urls[0], max_tokens=20)))
    word = whole.split()[-1]
    response = client.post(URL, json=body(video_urls[0], max_tokens=20, stop=word))
    assert text_of(response) == whole[: whole.index(word)].rstrip()
    assert response.json()["choices"][0]["finish_reason"] == "stop"


def test_answers_are_drawn_by_their_seed(client, video_urls):
    def draw(seed):
        request = body(video_urls[0], temperature=1.5, seed=seed, n=3, max_tokens=8)
        choices = client.post(URL, json=request).json()["choices"]
        assert [choice["index"] for choice in choices] == [0, 1, 2]
        return [choice["message"]["content"] for choice in choices]

    assert draw(1) == draw(1) != draw(2)
    assert len(set(draw(1))) > 1


def test_log_probabilities_are_of_the_tokens_written(client, video_urls):
    request = body(video_urls[0], max_tokens=4, logprobs=True, top_logprobs=3)
    choice = client.post(URL, json=request).json()["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert len(tokens) == 4
    for token in tokens:
        assert len(token["top_logprobs"]) == 3
        # Greedy: the one written is the likeliest.
        assert token["top_logprobs"][0]["logprob"] == token["logprob"] <= 0
        assert bytes(token["bytes"]).decode() == token["token"]
    streamed = client.post(URL, json=request | {"stream": True}).text
    chunks = [json.loads(line[6:]) for line in streamed.split("\n\n")[:-2]]
    found = [
        c["logprobs"]["content"] for chunk in chunks for c in chunk["choices"] if c["logprobs"]
    ]
    assert [token for part in found for token in part] == tokens


def test_several_answers_are_streamed_beside_each_other(client, video_urls):
    request = body(video_urls[0], temperature=1.5, seed=1, n=2, max_tokens=8)
    whole = [
        choice["message"]["content"] for choice in client.post(URL, json=request).json()["choices"]
    ]
    events = client.post(URL, json=request | {"stream": True}).text.split("\n\n")[:-2]
    assert len(events) > 4
    texts = ["", ""]
    for event in events:
        for choice in json.loads(event[6:])["choices"]:
            texts[choice["index"]] += choice["delta"].get("content", "")
    assert texts == whole


def test_a_still_is_narrated(client):
    file = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), 200, np.uint8)).save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    part = {"type": "image_url", "image_url": {"url": url}}
    request = {"model": "eilev", "messages": [{"role": "user", "content": [part]}]}
    assert text_of(client.post(URL, json=request))


def test_notes_say_what_was_left_out(client, video_urls):
    request = body(video_urls[0])
    assert client.post(URL, json=request).json()["notes"] == []
    request["messages"].insert(0, {"role": "system", "content": "Be brief."})
    assert "system message" in client.post(URL, json=request).json()["notes"][0]


def test_a_full_server_says_so(models, decoders, video_urls):
    full = TestClient(
        create_app(models, make_answering(decoders, Settings(), max_requests=0), Settings())
    )
    response = full.post(URL, json=body(video_urls[0]))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    assert error_of(response)["code"] == "server_busy"


def test_an_answer_has_a_deadline(models, decoders, video_urls):
    hasty = TestClient(
        create_app(models, make_answering(decoders, Settings(), timeout_s=0.0), Settings())
    )
    response = hasty.post(URL, json=body(video_urls[0]))
    assert response.status_code == 504
    assert "longer than 0 s" in error_of(response)["message"]


def test_one_model_the_version_and_heads(client):
    assert client.get("/v1/models/eilev").json()["id"] == "eilev"
    assert error_of(client.get("/v1/models/other"))["code"] == "model_not_found"
    assert client.get("/version").json()["version"]
    assert client.head("/health").status_code == 200


def test_candidates_are_scored_as_the_engine_scores_them(client, engine, video_urls):
    request = body(video_urls[0], NARRATIONS[0], video_urls[1])
    found = client.post("/v1/score", json=request | {"candidates": NARRATIONS}).json()
    size = engine.manifest.frame_size
    clips = [load_clip(url, NUM_FRAMES, size, Limits()) for url in video_urls[:2]]
    turns = [Turn(PROMPT, NARRATIONS[0]), Turn(PROMPT, None)]
    assert [one["text"] for one in found["data"]] == NARRATIONS
    scores = [one["score"] for one in found["data"]]
    assert scores == pytest.approx(engine.score(turns, clips, NARRATIONS), abs=1e-4)
    assert found["prompt_tokens"] == len(engine.layout(turns).input_ids)


@pytest.mark.parametrize(
    ("candidates", "param"),
    [([], "candidates"), (["onion", " "], "candidates.1"), (["a " * 400], "candidates")],
)
def test_candidates_that_cannot_be_scored_are_named(client, video_urls, candidates, param):
    response = client.post("/v1/score", json=body(video_urls[0]) | {"candidates": candidates})
    assert response.status_code == 400
    assert error_of(response)["param"] == param
