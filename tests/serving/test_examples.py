"""Examples of the bank in front of a request's own clips, through the application."""

import itertools
import json

import jsonschema
import numpy as np
import pytest
from fastapi.testclient import TestClient

from eilev.bundle.answers import Writing
from eilev.clips.decoder import Video
from eilev.clips.limits import Limits
from eilev.inputs.turns import Turn
from eilev.serving.bank_folder import BankFolder
from eilev.serving.media import load_clip
from eilev.serving.models import Models
from eilev.serving.settings import Settings
from tests.serving.asking import URL, body, error_of
from tests.serving.conftest import make_app
from tests.tiny import NARRATIONS, NUM_FRAMES, PROMPT
from tests.videos import write_video

NAMES = [f"{number}.mp4" for number in range(9)]
TEXTS = dict(zip(NAMES, itertools.cycle(NARRATIONS), strict=False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    for number, name in enumerate(NAMES):
        write_video(folder / name, num_frames=20 + 150 * number, fps=200)
    lines = [f"{name},{text}" for name, text in TEXTS.items()]
    (folder / "bank.csv").write_text("\n".join(["file,narration", *lines]))
    return folder


@pytest.fixture(scope="module")
def banked(tiny_bundle, folder, decoders):
    settings = Settings(num_threads=1, examples="similar")
    models = Models({"eilev": tiny_bundle}, settings, BankFolder(folder, decoders, 2**20))
    yield models
    models.close()


@pytest.fixture(scope="module")
def client(banked, decoders):
    return TestClient(make_app(banked, decoders, bank_may_grow=True))


@pytest.fixture(scope="module")
def clips(folder, engine):
    size = engine.manifest.frame_size
    return {name: Video(folder / name, size).clip(None, 0.0, NUM_FRAMES) for name in NAMES}


@pytest.fixture(scope="module")
def query(engine, video_urls):
    return load_clip(video_urls[0], NUM_FRAMES, engine.manifest.frame_size, Limits())


@pytest.fixture(scope="module")
def ranking(engine, banked, query):
    """Files, the most alike first; a model that has learnt nothing finds all of them much alike."""
    found = banked["eilev"].bank.ranked(engine.encode([query]), "similar")
    return [one.example.file for one in found]


def expected(engine, clips, names, query, **writing):
    """The answer after these files."""
    turns = [*(Turn(PROMPT, TEXTS[name]) for name in names), Turn(PROMPT, None)]
    frames = [*(clips[name] for name in names), query]
    most = engine.manifest.max_new_tokens
    (answer,) = engine.complete([(turns, frames)], Writing(most, num_logprobs=0))
    return answer


def test_similar_examples_stand_before_the_query(client, engine, clips, query, ranking, video_urls):
    request = body(video_urls[0], examples={"strategy": "similar", "number": 4})
    answer = client.post(URL, json=request).json()
    used = answer["examples_used"]
    assert [one["file"] for one in used] == ranking[:4]
    assert [one["narration"] for one in used] == [TEXTS[name] for name in ranking[:4]]
    assert used[0]["id"] == f"bank.csv, line {2 + NAMES.index(ranking[0])}"
    assert used[0]["similarity"] >= used[3]["similarity"]
    alone = expected(engine, clips, ranking[:4], query)
    assert answer["choices"][0]["message"]["content"] == alone.text
    assert answer["usage"]["prompt_tokens"] == alone.num_prompt_tokens
    assert "rounds" not in answer
    schemas = client.get("/openapi.json").json()
    schema = {"$ref": "#/components/schemas/ChatCompletion", "components": schemas["components"]}
    jsonschema.validate(answer, schema)


def test_streamed_answers_are_the_same(client, video_urls):
    for examples in ({"number": 3}, {"number": 2, "rounds": 3, "confidence": 1.0}):
        request = body(video_urls[0], examples=examples)
        whole = client.post(URL, json=request).json()
        response = client.post(URL, json=request | {"stream": True})
        *events, _ = response.text.strip().split("\n\n")
        chunks = [json.loads(event.removeprefix("data: ")) for event in events]
        text = "".join(c["delta"].get("content", "") for one in chunks for c in one["choices"])
        assert text == whole["choices"][0]["message"]["content"]
        for field in ("examples_used", "rounds"):
            assert chunks[0].get(field) == whole.get(field)


def test_examples_stand_before_the_requests_own(client, banked, ranking, video_urls):
    request = body(video_urls[1], NARRATIONS[1], video_urls[0])
    plain = client.post(URL, json=request).json()
    assert "examples_used" not in plain
    more = client.post(URL, json=request | {"examples": {"number": 2}}).json()
    assert [one["file"] for one in more["examples_used"]] == ranking[:2]
    assert more["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]


def test_who_brings_no_example_gets_the_default_unless_none_are_wanted(client, ranking, video_urls):
    given = client.post(URL, json=body(video_urls[0])).json()
    assert [one["file"] for one in given["examples_used"]] == ranking[:8]
    refused = client.post(URL, json=body(video_urls[0], examples={"strategy": "none"})).json()
    assert "examples_used" not in refused


def test_random_examples_are_those_of_the_seed(client, video_urls):
    def files(seed):
        request = body(video_urls[0], examples={"strategy": "random", "number": 5}, seed=seed)
        return [one["file"] for one in client.post(URL, json=request).json()["examples_used"]]

    assert files(1) == files(1) != files(2)


def test_it_is_asked_again_with_the_next_best_ones(
    client, engine, clips, query, ranking, video_urls
):
    answers = [expected(engine, clips, ranking[at : at + 4], query) for at in (0, 4, 8)]
    sure = [answer.confidence for answer in answers]
    examples = {"number": 4, "rounds": 5, "confidence": 1.0}
    found = client.post(URL, json=body(video_urls[0], examples=examples)).json()
    # The bank has nine clips: the third round has one, and there is no fourth.
    assert [one["answer"] for one in found["rounds"]] == [answer.text for answer in answers]
    assert [one["confidence"] for one in found["rounds"]] == pytest.approx(sure, abs=1e-4)
    best = int(np.argmax([one["confidence"] for one in found["rounds"]]))
    (choice,) = found["choices"]
    assert choice["message"]["content"] == answers[best].text
    assert choice["logprobs"] is None
    assert [one["file"] for one in found["examples_used"]] == ranking[4 * best : 4 * best + 4]


def test_a_confident_answer_ends_the_rounds(client, video_urls):
    examples = {"number": 2, "rounds": 4, "confidence": 0.0}
    request = body(video_urls[0], examples=examples, logprobs=True)
    found = client.post(URL, json=request).json()
    assert len(found["rounds"]) == 1
    mean = np.mean([one["logprob"] for one in found["choices"][0]["logprobs"]["content"]])
    assert found["rounds"][0]["confidence"] == pytest.approx(np.exp(mean))


def test_what_there_is_no_room_for_is_left_out_and_said(client, engine, ranking, video_urls):
    request = body(video_urls[0], *[NARRATIONS[0], video_urls[0]] * 15, examples={"number": 9})
    found = client.post(URL, json=request).json()
    number = len(found["examples_used"])
    assert 0 <= number < 9
    assert found["notes"][-1] == (f"{9 - number} of 9 examples were left out: there is no room")
    assert [one["file"] for one in found["examples_used"]] == ranking[:number]
    usage = found["usage"]
    assert usage["prompt_tokens"] + usage["completion_tokens"] <= engine.manifest.max_length + 1


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"examples": {"strategy": "best"}}, "examples.strategy"),
        ({"examples": {"number": 0}}, "examples.number"),
        ({"examples": {"nmber": 4}}, "examples.nmber"),
        ({"examples": {"confidence": 2}}, "examples.confidence"),
        ({"examples": {"rounds": 2}, "n": 2}, "examples.rounds"),
    ],
)
def test_wrong_wishes_are_named(client, video_urls, change, param):
    response = client.post(URL, json=body(video_urls[0]) | change)
    assert response.status_code == 400
    assert error_of(response)["param"] == param


