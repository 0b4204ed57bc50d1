"""The words that narrations use, and the classes that they name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from eilev.episodes.classes import MISSING, Bools, Ints, encode_classes
from eilev.language.lexicon import Lexicon
from eilev.language.new_words import NEW_NOUNS, NEW_VERBS
from eilev.language.templates import Template, make_template
from eilev.parquet import text_array

Texts = NDArray[np.object_]


@dataclass(frozen=True)
class Vocabulary:
    """The words of one part of speech."""

    # Class code of each clip (num_clips,), negative where the narration has no word to replace.
    codes: Ints
    # Canonical word of each class code.
    canonical: tuple[str, ...]
    # Distinct canonical words of the training classes: what permuted episodes draw from.
    pool: tuple[str, ...]
    # Code of each clip's own word (num_clips,), negative where there is none to replace.
    word_codes: Ints
    # Distinct words of the training clips: what renamed episodes draw from.
    spoken: tuple[str, ...]


@dataclass(frozen=True)
class Rewriter:
    """Narrations ready to be written with other words."""

    # Narration of each clip (num_clips,).
    narrations: "pa.StringArray"
    # Verb word and noun word of each clip (num_clips,); None: no word to replace.
    words: tuple[Texts, Texts]
    verbs: Vocabulary
    nouns: Vocabulary

    def template(self, clip: int) -> Template:
        """The clip's narration, taken apart."""
        verbs, nouns = self.words
        return make_template(self.narrations[clip].as_py(), verbs[clip], nouns[clip])


def make_rewriter(narrations: pd.DataFrame, is_train: Bools) -> Rewriter:
    """Learn the canonical words: of the training clips, of all clips for classes beyond them.

    Args:
        narrations: rows of schema.NARRATIONS, one per clip.
        is_train: which of them are training clips (num_clips,).
    """
    named = narrations[["verb_class", "noun_class", "verb_word", "noun_word"]]
    everywhere, train = Lexicon.from_narrations(named), Lexicon.from_narrations(named[is_train])
    canonical = {
        "verb": (everywhere.canonical_verbs, train.canonical_verbs),
        "noun": (everywhere.canonical_nouns, train.canonical_nouns),
    }
    verbs, nouns = (
        _vocabulary(narrations, is_train, part, *words) for part, words in canonical.items()
    )
    words = (
        _replaceable(narrations["verb_word"], verbs),
        _replaceable(narrations["noun_word"], nouns),
    )
    return Rewriter(text_array(narrations["narration"]), words, verbs, nouns)


def _replaceable(column: pd.Series, vocabulary: Vocabulary) -> Texts:
    words = texts_of(column, None)
    words[vocabulary.codes < 0] = None
    return words


def texts_of(column: pd.Series, missing: str | None) -> Texts:
    """Texts of a column, `missing` where it has none; equal ones are one object.

    There are few words, and as many rows as narrations.
    """
    codes, names = pd.factorize(column)
    return np.array([*names, missing], dtype=object)[codes]


def with_new_words(rewriter: Rewriter) -> Rewriter:
    """Let `write_permuted` draw from the new words instead of the narrators'."""
    return replace(
        rewriter,
        verbs=replace(rewriter.verbs, pool=NEW_VERBS),
        nouns=replace(rewriter.nouns, pool=NEW_NOUNS),
    )


def _vocabulary(
    narrations: pd.DataFrame,
    is_train: Bools,
    part: str,
    everywhere: Mapping[str, str],
    train: Mapping[str, str],
) -> Vocabulary:
    codes, names = encode_classes(narrations[f"{part}_class"])
    words = narrations[f"{part}_word"]
    codes = np.where(words.notna().to_numpy(), codes, MISSING)
    return Vocabulary(
        codes=codes,
        # A class none of whose clips names a word is never written.
        canonical=tuple(train.get(name, everywhere.get(name, "")) for name in names),
        pool=tuple(sorted({train[name] for name in names if name in train})),
        word_codes=np.where(codes >= 0, pd.factorize(words)[0], MISSING),
        spoken=tuple(sorted(words[is_train & (codes >= 0)].unique())),
    )
