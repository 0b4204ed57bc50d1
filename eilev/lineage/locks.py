"""What dvc.lock says of the stages that made something."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import yaml

from eilev.io import DataError


@dataclass(frozen=True)
class Item:
    """A file or folder at a time; `digest` is DVC's, which ends with ".dir" for a folder."""

    path: str
    digest: str


@dataclass(frozen=True)
class Step:
    """A stage as it was run."""

    stage: str
    deps: tuple[Item, ...]
    outs: tuple[Item, ...]
    params: Mapping[str, Any]

    @classmethod
    def read(cls, stage: str, entry: Mapping[str, Any]) -> Self:
        """From an entry of dvc.lock."""
        deps, outs = (_items(entry.get(kind, [])) for kind in ("deps", "outs"))
        files = entry.get("params", {}).values()
        return cls(stage, deps, outs, {key: value for file in files for key, value in file.items()})


def read_lock(text: str, name: str) -> dict[str, Step]:
    """The stages of a lock file, by name.

    Raises:
        DataError: it is no lock file; `name` tells which.
    """
    try:
        stages = yaml.load(text, Loader=yaml.CSafeLoader)["stages"]
        return {stage: Step.read(stage, entry) for stage, entry in stages.items()}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{name} is no lock file of DVC: {error}") from error


def made_by(path: str, steps: Mapping[str, Step]) -> Step | None:
    """The stage whose output something is, or lies in."""
    for step in steps.values():
        if any(path == out.path or path.startswith(f"{out.path}/") for out in step.outs):
            return step
    return None


def out_of(path: str, steps: Mapping[str, Step]) -> Item | None:
    """An output of a stage, as it was made; None if no stage has it."""
    step = made_by(path, steps)
    return None if step is None else next((out for out in step.outs if out.path == path), None)


def at_odds(steps: Mapping[str, Step]) -> list[str]:
    """Where a stage has read another output than the one that is locked: it ran before that one."""
    return [
        f"{step.stage} has read another {dep.path}"
        for step in steps.values()
        for dep in step.deps
        if (out := out_of(dep.path, steps)) is not None and out.digest != dep.digest
    ]


def behind(step: Step, steps: Mapping[str, Step]) -> list[Step]:
    """A stage and all that it stands on, in an order in which they could run."""
    found: dict[str, Step] = {}

    def visit(one: Step) -> None:
        for dep in one.deps:
            maker = made_by(dep.path, steps)
            if maker is not None and maker.stage not in found:
                visit(maker)
        found[one.stage] = one

    visit(step)
    return list(found.values())


def _items(entries: list[Mapping[str, Any]]) -> tuple[Item, ...]:
    # What DVC does not hash (a folder outside of the cache) has no md5.
    return tuple(Item(entry["path"], str(entry.get("md5", ""))) for entry in entries)
