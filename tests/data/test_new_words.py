import numpy as np
import pytest

from eilev.data.episodes.meaning import make_rewriter, write_permuted
from eilev.data.new_words import NEW_NOUNS, NEW_VERBS, new_word_forms, with_new_words
from eilev.data.synthetic.lexicon import NOUNS, VERBS
from eilev.data.words import Lexicon, find_words
from tests.worlds import make_world


def test_they_are_new_and_enough():
    known = {*VERBS, *NOUNS, *(word for words in (VERBS | NOUNS).values() for word in words)}
    assert not known & {*NEW_VERBS, *NEW_NOUNS}
    assert not {*NEW_VERBS} & {*NEW_NOUNS}
    assert min(len(set(NEW_VERBS)), len(set(NEW_NOUNS))) >= 17  # 16 shots and the query


@pytest.mark.parametrize(("pos", "words"), [("VERB", NEW_VERBS), ("NOUN", NEW_NOUNS)])
def test_every_form_leads_back_to_its_word(pos, words):
    place = "The camera wearer {} it." if pos == "VERB" else "The camera wearer has the {}."
    found = [find_words(place.format(form), words, pos) for form in new_word_forms()]
    assert {word for (word,) in filter(None, found)} == set(words)
    assert all(len(one) <= 1 for one in found)


def test_episodes_are_told_in_them_and_in_known_forms():
    narrations = make_world(200).narrations
    rewriter = with_new_words(make_rewriter(narrations, np.ones(200, dtype=np.bool_)))
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 200, (50, 9))
    forms, lexicon = {*new_word_forms()}, Lexicon.from_narrations(narrations)
    old = {word for words in lexicon.verb_words.values() for word in words}
    written = write_permuted(rewriter, clips, rng.random((50, 36)))
    for clip, text in zip(clips.ravel(), np.ravel(written), strict=True):
        row = narrations.loc[clip]
        if isinstance(row["verb_word"], str):
            assert text.split()[3] in forms
            assert not find_words(text, old, "VERB")
        if isinstance(row["noun_word"], str):
            assert text.rstrip(".").split()[-1] in forms
