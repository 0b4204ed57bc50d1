"""The words of narrations: clean-up, lemmas, the words of a class, finding and swapping.

A class of the Ego4D taxonomy spells out its words: `cut_(trim,_slice,_chop)`. Sentences inflect
them ("cuts", "slicing"), so words are compared by lemma.
"""

import re
import string
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import lemminflect

from eilev.schema import OTHER_VERB

PartOfSpeech = Literal["VERB", "NOUN"]

SUBJECT = "The camera wearer"

_CAMERA_WEARER = re.compile(r"^#c\s+c", re.IGNORECASE)
_END_MARK = re.compile(r"<\|eos\|>$", re.IGNORECASE)
_UNSURE = re.compile(r"#unsure", re.IGNORECASE)
_UNSURE_AT_END = re.compile(r"#unsure\.?$", re.IGNORECASE)
_TOKEN = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_SUBJECT = re.compile(r"\s*(?:the\s+)?camera\s+wearer(?!['\u2019\w-])", re.IGNORECASE)
_CLASS_SEPARATORS = re.compile(r"[(),/]|'_")

# A word right after one of these is no verb ("takes the cut", "with hands") unless it ends in -ing.
_NOT_BEFORE_VERBS = re.compile(
    r"a|an|the|his|her|its|my|your|their|this|that|some"
    r"|with|in|on|of|from|into|onto|at|by|for|over|under",
    re.IGNORECASE,
)
# Tags in the order in which an ambiguous form is read ("cut" is a base form, not a past tense).
_TAGS: Mapping[PartOfSpeech, tuple[str, ...]] = {
    "VERB": ("VBZ", "VBG", "VB", "VBD", "VBN", "VBP"),
    "NOUN": ("NN", "NNS"),
}
_AUXILIARIES = frozenset({"be", "have", "do"})
# "u" and "eu" that sound like "you" take "a".
VOWEL_SOUND = re.compile(r"(?!uni|use|ute|eu)[aeiou]", re.IGNORECASE)


def clean_narration(text: str) -> str:
    """Turn an Ego4D narration into a sentence, exactly as the reference does.

    `#C C` becomes "The camera wearer", an end mark and a last "#unsure" go, any other "#unsure"
    becomes "something", and a period ends a sentence without punctuation. Inner spaces stay.

    >>> clean_narration("#C C moves #unsure to #unsure.")
    'The camera wearer moves something to.'
    """
    sentence = _CAMERA_WEARER.sub(SUBJECT, text.strip())
    sentence = _END_MARK.sub("", sentence).strip()
    sentence = _UNSURE_AT_END.sub("", sentence).strip()
    sentence = _UNSURE.sub("something", sentence)
    if sentence and sentence[-1] not in string.punctuation:
        sentence += "."
    return sentence


def says_something(sentence: str) -> bool:
    """Whether a cleaned narration has a word beside its subject."""
    return bool(sentence_tokens(sentence)[0])


def lemma(word: str, pos: PartOfSpeech) -> str:
    """Dictionary form of a word in lower case; the likeliest one where there are several.

    >>> lemma("Slices", "VERB"), lemma("knives", "NOUN")
    ('slice', 'knife')
    """
    return _lemmas(word.lower(), pos)[0]


@lru_cache(maxsize=4096)
def class_words(structured: str) -> tuple[str, ...]:
    """Words that a class of the taxonomy names; the first is its head.

    The catch-all `[other]` has none.

    >>> class_words("cut_(trim,_slice,_chop)")
    ('cut', 'trim', 'slice', 'chop')
    """
    if structured == OTHER_VERB:
        return ()
    parts = _CLASS_SEPARATORS.split(structured.lower())
    words = (" ".join(part.replace("_", " ").split()) for part in parts)
    return tuple(dict.fromkeys(word for word in words if word))


def find_words(sentence: str, candidates: Collection[str], pos: PartOfSpeech) -> list[str]:
    """Candidates that occur in a sentence in any inflection, in order, each once.

    A candidate may have several words ("turn on", "chopping board"); the longest match wins. The
    subject "The camera wearer" is skipped, a noun is never sought right after it (that is the
    verb), and a verb never after an article or a preposition.

    Args:
        sentence: a cleaned narration or a generated sentence.
        candidates: lemmas to look for.
        pos: what they are.

    >>> find_words("The camera wearer brushes the dishes.", {"brush", "dish"}, "NOUN")
    ['dish']
    """
    return list(dict.fromkeys(match.word for match in _matches(sentence, candidates, pos)))


def first_verb(sentence: str) -> str | None:
    """Lemma of the first verb after the subject, auxiliaries passed over; None without a verb.

    >>> first_verb("The camera wearer is slowly peeling the carrot.")
    'peel'
    """
    tokens, _ = sentence_tokens(sentence)
    verbs = [token[0].lower() for token in tokens if _is_verb(token[0].lower())]
    for verb, following in pairwise([*verbs, ""]):
        if not (lemma(verb, "VERB") in _AUXILIARIES and following.endswith(("ing", "ed", "en"))):
            return lemma(verb, "VERB")
    return None


