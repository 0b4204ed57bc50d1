"""Which conditions of the evaluation a corpus can give, and why it cannot give the others."""

from collections.abc import Mapping, Sequence
from typing import Any

from eilev.config.conditions import CONDITIONS, ConditionEntry, shown
from eilev.language.new_words import NEW_VERBS
from eilev.schema import Split
from eilev.unavailable import Missing, describe

# Every condition of every split that is evaluated, those that lack nothing too.
Unavailable = Mapping[Split, Mapping[str, Missing]]


def unavailable(
    summary: Mapping[str, Any], conditions: Sequence[str], splits: Sequence[Split]
) -> Unavailable:
    """Find out, before anything is trained, what an evaluation will have no figures of.

    Args:
        summary: data/episodes/summary.json (Account.to_json).
        conditions: those asked for.
        splits: those that they are asked of.

    Returns:
        {split: {condition: {shots: {"reason": text}}}}, with those that are brought along.
    """
    return {
        split: {name: _missing(summary[split], CONDITIONS[name]) for name in shown(conditions)}
        for split in splits
    }


def missing_kinds(summary: Mapping[str, Any]) -> dict[str, dict[str, Missing]]:
    """Kinds of episodes, by number of shots, of which there are none: {split: {kind: missing}}."""
    return {
        split: {
            kind: {
                shots: {"reason": cell["reason"]}
                for shots, cell in cells.items()
                if not cell["episodes"]
            }
            for kind, cells in kinds.items()
        }
        for split, kinds in summary.items()
    }


def _missing(kinds: Mapping[str, Any], entry: ConditionEntry) -> Missing:
    reasons = {
        shots: why_not(entry, int(shots)) if cell["episodes"] else cell["reason"]
        for shots, cell in kinds[entry.kind].items()
    }
    return {shots: {"reason": reason} for shots, reason in reasons.items() if reason is not None}


def why_not(entry: ConditionEntry, shots: int) -> str | None:
    """Why a condition cannot be made from any episode of so many shots; None where it can."""
    if entry.deranged and shots == 1:
        return "one video cannot be exchanged with another"
    if entry.new_words and shots + 1 > len(NEW_VERBS):
        return f"there are {len(NEW_VERBS)} new words, and there may be a class to each clip"
    return None


def require_some(summary: Mapping[str, Any], found: Unavailable) -> None:
    """Check that an evaluation has something to show.

    Raises:
        ValueError: none of the conditions can be had at any number of shots.
    """
    for split, conditions in found.items():
        for name, missing in conditions.items():
            if set(summary[split][CONDITIONS[name].kind]) - set(missing):
                return
    reasons = [f"{split}: {line}" for split in found for line in describe(found[split])]
    raise ValueError(
        f"params.yaml: evaluate.conditions: this corpus gives none of them: {'; '.join(reasons)}"
    )
