import doctest

import numpy as np
import pandas as pd
import pytest

from eilev.episodes import classes, meaning
from eilev.episodes.draws import row_uniforms
from eilev.episodes.rewriter import Rewriter, make_rewriter, with_new_words
from eilev.language import templates
from eilev.language.lexicon import Lexicon
from eilev.language.new_words import new_word_forms
from eilev.language.words import find_words
from tests.worlds import make_world

NARRATIONS = pd.DataFrame(
    [
        ("The camera wearer cuts the onion.", "cut", "onion", "cut", "onion"),
        ("The camera wearer slices an onion.", "cut", "onion", "slice", "onion"),
        ("The camera wearer cuts the bulb.", "cut", "onion", "cut", "bulb"),
        ("The camera wearer washes the plates.", "wash", "plate", "wash", "plate"),
        ("The camera wearer washes the dish.", "wash", "plate", "wash", "dish"),
        ("The camera wearer washes a plate.", "wash", "plate", "wash", "plate"),
        ("The camera wearer looks around.", "[other]", None, None, None),
        ("The camera wearer peels.", "peel", None, "peel", None),
    ],
    columns=["narration", "verb_class", "noun_class", "verb_word", "noun_word"],
)


def _rewriter() -> Rewriter:
    return make_rewriter(NARRATIONS, np.ones(len(NARRATIONS), dtype=np.bool_))


@pytest.mark.parametrize("module", [classes, meaning, templates])
def test_worked_examples(module) -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize(
    ("narration", "words", "new_words", "expected"),
    [
        ("The camera wearer cuts an onion.", ("cut", "onion"), ("wash", "plate"),
         "The camera wearer washes a plate."),
        ("The camera wearer is slicing onions.", ("slice", "onion"), ("take", "knife"),
         "The camera wearer is taking knives."),
        ("The camera wearer picks up the chopping board.", ("pick up", "chopping board"),
         ("put down", "egg"), "The camera wearer puts down the egg."),
        ("The camera wearer moves a plate onto a plate.", ("move", "plate"), ("lift", "egg"),
         "The camera wearer lifts an egg onto an egg."),
        ("Onions are cut.", ("cut", "onion"), ("wash", "plate"), "Plates are wash."),
        ("The camera wearer sits.", ("sit", None), ("cut", "onion"), "The camera wearer cuts."),
        ("The camera wearer sits.", (None, None), ("cut", "onion"), "The camera wearer sits."),
        # The words that mark an inflection are words like others.
        ("The camera wearer takes a knife.", ("take", "knife"), ("cut", "onion"),
         "The camera wearer cuts an onion."),
    ],
)  # fmt: skip
def test_narration_in_other_words(
    narration: str,
    words: tuple[str | None, str | None],
    new_words: tuple[str, str],
    expected: str,
) -> None:
    template = templates.make_template(narration, *words)
    assert template.fill(*new_words) == expected
    assert list(template.read(expected))
    assert template.fill(words[0] or "", words[1] or "") == narration


def test_foreign_sentences_are_not_read() -> None:
    reader = meaning.WordReader(_rewriter())
    assert reader.read(0, "The camera wearer peels the plate.") == ("peel", "plate")
    assert reader.read(0, "The camera wearer peels a plate.") is None
    assert reader.read(0, "The camera wearer peels the old plate.") is None
    assert reader.read(0, "The camera wearer peels the banana.") is None


def test_words_of_several_words_are_read() -> None:
    rows = [
        ("The camera wearer turns on a tap.", "open", "tap", "turn on", "tap"),
        ("The camera wearer takes a measuring cup.", "take", "cup", "take", "measuring cup"),
    ]
    narrations = pd.DataFrame(rows, columns=NARRATIONS.columns)
    rewriter = make_rewriter(narrations, np.ones(2, dtype=np.bool_))
    reader = meaning.WordReader(rewriter)
    assert reader.read(0, "The camera wearer takes a tap.") == ("take", "tap")
    assert reader.read(1, "The camera wearer turns on a tap.") == ("turn on", "tap")
    assert reader.read(1, "The camera wearer turns on a measuring cup.") == (
        "turn on",
        "measuring cup",
    )


def test_canonical_words_leave_one_word_per_class() -> None:
    clips = np.array([[0, 1, 2, 3], [4, 5, 6, 7]])
    written = meaning.write_canonical(_rewriter(), clips, np.empty((2, 0)))
    assert written == [
        [
            "The camera wearer cuts the onion.",
            "The camera wearer cuts an onion.",
            "The camera wearer cuts the onion.",
            "The camera wearer washes the plates.",
        ],
        [
            "The camera wearer washes the plate.",
            "The camera wearer washes a plate.",
            "The camera wearer looks around.",
            "The camera wearer peels.",
        ],
    ]


