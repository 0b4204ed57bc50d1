"""Scores of generated narrations: words of the right class, ROUGE-L and BLEU."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from eilev.language.lexicon import Lexicon
from eilev.language.words import find_words


class WordFinder:
    """Finds the verb word and the noun word of a sentence: those of a lexicon and further ones."""

    def __init__(self, lexicon: Lexicon, verbs: Collection[str] = (), nouns: Collection[str] = ()):
        self._verbs = {*_all_words(lexicon.verb_words), *verbs}
        self._nouns = {*_all_words(lexicon.noun_words), *nouns}
        # Generated sentences repeat thousands of times.
        self.find = lru_cache(maxsize=None)(self._find)

    def _find(self, sentence: str) -> tuple[str | None, str | None]:
        """Return the first verb word and the first noun word; None where there is none."""
        verbs = find_words(sentence, self._verbs, "VERB")
        nouns = find_words(sentence, self._nouns, "NOUN")
        return verbs[0] if verbs else None, nouns[0] if nouns else None


@dataclass(frozen=True)
class RightWords:
    """The words that count as right for a query."""

    verbs: Collection[str]
    nouns: Collection[str]

    def judge(self, verb: str | None, noun: str | None) -> tuple[bool, bool]:
        """Say whether the verb word and the noun word are right."""
        return verb in self.verbs, noun in self.nouns


def rouge_l(references: Sequence[str], generated: Sequence[str]) -> float:
    """Mean ROUGE-L F-measure over the pairs, from 0 to 1 (rouge-score, no stemming).

    >>> round(rouge_l(["the camera wearer cuts the onion"], ["the camera wearer cuts"]), 2)
    0.8
    """
    scorer = RougeScorer(["rougeL"])

    @cache
    def score(reference: str, text: str) -> float:
        measure: float = scorer.score(reference, text)["rougeL"].fmeasure
        return measure

    return sum(map(score, references, generated)) / len(references)


def bleu(references: Sequence[str], generated: Sequence[str]) -> float:
    """Corpus BLEU, from 0 to 1 (sacrebleu; effective order, as narrations can be very short).

    >>> round(bleu(["The camera wearer cuts the onion."], ["The camera wearer cuts the onion."]), 2)
    1.0
    """
    score: float = BLEU(effective_order=True).corpus_score(generated, [references]).score
    return score / 100.0


def _all_words(words_of: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    return tuple(sorted({word for words in words_of.values() for word in words}))


def accuracies(verb: Sequence[bool], noun: Sequence[bool]) -> dict[str, float | None]:
    """Shares of right actions (verb and noun), verbs and nouns; None where nothing was judged.

    >>> accuracies([True, True], [True, False])
    {'action_accuracy': 0.5, 'verb_accuracy': 1.0, 'noun_accuracy': 0.5}
    """
    both = [v and n for v, n in zip(verb, noun, strict=True)]
    return {
        "action_accuracy": _share(both),
        "verb_accuracy": _share(verb),
        "noun_accuracy": _share(noun),
    }


def _share(judged: Sequence[bool]) -> float | None:
    return sum(judged) / len(judged) if judged else None
