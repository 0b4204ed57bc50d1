"""F1 over verb and noun classes, of answers given in words.

A word may stand for several classes. It counts as right when the query's class is among them; when
none is, it is a wrong answer (a false positive) shared equally by the classes that it stands for. A
sentence without a known word answers nothing: its query is missed (a false negative), and no class
gets a false positive.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence


def f1_scores(truths: Sequence[str], said: Sequence[Collection[str]]) -> dict[str, float | None]:
    """Macro and micro F1 of the classes said about each query against its true class.

    F1 of a class is 2 TP / (2 TP + FP + FN). `macro` is its mean over every class that a query has
    or that was said wrongly, `micro` the same ratio of the sums over all classes; where each answer
    stands for exactly one class these are the usual ones (van Rijsbergen 1979; scikit-learn's
    `f1_score`), and micro is the accuracy.

    Args:
        truths: class of each query.
        said: classes that the word about each query stands for.

    Returns:
        `macro` and `micro`, from 0 to 1; None where there is no query.

    Examples:
        "clean" stands for wash and for wipe. It is right about a wash, and half a mistake of each
        about a cut: cut has 1 TP and 1 FN, wash 1 TP and 0.5 FP, wipe 0.5 FP.

        >>> clean = ("wash", "wipe")
        >>> scores = f1_scores(["cut", "cut", "wash"], [("cut",), clean, clean])
        >>> {name: round(score, 3) for name, score in scores.items()}
        {'macro': 0.489, 'micro': 0.667}
    """
    if not truths:
        return {"macro": None, "micro": None}
    right, wrong, missed = _count(truths, said)
    by_class = [
        _ratio(right[name], wrong[name], missed[name]) for name in {*right, *wrong, *missed}
    ]
    return {
        # fsum: sets have another order in every process, which must not show in the last digit.
        "macro": math.fsum(by_class) / len(by_class),
        "micro": _ratio(right.total(), math.fsum(wrong.values()), missed.total()),
    }


def _count(
    truths: Sequence[str], said: Sequence[Collection[str]]
) -> tuple[Counter[str], defaultdict[str, float], Counter[str]]:
    """True positives, false positives and false negatives of each class."""
    right: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    wrong: defaultdict[str, float] = defaultdict(float)
    for truth, classes in zip(truths, said, strict=True):
        if truth in classes:
            right[truth] += 1
            continue
        missed[truth] += 1
        for name in classes:
            wrong[name] += 1 / len(classes)
    return right, wrong, missed


def _ratio(right: float, wrong: float, missed: float) -> float:
    return 2 * right / (2 * right + wrong + missed)
