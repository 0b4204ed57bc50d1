"""Verb and noun words of a sentence that nobody annotated, by lemmatisation and word order."""

from collections.abc import Iterator
from functools import lru_cache

import lemminflect

from eilev.language.words import find_words, first_verb, lemma, sentence_tokens
from eilev.sources.english import closed_classes as known

_NEITHER = known.PREPOSITIONS | known.JOINTS
_PRONOUNS = frozenset(
    {"it", "them", "him", "her", "something", "everything", "nothing", "anything"}
)
# Subjects after which the verb has no ending.
_PLAIN = frozenset({"i", "you", "we", "they"})


@lru_cache(maxsize=1 << 16)
def verb_word(sentence: str, candidates: frozenset[str] = frozenset()) -> str | None:
    """The first of the candidates that a sentence has, else the lemma of its first verb.

    A sentence may begin with its verb, with "The camera wearer", or with another subject, after
    which the verb is sought by its ending.

    >>> verb_word("The old man cuts the bread."), verb_word("Cut bread")
    ('cut', 'cut')
    """
    found = find_words(sentence, candidates, "VERB")
    if found:
        return found[0]
    return _main_verb(_predicate(sentence))


@lru_cache(maxsize=1 << 16)
def noun_word(sentence: str, candidates: frozenset[str] = frozenset()) -> str | None:
    """The first of the candidates that a sentence has, else the head of its first object.

    The object is the first noun phrase after the verb; its head is its last noun.

    >>> noun_word("The camera wearer puts the red cups on the table.")
    'cup'
    """
    found = find_words(sentence, candidates, "NOUN")
    if found:
        return found[0]
    for phrase in _noun_phrases(_predicate(sentence)):
        nouns = [word for word in phrase if _can_be_noun(word)]
        if nouns:
            return lemma(nouns[-1], "NOUN")
    return None


def _predicate(sentence: str) -> list[str]:
    """Words in lower case from the verb on, without adverbs."""
    tokens, has_usual_subject = sentence_tokens(sentence)
    words = [token[0].lower() for token in tokens]
    words = [word for word in words if word not in known.ADVERBS]
    if has_usual_subject or not words:
        return words
    if words[0] in known.DETERMINERS | {"he", "she"}:
        inflected = (i for i, word in enumerate(words) if _is_inflected_verb(word))
        return words[next(inflected, len(words)) :]
    return words[words[0] in _PLAIN :]


def _main_verb(words: list[str]) -> str | None:
    """Lemma of the first verb; of the next one after "continues" and the like."""
    verb = first_verb(" ".join(words))
    if verb in known.ASPECT | {"try"}:
        rest = words[1:]
        if rest[:1] == ["to"] or (rest and rest[0].endswith("ing")):
            return first_verb(" ".join(rest)) or verb
    return verb


def _noun_phrases(words: list[str]) -> Iterator[list[str]]:
    """Words after the verb, cut at prepositions and joints."""
    verb = _main_verb(words)
    start = next((i for i, word in enumerate(words) if lemma(word, "VERB") == verb), -1)
    phrase: list[str] = []
    for word in words[start + 1 :]:
        if word in _NEITHER:
            yield phrase
            phrase = []
        elif word not in known.DETERMINERS | _PRONOUNS:
            phrase.append(word)
    yield phrase


def _is_inflected_verb(word: str) -> bool:
    return "VERB" in _parts_of_speech(word) and word != lemma(word, "VERB")


def _can_be_noun(word: str) -> bool:
    """Whether a word of a noun phrase can be its head; a word that no dictionary has can."""
    found = _parts_of_speech(word)
    if word.isdigit():
        return False
    return "NOUN" in found or not found & {"ADJ", "ADV"}


@lru_cache(maxsize=1 << 16)
def _parts_of_speech(word: str) -> frozenset[str]:
    return frozenset(lemminflect.getAllLemmas(word))
