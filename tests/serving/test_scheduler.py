"""The engine's thread without HTTP: what is written does not depend on who else is there."""

import queue
import time

import pytest

from eilev.bundle.answers import Writing
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.bundle.sampling import Sampling
from eilev.inputs.turns import Turn
from eilev.serving.scheduler import Job, Prompt, Scheduler
from tests.tiny import NARRATIONS, PROMPT, tiny_clips

MIB = 2**20


def episode(shots, seed):
    context = [Turn(PROMPT, NARRATIONS[(seed + i) % len(NARRATIONS)]) for i in range(shots)]
    return [*context, Turn(PROMPT, None)], tiny_clips(shots + 1, seed)


def job_of(engine, turns, clips, writing, **fields):
    told = queue.Queue()
    prompt = Prompt(engine.layout(turns, writing.max_new_tokens), dict(enumerate(clips)), {})
    given = {
        "prompt": prompt,
        "streamed": False,
        "encoded": lambda *_: None,
        "prefilled": lambda _: None,
    }
    return Job(writing=writing, deliver=told.put, **(given | fields)), told


@pytest.fixture(params=["engine", "llama_bundle", "t5_bundle"])
def any_engine(request):
    """Of every family."""
    found = request.getfixturevalue(request.param)
    return found if request.param == "engine" else OnnxEngine.load(found, num_threads=1)


def texts(answers):
    return [answer.text for answer in answers]


def test_answers_are_those_that_each_request_gets_alone(any_engine):
    engine = any_engine
    writings = [
        Writing(4 + seed % 9, Sampling(temperature=1.2 * (seed % 2), seed=seed), 1 + seed % 3)
        for seed in range(12)
    ]
    episodes = [episode(shots=seed % 4, seed=seed) for seed in range(12)]
    alone = [
        texts(engine.complete([one], writing))
        for one, writing in zip(episodes, writings, strict=True)
    ]
    scheduler = Scheduler(engine, 64 * MIB)
    jobs = [job_of(engine, *one, writing) for one, writing in zip(episodes, writings, strict=True)]
    for job, _ in jobs:
        scheduler.submit(job)
    assert [texts(told.get(timeout=60)) for _, told in jobs] == alone
    scheduler.close()
    assert (scheduler.num_running, scheduler.num_waiting) == (0, 0)


def test_what_does_not_fit_beside_the_others_waits(engine):
    writing = Writing(6)
    one = episode(2, 0)
    num_positions = len(engine.layout(*one[:1], 6).input_ids) + 6
    measuring = Scheduler(engine, 0)
    measuring.close()
    scheduler = Scheduler(engine, measuring.num_bytes(num_positions, 1))
    assert scheduler.could_fit(num_positions, 1)
    assert not scheduler.could_fit(num_positions, 2)
    most = []
    jobs = [
        job_of(engine, *one, writing, streamed=True, prefilled=lambda _: most.append(len_open()))
        for _ in range(4)
    ]

    def len_open():
        return scheduler.num_running

    for job, _ in jobs:
        scheduler.submit(job)
    for _, told in jobs:
        while not told.get(timeout=60)[0].finish_reason:
            pass
    # Each came in when the one before it was finished.
    assert most == [0, 0, 0, 0]
    scheduler.close()


def test_a_known_context_and_known_features_change_nothing(engine):
    turns, clips = episode(3, 1)
    writing = Writing(12, num_logprobs=0)
    (expected,) = engine.complete([(turns, clips)], writing)
    scheduler, kept, rows = Scheduler(engine, 64 * MIB), {}, []
    job, told = job_of(
        engine, turns, clips, writing, encoded=kept.__setitem__, prefilled=rows.append
    )
    scheduler.submit(job)
    assert texts(told.get(timeout=60)) == [expected.text]
    context = rows[0].beginning(engine.context_length(engine.layout(turns), turns), engine.place)
    layout = engine.layout(turns, 12)
    for prompt in (
        Prompt(layout, {}, kept),
        Prompt(layout, {0: clips[-1]}, {}, context),
        Prompt(layout, {}, {0: kept[3]}, context),
    ):
        job, told = job_of(engine, turns, clips, writing, prompt=prompt)
        scheduler.submit(job)
        (answer,) = told.get(timeout=60)
        assert answer.tokens == expected.tokens
        found = [token.logprob for token in answer.logprobs]
        assert found == pytest.approx([token.logprob for token in expected.logprobs], abs=1e-4)
    scheduler.close()


def test_who_gives_up_costs_nothing_more_and_a_failure_is_ones_own(engine):
    scheduler = Scheduler(engine, 64 * MIB)
    turns, clips = episode(1, 0)
    wrong, told_wrong = job_of(engine, turns, clips[:1], Writing(6))
    gone, told_gone = job_of(engine, *episode(2, 1), Writing(6), cancelled=True)
    leaving, told_leaving = job_of(engine, *episode(2, 2), Writing(200), streamed=True)
    good, told_good = job_of(engine, turns, clips, Writing(6))
    for job in (wrong, gone, leaving, good):
        scheduler.submit(job)
    assert isinstance(told_wrong.get(timeout=60), Exception)
    told_leaving.get(timeout=60)
    leaving.cancelled = True
    (answer,) = told_good.get(timeout=60)
    assert answer.text == engine.narrate(turns, clips, 6)
    deadline = time.monotonic() + 30
    while scheduler.num_running and time.monotonic() < deadline:
        time.sleep(0.01)
    scheduler.close()
    assert told_gone.empty()


@pytest.mark.parametrize("max_bytes", [1, 64 * MIB])
def test_scores_are_the_engines_however_little_memory_they_may_take(engine, max_bytes):
    turns, clips = episode(2, 1)
    scheduler, candidates = Scheduler(engine, max_bytes), engine.encode_candidates(NARRATIONS)
    job, told = job_of(engine, turns, clips, Writing(12), candidates=candidates)
    scheduler.submit(job)
    assert told.get(timeout=60) == pytest.approx(engine.score(turns, clips, NARRATIONS), abs=1e-4)
    scheduler.close()
