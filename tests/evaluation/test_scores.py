import pytest

from eilev.evaluation.scores import RightWords, WordFinder, accuracies, bleu, rouge_l
from eilev.language.lexicon import Lexicon
from tests.kitchen import narration_rows

NARRATIONS = narration_rows(
    [
        ("cut_(slice)", "onion", "cut", "onion"),
        ("wash_(clean)", "plate_(dish)", "wash", "plate"),
        ("wipe_(clean)", "board", "wipe", "board"),
    ]
)


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("The camera wearer slices the dish.", ("slice", "dish")),
        ("The camera wearer cuts the onion on the board.", ("cut", "onion")),
        ("The camera wearer eats.", (None, None)),
        ("", (None, None)),
        ("onion", (None, "onion")),
    ],
)
def test_the_first_words_of_any_class_are_found(sentence, words):
    assert WordFinder(Lexicon.from_narrations(NARRATIONS)).find(sentence) == words


def test_an_answer_without_words_is_never_right():
    assert RightWords({"cut", "slice"}, {"onion"}).judge("slice", None) == (True, False)
    assert RightWords((), ()).judge(None, None) == (False, False)


def test_accuracies_by_hand():
    scores = accuracies([True, True, False, True], [True, False, True, True])
    assert scores == {"action_accuracy": 0.5, "verb_accuracy": 0.75, "noun_accuracy": 0.75}
    assert accuracies([], []) == dict.fromkeys(scores, None)


def test_text_scores_are_shares():
    references = ["The camera wearer cuts the onion.", "The camera wearer cuts the pan."]
    assert rouge_l(references, references) == pytest.approx(1.0)
    assert bleu(references, references) == pytest.approx(1.0)
    assert rouge_l(references, ["", ""]) == 0.0
    assert bleu(references, ["", ""]) == 0.0
    # 5 of 6 words in common, in order.
    assert rouge_l(references[:1], references[1:]) == pytest.approx(5 / 6)
