"""Which generated words are right, and which classes they stand for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from eilev.episodes.classes import Bools
from eilev.evaluation.generation import Generated
from eilev.evaluation.probes import majority_word
from eilev.evaluation.scores import RightWords, WordFinder
from eilev.evaluation.trials import Trial, rows_of
from eilev.language.lexicon import Lexicon
from eilev.language.new_words import NEW_NOUNS, NEW_VERBS
from eilev.schema import OTHER_VERB, Split
from eilev.vocabulary import MEANINGS

# Word to the classes that it stands for.
_Meanings = Mapping[str, frozenset[str]]


class Judge:
    """Knows which words count as right for each query.

    A verb word is right when it belongs to the query's verb class: synonyms count, and a homonym
    counts for each of its classes; nouns likewise. Where an episode re-assigns the words (meanings
    `permuted` and `renamed`), those are right that it uses for the query's classes. A query
    without verb or noun class, or of the catch-all verb, is not judged.

    Args:
        narrations: schema.NARRATIONS.
        shown: Clips of the trials, where these are few of the narrations.
    """

    def __init__(self, narrations: pd.DataFrame, shown: Collection[str] | None = None):
        lexicon = Lexicon.from_narrations(narrations)
        self._verb_words, self._noun_words = lexicon.verb_words, lexicon.noun_words
        self._meanings = (_inverse(lexicon.verb_words), _inverse(lexicon.noun_words))
        self._find = WordFinder(lexicon, NEW_VERBS, NEW_NOUNS).find
        self._classes = known_classes(narrations if shown is None else rows_of(narrations, shown))

    def answer(self, trial: Trial) -> RightWords | None:
        """Return the words that are right for a trial's query; None where it is not judged."""
        if trial.query not in self._classes:
            return None
        verb_class, noun_class = self._classes[trial.query]
        if MEANINGS[trial.meaning].reassigned:
            verbs, nouns = self._episode_meanings(trial)
            return RightWords(_words_for(verbs, verb_class), _words_for(nouns, noun_class))
        return RightWords(self._verb_words[verb_class], self._noun_words[noun_class])

    def said(self, trial: Trial, sentence: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return the classes that a sentence's verb word and noun word stand for in a trial.

        Several for a homonym, none for a word without meaning there.
        """
        reassigned = MEANINGS[trial.meaning].reassigned
        verbs, nouns = self._episode_meanings(trial) if reassigned else self._meanings
        verb, noun = self._find(sentence)
        return verbs.get(verb or "", frozenset()), nouns.get(noun or "", frozenset())

    def _episode_meanings(self, trial: Trial) -> tuple[_Meanings, _Meanings]:
        """What an episode uses its verbs and its nouns for."""
        told = [
            (word, class_name)
            for clip, text in zip(trial.clip_ids, trial.texts, strict=True)
            if clip in self._classes
            for word, class_name in zip(self._find(text), self._classes[clip], strict=True)
        ]
        return _grouped(told[0::2]), _grouped(told[1::2])

    def table(
        self, split: Split, trials: Sequence[Trial], generated: Sequence[Generated]
    ) -> pd.DataFrame:
        """Judge the narrations of trials: schema.PREDICTIONS and more columns, one row per trial.

        scored: the query has classes to be judged by. verb_class, noun_class: these, else None.
        verb_said, noun_said: classes that the generated words stand for. majority_verb,
        majority_noun: the words most frequent in the context are right.
        """
        rows = [
            self._row(split, trial, narrated)
            for trial, narrated in zip(trials, generated, strict=True)
        ]
        return pd.DataFrame(rows)

    def _row(self, split: Split, trial: Trial, narrated: Generated) -> dict[str, Any]:
        answer = self.answer(trial)
        judged = answer or RightWords((), ())
        verb_class, noun_class = self._classes.get(trial.query, (None, None))
        verb_said, noun_said = self.said(trial, narrated.sentence)
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
            "verb_class": verb_class,
            "noun_class": noun_class,
            "verb_said": verb_said,
            "noun_said": noun_said,
            "majority_verb": majority[0],
            "majority_noun": majority[1],
        }


def known_classes(narrations: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Verb and noun class of each narration that has both; the catch-all verb is none."""
    whole = narrations[has_classes(narrations)]
    classes = zip(whole["verb_class"], whole["noun_class"], strict=True)
    return dict(zip(whole["narration_id"], classes, strict=True))


def has_classes(narrations: pd.DataFrame) -> Bools:
    """Whether each narration has a verb class, the catch-all verb being none, and a noun class."""
    verbs, nouns = narrations["verb_class"], narrations["noun_class"]
    whole: Bools = (verbs.notna() & nouns.notna() & (verbs != OTHER_VERB)).to_numpy(np.bool_)
    return whole


def _inverse(words_of: Mapping[str, frozenset[str]]) -> _Meanings:
    return _grouped((word, name) for name, words in words_of.items() for word in words)


def _grouped(pairs: Iterable[tuple[str | None, str]]) -> _Meanings:
    """Words to all classes that they are paired with."""
    classes_of: dict[str, set[str]] = {}
    for word, class_name in pairs:
        if word is not None:
            classes_of.setdefault(word, set()).add(class_name)
    return {word: frozenset(classes) for word, classes in classes_of.items()}


def _words_for(meanings: _Meanings, class_name: str) -> frozenset[str]:
    return frozenset(word for word, classes in meanings.items() if class_name in classes)
