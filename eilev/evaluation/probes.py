"""What the curves say of in-context learning, binding and copying (docs/design.md, section 7)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from eilev.config.conditions import CONTRASTIVE_SHUFFLED
from eilev.unavailable import Missing

# {condition: {shots: action accuracy}}
Curves = Mapping[str, Mapping[int, float | None]]
Gaps = dict[str, float]


def majority_word(words: Sequence[str | None]) -> str | None:
    """Return the most frequent word, ties by first occurrence; None where there is no word.

    >>> majority_word(["cut", "wash", None, "wash", "cut"])
    'cut'
    """
    counts = Counter(word for word in words if word is not None)
    return counts.most_common(1)[0][0] if counts else None


def in_context_gain(curve: Mapping[int, float | None]) -> Gaps:
    """Accuracy with shots minus accuracy without, for every number of shots.

    >>> in_context_gain({0: 0.25, 4: 0.5, 8: 0.75})
    {'4': 0.25, '8': 0.5}
    """
    return _differences(curve, {shots: curve.get(0) for shots in curve if shots})


def binding_gap(curves: Curves) -> Gaps:
    """Accuracy of contrastive episodes minus that with their videos deranged against the texts.

    A model that copies words without telling which video they belong to has a gap of zero.

    >>> binding_gap({"contrastive": {0: 0.1, 8: 0.75}, "contrastive_shuffled": {0: 0.1, 8: 0.25}})
    {'8': 0.5}
    """
    deranged = curves.get(CONTRASTIVE_SHUFFLED, {})
    return _differences(
        curves.get("contrastive", {}), {shots: deranged[shots] for shots in deranged if shots}
    )


def probes(curves: Curves, majority: Curves, lacking: Mapping[str, Missing]) -> dict[str, Any]:
    """Summarise a split: gains, binding, and the baseline that copies the majority word.

    Args:
        curves: Action accuracy of the model.
        majority: Action accuracy of the most frequent verb word with the most frequent noun word
            of the context, which looks at no video.
        lacking: What of the split's conditions the corpus cannot give.
    """
    shown = {name: curve for name, curve in curves.items() if name != CONTRASTIVE_SHUFFLED}
    return {
        # What the weights know: the same queries without a context.
        "in_weights": curves.get("bursty", {}).get(0),
        "in_context_gain": {name: in_context_gain(curve) for name, curve in shown.items()},
        "binding_gap": binding_gap(curves),
        CONTRASTIVE_SHUFFLED: _with_text_keys(curves.get(CONTRASTIVE_SHUFFLED, {})),
        "majority": {name: _with_text_keys(curve) for name, curve in majority.items()},
        "unavailable": {"binding_gap": lacking.get(CONTRASTIVE_SHUFFLED, {})},
    }


def _differences(
    minuends: Mapping[int, float | None], subtrahends: Mapping[int, float | None]
) -> Gaps:
    gaps = {}
    for shots, subtrahend in subtrahends.items():
        minuend = minuends.get(shots)
        if minuend is not None and subtrahend is not None:
            gaps[str(shots)] = minuend - subtrahend
    return gaps


def _with_text_keys(curve: Mapping[int, float | None]) -> dict[str, float | None]:
    return {str(shots): accuracy for shots, accuracy in curve.items()}
