"""Where the metrics of a run go, step by step (the only user of DVCLive)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from dvclive.live import Live


class Tracker(Protocol):
    """Takes the metrics of a run."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Record the values of one step; steps only grow."""

    def close(self) -> None:
        """Finish the record."""


class DvcLiveTracker:
    """Writes one TSV file per metric for `dvc plots` and a summary of the latest values.

    Starts the folder afresh: the trainer replays the history of a resumed run.
    """

    def __init__(self, folder: Path):
        # dvc.yaml names the plots itself; a second dvc.yaml of DVCLive would collide with it.
        self._live: Any = Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append the values to the files of their metrics."""
        self._live.step = step
        for name, value in values.items():
            self._live.log_metric(name, value)
        self._live.make_summary()

    def close(self) -> None:
        """Write the summary."""
        self._live.end()


class NullTracker:
    """Records nothing: the processes beside the main one, and tests."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
