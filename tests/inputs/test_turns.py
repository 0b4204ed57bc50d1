import doctest

import pytest

from eilev.inputs import turns
from eilev.inputs.turns import NoNarrationError, Turn, context_turn, make_turns

PROMPT = "Question: What is the camera wearer doing? Answer:"
CUT = "The camera wearer cuts the onion."


def test_worked_examples():
    result = doctest.testmod(turns)
    assert result.attempted
    assert not result.failed


def test_a_prompt_in_a_narration_is_not_repeated():
    expected = [Turn(PROMPT, CUT), Turn(PROMPT, None)]
    assert make_turns([f"{PROMPT} {CUT}", None], PROMPT) == expected
    assert make_turns([CUT, None], PROMPT) == expected
    own = "What happens?"
    assert make_turns([f" {own} {CUT}\n", own], PROMPT) == [Turn(own, CUT), Turn(own, None)]


def test_a_prompt_may_be_empty_or_end_in_a_space():
    assert make_turns([CUT, ""], "") == [Turn("", CUT), Turn("", None)]
    assert make_turns([CUT, ""], PROMPT) == [Turn("", CUT), Turn("", None)]
    assert context_turn(f"Say: {CUT}", ("Say: ",), 2) == Turn("Say: ", CUT, 2)


@pytest.mark.parametrize("text", ["", "  ", PROMPT, f" {PROMPT}\n"])
def test_a_prompt_alone_is_no_narration(text):
    with pytest.raises(NoNarrationError):
        context_turn(text, (PROMPT,))
    with pytest.raises(ValueError, match="item 1 of 2 has no narration"):
        make_turns([text, None], PROMPT)


def test_nothing_to_narrate():
    with pytest.raises(ValueError, match="no video to narrate"):
        make_turns([], PROMPT)
