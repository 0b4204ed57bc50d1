"""How far requests and annotations are from a reference, as numbers."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from eilev.distributions.measures import chances, corpus_properties
from eilev.episodes.facts import gather_facts
from eilev.language.words import find_words
from eilev.traffic import UNKNOWN, Corpus, LoggedRequest, Reference

Figures = dict[str, float | None]
# The first known verb and noun of a narration.
Words = tuple[str | None, str | None]
Reader = Callable[[str], Words]

_OF_CORPUS = ("zipf_exponent", "verb_synonymy", "noun_synonymy", "verb_homonymy", "noun_homonymy")


def reader(verbs: Iterable[str], nouns: Iterable[str]) -> Reader:
    """What reads these words out of sentences; those that come again are read once."""
    known_verbs, known_nouns = frozenset(verbs), frozenset(nouns)

    @cache
    def read(sentence: str) -> Words:
        verb = next(iter(find_words(sentence, known_verbs, "VERB")), None)
        return verb, next(iter(find_words(sentence, known_nouns, "NOUN")), None)

    return read


def count(words: Iterable[str | None]) -> dict[str, int]:
    """How often each word occurs, the most frequent one first."""
    return dict(Counter(word for word in words if word is not None).most_common())


def distance(found: Mapping[str, int], reference: Mapping[str, int]) -> float | None:
    """Total variation distance: the share that would have to be something else; None of nothing.

    >>> distance({"cut": 1, "wash": 1}, {"cut": 3, "peel": 1})
    0.5
    """
    first, second = sum(found.values()), sum(reference.values())
    if not first or not second:
        return None
    names = {**found, **reference}
    return 0.5 * sum(
        abs(found.get(name, 0) / first - reference.get(name, 0) / second) for name in names
    )


def share_bursty(episodes: Iterable[tuple[Words, Sequence[Words]]]) -> float | None:
    """Share of the narrations of contexts that have the query's verb or noun; None of none.

    >>> share_bursty([(("cut", "onion"), [("cut", "bread"), ("wash", None)])])
    0.5
    """
    shared = [
        any(own is not None and own == other for own, other in zip(query, item, strict=True))
        for query, context in episodes
        for item in context
    ]
    return float(np.mean(shared)) if shared else None


def of_requests(requests: Sequence[LoggedRequest], reference: Reference) -> Figures:
    """The figures that `drift.requests` of params.yaml bounds; None where one is not defined."""
    read = reader(reference.verbs, reference.nouns)
    episodes = [(read(one.answer), [read(text) for text in one.context]) for one in requests]
    told = [words for answer, context in episodes for words in (answer, *context)]
    texts = " ".join(text for one in requests for text in (one.answer, *one.context)).split()
    named = [answer for answer, _ in episodes if None not in answer]
    shots, actions = set(reference.shots), set(reference.actions)
    return {
        "unknown_shots": _mean([one.shots not in shots for one in requests]),
        "unknown_words": _mean([word == UNKNOWN for word in texts]),
        "unknown_actions": _mean([action not in actions for action in named]),
        "verb_distance": distance(count(verb for verb, _ in told), reference.verbs),
        "noun_distance": distance(count(noun for _, noun in told), reference.nouns),
        "burstiness_change": _change(share_bursty(episodes), reference.burstiness),
        "feature_mean_distance": _samples(
            [one.feature_mean for one in requests], reference.feature_mean
        ),
        "feature_std_distance": _samples(
            [one.feature_std for one in requests], reference.feature_std
        ),
        "confidence": _mean([one.confidence for one in requests]),
    }


def corpus_of(narrations: pd.DataFrame) -> Corpus:
    """What annotations (rows of schema.NARRATIONS) are compared by."""
    ids = narrations["narration_id"]
    split = pd.DataFrame({"narration_id": ids, "split": "train"})
    facts = gather_facts(narrations, split, set(ids))
    properties = corpus_properties(facts)
    verb, noun = chances(facts)
    return Corpus(
        verbs=count(narrations["verb_class"].dropna()),
        nouns=count(narrations["noun_class"].dropna()),
        figures={name: properties[name] for name in _OF_CORPUS}
        | {"random_burstiness": float((verb + noun)[facts.traits].mean())},
    )


def of_annotations(corpus: Corpus, reference: Corpus) -> Figures:
    """The figures that `drift.annotations` of params.yaml bounds; None where one is not defined."""
    return {
        "verb_distance": distance(corpus.verbs, reference.verbs),
        "noun_distance": distance(corpus.nouns, reference.nouns),
    } | {
        f"{name}_change": _change(value, reference.figures[name])
        for name, value in corpus.figures.items()
    }


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _change(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before


def _samples(found: Sequence[float | None], reference: Sequence[float]) -> float | None:
    """Kolmogorov-Smirnov distance of two samples; None without one."""
    known = [value for value in found if value is not None]
    return float(ks_2samp(known, reference).statistic) if known and reference else None
