"""How many episodes there are of each split, kind and number of shots, and why others are not.

What a corpus cannot give is known here, before anything is trained: stages read the account from
data/episodes/summary.json and do without, or say the reason.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eilev.schema import SPLITS, Split

# Reasons. Of a query:
NOT_JUDGED = "no verb or no noun class, so no answer could be judged"
# Of every query:
NO_MULTIPLE = "contrastive contexts need a number of shots that the ways divide"
NO_CONTEXT = "no contrastive context is possible at any number of shots"

# What must be there, and what for.
_NEEDED: Mapping[str, tuple[Split, ...]] = {
    "to train on": ("train",),
    "to select a model by": ("val",),
    "to evaluate a model on": ("test", "novel"),
}


def few_others(shots: int) -> str:
    """Bursty and random contexts."""
    return f"fewer than {shots} training clips of other actions than the query's"


def few_of_the_action(each: int, split: Split) -> str:
    """Contrastive contexts, which need clips of the query's action."""
    lacking = "no other clip" if each == 1 else f"fewer than {each} other clips"
    return f"{lacking} of the query's action in {split}"


def few_actions(others: int, each: int, split: Split) -> str:
    """Contrastive contexts, which need other actions beside it."""
    clips = "a clip" if each == 1 else f"{each} clips"
    return f"no {others} other actions in {split} that differ in verb and in noun, {clips} each"


@dataclass
class _Cell:
    episodes: int = 0
    # Reason to the number of queries left out for it; 0 where it holds whatever the query.
    left_out: Counter[str] = field(default_factory=Counter)

    def reason(self) -> str | None:
        told = [f"{count} x {text}" if count else text for text, count in self.left_out.items()]
        return "; ".join(told) or None


class Account:
    """Counts of episodes, and of queries without one by reason."""

    def __init__(self) -> None:
        self._cells: dict[Split, dict[str, dict[int, _Cell]]] = {split: {} for split in SPLITS}

    def add(
        self, split: Split, kind: str, shots: int, episodes: int, left_out: Mapping[str, int]
    ) -> None:
        """Count episodes, and queries that have none.

        Args:
            split: whose queries they are.
            kind: of the episodes.
            shots: of the episodes.
            episodes: how many there are.
            left_out: reason to the number of queries left out for it; 0 of what holds for all.
        """
        cell = self._cells[split].setdefault(kind, {}).setdefault(shots, _Cell())
        cell.episodes += episodes
        for text, count in left_out.items():
            cell.left_out[text] += count

    def to_json(self) -> dict[str, Any]:
        """Contents of summary.json: {split: {kind: {shots: cell}}}, every combination asked for.

        A cell has `episodes`, `left_out` (a number) and `reason` (null where nothing is left out).
        """
        return {
            split: {
                kind: {
                    str(shots): {
                        "episodes": cell.episodes,
                        "left_out": cell.left_out.total(),
                        "reason": cell.reason(),
                    }
                    for shots, cell in sorted(cells.items())
                }
                for kind, cells in kinds.items()
            }
            for split, kinds in self._cells.items()
        }

    def lines(self) -> Iterator[str]:
        """What is left out and why, for people: shot counts of one reason in one line."""
        for split, kinds in self._cells.items():
            for kind, cells in kinds.items():
                shots_of: dict[str, list[str]] = {}
                for shots, cell in sorted(cells.items()):
                    if cell.left_out:
                        what = f"{cell.left_out.total()} left out" if cell.episodes else "none"
                        shots_of.setdefault(f"{what}: {cell.reason()}", []).append(str(shots))
                for told, numbers in shots_of.items():
                    yield f"{split}, {kind} at {', '.join(numbers)} shots: {told}"

    def check(self) -> None:
        """Check that a model can be trained, selected and evaluated.

        Raises:
            ValueError: there are no episodes for it; the message has the reasons.
        """
        for purpose, splits in _NEEDED.items():
            if not any(self._episodes(split) for split in splits):
                reasons = "; ".join(dict.fromkeys(r for split in splits for r in self._why(split)))
                names = " and ".join(splits)
                raise ValueError(f"there are no episodes {purpose} ({names}): {reasons}")

    def _episodes(self, split: Split) -> int:
        return sum(
            cell.episodes for cells in self._cells[split].values() for cell in cells.values()
        )

    def _why(self, split: Split) -> Iterator[str]:
        for kind, cells in self._cells[split].items():
            for cell in cells.values():
                yield f"{split}, {kind}: {cell.reason()}"
