import pytest

from eilev.language.new_words import NEW_NOUNS, NEW_VERBS, new_word_forms
from eilev.language.words import find_words
from eilev.synthetic.lexicon import NOUNS, VERBS


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
