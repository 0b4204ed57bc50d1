"""The application in this process; test_server.py goes over real HTTP."""

import asyncio
import base64
import io
import itertools
import json

import jsonschema
import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from eilev.bundle.answers import Writing
from eilev.bundle.batch import Batch
from eilev.clips.limits import Limits
from eilev.inputs.turns import Turn
from eilev.serving.api import create_app
from eilev.serving.media import load_clip
from eilev.serving.models import Models
from eilev.serving.replies import EventStream
from eilev.serving.settings import Settings
from tests.serving.conftest import make_answering, make_app
from tests.tiny import NARRATIONS, NUM_FRAMES, PROMPT

URL = "/v1/chat/completions"


@pytest.fixture(scope="module")
def client(models, decoders) -> TestClient:
    # Not as a context manager: that would end models and decoders, which other tests use.
    return TestClient(make_app(models, decoders, max_body_mib=1))


def body(*parts, **fields):
    content = [
        {"type": "text", "text": part} if not part.startswith("data:") else video(part)
        for part in parts
    ]
    return {"model": "eilev", "messages": [{"role": "user", "content": content}], **fields}


def video(url):
    return {"type": "video_url", "video_url": {"url": url}}


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


def test_a_stream_that_fails_on_its_way_ends_in_an_error(client, video_urls, monkeypatch):
    steps = itertools.count()
    step = Batch.step

    def failing(batch):
        if batch.answers and next(steps) == 2:
            raise RuntimeError("of the engine")
        step(batch)

    monkeypatch.setattr(Batch, "step", failing)
    response = client.post(URL, json=body(video_urls[0], max_tokens=20, stream=True))
    *events, failure, done = response.text.strip().split("\n\n")
    assert events
    assert json.loads(failure[6:])["error"]["message"].startswith("internal error")
    assert done == "data: [DONE]"
    # The next one is answered.
    assert text_of(client.post(URL, json=body(video_urls[0], max_tokens=20)))


def test_a_client_that_does_not_read_is_not_waited_for():
    closed = []

    async def pieces():
        try:
            while True:
                yield "data: {}\n\n"
        finally:
            closed.append(True)

    async def run():
        stuck = asyncio.Event()

        async def send(message):
            if message["type"] == "http.response.body":
                await stuck.wait()

        await EventStream(pieces(), timeout_s=0.05)({"type": "http"}, stuck.wait, send)

    asyncio.run(asyncio.wait_for(run(), 30))
    assert closed


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


def text_of(response):
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]["content"]


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


def test_web_pages_may_call_where_they_are_allowed(models, decoders):
    origin = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    closed = TestClient(make_app(models, decoders))
    assert "access-control-allow-origin" not in closed.options(URL, headers=origin).headers
    open_ = TestClient(make_app(models, decoders, cors_origin=["https://a.example"]))
    allowed = open_.options(URL, headers=origin).headers["access-control-allow-origin"]
    assert allowed == "https://a.example"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://testserver"}, 200),
        ({"Origin": "https://a.example"}, 200),
        ({"Origin": "https://proxied.example", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://b.example"}, 403),
        ({"Origin": "https://b.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://testserver.b.example"}, 403),
    ],
)
def test_web_pages_of_others_make_it_do_nothing(models, decoders, video_urls, headers, status):
    app = make_app(models, decoders, cors_origin=["https://a.example"], may_load=True)
    client = TestClient(app)
    # A browser sends this type to any server, without asking it first.
    headers = headers | {"Content-Type": "text/plain"}
    text = json.dumps(body(video_urls[0]))
    assert client.post(URL, content=text, headers=headers).status_code == status
    assert client.get("/v1/models", headers=headers).status_code == 200
    if status == 403:
        refused = client.post("/v2/repository/models/eilev/load", headers=headers)
        assert refused.status_code == 403


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


