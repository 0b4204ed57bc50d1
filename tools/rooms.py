"""The rooms of the project as the code has them: layers, imports, what each says of itself."""

import ast
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grimp

Contracts = Sequence[Mapping[str, Any]]
Arrows = frozenset[tuple[str, str]]

# What every room may import: arrows to these would only hide the others.
GROUND = tuple(
    f"eilev.{name}"
    for name in ("parquet", "io", "schema", "config", "vocabulary", "unavailable", "paths")
)
# Rooms that start another one without importing it: by its name, through `dvc repro`.
BY_NAME: Arrows = frozenset({("eilev.cli", "eilev.commands"), ("flows", "eilev.stages")})

# Of import-linter in pyproject.toml: the contract of the layers, and those that give a library a
# home, such as "decord lives in clips".
_LAYERS = "Imports point down"
_HOME = " lives in "


@dataclass(frozen=True)
class Room:
    """A folder or file of eilev/, or flows/."""

    module: str
    # Folder or file, from the root.
    path: str
    # What it says of itself: a folder all of it, a file its first paragraph.
    text: str
    # Library that no other room may import, if there is one.
    library: str | None
    has_torch: bool

    @property
    def name(self) -> str:
        """The module without its package."""
        return self.module.removeprefix("eilev.")

    @property
    def summary(self) -> str:
        """The first sentence, up to its colon if it has one."""
        return re.split(r"[:.](?:\s|$)", self.text, maxsplit=1)[0].replace("`", "")


@dataclass(frozen=True)
class Plan:
    """The rooms from top to bottom, and who imports whom; imports of the ground are left out."""

    layers: tuple[tuple[Room, ...], ...]
    ground: tuple[Room, ...]
    imports: Arrows

    @property
    def rooms(self) -> tuple[Room, ...]:
        """All of them, the ground last."""
        return (*(room for layer in self.layers for room in layer), *self.ground)


def read_plan(root: Path) -> Plan:
    """Read layers and the libraries' homes from pyproject.toml, imports and texts from the code.

    Raises:
        ValueError: the layers of pyproject.toml lack a room.
    """
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    contracts: Contracts = settings["tool"]["importlinter"]["contracts"]
    graph = grimp.build_graph("eilev", "flows", include_external_packages=True, cache_dir=None)
    with_torch = {_room_of(module) for module in graph.find_modules_that_directly_import("torch")}
    homes = _homes(contracts)
    rooms = {
        name: Room(name, *_place_and_text(root, name), homes.get(name), name in with_torch)
        for name in [*sorted(graph.find_children("eilev")), "flows"]
    }
    layers = _layers(contracts)
    lacking = rooms.keys() - {name for layer in layers for name in layer}
    if lacking:
        raise ValueError(f"pyproject.toml: '{_LAYERS}' has no layer for {', '.join(lacking)}")
    upper = [tuple(rooms[name] for name in layer if name not in GROUND) for layer in layers]
    return Plan(
        layers=tuple(layer for layer in upper if layer),
        ground=tuple(rooms[name] for name in GROUND),
        imports=_imports(graph, rooms.keys() - set(GROUND)),
    )


def without_detours(arrows: Arrows) -> Arrows:
    """Leave out every arrow whose end is reached on a longer way, too (no circles).

    >>> sorted(without_detours(frozenset({("a", "b"), ("b", "c"), ("a", "c")})))
    [('a', 'b'), ('b', 'c')]
    """
    beyond: dict[str, set[str]] = {}

    def reach(start: str) -> set[str]:
        if start not in beyond:
            ends = {end for first, end in arrows if first == start}
            beyond[start] = ends.union(*map(reach, ends))
        return beyond[start]

    return frozenset(
        (start, end)
        for start, end in arrows
        if not any(end in reach(other) for first, other in arrows if first == start)
    )


def _layers(contracts: Contracts) -> list[list[str]]:
    """Names of the rooms by layer; flows, a package of its own, stands at the top."""
    lines = next(contract["layers"] for contract in contracts if contract["name"] == _LAYERS)
    layers = [[name.strip() for name in line.split("|")] for line in lines]
    return [["flows", *layers[0]], *layers[1:]]


def _homes(contracts: Contracts) -> dict[str, str]:
    pairs = [contract["name"].split(_HOME) for contract in contracts if _HOME in contract["name"]]
    return {room if room == "flows" else f"eilev.{room}": library for library, room in pairs}


def _imports(graph: grimp.ImportGraph, rooms: set[str]) -> Arrows:
    pairs = {
        (_room_of(module), _room_of(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    return frozenset((one, other) for one, other in pairs if {one, other} <= rooms and one != other)


def _room_of(module: str) -> str:
    package, *rest = module.split(".")
    return ".".join([package, *rest[:1]]) if package == "eilev" else package


def _place_and_text(root: Path, module: str) -> tuple[str, str]:
    """Folder or file of a room; of a folder all of its docstring, of a file the first paragraph."""
    place = module.replace(".", "/")
    is_folder = (root / place).is_dir()
    file = root / (f"{place}/__init__.py" if is_folder else f"{place}.py")
    paragraphs = (ast.get_docstring(ast.parse(file.read_text())) or "").split("\n\n")
    text = " ".join(paragraphs if is_folder else paragraphs[:1])
    return (place if is_folder else f"{place}.py"), " ".join(text.split())
