"""Which words stand for which classes in a corpus."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from eilev.language.words import class_words


@dataclass(frozen=True)
class Lexicon:
    """Which words stand for which classes in a corpus, and the usual word of each class."""

    # Class to its words: those that narrators used and those that the class's name spells out.
    verb_words: Mapping[str, frozenset[str]]
    noun_words: Mapping[str, frozenset[str]]
    # Class to its canonical word: the most frequent one, ties in alphabetical order.
    canonical_verbs: Mapping[str, str]
    canonical_nouns: Mapping[str, str]

    @classmethod
    def from_narrations(cls, narrations: pd.DataFrame) -> "Lexicon":
        """Collect the words of a narration table (schema.NARRATIONS)."""
        verbs = _word_counts(narrations, "verb")
        nouns = _word_counts(narrations, "noun")
        return cls(_all_words(verbs), _all_words(nouns), _canonical(verbs), _canonical(nouns))


def _word_counts(narrations: pd.DataFrame, kind: str) -> dict[str, dict[str, int]]:
    """Class to its words and their counts."""
    named = narrations[[f"{kind}_class", f"{kind}_word"]].dropna()
    counts: dict[str, dict[str, int]] = {name: {} for name in narrations[f"{kind}_class"].dropna()}
    for name, word in zip(named[f"{kind}_class"], named[f"{kind}_word"], strict=True):
        counts[name][word] = counts[name].get(word, 0) + 1
    return counts


def _all_words(counts: Mapping[str, Mapping[str, int]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(counts[name]) | set(class_words(name)) for name in sorted(counts)}


def _canonical(counts: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    return {
        name: min(words, key=lambda word: (-words[word], word))
        for name, words in sorted(counts.items())
        if words
    }
