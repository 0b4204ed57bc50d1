"""The command `eilev probe` against endpoints of every mood; test_own_server.py asks our own."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from eilev.cli import main
from eilev.parquet import read_table
from eilev.probe.scoring import PREDICTIONS
from tests.probe.endpoints import completion, error, last_text, standing

SOME = ("--splits", "novel", "--conditions", "bursty", "contrastive", "shuffled", "no_video")


def arguments(url, data, out, *options):
    where = ("--url", url, "--model", "one", "--episodes", str(data / "episodes"))
    return ["probe", *where, "--out", str(out), *SOME, *options]


def copy(body, number):
    return completion(last_text(body))


def predictions(out):
    return read_table(out / "predictions.parquet", PREDICTIONS)


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    """A finished probe of a model that copies, and what it was asked."""
    out = tmp_path_factory.mktemp("done")
    with standing(copy) as endpoint:
        main(arguments(endpoint.url, data, out))
    return out, endpoint


def test_everything_is_written(done, capsys):
    out, endpoint = done
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["model"]["url"].startswith(endpoint.url)
    assert metrics["model"]["prompt_tokens"] == 10 * len(endpoint.bodies)
    assert metrics["novel"]["bursty"]["shots"]["2"]["count"] > 0
    assert metrics["probe"]["novel"]["verdict"][0].startswith("No sign that it reads")
    assert metrics["probe"]["novel"]["copying"]["bursty"]["2"]["copied"] == 1.0
    assert (out / "plots/in_context_curve.csv").read_text().startswith("split,condition,shots,")
    assert len(predictions(out)) > len(endpoint.bodies)
    assert not list(out.rglob("*.tmp"))


def test_the_page_needs_no_network_and_shows_what_was_shown(done):
    page = (done[0] / "index.html").read_text()
    addresses = re.findall(r'(?:src|href)="([^"]{1,30})', page)
    assert addresses
    assert all(address.startswith(("data:image/jpeg;base64,", "#")) for address in addresses)
    assert "No sign that it reads the videos of its context" in page
    assert "contrastive, shuffled, 2 shots" in page
    assert "video_url" in page
    assert "letters)" in page


def test_each_request_is_sent_once_with_examples_as_turns(done):
    _, endpoint = done
    texts = [json.dumps(body) for body in endpoint.bodies]
    assert len(set(texts)) == len(texts)
    body = max(endpoint.bodies, key=lambda body: len(body["messages"]))
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("one", 64, 0)
    assert "Authorization" not in endpoint.headers[0]


def test_frames_may_be_sent_one_by_one_in_one_message(data, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    shape = ("--send", "images", "--frames", "1", "--layout", "interleaved", "--prompt", "Say it.")
    fields = ("--prompt-as", "user", "--field", "max_tokens=null", "--field", "seed=3")
    with standing(copy) as endpoint:
        options = (*shape, *fields, "--api-key-env", "MY_KEY", "--shots", "0", "2")
        main(arguments(endpoint.url, data, tmp_path, *options))
    body = max(endpoint.bodies, key=lambda body: len(body["messages"][0]["content"]))
    (message,) = body["messages"]
    kinds = [part["type"] for part in message["content"]]
    assert kinds == ["text", *("image_url", "text") * 2, "image_url"]
    assert message["content"][0]["text"] == "Say it."
    assert message["content"][1]["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")
    assert "max_tokens" not in body
    assert body["seed"] == 3
    assert endpoint.headers[0]["Authorization"] == "Bearer secret"
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"secret" in content for content in written)


def test_the_cost_comes_first_and_alone_where_wanted(data, tmp_path, capsys):
    with standing(copy) as endpoint:
        main(arguments(endpoint.url, data, tmp_path / "out", "--dry-run"))
        assert not endpoint.bodies
        assert not (tmp_path / "out").exists()
        estimate = capsys.readouterr().out
        main(arguments(endpoint.url, data, tmp_path / "out"))
    requests = int(re.search(r"requests +(\d+), and 0 with an answer", estimate)[1])
    assert requests == len(endpoint.bodies)
    sizes = [int(headers["Content-Length"]) for headers in endpoint.headers]
    # What is around the clips and texts is little where clips are not as tiny as here.
    megabytes = float(re.search(r"sent +([\d.]+) MB", estimate)[1])
    assert 0.5 * sum(sizes) / 1e6 < megabytes <= sum(sizes) / 1e6 + 0.1
    main(arguments(endpoint.url, data, tmp_path / "out", "--dry-run"))
    assert f"requests       0, and {requests} with an answer" in capsys.readouterr().out


def test_killed_it_goes_on_with_the_rest(data, tmp_path, done):
    def slowly(body, number):
        time.sleep(0.05)
        return copy(body, number)

    whole, asked = done
    with standing(slowly) as endpoint:
        command = arguments(endpoint.url, data, tmp_path, "--concurrency", "2")
        process = subprocess.Popen([sys.executable, "-m", "eilev.cli", *command])
        answers = tmp_path / "answers.jsonl"
        while not (answers.exists() and answers.read_bytes().count(b"\n") >= 5):
            assert process.poll() is None
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        kept = answers.read_bytes().count(b"\n")
        before = len(endpoint.bodies)
        assert kept < len(asked.bodies)
        main(command)
        # Those in flight when it was killed are asked again, no other.
        assert len(endpoint.bodies) - before == len(asked.bodies) - kept
    assert predictions(tmp_path).equals(predictions(whole))


def test_an_endpoint_that_fails_for_a_while_is_asked_again(data, tmp_path, done):
    def moody(body, number):
        if number in (0, 1, 5, 6, 7):
            return error(429 if number % 2 else 503, "busy", {"Retry-After": "0.01"})
        return copy(body, number)

    with standing(moody) as endpoint:
        main(arguments(endpoint.url, data, tmp_path))
    assert len(endpoint.bodies) == len(done[1].bodies) + 5
    assert predictions(tmp_path).equals(predictions(done[0]))


def test_failing_in_the_middle_keeps_what_there_is(data, tmp_path, done):
    broken = [True]

    def halfway(body, number):
        return error(500, "broken") if broken[0] and number >= 9 else copy(body, number)

    with standing(halfway) as endpoint:
        command = arguments(endpoint.url, data, tmp_path, "--retries", "0")
        with pytest.raises(SystemExit, match=r"500: broken \(asked once\); what was answered is k"):
            main(command)
        assert (tmp_path / "answers.jsonl").read_bytes().count(b"\n") == 9
        broken[0] = False
        main(command)
    assert predictions(tmp_path).equals(predictions(done[0]))


def test_single_refusals_are_left_out_and_told(data, tmp_path, done):
    def picky(body, number):
        return error(400, "unsafe <b>kitchen</b>") if number in (4, 7) else copy(body, number)

    with (
        standing(picky) as endpoint,
        pytest.raises(SystemExit, match=r"2 requests were refused and are left out of .*unsafe"),
    ):
        main(arguments(endpoint.url, data, tmp_path))
    assert len(predictions(tmp_path)) < len(predictions(done[0]))
    page = (tmp_path / "index.html").read_text()
    assert "2 x 400: unsafe &lt;b&gt;kitchen" in page


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (error(401, "no"), r"401: no; --api-key-env NAME names the environment variable"),
        (error(404, "no 'one'"), r"404: no 'one'; --model may be one, two$"),
        (
            error(400, "Invalid value: 'video_url'. Supported values are: 'text', 'image_url'."),
            r"the request with 0 shots is refused: 400: Invalid.*no video_url parts, --send images",
        ),
        (error(400, "temperature must be 1"), r"temperature must be 1; --field NAME=VALUE"),
        ((200, {}, "<html>"), r"not a chat completion: <html>"),
    ],
)
def test_what_is_wrong_shows_with_the_first_request(data, tmp_path, response, message):
    with standing(lambda *_: response) as endpoint, pytest.raises(SystemExit, match=message):
        main(arguments(endpoint.url, data, tmp_path))
    assert len(endpoint.bodies) == 1


def test_too_many_clips_show_with_the_second(data, tmp_path):
    def small(body, number):
        shots = sum(message["role"] == "assistant" for message in body["messages"])
        return error(400, "at most 2 images") if shots == 2 else copy(body, number)

    with (
        standing(small) as endpoint,
        pytest.raises(SystemExit, match=r"with 2 shots is refused: 400: at most.*--shots names"),
    ):
        main(arguments(endpoint.url, data, tmp_path))
    assert len(endpoint.bodies) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--api-key-env", "NOT_SET"), "NOT_SET: there is no such environment variable"),
        (("--field", "seed=x"), "--field seed=x: expected NAME=JSON"),
        (("--field", "model=1"), "not a field to set"),
        (("--retries", "-1"), "less than 0"),
    ],
)
def test_wrong_options(data, tmp_path, options, message):
    with pytest.raises(SystemExit, match=message):
        main(arguments("http://127.0.0.1:9", data, tmp_path, *options))
