"""Starts what its arguments say as `accelerate launch` does, by the launch file of params.yaml.

    python -m eilev.stages.launch [more options of accelerate launch] -m eilev.stages.train

The file's name never passes through a shell, which would take some names apart.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from eilev.config.launch import read_launch
from eilev.config.section import load_section
from eilev.config.train import TrainConfig


def command(arguments: Sequence[str]) -> list[str]:
    """The command line that starts `arguments`.

    Raises:
        ParamsError: params.yaml or the launch file is missing or breaks a rule.
    """
    launch = read_launch(Path(load_section("train", TrainConfig).launch))
    accelerate = [sys.executable, "-m", "accelerate.commands.launch"]
    return [*accelerate, "--config_file", str(launch.path), *arguments]


def main() -> None:
    """Become that process."""
    try:
        whole = command(sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    os.execv(whole[0], whole)  # noqa: S606  (no shell is what is wanted)


if __name__ == "__main__":
    main()
