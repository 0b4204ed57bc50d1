"""Short phrases such as "put knife in sink" as English sentences, by rules.

Narrators speak in the imperative and leave articles out. The rules find the verbs of a phrase,
put them into the third person, and give each noun phrase an article where it has none. They know
no grammar beyond that: what is said in another order is left in that order.
"""

import re
from collections.abc import Collection
from functools import lru_cache

import lemminflect

from eilev.language.words import SUBJECT, VOWEL_SOUND, lemma
from eilev.sources.english import closed_classes as known
from eilev.sources.english.phrase_parts import Clause, Nouns, base_form, read_clauses, read_words


def to_sentence(phrase: str, nouns: Collection[str]) -> str:
    """Write a phrase in the imperative, articles left out, as a sentence about the camera wearer.

    Args:
        phrase: begins with a verb, else the sentence is "".
        nouns: names of the phrase's nouns, compounds with their head first ("spoon:slotted"); they
            are never read as verbs.

    >>> to_sentence("take plate", ["plate"])
    'The camera wearer takes the plate.'
    >>> to_sentence("put-down spoon:slotted in sink and dry hands", ["spoon:slotted", "sink"])
    'The camera wearer puts down the slotted spoon in the sink and dries their hands.'
    """
    words = read_words(phrase)
    first = next((word for word in words if word not in known.ADVERBS), None)
    if first is None or first in known.DETERMINERS | known.PREPOSITIONS:
        return ""
    named = Nouns.of(nouns)
    written: list[str] = []
    for clause in read_clauses(words, named):
        written += _write_clause(clause, named, plural="and" in written)
    return f"{SUBJECT} {_join(written)}."


def _write_clause(clause: Clause, nouns: Nouns, *, plural: bool) -> list[str]:
    base = base_form(clause.verb)
    verb = _third_person(base) if clause.is_finite else clause.verb
    rest = _second_verb(base, clause.rest, nouns)
    is_shared = known.PARTICLES.issuperset(rest) and not clause.is_last
    if _lacks_object(base, rest) and not is_shared:
        rest = ["them" if plural else "it", *rest]
    return [*clause.before, verb, *_write_rest(base, rest, nouns)]


def _second_verb(base: str, rest: list[str], nouns: Nouns) -> list[str]:
    """Write "continue stir" as "continue stirring" and "try open" as "try to open"."""
    if not rest or rest[0] not in known.VERBS or rest[0] in nouns.single:
        return rest
    if base in known.ASPECT:
        return [str(lemminflect.getInflection(rest[0], "VBG")[0]), *rest[1:]]
    return ["to", *rest] if base == "try" else rest


def _lacks_object(base: str, rest: list[str]) -> bool:
    """Whether a verb that needs an object has none: "put back", "put into pan", "put on table"."""
    if base not in known.TRANSITIVE:
        return False
    if base in ("turn", "switch"):
        return len(rest) == 1 and rest[0] in ("on", "off", "up", "down")
    if base == "place" and len(rest) > 1 and rest[0] in ("on", "in"):
        return True
    if len(rest) > 1 and rest[0] in ("on", "in"):
        head = next((w for w in rest[1:] if w in known.PREPOSITIONS | known.JOINTS), None)
        phrase = rest[1 : rest.index(head, 1)] if head else rest[1:]
        return bool(phrase) and lemma(phrase[-1], "NOUN") in known.PLACES
    while rest and rest[0] in known.PARTICLES:
        rest = rest[1:]
    return not rest or (rest[0] in known.STRICT_PREPOSITIONS and rest[1:2] != ["part"])


def _write_rest(verb: str, rest: list[str], nouns: Nouns) -> list[str]:
    """Words after a verb, with articles before its noun phrases."""
    written: list[str] = []
    position = 0
    while position < len(rest):
        end = _noun_phrase_end(verb, rest, position, nouns)
        if end == position:
            written.append(rest[position])
            position += 1
            continue
        phrase, listed = rest[position:end], rest[end : end + 1] == ["and"]
        if verb == "fill" and rest[position - 1 : position] == ["with"]:
            written += phrase
        else:
            written += _noun_phrase(phrase, written, listed=listed)
        position = end
    return written


