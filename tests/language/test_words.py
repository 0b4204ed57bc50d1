import json
from pathlib import Path

import pytest

from eilev.language import words


@pytest.mark.parametrize("family", ["opt", "t5"])
def test_clean_narration_agrees_with_the_reference(reference: Path, family: str) -> None:
    cases = json.loads((reference / family / "cases.json").read_text())
    for raw, expected in cases["clean_narration_text"]:
        assert words.clean_narration(raw) == expected


def test_clean_narration() -> None:
    assert words.clean_narration("#Unsure") == ""
    assert (
        words.clean_narration("#C C  picks   up the cup")
        == "The camera wearer  picks   up the cup."
    )
    assert words.clean_narration("#O A man walks") == "#O A man walks."


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The camera wearer.", False),
        ("The camera wearer", False),
        ("", False),
        (".", False),
        ("The camera wearer cuts.", True),
        ("The camera wearer's.", True),
        ("Cuts.", True),
    ],
)
def test_says_something(sentence: str, expected: bool) -> None:
    assert words.says_something(sentence) is expected


@pytest.mark.parametrize(
    ("word", "pos", "expected"),
    [
        ("Cuts", "VERB", "cut"),
        ("dries", "VERB", "dry"),
        ("knives", "NOUN", "knife"),
        ("scissors", "NOUN", "scissors"),
        ("blorps", "VERB", "blorp"),
        ("", "NOUN", ""),
    ],
)
def test_lemma(word: str, pos: words.PartOfSpeech, expected: str) -> None:
    assert words.lemma(word, pos) == expected


@pytest.mark.parametrize(
    ("structured", "expected"),
    [
        ("cut_(trim,_slice,_chop)", ("cut", "trim", "slice", "chop")),
        ("turn_on_(switch_on,_start,_light)", ("turn on", "switch on", "start", "light")),
        ("pepper_(vegetable)_(capsicum,_pepper)", ("pepper", "vegetable", "capsicum")),
        ("adjust_(increase/reduce,_change)", ("adjust", "increase", "reduce", "change")),
        ("onion", ("onion",)),
        ("[other]", ()),
        ("", ()),
    ],
)
def test_class_words(structured: str, expected: tuple[str, ...]) -> None:
    assert words.class_words(structured) == expected


@pytest.mark.parametrize(
    ("sentence", "candidates", "pos", "expected"),
    [
        ("The camera wearer cuts the onion.", ["slice", "cut"], "VERB", ["cut"]),
        ("The camera wearer cuts the onions.", ["onion", "knife"], "NOUN", ["onion"]),
        ("The camera wearer turns on the tap.", ["turn", "turn on"], "VERB", ["turn on"]),
        ("The camera wearer wipes chopping boards.", ["board", "chopping board"], "NOUN",
         ["chopping board"]),
        # In the order of the sentence, each once.
        ("The camera wearer cuts, wipes and cuts.", {"wipe", "cut"}, "VERB", ["cut", "wipe"]),
        # The subject is no camera, the verb no noun, a noun no verb.
        ("The camera wearer moves the camera.", ["camera"], "NOUN", ["camera"]),
        ("The camera wearer moves the cup.", ["camera"], "NOUN", []),
        ("The camera wearer taps the phone.", ["tap", "phone"], "NOUN", ["phone"]),
        ("The camera wearer eyes the cut.", ["cut"], "VERB", []),
        ("The camera wearer rubs it by drying in cuts.", ["dry", "cut"], "VERB", ["dry"]),
        # Other lemmas than the likeliest, and words that are their own plural.
        ("The camera wearer picks leaves.", ["leaf"], "NOUN", ["leaf"]),
        ("The camera wearer takes the scissors.", ["scissors"], "NOUN", ["scissors"]),
        ("camera wearer cuts onion", ["cut"], "VERB", ["cut"]),
        ("cut onion", ["onion"], "NOUN", ["onion"]),
        ("", ["cut"], "VERB", []),
        ("The camera wearer cuts.", [], "VERB", []),
    ],
)  # fmt: skip
def test_find_words(
    sentence: str, candidates: list[str], pos: words.PartOfSpeech, expected: list[str]
) -> None:
    assert words.find_words(sentence, candidates, pos) == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The camera wearer cuts the onion.", "cut"),
        ("The camera wearer is cutting the onion.", "cut"),
        ("The camera wearer is in the room.", "be"),
        ("The camera wearer slowly drops it.", "drop"),
        ("The camera wearer.", None),
    ],
)
def test_first_verb(sentence: str, expected: str | None) -> None:
    assert words.first_verb(sentence) == expected


@pytest.mark.parametrize(
    ("sentence", "replacements", "pos", "expected"),
    [
        ("The camera wearer cuts the cut.", {"cut": "slice"}, "VERB",
         "The camera wearer slices the cut."),
        ("The camera wearer is cutting.", {"cut": "dip"}, "VERB", "The camera wearer is dipping."),
        ("The camera wearer dropped it.", {"drop": "put"}, "VERB", "The camera wearer put it."),
        ("The camera wearer turns on the tap.", {"turn on": "open"}, "VERB",
         "The camera wearer opens the tap."),
        ("The camera wearer opens the tap.", {"open": "turn on"}, "VERB",
         "The camera wearer turns on the tap."),
        ("The camera wearer wipes the knives.", {"knife": "chopping board"}, "NOUN",
         "The camera wearer wipes the chopping boards."),
        ("The camera wearer takes an egg to a pan.", {"egg": "pan", "pan": "egg"}, "NOUN",
         "The camera wearer takes a pan to an egg."),
        ("The camera wearer takes a cup.", {"cup": "utensil"}, "NOUN",
         "The camera wearer takes a utensil."),
        ("Onions fall.", {"onion": "plate"}, "NOUN", "Plates fall."),
        ("The camera wearer  wipes   the pan!", {"wipe": "rub"}, "VERB",
         "The camera wearer  rubs   the pan!"),
        ("The camera wearer wipes the pan.", {}, "VERB", "The camera wearer wipes the pan."),
    ],
)  # fmt: skip
def test_replace_words(
    sentence: str, replacements: dict[str, str], pos: words.PartOfSpeech, expected: str
) -> None:
    assert words.replace_words(sentence, replacements, pos) == expected


def test_replacing_there_and_back_gives_the_sentence() -> None:
    there = {"cut": "dip", "wash": "cut", "dip": "wash"}
    back = {new: old for old, new in there.items()}
    for sentence in ("The camera wearer cuts it.", "The camera wearer is washing and dipping it."):
        assert (
            words.replace_words(words.replace_words(sentence, there, "VERB"), back, "VERB")
            == sentence
        )
