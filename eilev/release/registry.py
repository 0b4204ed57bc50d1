"""Versions and stages of the model, kept by GTO as git tags: NAME@v0.0.1, NAME#prod#1."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec

from gto import api
from gto.exceptions import GTOException
from scmrepo.exceptions import SCMError
from semver import Version as Semver

from eilev import paths
from eilev.io import DataError
from eilev.lineage.locks import out_of, read_lock
from eilev.lineage.versions import LOCK, git

# Of `artifacts:` in dvc.yaml.
ARTIFACT = "eilev"

_Given = ParamSpec("_Given")


class RegistryError(DataError):
    """GTO or git refuses, or there is no such version; the message says which."""


@dataclass(frozen=True)
class Registered:
    """A version: a name such as v0.0.1, and the commit whose dvc.lock names its bundle."""

    name: str
    commit: str

    @property
    def order(self) -> Semver:
        """By which versions are sorted."""
        return Semver.parse(self.name.removeprefix("v"))


@dataclass(frozen=True)
class Registry:
    """The versions of a repository in their order, and those that were in a stage in theirs."""

    root: Path
    stage: str
    versions: tuple[Registered, ...]
    assigned: tuple[Registered, ...]

    @property
    def promoted(self) -> Registered | None:
        """The version that the stage was assigned last."""
        return self.assigned[-1] if self.assigned else None

    @property
    def next_name(self) -> str:
        """Of the next version: v0.0.1 at first, then the last one's number and one more."""
        last = max((one.order for one in self.versions), default=Semver(0, 0, 0))
        return f"v{last.bump_patch()}"

    def named(self, name: str) -> Registered:
        """Find a version.

        Raises:
            RegistryError: there is none of this name.
        """
        for version in self.versions:
            if version.name == name:
                return version
        known = ", ".join(version.name for version in self.versions) or "none"
        raise RegistryError(f"there is no version {name} of {ARTIFACT}; registered: {known}")

    def of_bundle(self, digest: str) -> Registered | None:
        """The newest version with this bundle, by DVC's digest of its folder."""
        found = [one for one in self.versions if bundle_digest(one, self.root) == digest]
        return max(found, key=lambda one: one.order, default=None)

    def before_the_promoted(self) -> Registered:
        """The newest version that was in the stage and is older than the promoted one.

        So one rollback after another leads further back, not to and fro.

        Raises:
            RegistryError: nothing is promoted, or nothing was before.
        """
        now = self.promoted
        if now is None:
            raise RegistryError(f"no version of {ARTIFACT} is in stage '{self.stage}'")
        older = [one for one in self.assigned if one.order < now.order]
        if not older:
            raise RegistryError(
                f"nothing older than {now.name} was in stage '{self.stage}'; --to names a version"
            )
        return max(older, key=lambda one: one.order)


def read_registry(root: Path, stage: str) -> Registry:
    """Read the tags of a repository.

    Raises:
        RegistryError: it is no git repository, or GTO can't make sense of its tags.
    """
    events = _asked(api.history, str(root), artifact=ARTIFACT, ascending=True)
    versions = {
        event["version"]: Registered(event["version"], event["commit"])
        for event in events
        if event["event"] == "registration"
    }
    # By their counter: times of tags are whole seconds.
    counted = {
        api.parse_tag(event["ref"])["counter"]: event["version"]
        for event in events
        if event["event"] == "assignment" and event["stage"] == stage
    }
    assigned = [versions[counted[number]] for number in sorted(counted)]
    # git lists tags of one second in any order.
    in_order = sorted(versions.values(), key=lambda version: version.order)
    return Registry(root, stage, tuple(in_order), tuple(assigned))


def register(registry: Registry, name: str, message: str) -> Registered:
    """Register the last commit as a version.

    Raises:
        RegistryError: see above.
    """
    root = str(registry.root)
    made = _asked(api.register, root, ARTIFACT, "HEAD", version=name, message=message)
    return Registered(made.version, made.commit_hexsha)


def assign(registry: Registry, version: Registered, message: str) -> None:
    """Assign the stage to a version, also again.

    Raises:
        RegistryError: see above.
    """
    # GTO lets several versions be in a stage, so an earlier one still is; the last one counts.
    _asked(
        api.assign,
        str(registry.root),
        ARTIFACT,
        registry.stage,
        version=version.name,
        message=message,
        force=True,
    )


def push_tags(root: Path) -> None:
    """Push the tags of all versions and stages to git's origin, those too that are there already.

    Raises:
        RegistryError: git refuses.
    """
    tags = [f"refs/tags/{ARTIFACT}{mark}*:refs/tags/{ARTIFACT}{mark}*" for mark in "@#"]
    if git(root, "push", "--quiet", "origin", *tags) is None:
        raise RegistryError(
            "promoted here, but git does not push the tags to origin; try `git push origin --tags`"
        )


def bundle_digest(version: Registered, root: Path) -> str | None:
    """DVC's digest of a version's bundle; None where its commit locks none."""
    text = git(root, "show", f"{version.commit}:{LOCK}")
    if text is None:
        return None
    item = out_of(str(paths.BUNDLE), read_lock(text, f"{version.name}:{LOCK}"))
    return None if item is None else item.digest


def _asked(function: Callable[_Given, Any], *args: _Given.args, **kwargs: _Given.kwargs) -> Any:
    try:
        return function(*args, **kwargs)
    except (GTOException, SCMError) as error:
        raise RegistryError(f"the registry of models: {' '.join(str(error).split())}") from error
