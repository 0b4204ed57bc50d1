"""What models of known habits are found to do."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from eilev.evaluation.trials import Trial
from eilev.probe.answers import Answer
from eilev.probe.questions import Questions, read_questions, what_is_shown
from eilev.probe.scoring import copying_rates, score
from eilev.probe.verdict import effects_of, gain_of, verdict
from tests.kitchen import narration_rows

TABLE = narration_rows(
    [
        ("cut_(slice)", "onion", "cut", "onion"),
        ("wash_(clean)", "plate_(dish)", "wash", "plate"),
        ("cut_(slice)", "onion", "slice", "onion"),
    ]
)
CUT, WASH, SLICE = TABLE["narration_id"]
CUTS, WASHES = "The camera wearer cuts the onion.", "The camera wearer washes the plate."


def trial(condition="contrastive", videos=(CUT, WASH, SLICE), **changes):
    texts = (CUTS, WASHES, "The camera wearer slices the onion.")
    given = Trial(condition, "natural", (CUT, WASH, SLICE), texts, videos)
    return replace(given, **changes)


def row(text, asked=None):
    asked = asked or trial()
    questions = Questions({"novel": [asked]}, TABLE, {"novel": {}})
    answer = Answer(text, finish_reason="length")
    return score(questions, {what_is_shown(asked): answer}).predictions.iloc[0]


def test_a_talkative_answer_is_scored_by_its_words():
    said = row("Sure! The person is slicing onions.")
    assert (said["verb_correct"], said["noun_correct"], said["unparsable"]) == (True, True, False)
    assert said["cut_off"]
    unclear = row("I cannot see any video.")
    assert (unclear["verb_correct"], unclear["unparsable"]) == (False, True)


@pytest.mark.parametrize(
    ("text", "beside", "copied", "majority"),
    [
        (CUTS, True, True, True),
        (WASHES, False, True, False),
        ("The camera wearer cuts the plate.", False, False, False),
        ("Nothing.", False, False, False),
    ],
)
def test_what_stands_in_the_context_is_copied(text, beside, copied, majority):
    said = row(text)
    found = (said["told_beside"], said["copied"], said["copied_majority"])
    assert found == (beside, copied, majority)
    assert said["beside_by_chance"] == 0.5


def test_of_exchanged_videos_the_text_beside_tells_who_looks():
    exchanged = trial("shuffled", videos=(WASH, CUT, SLICE))
    looked, copied = row(WASHES, exchanged), row(CUTS, exchanged)
    assert (looked["told_beside"], looked["verb_correct"]) == (True, False)
    assert (copied["told_beside"], copied["verb_correct"]) == (False, True)


def test_without_context_or_videos_nothing_can_be_copied_or_seen():
    alone = trial(clip_ids=(SLICE,), texts=(CUTS,), videos=(SLICE,))
    assert row(CUTS, alone)[["told_beside", "copied", "copied_majority"]].isna().all()
    blank = row(CUTS, trial("no_video", blank=True))
    assert blank["told_beside"] is None
    assert blank["copied"]


def classes_of(table):
    return dict(
        zip(
            table["narration_id"],
            zip(table["verb_class"], table["noun_class"], strict=True),
            strict=True,
        )
    )


def reader(trial, classes):
    """Says what stands beside the video like the query's, if it sees one."""
    if not trial.blank:
        for video, text in zip(trial.videos[:-1], trial.texts[:-1], strict=True):
            if classes[video] == classes[trial.videos[-1]]:
                return text
    return "The camera wearer opens the cup."


def copier(trial, classes):
    """Says what the context says most often, the last such sentence."""
    counts = Counter(reversed(trial.texts[:-1]))
    return counts.most_common(1)[0][0] if counts else "The camera wearer opens the cup."


def knower(trial, classes):
    """Names the query without a look at its context."""
    return "The camera wearer opens the cup." if trial.blank else trial.texts[-1]


@pytest.fixture(scope="module")
def questions(data):
    return read_questions(
        data / "episodes", data / "ingest/narrations.parquet", ["test", "novel"], 0
    )


def told(questions, model):
    classes = classes_of(questions.narrations)
    requests = questions.requests()
    scored = score(
        questions, {shown: Answer(model(trial, classes)) for shown, trial in requests.items()}
    )
    predictions, rates = scored.predictions, copying_rates(scored.predictions)
    json.dumps([scored.metrics, rates], allow_nan=False)
    return verdict(effects_of(predictions, "test"), gain_of(predictions, "test"), rates["test"])


def test_who_reads_is_told_from_who_copies_and_who_knows(questions):
    context, *others = told(questions, reader)
    assert context.startswith("It reads the videos of its context: with these exchanged")
    assert "Then 100% of its answers" in context
    assert any(line.startswith("Its context helps") for line in others)

    context, sight, *_ = told(questions, copier)
    assert context.startswith("No sign that it reads the videos of its context")
    assert "Of its answers, 100% are the words of one sentence of the context" in context
    assert sight.startswith("No sign that it looks at any video")

    context, sight, gain = told(questions, knower)
    assert context.startswith("No sign that it reads the videos of its context")
    assert sight.startswith("It looks at videos: with all of them blank")
    assert gain.startswith("No sign that its context helps")


def test_what_was_not_asked_is_not_judged():
    (line,) = verdict([], None, {})
    assert "was not asked" in line


def test_without_an_answer_there_is_nothing_to_judge(questions):
    with pytest.raises(ValueError, match="no answer to judge"):
        score(questions, {})
