"""What cannot be had, and why: one form in every file of results.

Beside what there is stands `unavailable`: {name: {"reason": text}}, with more about it where there
is more to say. A condition of the evaluation lacks numbers of shots, so there the names are those.
"""

from collections.abc import Mapping, Sequence
from typing import Any

# Name to its reason.
Missing = Mapping[str, Mapping[str, str]]


def lacks_contexts(entry: Mapping[str, Any]) -> bool:
    """Whether a condition's entry in metrics.json has no figure of any context, for a reason."""
    wanted = [*entry["shots"], *entry.get("unavailable", {})]
    return not any(int(shots) for shots in entry["shots"]) and any(int(shots) for shots in wanted)


def describe(conditions: Mapping[str, Missing]) -> list[str]:
    """What a split lacks, and why: the conditions and shots of one reason in one line.

    Args:
        conditions: what each condition lacks.

    Examples:
        >>> reason = {"reason": "one video cannot be exchanged with another"}
        >>> describe({"bursty": {}, "shuffled": {"1": reason}})
        ['no shuffled at 1 shots: one video cannot be exchanged with another']
    """
    shots_of: dict[str, dict[str, list[str]]] = {}
    for name, missing in conditions.items():
        for shots, entry in missing.items():
            shots_of.setdefault(entry["reason"], {}).setdefault(name, []).append(shots)
    return [f"no {_listed(of_reason)}: {reason}" for reason, of_reason in shots_of.items()]


def _listed(shots_of: Mapping[str, Sequence[str]]) -> str:
    """Conditions with the same shots together."""
    names_of: dict[str, list[str]] = {}
    for name, shots in shots_of.items():
        names_of.setdefault(", ".join(shots), []).append(name)
    return ", ".join(f"{' or '.join(names)} at {shots} shots" for shots, names in names_of.items())
