"""What the words of an episode mean: rewriting narrations with other words of the same inflection.

natural    the narrators' words
canonical  every class by its most frequent word: no synonyms any more (the paper's ablation)
permuted   the words of the classes are re-assigned within the episode, so that only the context
           can tell what a word means (Chan et al., arXiv 2205.05055)
renamed    the same word by word: the synonyms and homonyms of the episode's narrators stay such, so
           that a class can have several new words
invented   renamed, in words that no narrator has
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from eilev.episodes.classes import Floats, Ints, Texts
from eilev.episodes.draws import draw_distinct, shuffle
from eilev.episodes.rewriter import Rewriter, Vocabulary
from eilev.language.new_words import INVENTED_NOUNS, INVENTED_VERBS
from eilev.language.templates import Slot, inflect


def write_canonical(
    rewriter: Rewriter,
    clips: Ints,
    uniforms: Floats,  # noqa: ARG001  (nothing is drawn)
) -> list[list[str]]:
    """Narrations of clips (num_episodes, num_items) in the canonical words of their classes."""
    traits = rewriter.traits[clips]
    verbs, nouns = (
        np.array([*vocabulary.canonical, ""], dtype=object)[vocabulary.codes[traits].clip(-1)]
        for vocabulary in (rewriter.verbs, rewriter.nouns)
    )
    return _write(rewriter, clips, verbs, nouns)


def write_permuted(rewriter: Rewriter, clips: Ints, uniforms: Floats) -> list[list[str]]:
    """Narrations of clips in words that are re-assigned to the classes within each episode.

    Args:
        rewriter: of all clips.
        clips: context and query of each episode (num_episodes, num_items).
        uniforms: in [0, 1), (num_episodes, 4 * num_items).

    Raises:
        ValueError: an episode has more classes than there are canonical words.
    """
    half = 2 * clips.shape[1]
    traits = rewriter.traits[clips]
    verbs, nouns = (
        np.array(vocabulary.pool, dtype=object)[
            assign_words(vocabulary.codes[traits], len(vocabulary.pool), numbers)
        ]
        for vocabulary, numbers in (
            (rewriter.verbs, uniforms[:, :half]),
            (rewriter.nouns, uniforms[:, half:]),
        )
    )
    return _write(rewriter, clips, verbs, nouns)


def write_invented(rewriter: Rewriter, clips: Ints, uniforms: Floats) -> list[list[str]]:
    """As `write_renamed`, in invented words.

    Raises:
        ValueError: an episode has more words than are invented.
    """
    invented = replace(
        rewriter,
        verbs=replace(rewriter.verbs, spoken=INVENTED_VERBS),
        nouns=replace(rewriter.nouns, spoken=INVENTED_NOUNS),
    )
    return write_renamed(invented, clips, uniforms)


def write_renamed(rewriter: Rewriter, clips: Ints, uniforms: Floats) -> list[list[str]]:
    """Narrations of clips with each word of an episode exchanged for another one throughout it.

    Args:
        rewriter: of all clips.
        clips: context and query of each episode (num_episodes, num_items).
        uniforms: in [0, 1), (num_episodes, 4 * num_items).

    Raises:
        ValueError: an episode has more words than the training clips.
    """
    half = 2 * clips.shape[1]
    traits = rewriter.traits[clips]
    verbs, nouns = (
        np.array(vocabulary.spoken, dtype=object)[
            assign_words(heard_words(vocabulary, traits), len(vocabulary.spoken), numbers)
        ]
        for vocabulary, numbers in (
            (rewriter.verbs, uniforms[:, :half]),
            (rewriter.nouns, uniforms[:, half:]),
        )
    )
    return _write(rewriter, clips, verbs, nouns)


def heard_words(vocabulary: Vocabulary, traits: NDArray[np.int32]) -> Ints:
    """Word codes of clips, by their traits, in which the query speaks as its context does.

    The narrator of the query may have a word of their own for its class; renamed, nothing could
    tell it. So the query takes the word of the first context clip of its class, if there is one.
    Both arrays are (num_episodes, num_items).
    """
    words: Ints = vocabulary.word_codes[traits]
    classes = vocabulary.codes[traits]
    alike = (classes[:, :-1] == classes[:, -1:]) & (classes[:, -1:] >= 0)
    # The query stands last: where no context clip is alike, it is its own first.
    first = np.column_stack([alike, np.ones(len(traits), np.bool_)]).argmax(axis=1)
    words[:, -1] = words[np.arange(len(traits)), first]
    return words


def assign_words(codes: Ints, num_words: int, uniforms: Floats) -> Ints:
    """Give each class of an episode a word of its own, drawn without replacement.

    Args:
        codes: class of each item (num_episodes, num_items), negative for none.
        num_words: words to draw from.
        uniforms: in [0, 1), (num_episodes, 2 * num_items).

    Returns:
        Word of each item (num_episodes, num_items), any word where the item has no class.

    Raises:
        ValueError: an episode has more classes than there are words.

    Examples:
        Equal classes share a word, different classes do not:

        >>> uniforms = np.random.default_rng(0).random((1, 8))
        >>> first, second, third, fourth = assign_words(np.array([[7, 3, 7, 5]]), 3, uniforms)[0]
        >>> bool(first == third), len({first, second, fourth})
        (True, 3)
    """
    num_items = codes.shape[1]
    # Classes numbered within the episode by their first item; items without a class count as 0.
    first = (codes[:, :, None] == codes[:, None, :]).argmax(axis=2)
    is_first = (first == np.arange(num_items)) & (codes >= 0)
    numbers = np.take_along_axis(is_first.cumsum(axis=1) - 1, first, axis=1)
    numbers = np.where(codes >= 0, numbers, 0)
    most = int(is_first.sum(axis=1).max(initial=0))
    if max(most, 1) > num_words:
        raise ValueError(
            f"an episode has {most} classes, but there are {num_words} words to give them:"
            " permuted meaning needs more classes or fewer shots"
        )
    num_drawn = min(num_words, num_items)
    high = np.broadcast_to(np.arange(num_words - num_drawn, num_words), (len(codes), num_drawn))
    drawn = draw_distinct(np.zeros_like(high), high, uniforms[:, :num_drawn])
    order = uniforms[:, num_items : num_items + num_drawn]
    return np.take_along_axis(shuffle(drawn, order), numbers, axis=1)


def _write(rewriter: Rewriter, clips: Ints, verbs: Texts, nouns: Texts) -> list[list[str]]:
    return [
        [
            rewriter.template(clip).fill(verb, noun)
            for clip, verb, noun in zip(*episode, strict=True)
        ]
        for episode in zip(clips.tolist(), verbs.tolist(), nouns.tolist(), strict=True)
    ]


# Of each meaning (eilev.vocabulary.MEANINGS) that has other words than the narrators'.
WRITERS: Mapping[str, Callable[[Rewriter, Ints, Floats], list[list[str]]]] = {
    "canonical": write_canonical,
    "permuted": write_permuted,
    "renamed": write_renamed,
    "invented": write_invented,
}


class WordReader:
    """Finds the words in narrations that the `write_` functions wrote."""

    def __init__(self, rewriter: Rewriter):
        self._rewriter = rewriter
        # Slot model to the words that it may hold, by their inflected form.
        self._words: dict[str, dict[str, str]] = {}

    def read(self, clip: int, sentence: str) -> tuple[str, str] | None:
        """Verb and noun word in a clip's rewritten narration, empty for one without a slot.

        Returns:
            None if the sentence is not the clip's narration in the words of the corpus.
        """
        template = self._rewriter.template(clip)
        known = [self._known(slot) for slot in template.slots]
        for texts in template.read(sentence):
            words = [of_slot.get(text) for of_slot, text in zip(known, texts, strict=True)]
            if None not in words:
                found = dict(zip((slot.pos for slot in template.slots), words, strict=True))
                return found.get("VERB") or "", found.get("NOUN") or ""
        return None

    def _known(self, slot: Slot) -> dict[str, str]:
        if slot.model not in self._words:
            verbs, nouns = self._rewriter.verbs, self._rewriter.nouns
            vocabulary = verbs if slot.pos == "VERB" else nouns
            invented = INVENTED_VERBS if slot.pos == "VERB" else INVENTED_NOUNS
            words = {*vocabulary.canonical, *vocabulary.spoken, *invented} - {""}
            self._words[slot.model] = {
                inflect(slot.model, word, slot.pos): word for word in sorted(words)
            }
        return self._words[slot.model]