def replace_words(sentence: str, replacements: Mapping[str, str], pos: PartOfSpeech) -> str:
    """Swap words for others in one pass, keeping inflection, capitals and "a" / "an" right.

    Args:
        sentence: a cleaned narration or any other sentence.
        replacements: lemma to lemma, found as in `find_words`; two may be exchanged.
        pos: what they are.

    >>> replace_words("The camera wearer cuts an onion.", {"cut": "wipe"}, "VERB")
    'The camera wearer wipes an onion.'
    >>> replace_words("The camera wearer cuts an onion.", {"onion": "plate"}, "NOUN")
    'The camera wearer cuts a plate.'
    """
    pieces: list[str] = []
    position = 0
    for match in _matches(sentence, replacements.keys(), pos):
        new = _inflect_like(replacements[match.word], match.head, match.word, pos)
        before = _with_article(sentence[position : match.start], new)
        pieces += [before, _with_case(new, sentence[match.start])]
        position = match.end
    return "".join([*pieces, sentence[position:]])


@dataclass(frozen=True)
class _Match:
    """Characters `start` to `end` of a sentence are `word`, whose inflected token is `head`."""

    start: int
    end: int
    head: str
    word: str


_Tokens = list[re.Match[str]]
_Words = tuple[str, ...]


def sentence_tokens(sentence: str) -> tuple[_Tokens, bool]:
    """Words of a sentence after its subject, and whether it has the usual subject."""
    subject = _SUBJECT.match(sentence)
    return list(_TOKEN.finditer(sentence, subject.end() if subject else 0)), subject is not None


def _matches(sentence: str, candidates: Collection[str], pos: PartOfSpeech) -> Iterator[_Match]:
    index = _candidate_index(frozenset(candidates))
    tokens, has_subject = sentence_tokens(sentence)
    position = 1 if has_subject and pos == "NOUN" else 0
    while position < len(tokens):
        words = _candidate_at(tokens, position, index, pos)
        if words:
            first, last = tokens[position], tokens[position + len(words) - 1]
            head = first if pos == "VERB" else last
            yield _Match(first.start(), last.end(), head[0].lower(), " ".join(words))
        position += len(words) or 1


@lru_cache(maxsize=4096)
def _candidate_index(candidates: frozenset[str]) -> Mapping[str, list[_Words]]:
    """First word of a candidate to the candidates, split into words, that start with it."""
    index: dict[str, list[_Words]] = {}
    for words in sorted(tuple(candidate.lower().split()) for candidate in candidates):
        if words:
            index.setdefault(words[0], []).append(words)
    return index


def _candidate_at(
    tokens: _Tokens, position: int, index: Mapping[str, list[_Words]], pos: PartOfSpeech
) -> _Words:
    """The longest candidate that starts at a token, else (); the token goes before its lemmas."""
    token = tokens[position][0].lower()
    starting = [words for form in _forms(token, pos) for words in index.get(form, ())]
    if not starting:
        return ()
    before = tokens[position - 1][0] if position else ""
    if pos == "VERB" and _NOT_BEFORE_VERBS.fullmatch(before) and not token.endswith("ing"):
        return ()
    fitting = (w for w in starting if _fits(tokens[position : position + len(w)], w, pos))
    return max(fitting, key=len, default=())


def _fits(tokens: _Tokens, words: _Words, pos: PartOfSpeech) -> bool:
    """Whether tokens are the words with only the head (a verb's first, a noun's last) inflected."""
    head = 0 if pos == "VERB" else len(words) - 1
    return len(tokens) == len(words) and all(
        word in _forms(token[0].lower(), pos) if i == head else word == token[0].lower()
        for i, (token, word) in enumerate(zip(tokens, words, strict=True))
    )


@lru_cache(maxsize=1 << 16)
def _forms(token: str, pos: PartOfSpeech) -> tuple[str, ...]:
    return tuple(dict.fromkeys((token, *_lemmas(token, pos))))


@lru_cache(maxsize=1 << 16)
def _lemmas(word: str, pos: PartOfSpeech) -> tuple[str, ...]:
    return (lemminflect.getLemma(word, upos=pos) if word[:1].isalpha() else ()) or (word,)


@lru_cache(maxsize=1 << 16)
def _is_verb(token: str) -> bool:
    return "VERB" in lemminflect.getAllLemmas(token)


@lru_cache(maxsize=1 << 16)
def _inflect_like(word: str, token: str, old: str, pos: PartOfSpeech) -> str:
    """Give `word` the inflection that `token` has of `old`."""
    head = 0 if pos == "VERB" else -1
    old_head = old.split()[head]
    matching = (tag for tag in _TAGS[pos] if token in _inflections(old_head, tag))
    words = word.split()
    words[head] = _inflections(words[head], next(matching, "VB" if pos == "VERB" else "NN"))[0]
    return " ".join(words)


@lru_cache(maxsize=1 << 16)
def _inflections(word: str, tag: str) -> tuple[str, ...]:
    if tag in ("VB", "NN"):
        return (word,)
    return tuple(lemminflect.getInflection(word, tag)) or (word,)


def _with_article(before: str, word: str) -> str:
    """Text before a word with its last "a" or "an" made to suit the word."""
    article = "an" if VOWEL_SOUND.match(word) else "a"
    return re.sub(r"\b([Aa])n?(\s+)$", lambda found: found[1] + article[1:] + found[2], before)


def _with_case(word: str, replaced: str) -> str:
    return word[0].upper() + word[1:] if replaced[0].isupper() else word
