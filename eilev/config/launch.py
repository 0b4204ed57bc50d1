"""Accelerate's launch file (`train.launch`): how many processes train, where, in which numbers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from eilev.config.section import ParamsError

Precision = Literal["no", "bf16", "fp16"]

_PRECISIONS: dict[str, Precision] = {"no": "no", "bf16": "bf16", "fp16": "fp16"}


@dataclass(frozen=True)
class Launch:
    """What of a launch file the project must know; Accelerate reads the rest.

    use_cpu: whether GPUs are left alone. Accelerate does not tell the processes that it starts for
    `MULTI_GPU`; untold, each on a machine without GPUs takes itself for the only one.
    """

    path: Path
    num_processes: int
    precision: Precision
    use_cpu: bool

    def check(self, num_running: int) -> None:
        """Refuse to train with another number of processes than the file says.

        Accelerate starts a single one for `MULTI_CPU` and says nothing.

        Raises:
            ParamsError: `num_running` processes train together, the file says otherwise.
        """
        if num_running != self.num_processes:
            raise ParamsError(
                f"{self.path}: num_processes is {self.num_processes}, but the training runs in "
                f"{num_running}: start it with `python -m eilev.stages.launch -m "
                "eilev.stages.train`; several processes need distributed_type MULTI_GPU, on "
                "CPUs with use_cpu: true; for a single one write num_processes: 1"
            )


def read_launch(path: Path) -> Launch:
    """Read a launch file.

    Raises:
        ParamsError: the file is missing, or does not say how many processes and which precision.
    """
    try:
        launch = yaml.safe_load(path.read_text())
        return Launch(
            path=path,
            num_processes=int(launch["num_processes"]),
            precision=_PRECISIONS[str(launch["mixed_precision"])],
            use_cpu=bool(launch.get("use_cpu")),
        )
    except FileNotFoundError as error:
        raise ParamsError(f"train.launch: {path}: no such file") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ParamsError(
            f"{path}: needs 'num_processes' and 'mixed_precision', one of {', '.join(_PRECISIONS)}"
        ) from error