def test_what_is_kept_changes_no_answer_and_is_counted(tiny_bundle, decoders, video_urls):
    models = Models({"eilev": tiny_bundle}, Settings(num_threads=1))
    client = TestClient(make_app(models, decoders))

    def ask(*parts):
        answer = client.post(URL, json=body(*parts, max_tokens=8, logprobs=True)).json()
        return answer["choices"], answer["usage"]

    def lookups(name):
        lines = client.get("/metrics").text.splitlines()
        (line,) = [
            line
            for line in lines
            if line.startswith(f"eilev_cache_{name}_total") and 'cache="context"' in line
        ]
        return float(line.split()[-1])

    few_shot = [video_urls[0], NARRATIONS[0], video_urls[1], NARRATIONS[1]]
    queries = [ask(*few_shot, url) for url in video_urls]
    assert (lookups("queries"), lookups("hits")) == (3, 2)
    assert [ask(*few_shot, url) for url in video_urls] == queries
    assert lookups("hits") == 5
    cold = Models({"eilev": tiny_bundle}, Settings(num_threads=1))
    client = TestClient(make_app(cold, decoders))
    assert [ask(*few_shot, url)[1] for url in reversed(video_urls)] == [
        usage for _, usage in reversed(queries)
    ]
    models.close()
    cold.close()


def test_metrics_have_the_names_of_vllm_with_our_prefix(client, video_urls):
    client.post(URL, json=body(video_urls[0]))
    client.post(URL, json=body(video_urls[0], stream=True))
    client.post(URL, json={})
    text = client.get("/metrics").text
    for name in (
        'eilev_num_requests_running{model_name="eilev"} 0.0',
        'eilev_prompt_tokens_total{model_name="eilev"}',
        'eilev_generation_tokens_total{model_name="eilev"}',
        'eilev_time_to_first_token_seconds_count{model_name="eilev"}',
        'eilev_e2e_request_latency_seconds_count{model_name="eilev"}',
        'eilev_request_success_total{finished_reason="',
        'eilev_request_refused_total{status="400"}',
        "process_resident_memory_bytes",
    ):
        assert name in text


def test_only_bearers_of_a_key_are_answered(models, decoders, video_urls):
    client = TestClient(make_app(models, decoders, api_key="one,two"))
    request = body(video_urls[0])
    for headers in ({}, {"Authorization": "Bearer three"}, {"Authorization": "Basic b25l"}):
        response = client.post(URL, json=request, headers=headers)
        assert response.status_code == 401
        assert error_of(response)["code"] == "invalid_api_key"
    for key in ("one", "two"):
        headers = {"Authorization": f"Bearer {key}"}
        assert client.post(URL, json=request, headers=headers).status_code == 200
        assert client.get("/v1/models", headers=headers).status_code == 200
    assert client.get("/v1/models").status_code == 401
    assert client.get("/health").status_code == 200


def test_a_request_keeps_its_id(client, video_urls, caplog):
    caplog.set_level("INFO", "eilev.serving")
    response = client.post(URL, json=body(video_urls[0]), headers={"X-Request-ID": "mine-1"})
    assert response.headers["x-request-id"] == "mine-1"
    assert client.get("/health").headers["x-request-id"]
    strange = client.get("/health", headers={"X-Request-ID": "a b<script>"})
    assert strange.headers["x-request-id"] != "a b<script>"
    (line,) = [record for record in caplog.records if record.message.startswith("answered")]
    assert line.completion_tokens == response.json()["usage"]["completion_tokens"]


def test_the_document_describes_bodies_and_needs_no_network(client, video_urls):
    document = client.get("/openapi.json").json()
    chat = document["paths"][URL]["post"]
    assert chat["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ChatRequest"
    }
    schemas = document["components"]["schemas"]
    assert {"temperature", "stop", "seed"} <= set(schemas["ChatRequest"]["properties"])
    whole = {"$defs": schemas, "$ref": "#/$defs/ChatCompletion"}
    text = json.dumps(whole).replace("#/components/schemas/", "#/$defs/")
    jsonschema.validate(client.post(URL, json=body(video_urls[0])).json(), json.loads(text))
    assert "https://" not in client.get("/docs").text
