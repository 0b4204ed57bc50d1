import doctest
from pathlib import Path

import pandas as pd
import pytest

from eilev.sources.adapters import read_source
from eilev.sources.english import main_words
from eilev.sources.english.main_words import noun_word, verb_word


@pytest.mark.parametrize(
    ("sentence", "verb", "noun"),
    [
        ("The camera wearer picks up the red cups.", "pick", "cup"),
        ("The camera wearer still washes a plate with the sponge.", "wash", "plate"),
        ("The camera wearer continues drying the mug.", "dry", "mug"),
        ("The camera wearer tries to open the jar.", "open", "jar"),
        ("The camera wearer puts it on the shelf.", "put", "shelf"),
        ("The camera wearer looks around.", "look", None),
        ("The old man cuts the bread", "cut", "bread"),
        ("A woman is peeling a carrot", "peel", "carrot"),
        ("He pours water into the glass", "pour", "water"),
        ("I cut the onion", "cut", "onion"),
        ("slice tomato", "slice", "tomato"),
        ("The camera wearer cuts 3 onions.", "cut", "onion"),
        ("A dog", None, None),
        ("", None, None),
    ],
)
def test_words_by_order(sentence: str, verb: str | None, noun: str | None) -> None:
    assert (verb_word(sentence), noun_word(sentence)) == (verb, noun)


def test_candidates_go_first() -> None:
    sentence = "The camera wearer picks up the chopping board."
    assert verb_word(sentence, frozenset({"pick up"})) == "pick up"
    assert noun_word(sentence, frozenset({"chopping board"})) == "chopping board"
    assert noun_word(sentence, frozenset({"knife"})) == "board"


def test_the_examples_in_the_docstrings_hold() -> None:
    failed, tried = doctest.testmod(main_words)
    assert tried
    assert not failed


def test_derived_words_agree_with_real_annotations(epic_kitchens: Path) -> None:
    folder = epic_kitchens
    columns = ["narration_id", "verb", "noun"]
    rows = pd.read_csv(folder / "EPIC_100_validation.csv", usecols=columns)
    table = read_source("epic_kitchens", folder, None).narrations.merge(rows, on="narration_id")
    verbs = table["verb"].str.split("-").str[0] == table["narration"].map(verb_word)
    nouns = table["noun"].str.split(":").str[0] == table["narration"].map(noun_word)
    assert verbs.mean() > 0.98
    assert nouns.mean() > 0.96