def _noun_phrase_end(verb: str, rest: list[str], start: int, nouns: Nouns) -> int:
    end = start
    while end < len(rest):
        if _is_verbal(verb, rest, end, nouns):
            break
        compound = nouns.compound_at(rest, end)
        if not compound and _ends_noun_phrase(rest, end):
            break
        end += compound or 1
    return end


def _is_verbal(verb: str, rest: list[str], i: int, nouns: Nouns) -> bool:
    """Whether a word after the verb is another verb, or part of one as in "cut open"."""
    word, before = rest[i], rest[i - 1] if i else verb
    if word in ("inside", "outside") and rest[i + 1 : i + 2] not in (["of"], ["part"]):
        return True
    if (word == "open" and before in known.OPENING) or (before, word) == ("let", "go"):
        return True
    if before in known.ADVERBS | {"to"} and word in known.VERBS:
        return word not in nouns.single
    if not word.endswith("ing"):
        return False
    if i == 0:
        return verb in known.ASPECT
    return before in known.JOINTS | known.BEFORE_GERUNDS and word not in nouns


def _ends_noun_phrase(rest: list[str], i: int) -> bool:
    """Whether a word after the verb is of no noun phrase."""
    following = rest[i + 1] if i + 1 < len(rest) else ""
    if rest[i] in ("inside", "outside", "back") and following in ("of", "part"):
        return False
    if rest[i] == "next":
        return following == "to"
    return rest[i] in known.PREPOSITIONS | known.JOINTS | known.ADVERBS


def _noun_phrase(words: list[str], written: list[str], *, listed: bool) -> list[str]:
    """A noun phrase with its article; `written` is what stands before it in the clause."""
    before = written[-1] if written else ""
    if listed and len(words) > 1 and _is_plural(words[-1]) and _is_plural(words[-2]):
        first = _noun_phrase(words[:-1], written, listed=True)
        return [*first, ",", *_noun_phrase(words[-1:], [","], listed=False)]
    if words[0] == "all" and len(words) > 1 and words[1] not in known.DETERMINERS:
        return ["all", "the", *words[1:]]
    if words[0] in known.DETERMINERS or words[0].isdigit() or _is_measured(written):
        return words
    if (before, words[0]) in known.BARE_AFTER:
        return words
    if set(words) <= known.LEVELS and before in ("on", "to", "at"):
        return words
    if before == "into" and lemma(words[-1], "NOUN") in known.PIECES:
        return words if _is_plural(words[-1]) else ["a", *words]
    if words[-1] in known.BODY and set(words[:-1]) <= {"left", "right"}:
        return ["their", *words]
    return ["the", *words]


def _is_measured(written: list[str]) -> bool:
    """Whether what stands before says how much: "bag of", "mixture of oil and", "some salt and"."""
    if written[-1:] == ["of"] and len(written) > 1:
        return lemma(written[-2], "NOUN") in known.QUANTITIES
    if written[-1:] != ["and"]:
        return False
    start = max((i for i, w in enumerate(written) if w in known.PREPOSITIONS), default=-1)
    if start > 0 and written[start] == "of":
        return written[start - 1] in known.MIXTURES
    return written[start + 1] in ("some", "more", "any")


def _is_plural(word: str) -> bool:
    return lemma(word, "NOUN") != word


def _join(words: list[str]) -> str:
    text = " ".join(words).replace(" ,", ",")
    return re.sub(r"\ban? (?=(\w+))", lambda m: "an " if VOWEL_SOUND.match(m[1]) else "a ", text)


@lru_cache(maxsize=4096)
def _third_person(base: str) -> str:
    return str((lemminflect.getInflection(base, "VBZ") or (base,))[0])
