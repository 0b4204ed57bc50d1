"""The words that narrations use, and the classes that they name.

There are many narrations and few different combinations of classes and words, so each clip has the
number of its own, its trait, and what is known of words is known by trait.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from eilev.episodes.classes import (
    MISSING,
    Bools,
    Ints,
    Texts,
    encode_classes,
    number_rows,
    texts_of,
)
from eilev.language.lexicon import Lexicon
from eilev.language.new_words import NEW_NOUNS, NEW_VERBS
from eilev.language.templates import Template, make_template
from eilev.parquet import text_array

# Columns of classes and of the words for them: few different texts.
WORDS = ("verb_class", "noun_class", "verb_word", "noun_word")


@dataclass(frozen=True)
class Vocabulary:
    """The words of one part of speech."""

    # Class code of each trait (num_traits,), negative where there is no word to replace.
    codes: Ints
    # Canonical word of each class code.
    canonical: tuple[str, ...]
    # Distinct canonical words of the training classes: what permuted episodes draw from.
    pool: tuple[str, ...]
    # Code of each trait's own word (num_traits,), negative where there is none to replace.
    word_codes: Ints
    # Distinct words of the training clips: what renamed episodes draw from.
    spoken: tuple[str, ...]


@dataclass(frozen=True)
class Rewriter:
    """Narrations ready to be written with other words."""

    # Narration of each clip (num_clips,).
    narrations: "pa.StringArray"
    # Number of each clip's trait (num_clips,).
    traits: NDArray[np.int32]
    # Verb word and noun word of each trait (num_traits,); None: no word to replace.
    words: tuple[Texts, Texts]
    verbs: Vocabulary
    nouns: Vocabulary

    def template(self, clip: int) -> Template:
        """The clip's narration, taken apart."""
        verbs, nouns = self.words
        trait = self.traits[clip]
        return make_template(self.narrations[clip].as_py(), verbs[trait], nouns[trait])


def make_rewriter(narrations: pd.DataFrame, is_train: Bools) -> Rewriter:
    """Learn the words of a whole table.

    Args:
        narrations: rows of schema.NARRATIONS, one per clip.
        is_train: which of them are training clips (num_clips,).
    """
    codes = (pd.factorize(narrations[name])[0] for name in WORDS)
    traits, first = number_rows([*codes, is_train.view(np.int8)])
    everywhere = np.ones(first.size, np.bool_)
    words = narrations[[*WORDS]].iloc[first]
    return learn_words(
        text_array(narrations["narration"]), traits, words, everywhere, is_train[first]
    )


def learn_words(
    narrations: "pa.StringArray",
    traits: NDArray[np.int32],
    words: pd.DataFrame,
    is_shown: Bools,
    is_train: Bools,
) -> Rewriter:
    """Learn the canonical words: of the training clips, of all clips for classes beyond them.

    Args:
        narrations: of each clip (num_clips,).
        traits: number of each clip's trait (num_clips,).
        words: classes and words of each trait, in the columns of WORDS.
        is_shown: traits of the clips that are counted (num_traits,).
        is_train: traits of the training clips (num_traits,).
    """
    everywhere, train = (
        Lexicon.from_narrations(words.iloc[traits[those[traits]]]) for those in (is_shown, is_train)
    )
    verbs = _vocabulary(words, is_train, "verb", everywhere.canonical_verbs, train.canonical_verbs)
    nouns = _vocabulary(words, is_train, "noun", everywhere.canonical_nouns, train.canonical_nouns)
    replaceable = _replaceable(words["verb_word"], verbs), _replaceable(words["noun_word"], nouns)
    return Rewriter(narrations, traits, replaceable, verbs, nouns)


def _replaceable(column: pd.Series, vocabulary: Vocabulary) -> Texts:
    words = texts_of(column, None)
    words[vocabulary.codes < 0] = None
    return words


def with_new_words(rewriter: Rewriter) -> Rewriter:
    """Let `write_permuted` draw from the new words instead of the narrators'."""
    return replace(
        rewriter,
        verbs=replace(rewriter.verbs, pool=NEW_VERBS),
        nouns=replace(rewriter.nouns, pool=NEW_NOUNS),
    )


def _vocabulary(
    named: pd.DataFrame,
    is_train: Bools,
    part: str,
    everywhere: Mapping[str, str],
    train: Mapping[str, str],
) -> Vocabulary:
    codes, names = encode_classes(named[f"{part}_class"])
    words = named[f"{part}_word"]
    codes = np.where(words.notna().to_numpy(), codes, MISSING)
    return Vocabulary(
        codes=codes,
        # A class none of whose clips names a word is never written.
        canonical=tuple(train.get(name, everywhere.get(name, "")) for name in names),
        pool=tuple(sorted({train[name] for name in names if name in train})),
        word_codes=np.where(codes >= 0, pd.factorize(words)[0], MISSING),
        spoken=tuple(sorted(words[is_train & (codes >= 0)].unique())),
    )
