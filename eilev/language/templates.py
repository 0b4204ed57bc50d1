"""Narrations taken apart at their verb and noun, to be written with other words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from eilev.language.words import PartOfSpeech, replace_words

_POS: tuple[PartOfSpeech, PartOfSpeech] = ("VERB", "NOUN")
# Irregular words whose form tells the inflection: a narration's "slices" is stored as "takes".
_MODELS: dict[PartOfSpeech, str] = {"VERB": "take", "NOUN": "knife"}
# Found in no narration, so it shows where a word was replaced.
_PROBE = "\ue000"
_ARTICLE = re.compile(r"\b[Aa]n?\s+$")
_WORD = re.compile("[\\w'\u2019-]*")


@dataclass(frozen=True)
class Slot:
    """Where a word of a class stands in a narration."""

    start: int
    end: int
    pos: PartOfSpeech
    # The slot's text with the model word in the place of the narrator's: "takes", "a knife".
    model: str


@dataclass(frozen=True)
class Template:
    """A narration as fixed texts around its slots: texts[0] slots[0] texts[1] ..."""

    texts: tuple[str, ...]
    slots: tuple[Slot, ...]

    def fill(self, verb: str, noun: str) -> str:
        """Write the narration with these words; a word without a slot is ignored."""
        pieces = [self.texts[0]]
        for slot, text in zip(self.slots, self.texts[1:], strict=True):
            pieces += [inflect(slot.model, verb if slot.pos == "VERB" else noun, slot.pos), text]
        return "".join(pieces)

    def read(self, sentence: str) -> Iterator[tuple[str, ...]]:
        """Every way to take a sentence apart at the slots; none if `fill` cannot have written it.

        >>> template = make_template("The camera wearer takes a cup.", "take", "cup")
        >>> list(template.read("The camera wearer turns on a tap."))
        [('turns', 'on a tap'), ('turns on', 'a tap'), ('turns on a', 'tap')]
        """
        first, *others = self.texts
        if sentence.startswith(first):
            yield from _split(sentence[len(first) :], others)


@lru_cache(maxsize=1 << 18)
def make_template(narration: str, verb_word: str | None, noun_word: str | None) -> Template:
    """Take a narration apart at its verb and noun word (lemmas; None: not replaceable).

    >>> template = make_template("The camera wearer slices an onion.", "slice", "onion")
    >>> template.fill("wash", "plate")
    'The camera wearer washes a plate.'
    """
    found = [
        _find_slot(narration, word, pos)
        for word, pos in zip((verb_word, noun_word), _POS, strict=True)
        if word is not None
    ]
    slots = sorted((slot for slot in found if slot), key=lambda slot: slot.start)
    if len(slots) == 2 and slots[0].end > slots[1].start:
        slots = slots[:1]
    edges = [0, *(edge for slot in slots for edge in (slot.start, slot.end)), len(narration)]
    texts = [narration[edges[i] : edges[i + 1]] for i in range(0, len(edges), 2)]
    return Template(tuple(texts), tuple(slots))


def _find_slot(narration: str, word: str, pos: PartOfSpeech) -> Slot | None:
    """The stretch of a narration that swapping `word` changes, None if there is none."""
    probed = replace_words(narration, {word: _PROBE}, pos)
    if probed == narration:
        return None
    start = _common_prefix(narration, probed)
    end = max(start, len(narration) - _common_prefix(narration[::-1], probed[::-1]))
    # Whole words, and the article that must suit the noun.
    start = narration.rfind(" ", 0, start) + 1
    article = _ARTICLE.search(narration, 0, start)
    start = article.start() if article else start
    end = _WORD.match(narration, end).end()  # type: ignore[union-attr]  # matches the empty string
    model = replace_words(narration[start:end], {word: _MODELS[pos]}, pos)
    return Slot(start, end, pos, model)


def _common_prefix(first: str, second: str) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))


def _split(text: str, separators: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every way to write a text as pieces, each followed by its separator; the last one ends it."""
    if not separators:
        if not text:
            yield ()
        return
    separator, *others = separators
    if not others:
        if text.endswith(separator) and len(text) > len(separator):
            yield (text[: len(text) - len(separator)],)
        return
    end = text.find(separator, 1)
    while end > 0:
        for rest in _split(text[end + len(separator) :], others):
            yield text[:end], *rest
        end = text.find(separator, end + 1)


@lru_cache(maxsize=1 << 18)
def inflect(model: str, word: str, pos: PartOfSpeech) -> str:
    """Write `word` as the model word is written in a slot.

    >>> inflect("takes", "wash", "VERB"), inflect("a knife", "apple", "NOUN")
    ('washes', 'an apple')
    """
    return replace_words(model, {_MODELS[pos]: word}, pos)
