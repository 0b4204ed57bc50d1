"""A real server notes what it answers, and `eilev drift` reads it."""

import json
from pathlib import Path

import pytest

from benchmarks.running import serve
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.cli import main
from eilev.drift.checks import read_log
from eilev.io import DataError
from eilev.serving.request_log import RequestLog
from eilev.traffic import DRIFTED
from tests.drift.places import write_params, write_reference
from tests.serving.running import client_of, few_shot

# Words that the training does not have.
PRIVATE = "The camera wearer calls Rumpelstiltskin."
NUM_ASKED = 6


@pytest.fixture(scope="module")
def noted(
    tiny_bundle: Path, engine: OnnxEngine, video_urls: list[str], tmp_path_factory
) -> tuple[Path, list[dict]]:
    """The folder after some requests, and the answers to them."""
    folder = tmp_path_factory.mktemp("noted")
    write_reference(folder / "data/drift/reference.json", engine.manifest.fingerprint)
    flags = ["--request-log", folder / "requests"]
    flags += ["--request-log-reference", folder / "data/drift/reference.json"]
    with serve(tiny_bundle, *map(str, flags)) as server, client_of(server) as client:
        answers = []
        for number in range(NUM_ASKED):
            messages = few_shot(video_urls)
            messages[0]["content"][3]["text"] = PRIVATE
            given = {"model": "eilev", "messages": messages, "logprobs": number == 0}
            if number % 2:
                with client.chat.completions.create(**given, stream=True) as stream:
                    *_, one = list(stream)
            else:
                one = client.chat.completions.create(**given)
            answers.append(one.model_dump())
    return folder, answers


def test_known_words_and_figures_are_noted(noted, engine):
    folder, _ = noted
    lines = read_log(folder / "requests")
    assert len(lines) == NUM_ASKED
    assert {line.fingerprint for line in lines} == {engine.manifest.fingerprint}
    assert {line.context for line in lines} == {
        ("the camera wearer cuts the onion", "the camera wearer _ _")
    }
    for file in (folder / "requests").iterdir():
        assert "rumpel" not in file.read_text().lower()
    # One question, one answer, whether its features were kept or made, streamed or not.
    assert len({(line.confidence, line.feature_mean, line.feature_std) for line in lines}) == 1
    assert lines[0].feature_std > 0
    assert lines[0].shots == 2
    assert 0 < lines[0].confidence < 1


def test_clients_see_the_probabilities_they_ask_for_only(noted):
    _, answers = noted
    seen = [answer["choices"][0].get("logprobs") for answer in answers]
    assert seen[0]["content"]
    assert seen[1:] == [None] * (NUM_ASKED - 1)


def test_the_command_judges_the_log(noted, monkeypatch, capsys):
    folder, _ = noted
    monkeypatch.chdir(folder)
    for least, success in ((1, False), (NUM_ASKED + 1, True)):
        write_params(folder, min_requests=least)
        assert drift("--requests", "requests") == (None if success else DRIFTED)
        summary = json.loads((folder / "data/drift/drift.json").read_text())
        assert summary["success"] == success
    assert summary["data"]["requests"]["number"] == NUM_ASKED
    told = capsys.readouterr()
    assert "LEFT   requests  unknown_words" in told.out
    assert "(requests, unknown_words): expected max 0.05, observed 0." in told.err


def test_what_is_wrong_is_named_in_one_line(noted, monkeypatch):
    folder, _ = noted
    monkeypatch.chdir(folder)
    write_params(folder, min_requests=1)
    for arguments, told in (
        ([], "give --requests, --annotations or both"),
        (["--requests", "nowhere"], "nowhere: has no requests.jsonl"),
        (["--requests", "requests", "--reference", "none.json"], "none.json: no such file"),
        (["--annotations", "none.json"], "none.json: no such file"),
    ):
        assert str(drift(*arguments)).startswith(f"error: {told}")


def drift(*arguments: str) -> object:
    """What the command exits with, None where it does not."""
    try:
        main(["drift", *arguments])
    except SystemExit as ended:
        return ended.code
    return None


def test_files_are_bounded_and_one_server_writes_them(noted, tmp_path):
    folder, _ = noted
    line = read_log(folder / "requests")[0]
    reference = folder / "data/drift/reference.json"
    log = RequestLog(tmp_path / "log", reference, 2000, 3)
    with pytest.raises(OSError, match="is at work here"):
        RequestLog(tmp_path / "log", reference, 2000, 3)
    for number in range(50):
        log.put(line.model_copy(update={"time": float(number)}))
    log.close()
    files = [file for file in (tmp_path / "log").iterdir() if file.name != ".lock"]
    assert len(files) == 3
    assert all(file.stat().st_size <= 2000 for file in files)
    times = [one.time for one in read_log(tmp_path / "log")]
    assert times == [*map(float, range(50))][-len(times) :]


def test_a_server_without_a_reference_says_how_to_make_one(tmp_path):
    with pytest.raises(DataError, match="eilev drift --write-reference makes it"):
        RequestLog(tmp_path / "log", tmp_path / "none.json", 2000, 3)
