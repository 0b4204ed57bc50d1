"""In-context learning curves: accuracy of generated narrations by number of shots."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from eilev.config import EvaluateConfig
from eilev.data.dataset import Frames, clip_ids_of
from eilev.data.new_words import NEW_NOUNS, NEW_VERBS
from eilev.data.words import Lexicon
from eilev.evaluation.calibration import calibration_error
from eilev.evaluation.generation import Generated, encode_clips, generate_narrations
from eilev.evaluation.probes import majority_word, probes
from eilev.evaluation.text import Answer, WordFinder, accuracies, bleu, rouge_l
from eilev.evaluation.trials import CONTRASTIVE_SHUFFLED, Trial, build_trials
from eilev.model.checkpoint import LoadedModel
from eilev.schema import OTHER_VERB, Split

# Conditions whose contexts the majority baseline is worth knowing for.
_MAJORITY_CONDITIONS = ("bursty", "random", "contrastive")


@dataclass(frozen=True)
class Evaluation:
    """`metrics` as design section 4 has them, `probes` by split, `predictions` row by row.

    `predictions` has the columns of schema.PREDICTIONS and more; `curves` is for `dvc plots`.
    """

    metrics: dict[str, Any]
    probes: dict[str, Any]
    predictions: pd.DataFrame
    curves: pd.DataFrame


def evaluate(
    loaded: LoadedModel,
    episodes: Mapping[Split, pd.DataFrame],
    narrations: pd.DataFrame,
    frames: Frames,
    config: EvaluateConfig,
    device: torch.device,
) -> Evaluation:
    """Generate and score the narration of every query under every condition and shot count.

    Args:
        loaded: The trained model, on `device`.
        episodes: schema.EPISODES of each split to evaluate.
        narrations: schema.NARRATIONS.
        frames: Holds every clip of the episodes.
        config: Conditions, prompt and generation.
        device: Where to compute.

    Raises:
        ValueError: a condition needs episodes that there are none of.
    """
    shown = clip_ids_of(pd.concat(episodes.values()))
    features = encode_clips(loaded, frames, shown, config.batch_size, device)
    judge = Judge(narrations)
    tables = []
    for number, (split, rows) in enumerate(episodes.items()):
        rng = np.random.default_rng([config.seed, number])
        trials = build_trials(rows, narrations, config.conditions, rng)
        generated = generate_narrations(trials, loaded, features, config)
        tables.append(judge.table(split, trials, generated))
    predictions = pd.concat(tables, ignore_index=True)
    return summarise(predictions)


def summarise(predictions: pd.DataFrame) -> Evaluation:
    """Turn judged predictions (Judge.table) into metrics, probes and curves."""
    metrics: dict[str, Any] = {}
    summaries: dict[str, Any] = {}
    points = []
    for split in predictions["split"].unique():
        of_split = predictions[predictions["split"] == split]
        curves: dict[str, dict[int, float | None]] = {}
        majority: dict[str, dict[int, float | None]] = {}
        metrics[split] = {}
        for condition, shots, cell in _cells(of_split):
            scores = _score(cell)
            curves.setdefault(condition, {})[shots] = scores["action_accuracy"]
            if condition in _MAJORITY_CONDITIONS and shots:
                majority.setdefault(condition, {})[shots] = _majority_accuracy(cell)
            if condition != CONTRASTIVE_SHUFFLED:
                by_shots = metrics[split].setdefault(condition, {"shots": {}})["shots"]
                by_shots[str(shots)] = scores
                points.append({"split": split, "condition": condition, "shots": shots, **scores})
        summaries[split] = probes(curves, majority)
    columns = ["split", "condition", "shots", "action_accuracy", "verb_accuracy", "noun_accuracy"]
    return Evaluation(metrics, summaries, predictions, pd.DataFrame(points)[columns])


class Judge:
    """Knows which words count as right for each query.

    A verb word is right when it belongs to the query's verb class: synonyms count, and a homonym
    counts for each of its classes; nouns likewise. Where an episode re-assigns the words (meanings
    `permuted`, `renamed` and `new`), those are right that it uses for the query's classes. A query
    without verb or noun class, or of the catch-all verb, is not judged.
    """

    def __init__(self, narrations: pd.DataFrame):
        lexicon = Lexicon.from_narrations(narrations)
        self._verb_words, self._noun_words = lexicon.verb_words, lexicon.noun_words
        self._find = WordFinder(lexicon, NEW_VERBS, NEW_NOUNS).find
        table = narrations.set_index("narration_id")
        self._classes = {
            clip: (verb, noun)
            for clip, verb, noun in zip(
                table.index, table["verb_class"], table["noun_class"], strict=True
            )
            if pd.notna(verb) and pd.notna(noun) and verb != OTHER_VERB
        }

    def answer(self, trial: Trial) -> Answer | None:
        """Return the words that are right for a trial's query; None where it is not judged."""
        if trial.query not in self._classes:
            return None
        verb_class, noun_class = self._classes[trial.query]
        if trial.meaning in ("permuted", "renamed", "new"):
            return Answer(self._said(trial, 0, verb_class), self._said(trial, 1, noun_class))
        return Answer(self._verb_words[verb_class], self._noun_words[noun_class])

    def _said(self, trial: Trial, part: int, class_name: str) -> frozenset[str]:
        """Words that an episode uses for a class."""
        clips = zip(trial.clip_ids, trial.texts, strict=True)
        words = (
            self._find(text)[part]
            for clip, text in clips
            if self._classes.get(clip, ("", ""))[part] == class_name
        )
        return frozenset(word for word in words if word is not None)

    def table(
        self, split: Split, trials: Sequence[Trial], generated: Sequence[Generated]
    ) -> pd.DataFrame:
        """Judge the narrations of trials: schema.PREDICTIONS and three more columns.

        scored: the query has classes to be judged by. majority_verb, majority_noun: the words most
        frequent in the context are right. (One row per trial.)
        """
        rows = [
            self._row(split, trial, narrated)
            for trial, narrated in zip(trials, generated, strict=True)
        ]
        return pd.DataFrame(rows)

    def _row(self, split: Split, trial: Trial, narrated: Generated) -> dict[str, Any]:
        answer = self.answer(trial)
        judged = answer or Answer((), ())
        verb_correct, noun_correct = judged.judge(*self._find(narrated.sentence))
        words = [self._find(text) for text in trial.texts[:-1]]
        majority = judged.judge(
            majority_word([verb for verb, _ in words]), majority_word([noun for _, noun in words])
        )
        return {
            "split": split,
            "condition": trial.condition,
            "shots": trial.shots,
            "query": trial.query,
            "context": list(trial.clip_ids[:-1]),
            "narration": trial.texts[-1],
            "generated": narrated.sentence,
            "confidence": narrated.confidence,
            "verb_correct": verb_correct,
            "noun_correct": noun_correct,
            "scored": answer is not None,
            "majority_verb": majority[0],
            "majority_noun": majority[1],
        }


