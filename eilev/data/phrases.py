"""Short phrases such as "put knife in sink" as English sentences, by rules."""

import re
from functools import lru_cache

import lemminflect

from eilev.data.words import SUBJECT, lemma

_WORD = re.compile(r"[\w:'\u2019-]+|,")
_JOINTS = frozenset({"and", "then", "&", ",", "while"})
_ADVERBS = frozenset({"still", "just", "now", "again", "also", "then"})
_PREPOSITIONS = frozenset(
    (  # noqa: SIM905  (as a literal: a line per word)
        "in into inside on onto off of from to with at by for over under underneath up down out "
        "away around about between behind through across against along back together near next "
        "aside above below without using after before beside towards upside until as like"
    ).split()
)
# Words that need no article before them.
_BARE = frozenset(
    (  # noqa: SIM905  (as a literal: a line per word)
        "the a an some more another other all both it them this that these those his her their my "
        "one two three four five six something everything nothing each every any half"
    ).split()
)


def to_sentence(phrase: str, nouns: frozenset[str]) -> str:
    """Write a phrase in the imperative, articles left out, as a sentence about the camera wearer.

    Args:
        phrase: begins with a verb; empty gives "".
        nouns: the words of the phrase's nouns, which are never read as verbs.

    >>> to_sentence("take plate", frozenset({"plate"}))
    'The camera wearer takes the plate.'
    >>> to_sentence("put-down spoon:slotted in sink and dry hands", frozenset({"sink"}))
    'The camera wearer puts down the slotted spoon in the sink and dries the hands.'
    """
    words = [part for word in _WORD.findall(phrase.lower()) for part in _split(word)]
    written: list[str] = []
    expects_verb = True
    needs_article = False
    for word in words:
        if expects_verb and word in _JOINTS | _ADVERBS:
            written.append(word)
        elif expects_verb and (set(written) <= _ADVERBS or _is_verb(word, nouns)):
            written.append(_third_person(word))
            expects_verb, needs_article = False, True
        else:
            needs_article, expects_verb = _write(
                word, written, nouns, needs_article=needs_article or expects_verb
            )
    return f"{SUBJECT} {' '.join(written)}.".replace(" ,", ",") if written else ""


def _write(
    word: str, written: list[str], nouns: frozenset[str], *, needs_article: bool
) -> tuple[bool, bool]:
    """Add a word after the verb; whether an article, and whether a verb may come next."""
    if word in _JOINTS:
        written.append(word)
        return True, True
    infinitive = written[-1:] == ["to"] and _is_verb(word, nouns)
    if word in _PREPOSITIONS or infinitive or _is_gerund(word, written):
        written.append(word)
        return True, False
    written += [word] if word in _BARE or not needs_article else ["the", word]
    return False, False


def compound_words(name: str) -> str:
    """Words of a compound name, its head last.

    >>> compound_words("spoon:slotted"), compound_words("put-down")
    ('slotted spoon', 'put down')
    """
    head, *others = name.split(":")
    return " ".join([*others, head]).replace("-", " ")


def _split(word: str) -> list[str]:
    return compound_words(word).split()


def _is_gerund(word: str, written: list[str]) -> bool:
    """Whether a word is as "washing" in "continues washing"."""
    return word.endswith("ing") and written[-1] in {"continues", "keeps", "stops", "starts"}


@lru_cache(maxsize=4096)
def _third_person(verb: str) -> str:
    base = lemma(verb, "VERB") if verb.endswith("ing") else verb
    return str((lemminflect.getInflection(base, "VBZ") or (base,))[0])


def _is_verb(word: str, nouns: frozenset[str]) -> bool:
    if word in nouns or lemma(word, "NOUN") in nouns or word in _BARE | _PREPOSITIONS:
        return False
    return "VERB" in lemminflect.getAllLemmas(word)
