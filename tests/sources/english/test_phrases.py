"""Sentences made of phrases; the phrases are ours, in the manner of EPIC-KITCHENS' narrators."""

import doctest

import pytest

from eilev.sources.english import phrase_parts, phrases
from eilev.sources.english.phrases import to_sentence

CASES = [
    # Articles
    ("put vase in sink", ["vase", "sink"], "puts the vase in the sink"),
    ("take the cup", ["cup"], "takes the cup"),
    ("grab a orange", ["orange"], "grabs an orange"),
    ("take another pan and some rice", ["pan", "rice"], "takes another pan and some rice"),
    ("add some salt and pepper", ["salt"], "adds some salt and pepper"),
    ("pick up 2 lids", ["lid"], "picks up 2 lids"),
    ("eat all bread", ["bread"], "eats all the bread"),
    ("rinse other mug", ["mug:other"], "rinses the other mug"),
    # Several nouns, also such as `nouns` does not name
    ("take salt and pepper.", ["salt", "pepper"], "takes the salt and the pepper"),
    ("put down lid and bottles", ["lid"], "puts down the lid and the bottles"),
    ("put lid and bottle into bin", ["lid", "bin"], "puts the lid and the bottle into the bin"),
    ("take plate, bowl and cup", ["plate"], "takes the plate, the bowl and the cup"),
    ("mix peas eggs and ham", ["pea"], "mixes the peas, the eggs and the ham"),
    # Several verbs
    ("hold and dry vase", ["vase"], "holds and dries the vase"),
    ("pick up and rinse fork", ["fork"], "picks up and rinses the fork"),
    ("take it and wash pot", ["pot"], "takes it and washes the pot"),
    ("open door and take out pan", ["door"], "opens the door and takes out the pan"),
    ("take cup then put in rack", ["cup", "rack"], "takes the cup then puts it in the rack"),
    ("take board and move spoon", ["spoon:move"], "takes the board and moves the spoon"),
    ("peel carrot and peel onion", ["carrot"], "peels the carrot and peels the onion"),
    ("take carrot and peel", ["carrot", "peel"], "takes the carrot and the peel"),
    ("cut leek while holding knife", ["leek"], "cuts the leek while holding the knife"),
    ("continue washing vase", ["vase"], "continues washing the vase"),
    ("keep stir soup", ["soup"], "keeps stirring the soup"),
    ("stop mixer", ["mixer"], "stops the mixer"),
    ("try open jar", ["jar"], "tries to open the jar"),
    ("use knife to cut bag", ["knife", "bag"], "uses the knife to cut the bag"),
    ("let oil slowly cover pan", ["oil", "pan"], "lets the oil slowly cover the pan"),
    ("wait for milk to boil", ["milk"], "waits for the milk to boil"),
    # Forms of the verb
    ("still dicing onion", ["onion"], "still dices the onion"),
    ("and thrown away box", ["box"], "throws away the box"),
    ("to catch ball", ["ball"], "catches the ball"),
    # Verbs of two words
    ("turn lamp off", ["lamp"], "turns the lamp off"),
    ("turn on lamp", ["lamp"], "turns on the lamp"),
    ("take out tray", ["tray"], "takes out the tray"),
    ("put lid back on jar", ["lid", "jar"], "puts the lid back on the jar"),
    ("cut open packet", ["packet:open"], "cuts open the packet"),
    ("let go of rope", ["rope"], "lets go of the rope"),
    # Slips of the narrator
    ("put down down mug", ["mug"], "puts down the mug"),
    ("turn of radio", ["radio"], "turns off the radio"),
    ("put egg in to pan", ["egg", "pan"], "puts the egg into the pan"),
    ("collect the", [], "collects something"),
    ("put pear into bowl and", ["pear", "bowl"], "puts the pear into the bowl"),
    # An object that was left out
    ("put down", [], "puts it down"),
    ("switch off", [], "switches it off"),
    ("put into bin", ["bin"], "puts it into the bin"),
    ("place on shelf", ["shelf"], "places it on the shelf"),
    ("put on scarf", ["scarf"], "puts on the scarf"),
    (
        "take jam and tea and put in box",
        ["jam"],
        "takes the jam and the tea and puts them in the box",
    ),
    # Compounds
    ("put-down spoon:slotted", ["spoon:slotted"], "puts down the slotted spoon"),
    ("dry washing up bowl", ["bowl:washing:up"], "dries the washing up bowl"),
    # Prepositions and what needs no article after them
    ("take bag of rice", ["bag:rice"], "takes the bag of rice"),
    ("take lid of urn", ["lid:urn"], "takes the lid of the urn"),
    ("add mix of oil and lemon", ["mix"], "adds the mix of oil and lemon"),
    ("cut pear in half", ["pear"], "cuts the pear in half"),
    ("cut pear into thin slices", ["pear"], "cuts the pear into thin slices"),
    ("put jar on top of fridge", ["jar"], "puts the jar on top of the fridge"),
    ("wash inside of jar", ["jar"], "washes the inside of the jar"),
    ("fill pot with water", ["pot"], "fills the pot with water"),
    ("turn hob to low", ["hob"], "turns the hob to low"),
    ("scoop jam using spoon", ["jam"], "scoops the jam using the spoon"),
    ("wash hands", ["hand"], "washes their hands"),
    ("take hand blender", ["blender:hand"], "takes the hand blender"),
]


@pytest.mark.parametrize(("phrase", "nouns", "sentence"), CASES, ids=[case[0] for case in CASES])
def test_sentences(phrase: str, nouns: list[str], sentence: str) -> None:
    assert to_sentence(phrase, nouns) == f"The camera wearer {sentence}."


@pytest.mark.parametrize("phrase", ["", ".", "and", "the cup", "in sink", "still"])
def test_a_phrase_without_a_verb_gives_no_sentence(phrase: str) -> None:
    assert to_sentence(phrase, []) == ""


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (phrases, phrase_parts):
        failed, tried = doctest.testmod(module)
        assert tried
        assert not failed
