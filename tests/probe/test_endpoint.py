import asyncio
import doctest
import time
from email.utils import formatdate

import pytest

from eilev.probe import endpoint as module
from eilev.probe.endpoint import Endpoint, EndpointError, RefusedError, asked_wait, chat_url
from tests.probe.endpoints import completion, error, standing


def ask(url, **changes):
    endpoint = Endpoint(chat_url(url), first_wait_s=0.001, **changes)

    async def once():
        async with endpoint.client() as client:
            return await endpoint.ask(client, b"{}")

    return asyncio.run(once())


def in_turn(*responses):
    return lambda _, number: responses[min(number, len(responses) - 1)]


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(module) == (0, 2)


def test_an_answer_is_read_with_its_tokens():
    with standing(in_turn(completion("The camera wearer cuts the onion."))) as other:
        answer = ask(other.url, key="secret", key_from="KEY")
    assert answer.text == "The camera wearer cuts the onion."
    assert (answer.prompt_tokens, answer.completion_tokens) == (10, 5)
    assert (answer.finish_reason, answer.confidence) == ("stop", None)
    assert other.headers[0]["Authorization"] == "Bearer secret"


def test_thoughts_are_no_answer():
    with standing(in_turn(completion("<think>cuts or slices?\n</think>\nSlices."))) as other:
        assert ask(other.url).text == "Slices."


@pytest.mark.parametrize("status", [408, 429, 500, 503, 529])
def test_what_passes_is_asked_again(status):
    fails = [error(status, "later")] * 3
    with standing(in_turn(*fails, completion("yes"))) as other:
        assert ask(other.url, retries=3).text == "yes"
    assert len(other.bodies) == 4


def test_the_endpoint_says_how_long_to_wait():
    with standing(in_turn(error(429, "wait", {"Retry-After": "0.3"}), completion("yes"))) as other:
        start = time.monotonic()
        assert ask(other.url).text == "yes"
        assert time.monotonic() - start >= 0.3
    assert 50 < asked_wait(formatdate(time.time() + 60)) <= 60
    assert asked_wait("-1") == 0
    assert asked_wait("1e9") == 600
    assert asked_wait("nan") is None


def test_failing_for_too_long_ends_it():
    with (
        standing(in_turn(error(503, "out of\norder"))) as other,
        pytest.raises(EndpointError, match=r"503: out of order \(asked 3 times\).*same command"),
    ):
        ask(other.url, retries=2)
    with pytest.raises(EndpointError, match=r"ConnectError.*\(asked once\)"):
        ask("http://127.0.0.1:9", retries=0)


def test_a_wrong_key_is_told_once():
    with standing(in_turn(error(401, "bad key"))) as other:
        with pytest.raises(EndpointError, match="401: bad key; the key in MY_KEY is not taken"):
            ask(other.url, key="x", key_from="MY_KEY")
        with pytest.raises(EndpointError, match="401: bad key; --api-key-env NAME"):
            ask(other.url)
    assert len(other.bodies) == 2


def test_a_model_that_is_not_there_is_told_with_those_that_are():
    with (
        standing(in_turn(error(404, "no such model"))) as other,
        pytest.raises(EndpointError, match="404: no such model; --model may be one, two"),
    ):
        ask(other.url)


def test_no_money_is_not_asked_again():
    body = {"error": {"message": "pay first", "code": "insufficient_quota"}}
    with (
        standing(in_turn((429, {}, body))) as other,
        pytest.raises(EndpointError, match="429: pay first"),
    ):
        ask(other.url)
    assert len(other.bodies) == 1


def test_one_request_may_be_refused():
    with (
        standing(in_turn(error(400, "too long"))) as other,
        pytest.raises(RefusedError, match="400: too long"),
    ):
        ask(other.url)


@pytest.mark.parametrize("body", ["<html>welcome</html>", {}, {"choices": []}, {"choices": 3}, []])
def test_what_is_no_completion_is_shown(body):
    with (
        standing(in_turn((200, {}, body))) as other,
        pytest.raises(EndpointError, match="not a chat completion: "),
    ):
        ask(other.url)


def test_an_answer_without_text_is_empty():
    with standing(in_turn((200, {}, {"choices": [{"message": {"content": None}}]}))) as other:
        assert ask(other.url).text == ""


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("127.0.0.1:8000", "not an address"),
        ("ftp://host/v1", "not an address"),
        ("https://me:secret@host/v1", "holds a password"),
    ],
)
def test_addresses_that_are_none(url, complaint):
    with pytest.raises(ValueError, match=complaint):
        chat_url(url)


def test_addresses():
    whole = "https://host/v1/chat/completions?api-version=1"
    assert chat_url(whole) == chat_url("https://host/v1?api-version=1") == whole
