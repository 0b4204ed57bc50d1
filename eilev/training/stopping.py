"""Signals that ask a run to stop: it ends after the step that it is in, with a checkpoint."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from accelerate import Accelerator


@dataclass
class Stop:
    """The signal that asks the run to stop, or 0."""

    signal: int = 0

    def receive(self, number: int, _frame: object) -> None:
        """Keep the first one."""
        self.signal = self.signal or number


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Take SIGTERM and SIGINT as a wish, instead of ending the process in the middle of a step."""
    stop = Stop()
    previous = {
        number: signal.signal(number, stop.receive) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def any_signal(accelerator: Accelerator, received: int) -> int:
    """The signal that any process has received, or 0: all stop after the same step."""
    mine = torch.tensor([received], device=accelerator.device)
    return int(accelerator.gather(mine).max())
