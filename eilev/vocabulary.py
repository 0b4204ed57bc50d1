"""Kinds of contexts and meanings of words: what each is, once for all who must know.

Adding one is an entry here, its algorithm where `eilev.episodes` keeps them (`kinds.SAMPLERS`,
`meaning.WRITERS`) and a test; parameters, validation, training and evaluation follow the entry.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ContextKind:
    """How the context of an episode is made up."""

    # What its contexts are, as the data's documentation says it.
    text: str
    # Part of the key of its random numbers: never changed, never used again.
    key: int
    # Drawn from the query's own split; otherwise from the training clips.
    from_own_split: bool = False
    # Several actions (`ways`) equally often, one of them the query's. Such contexts are fixed and
    # checked exactly; of the others, which never show the query's action, burstiness is measured.
    in_ways: bool = False


KINDS: Mapping[str, ContextKind] = {
    "bursty": ContextKind("clips that share the query's verb or its noun", key=0),
    "random": ContextKind("any clips of other actions", key=1),
    "contrastive": ContextKind(
        "several actions equally often, one of them the query's",
        key=2,
        from_own_split=True,
        in_ways=True,
    ),
}


@dataclass(frozen=True)
class WordMeaning:
    """What the words of an episode mean."""

    text: str
    # The episode brings its own narrations; otherwise they are those of the narration table.
    rewritten: bool = True
    # Words stand for other things than in the corpus, so that only the context can tell.
    reassigned: bool = False
    # A thing that has one word throughout the episode: "class", or "word" (of the narrators), by
    # which synonyms stay synonyms; None where the narrators' own words stand.
    one_word_per: str | None = "class"


MEANINGS: Mapping[str, WordMeaning] = {
    "natural": WordMeaning("the narrators' words", rewritten=False, one_word_per=None),
    "canonical": WordMeaning("every class by its most frequent word"),
    "permuted": WordMeaning("the words of the classes re-assigned", reassigned=True),
    "renamed": WordMeaning(
        "every word exchanged for another", reassigned=True, one_word_per="word"
    ),
    "invented": WordMeaning(
        "every word exchanged for one that nobody has", reassigned=True, one_word_per="word"
    ),
}


def listed(names: Iterable[str]) -> str:
    """Names as a sentence has them.

    >>> listed({"bursty": 0, "random": 1, "contrastive": 2})
    'bursty, random or contrastive'
    """
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
