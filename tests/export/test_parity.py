import numpy as np
import pandas as pd
import pytest

from eilev.export.parity import (
    Bounds,
    Parity,
    ParityError,
    Runner,
    bundle_runner,
    compare,
    select_episodes,
    torch_runner,
)
from eilev.inputs.turns import Turn
from tests.tiny import NARRATIONS, PROMPT, tiny_clips, tiny_model

EXACT = Bounds(1e-3, identical=1.0)


def episodes(count):
    clips = tiny_clips(count + 1)
    turns = [Turn(PROMPT, text) for text in NARRATIONS[:2]]
    return [(turns, clips[i : i + 2]) for i in range(count)]


def test_a_model_agrees_with_itself_whatever_the_batches():
    runner = torch_runner(tiny_model(), max_new_tokens=4)
    parity = compare(runner, runner, episodes(3), batch_size=2)
    assert parity == Parity(episodes=3, max_logit_difference=0.0, identical_narrations=3)
    parity.check(Bounds(0.0, identical=1.0))


def test_the_exported_model_agrees_with_torch(tiny_bundle):
    exported = bundle_runner(tiny_bundle, 6)
    requests = [*episodes(3), ([Turn(PROMPT, NARRATIONS[2])], tiny_clips(1))]
    parity = compare(torch_runner(tiny_model(), max_new_tokens=6), exported, requests, batch_size=4)
    assert parity.identical_narrations == 4
    parity.check(Bounds(1e-4, identical=1.0))


def test_queries_are_narrated_without_their_answer():
    seen = []

    def narrate(batch):
        seen.extend(turns[-1].narration for turns, _ in batch)
        return ["same"] * len(batch)

    reference = torch_runner(tiny_model(), max_new_tokens=4)
    spy = Runner(reference.logits, narrate)
    assert compare(spy, spy, episodes(2), batch_size=8).identical_narrations == 2
    assert seen == [None] * 4


def test_another_model_is_found_out():
    ours, theirs = (torch_runner(tiny_model(seed=seed), max_new_tokens=4) for seed in (0, 1))
    parity = compare(ours, theirs, episodes(2), batch_size=8)
    assert parity.max_logit_difference > 1e-3
    with pytest.raises(ParityError, match="largest logit difference"):
        parity.check(Bounds(1e-3))


def test_other_words_or_not_a_number_fail():
    with pytest.raises(ParityError, match="1 of 2 narrations identical"):
        Parity(2, 0.0, 1).check(EXACT)
    with pytest.raises(ParityError, match="nan"):
        Parity(2, float("nan"), 2).check(EXACT)
    reference = torch_runner(tiny_model(), max_new_tokens=4)
    broken = Runner(lambda turns, clips: reference.logits(turns, clips) * np.nan, reference.narrate)
    assert np.isnan(compare(reference, broken, episodes(2), 1).max_logit_difference)


def test_actions_count_where_words_may_differ():
    bounds = Bounds(1.0, same_action=0.9)
    Parity(10, 0.5, 0, action_agreement=0.9).check(bounds)
    with pytest.raises(ParityError, match=r"same action in 80% \(needed 90%\)"):
        Parity(10, 0.5, 9, action_agreement=0.8).check(bounds)
    # Nothing says what the actions are.
    Parity(10, 0.5, 9).check(bounds)
    with pytest.raises(ParityError, match="same action in 80%"):
        Parity(10, 0.5, 8).check(bounds)


def test_the_share_of_same_actions():
    narrations = iter([["cuts a"], ["cuts b"], ["cuts a"], ["opens a"]])
    one = Runner(lambda *_: np.zeros((1, 1)), lambda _: next(narrations))
    parity = compare(one, one, episodes(2), 1, action_of=lambda text: text.split()[0])
    assert (parity.identical_narrations, parity.action_agreement) == (0, 0.5)


def test_nothing_to_compare_is_an_error():
    runner = torch_runner(tiny_model(), max_new_tokens=4)
    with pytest.raises(ValueError, match="at least one episode"):
        compare(runner, runner, [], 1)


def test_episodes_are_spread_over_the_table():
    table = pd.DataFrame(
        {
            "query": [f"q{i}" for i in range(10)],
            "context": [np.array([f"c{i}"]) for i in range(10)],
            "narrations": [None] * 9 + [np.array(["own context", "own query"])],
        }
    )
    clips = {f"{kind}{i}": f"{kind}{i} clip" for kind in "qc" for i in range(10)}
    texts = {key: f"{key} text" for key in clips}
    chosen = select_episodes(table, texts, clips, PROMPT, count=4)
    assert [shown for _, shown in chosen] == [[f"c{i} clip", f"q{i} clip"] for i in (0, 3, 6, 9)]
    assert chosen[0][0] == [Turn(PROMPT, "c0 text"), Turn(PROMPT, "q0 text")]
    assert chosen[3][0] == [Turn(PROMPT, "own context"), Turn(PROMPT, "own query")]
    assert len(select_episodes(table, texts, clips, PROMPT, count=50)) == 10
    assert select_episodes(table.iloc[:0], texts, clips, PROMPT, count=5) == []
