"""What stands behind a bundle, and whether it can be made again from here."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from eilev import paths
from eilev.lineage.locks import Item, Step, behind, made_by
from eilev.lineage.versions import Version, cached, git


@dataclass(frozen=True)
class Source:
    """What no stage makes and git does not hold; `missing` says why it can't be had, if so."""

    item: Item
    missing: str | None


@dataclass(frozen=True)
class Chain:
    """A version, its stages in order, its sources, and what is missing to make it again."""

    version: Version
    steps: list[Step]
    sources: list[Source]
    missing: list[str]
    validation: str


def trace(version: Version, root: Path, cache: Path) -> Chain:
    """Follow a bundle back."""
    steps = behind(version.exported, version.steps)
    sources = _sources(version, steps, root, cache)
    missing = [f"{one.item.path}: {one.missing}" for one in sources if one.missing]
    return Chain(
        version,
        steps,
        sources,
        [*code_missing(version, root), *missing],
        _validation(version, cache),
    )


def code_missing(version: Version, root: Path) -> list[str]:
    """Why the code that exported a bundle can't be had; nothing if it can."""
    revision = version.manifest.git_revision
    if revision is None:
        return ["the code: exported outside of a repository"]
    if revision.endswith("-dirty"):
        return [f"the code: changed since commit {revision.removesuffix('-dirty')[:9]}"]
    if git(root, "cat-file", "-e", f"{revision}^{{commit}}") is None:
        return [f"the code: this repository has no commit {revision[:9]}"]
    return []


def _sources(version: Version, steps: list[Step], root: Path, cache: Path) -> list[Source]:
    revision = (version.manifest.git_revision or "").removesuffix("-dirty")
    items = {dep.path: dep for step in steps for dep in step.deps}
    return [
        Source(item, _missing(item, root, cache))
        for item in items.values()
        if made_by(item.path, version.steps) is None
        and git(root, "cat-file", "-e", f"{revision}:{item.path}") is None
    ]


def _missing(item: Item, root: Path, cache: Path) -> str | None:
    if cached(item.digest, cache).exists():
        return None
    path = root / item.path
    if not path.exists():
        return "it is not here"
    if path.is_dir():
        return None if item.digest == "" else "its folder is here, but not known to be the same"
    same = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == item.digest
    return None if same else "it has changed since"


def _validation(version: Version, cache: Path) -> str:
    """What the checks of the episodes said."""
    step = made_by(str(paths.VALIDATION), version.steps)
    if step is None:
        return "no checks"
    (item,) = [out for out in step.outs if out.path == str(paths.VALIDATION)]
    try:
        found = json.loads(cached(item.digest, cache).read_bytes())
    except OSError:
        return "its checks are not in the cache any more"
    return "passed" if found["success"] else "failed"
