"""Answers judged as `evaluate` judges narrations, and what of them was copied."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from eilev import schema
from eilev.evaluation.baselines import majority_baseline
from eilev.evaluation.curves import cells, summarise
from eilev.evaluation.generation import Generated
from eilev.evaluation.judge import Judge, known_classes
from eilev.evaluation.probes import majority_word
from eilev.evaluation.scores import WordFinder
from eilev.evaluation.similarity import NO_TEXT_METRICS
from eilev.evaluation.trials import Trial
from eilev.language.lexicon import Lexicon
from eilev.language.new_words import NEW_NOUNS, NEW_VERBS
from eilev.probe.answers import Answer
from eilev.probe.questions import Questions, Shown, what_is_shown

# What an answer says of its context, beside whether it is right.
# told_beside: the verb word that stands beside a video of the query's verb class and the noun word
#   that stands beside one of its noun class: what reading the context's videos leads to, right or,
#   where videos are exchanged, wrong. Null where no video is shown.
# beside_by_chance: share of the context's sentences that would pass as told_beside.
# copied: the verb word and noun word of one sentence of the context.
# copied_majority: the verb word and the noun word that are most frequent in the context.
# unparsable: no verb word or no noun word was found.
RATES = ("told_beside", "beside_by_chance", "copied", "copied_majority", "unparsable")

# As schema.PREDICTIONS, but an endpoint need not say how sure it is; and what was shown and copied.
PREDICTIONS = pa.schema(
    [
        *(
            field.with_nullable(True) if field.name == "confidence" else field
            for field in schema.PREDICTIONS
        ),
        pa.field("scored", pa.bool_()),
        pa.field("videos", pa.list_(pa.string())),
        pa.field("texts", pa.list_(pa.string())),
        *(pa.field(name, pa.float64() if "chance" in name else pa.bool_()) for name in RATES),
        pa.field("cut_off", pa.bool_()),
    ]
)

_Words = tuple[str | None, str | None]


@dataclass(frozen=True)
class Scored:
    """`predictions` has the columns of PREDICTIONS and more; `metrics` are evaluate's."""

    predictions: pd.DataFrame
    metrics: dict[str, Any]
    curves: pd.DataFrame


def score(questions: Questions, answers: Mapping[Shown, Answer]) -> Scored:
    """Judge every answer and sum them up.

    Args:
        questions: what was asked.
        answers: by what was shown; a trial without one is left out.

    Raises:
        ValueError: there is no answer.
    """
    judge = Judge(questions.narrations)
    copying = Copying(questions.narrations)
    tables = []
    for split, asked in questions.trials.items():
        trials = [trial for trial in asked if what_is_shown(trial) in answers]
        given = [answers[what_is_shown(trial)] for trial in trials]
        generated = [Generated(answer.text, answer.confidence) for answer in given]
        said = [copying.row(t, a) for t, a in zip(trials, given, strict=True)]
        table = judge.table(split, trials, generated)
        tables.append(pd.concat([table, pd.DataFrame(said)], axis=1))
    predictions = pd.concat(tables, ignore_index=True)
    if predictions.empty:
        raise ValueError("there is no answer to judge")
    evaluation = summarise(predictions, questions.lacking)
    metrics = evaluation.metrics | {
        "probes": evaluation.probes,
        "baselines": {"unavailable": {}, "majority_word": majority_baseline(predictions)},
        "text_metrics": NO_TEXT_METRICS.about(),
    }
    return Scored(predictions, metrics, evaluation.curves)


def copying_rates(predictions: pd.DataFrame) -> dict[str, Any]:
    """Share of answers of each of RATES: {split: {condition: {shots: {rate: share}}}}.

    Those of judged queries; None where there is nothing to copy or to look at.
    """
    rates: dict[str, Any] = {}
    for split in predictions["split"].unique():
        for condition, shots, cell in cells(predictions[predictions["split"] == split]):
            judged = cell[cell["scored"]]
            shares = {name: _share(judged[name]) for name in RATES}
            rates.setdefault(split, {}).setdefault(condition, {})[str(shots)] = shares
    return rates


def _share(column: pd.Series) -> float | None:
    known = column.dropna()
    return float(known.astype(float).mean()) if len(known) else None


class Copying:
    """Tells what of an answer stands in the context that it was given."""

    def __init__(self, narrations: pd.DataFrame):
        lexicon = Lexicon.from_narrations(narrations)
        self._find = WordFinder(lexicon, NEW_VERBS, NEW_NOUNS).find
        self._classes = known_classes(narrations)

    def row(self, trial: Trial, answer: Answer) -> dict[str, Any]:
        """The columns of PREDICTIONS that Judge.table does not have."""
        said = self._find(answer.text)
        context = [self._find(text) for text in trial.texts[:-1]]
        most = (
            majority_word([verb for verb, _ in context]),
            majority_word([n for _, n in context]),
        )
        readable = None not in said
        return {
            "videos": list(trial.videos),
            "texts": list(trial.texts[:-1]),
            **self._told_beside(trial, said, context),
            "copied": readable and said in context if context else None,
            "copied_majority": readable and said == most if context else None,
            "unparsable": not readable,
            "cut_off": answer.finish_reason == "length",
        }

    def _told_beside(
        self, trial: Trial, said: _Words, context: Sequence[_Words]
    ) -> dict[str, float | None]:
        if trial.blank or not context or trial.query not in self._classes:
            return {"told_beside": None, "beside_by_chance": None}
        verbs, nouns = (set(self._beside(trial, part, context)) for part in (0, 1))
        passing = [verb in verbs and noun in nouns for verb, noun in context]
        return {
            "told_beside": said[0] in verbs and said[1] in nouns,
            "beside_by_chance": sum(passing) / len(passing),
        }

    def _beside(self, trial: Trial, part: int, context: Sequence[_Words]) -> Iterator[str]:
        """Words that stand beside the videos of the query's verb class (0) or noun class (1)."""
        wanted = self._classes[trial.query][part]
        for video, words in zip(trial.videos[:-1], context, strict=True):
            word = words[part]
            if word is not None and self._classes.get(video, (None, None))[part] == wanted:
                yield word


def answer_facts(answers: Iterable[Answer]) -> dict[str, Any]:
    """Counts over answers: how many, how many cut off or empty, tokens as billed."""
    distinct = list({id(answer): answer for answer in answers}.values())
    return {
        "answers": len(distinct),
        "cut_off": sum(answer.finish_reason == "length" for answer in distinct),
        "empty": sum(not answer.text for answer in distinct),
        "prompt_tokens": _total(answer.prompt_tokens for answer in distinct),
        "completion_tokens": _total(answer.completion_tokens for answer in distinct),
    }


def _total(counts: Iterable[int | None]) -> int | None:
    """Sum of counts, None where one is not known."""
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total