def test_without_a_bank_there_are_no_examples(models, decoders, video_urls):
    plain = TestClient(make_app(models, decoders))
    response = plain.post(URL, json=body(video_urls[0], examples={}))
    assert (response.status_code, error_of(response)["code"]) == (400, "bank_empty")
    assert plain.post("/v1/bank", json={}).status_code == 404
    score = body(video_urls[0]) | {"candidates": ["Cuts."], "examples": {}}
    response = plain.post("/v1/score", json=score)
    assert (response.status_code, error_of(response)["param"]) == (400, "examples")


def test_clips_that_are_sent_are_examples_from_then_on(tiny_bundle, decoders, video_urls, engine):
    models = Models({"eilev": tiny_bundle}, Settings(num_threads=1, examples="similar"))
    two = 2 * 4 * engine.manifest.num_query_tokens * engine.manifest.hidden_size
    models["eilev"].bank = models["eilev"].bank.empty(
        two, engine.manifest.num_query_tokens, engine.manifest.hidden_size
    )
    client = TestClient(make_app(models, decoders, bank_may_grow=True))
    assert "examples_used" not in client.post(URL, json=body(video_urls[0])).json()

    def add(url, narration="The camera wearer cuts."):
        sent = {"model": "eilev", "video_url": {"url": url}, "narration": narration}
        return client.post("/v1/bank", json=sent)

    assert add(video_urls[1]).json() == {
        "id": "added 1",
        "narration": "The camera wearer cuts.",
        "file": None,
        "num_examples": 1,
    }
    assert add(video_urls[0], "Opens\n it.").json()["narration"] == "Opens it."
    used = client.post(URL, json=body(video_urls[0])).json()["examples_used"]
    assert [one["id"] for one in used] == ["added 2", "added 1"]
    assert used[0]["similarity"] == 1.0
    full = add(video_urls[2])
    assert (full.status_code, error_of(full)["code"]) == (413, "bank_full")
    assert error_of(add(video_urls[2], " "))["param"] == "narration"
    assert add("data:video/mp4;base64,AAAA").status_code == 422
    models.close()
