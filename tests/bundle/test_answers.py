"""Answers as they grow, token by token."""

from dataclasses import replace

import numpy as np
import pytest

from eilev.bundle.answers import Answer, Writing
from tests.tiny import NARRATIONS, tiny_codec

CODEC = tiny_codec()
CUT = CODEC.encode(NARRATIONS[0])


def grow(writing, tokens=(*CUT, CODEC.eos_id)):
    """Text settled after each token, and the answer."""
    answer = Answer(writing, CODEC, num_prompt_tokens=0)
    settled = []
    for token in tokens:
        if answer.finish_reason:
            break
        answer.add(np.eye(CODEC.vocab_size, dtype=np.float32)[token])
        settled.append(answer.settled)
    return settled, answer


def test_it_ends_with_the_sequence_or_for_lack_of_tokens():
    _, answer = grow(Writing(20))
    assert (answer.text, answer.finish_reason) == (NARRATIONS[0], "stop")
    assert answer.num_new_tokens == len(CUT) + 1
    _, short = grow(Writing(3))
    assert (short.text, short.finish_reason) == ("The camera wearer", "length")


@pytest.mark.parametrize("stop", ["cuts", "s the", "cuts the onion.", "absent"])
def test_nothing_of_a_stop_text_is_settled_before(stop):
    settled, answer = grow(Writing(20, stop=(stop,)))
    expected = NARRATIONS[0].partition(stop)[0].rstrip()
    assert (answer.text, answer.finish_reason) == (expected, "stop")
    assert all(expected.startswith(text.rstrip()) for text in settled)


def test_log_probabilities_are_kept_where_asked_for():
    assert grow(Writing(20))[1].logprobs == []
    _, answer = grow(Writing(20, num_logprobs=2))
    assert [each.token for each in answer.logprobs] == answer.tokens
    first = answer.logprobs[0]
    assert first.likeliest[0] == (CUT[0], first.logprob)
    assert len(first.likeliest) == 2


def test_confidence_is_the_geometric_mean_of_the_tokens_probabilities():
    _, answer = grow(Writing(3, num_logprobs=0))
    each = np.e / (np.e + CODEC.vocab_size - 1)
    assert answer.confidence == pytest.approx(each)
    answer.logprobs[1] = replace(answer.logprobs[1], logprob=0.0)
    assert answer.confidence == pytest.approx(each ** (2 / 3))