def test_canonical_words_are_those_of_the_training_clips() -> None:
    is_train = np.array([False, True, False, True, True, False, True, False])
    rewriter = make_rewriter(NARRATIONS, is_train)
    # Among training clips "slice" is the word of cut, and dish ties with plate; peel is not there.
    assert rewriter.verbs.canonical == ("slice", "peel", "wash")
    assert rewriter.nouns.canonical == ("onion", "dish")
    assert rewriter.verbs.pool == ("slice", "wash")


def test_permuted_words_are_consistent_and_injective() -> None:
    world = make_world(400)
    narrations = world.narrations
    rewriter = make_rewriter(narrations, np.ones(len(narrations), dtype=np.bool_))
    reader = meaning.WordReader(rewriter)
    clips = np.random.default_rng(0).integers(0, len(narrations), (200, 7))
    written = meaning.write_permuted(rewriter, clips, row_uniforms((0,), 0, 200, 28))
    changed = 0
    for episode, sentences in zip(clips.tolist(), written, strict=True):
        pairs: list[set[tuple[str, str]]] = [set(), set()]
        for clip, sentence in zip(episode, sentences, strict=True):
            row = narrations.loc[clip]
            words = reader.read(clip, sentence)
            assert words is not None
            for part, kind in enumerate(("verb", "noun")):
                if isinstance(row[f"{kind}_word"], str):
                    pairs[part].add((row[f"{kind}_class"], words[part]))
                else:
                    assert words[part] == ""
            changed += sentence != row["narration"]
        for known in pairs:
            assert (
                len({name for name, _ in known}) == len(known) == len({word for _, word in known})
            )
    assert changed > 1000


def test_assigned_words_are_even() -> None:
    codes = np.tile([4, 9], (30_000, 1))
    words = meaning.assign_words(codes, 3, np.random.default_rng(0).random((30_000, 4)))
    _, counts = np.unique(words, axis=0, return_counts=True)
    assert len(counts) == 6
    np.testing.assert_allclose(counts / 30_000, 1 / 6, atol=0.01)


def test_more_classes_than_words() -> None:
    with pytest.raises(ValueError, match="3 classes, but there are 2 words"):
        meaning.assign_words(np.array([[0, 1, 2]]), 2, np.full((1, 6), 0.5))


def test_renamed_words_are_exchanged_one_for_one() -> None:
    narrations = make_world(400).narrations
    rewriter = make_rewriter(narrations, np.ones(len(narrations), dtype=np.bool_))
    reader = meaning.WordReader(rewriter)
    clips = np.random.default_rng(0).integers(0, len(narrations), (200, 7))
    written = meaning.write_renamed(rewriter, clips, row_uniforms((0,), 0, 200, 28))
    synonyms = homonyms = 0
    for episode, sentences in zip(clips.tolist(), written, strict=True):
        for part, kind in enumerate(("verb", "noun")):
            rows = narrations.loc[episode]
            said = [
                (reader.read(clip, sentence) or ("?", "?"))[part]
                for clip, sentence in zip(episode, sentences, strict=True)
            ]
            old, classes = rows[f"{kind}_word"].tolist(), rows[f"{kind}_class"].tolist()
            context = [pair for pair in zip(old, said, strict=True) if isinstance(pair[0], str)]
            known = {*(context if not isinstance(old[-1], str) else context[:-1])}
            assert len({a for a, _ in known}) == len(known) == len({b for _, b in known})
            # The query speaks as the first context clip of its class does.
            alike = [i for i in range(6) if classes[i] == classes[-1] and isinstance(old[i], str)]
            if isinstance(old[-1], str) and alike:
                assert said[-1] == said[alike[0]]
            names = {(name, word) for name, word in zip(classes, said, strict=True) if word}
            synonyms += len(names) - len({name for name, _ in names})
            homonyms += len(names) - len({word for _, word in names})
    assert synonyms > 100
    assert homonyms > 0


def test_renamed_words_are_those_of_the_training_clips() -> None:
    is_train = np.array([False, True, False, True, True, False, True, False])
    assert make_rewriter(NARRATIONS, is_train).verbs.spoken == ("slice", "wash")
    assert make_rewriter(NARRATIONS, is_train).nouns.spoken == ("dish", "onion", "plate")


def test_new_words_come_in_known_forms() -> None:
    narrations = make_world(200).narrations
    rewriter = with_new_words(make_rewriter(narrations, np.ones(200, dtype=np.bool_)))
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 200, (50, 9))
    forms, lexicon = {*new_word_forms()}, Lexicon.from_narrations(narrations)
    old = {word for words in lexicon.verb_words.values() for word in words}
    written = meaning.write_permuted(rewriter, clips, rng.random((50, 36)))
    for clip, text in zip(clips.ravel(), np.ravel(written), strict=True):
        row = narrations.loc[clip]
        if isinstance(row["verb_word"], str):
            assert text.split()[3] in forms
            assert not find_words(text, old, "VERB")
        if isinstance(row["noun_word"], str):
            assert text.rstrip(".").split()[-1] in forms
