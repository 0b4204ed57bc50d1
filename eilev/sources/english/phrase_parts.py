"""Reading of short phrases: their words, their nouns, and the clauses they are made of."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

import lemminflect

from eilev.language.words import lemma
from eilev.sources.english import closed_classes as known

_WORD = re.compile(r"[\w:'\u2019-]+|[,&]")


def compound_words(name: str) -> str:
    """Words of a compound name, its head last.

    >>> compound_words("spoon:slotted"), compound_words("put-down")
    ('slotted spoon', 'put down')
    """
    head, *others = name.split(":")
    return " ".join([*others, head]).replace("-", " ")


@dataclass(frozen=True)
class Nouns:
    """The nouns of a phrase: sets of lemmas."""

    compounds: frozenset[frozenset[str]]
    words: frozenset[str]
    # Nouns of one word.
    single: frozenset[str]

    @classmethod
    def of(cls, names: Collection[str]) -> "Nouns":
        """Take names apart, compounds with their head first ("spoon:slotted")."""
        split = [compound_words(name.lower()).split() for name in names]
        return cls(
            frozenset(frozenset(words) for words in split if len(words) > 1),
            frozenset(word for words in split for word in words),
            frozenset(words[0] for words in split if len(words) == 1),
        )

    def __contains__(self, word: str) -> bool:
        return word in self.words or lemma(word, "NOUN") in self.words

    def compound_at(self, words: list[str], start: int) -> int:
        """Number of words of the longest compound that starts at a word; 0 if none does."""
        if words[start : start + 2] == ["washing", "up"]:
            return 2 + self.compound_at(words, start + 2) if words[start + 2 :] else 2
        lengths = {len(compound) for compound in self.compounds}
        for length in sorted(lengths, reverse=True):
            part = words[start : start + length]
            if len(part) == length and self._is_compound(part):
                return length
        return 0

    def _is_compound(self, words: list[str]) -> bool:
        lemmas = frozenset([*words[:-1], lemma(words[-1], "NOUN")])
        return frozenset(words) in self.compounds or lemmas in self.compounds


@dataclass(frozen=True)
class Clause:
    """A verb and what belongs to it."""

    # Joints and adverbs.
    before: list[str]
    verb: str
    rest: list[str]
    # Whether the verb is to be inflected.
    is_finite: bool
    # Whether no clause follows, whose object might be this one's too ("hold and dry vase").
    is_last: bool


def read_words(phrase: str) -> list[str]:
    """Words of a phrase in lower case; compounds are spelled out, slips and loose ends repaired."""
    return _repair([part for word in _WORD.findall(phrase.lower()) for part in _split(word)])


def _split(word: str) -> list[str]:
    return compound_words(word).replace("&", "and").split()


def _repair(words: list[str]) -> list[str]:
    """Drop what was said twice or cut off, and write "in to" and "turn of" as they are meant."""
    kept: list[str] = []
    for i, word in enumerate(words):
        following = words[i + 1] if i + 1 < len(words) else ""
        if kept and word == kept[-1] and word in known.PREPOSITIONS | known.ARTICLES:
            continue
        if word == "to" and kept[-1:] in (["in"], ["on"]) and following not in known.VERBS:
            kept[-1] += "to"
        elif word in known.ARTICLES and following in known.PREPOSITIONS - {"inside", "outside"}:
            kept.append("something")
        elif word == "of" and len(kept) == 1 and kept[0] not in known.WITH_OF:
            kept.append("off")
        elif kept or word not in known.JOINTS | {"to"}:
            kept.append(word)
    return _without_loose_end(kept)


def _without_loose_end(words: list[str]) -> list[str]:
    """Cut a last preposition or joint off; a last article after a verb stands for a thing."""
    words = list(words)
    while len(words) > 1 and words[-1] in known.DANGLING:
        last = words.pop()
        if last in known.ARTICLES and words[-1] not in known.DANGLING | known.PREPOSITIONS:
            words.append("something")
    return words


def read_clauses(words: list[str], nouns: Nouns) -> Iterator[Clause]:
    """Split a phrase before each verb that follows a joint."""
    starts = [i for i in range(len(words)) if _starts_clause(words, i, nouns)]
    for number, start in enumerate(starts):
        before = start
        while before and words[before - 1] in known.JOINTS | known.ADVERBS:
            before -= 1
        end = starts[number + 1] if number + 1 < len(starts) else len(words)
        while number + 1 < len(starts) and words[end - 1] in known.JOINTS | known.ADVERBS:
            end -= 1
        lead = words[before:start]
        is_finite = not (words[start].endswith("ing") and "while" in lead)
        is_last = number + 1 == len(starts)
        yield Clause(lead, words[start], words[start + 1 : end], is_finite, is_last)


def _starts_clause(words: list[str], i: int, nouns: Nouns) -> bool:
    """Whether a word is the first verb of the phrase, or one after a joint."""
    lead = i
    while lead and words[lead - 1] in known.ADVERBS:
        lead -= 1
    if words[i] in known.JOINTS | known.ADVERBS and i + 1 < len(words):
        return False
    if lead == 0:
        return True
    if words[lead - 1] not in known.JOINTS and "then" not in words[lead:i]:
        return False
    return _is_verb(words, i, nouns)


def _is_verb(words: list[str], i: int, nouns: Nouns) -> bool:
    """Whether a word after a joint is a verb: "dry" in "and dry hands", not in "and bottles"."""
    word = words[i]
    following = words[i + 1] if i + 1 < len(words) else ""
    if word.endswith("ing"):
        return "while" in words[:i] or (words[0].endswith("ing") and word not in nouns)
    if word in known.DETERMINERS | known.PREPOSITIONS or base_form(word) != word:
        return False
    if following in known.DETERMINERS and _can_be_verb(word):
        return True
    if word in known.VERBS:
        return word not in nouns.single
    is_object = following and following not in known.PREPOSITIONS | known.JOINTS
    return bool(is_object) and word not in nouns and _can_be_verb(word)


@lru_cache(maxsize=4096)
def base_form(word: str) -> str:
    """The base form of a verb; a word that is one already, or no known verb, as it is."""
    lemmas = lemminflect.getAllLemmas(word).get("VERB", ())
    if word in lemmas or not (lemmas or word.endswith("ing")):
        return word
    return str(lemmas[0]) if lemmas else lemma(word, "VERB")


@lru_cache(maxsize=4096)
def _can_be_verb(word: str) -> bool:
    return "VERB" in lemminflect.getAllLemmas(word)