def _cells(predictions: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """Condition, shots and rows of each point of a split's curves, shots rising."""
    for condition in predictions["condition"].unique():
        rows = predictions[predictions["condition"] == condition]
        for shots in sorted(rows["shots"].unique().tolist()):
            yield condition, shots, rows[rows["shots"] == shots]


def _score(cell: pd.DataFrame) -> dict[str, Any]:
    """Score the predictions of one split, condition and shot count.

    count: judged queries, behind the accuracies. unscored: those that could not be judged; ROUGE-L
    and BLEU are over all. confidence: mean over the judged; calibration_error: of the action.
    """
    judged = cell[cell["scored"]]
    right = judged["verb_correct"] & judged["noun_correct"]
    references, generated = cell["narration"].tolist(), cell["generated"].tolist()
    return {
        **accuracies(judged["verb_correct"].tolist(), judged["noun_correct"].tolist()),
        "rouge_l": rouge_l(references, generated),
        "bleu": bleu(references, generated),
        "confidence": float(judged["confidence"].mean()) if len(judged) else None,
        "calibration_error": calibration_error(judged["confidence"], right),
        "count": len(judged),
        "unscored": len(cell) - len(judged),
    }


def _majority_accuracy(cell: pd.DataFrame) -> float | None:
    judged = cell[cell["scored"]]
    verbs, nouns = judged["majority_verb"].tolist(), judged["majority_noun"].tolist()
    return accuracies(verbs, nouns)["action_accuracy"]
