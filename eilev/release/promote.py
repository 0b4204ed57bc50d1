"""Promoting a version, and going back to an earlier one."""

from dataclasses import dataclass
from pathlib import Path

from eilev import paths
from eilev.config.release import ReleaseConfig
from eilev.io import DataError
from eilev.release.candidate import (
    Candidate,
    fetch_bundle,
    push_released,
    read_candidate,
    read_metrics,
)
from eilev.release.card import model_card, write_card
from eilev.release.live import Server, load
from eilev.release.registry import (
    Registered,
    Registry,
    assign,
    push_tags,
    read_registry,
    register,
)
from eilev.release.rules import Verdict, judge


class RefusedError(ValueError):
    """A rule refuses the candidate."""


@dataclass(frozen=True)
class Delivery:
    """Where a version goes: a folder, a running server, the remotes of DVC and git."""

    into: Path | None = None
    server: Server | None = None
    push: bool = False


@dataclass(frozen=True)
class Review:
    """A candidate, its version if it has one already, and what the rules found."""

    candidate: Candidate
    registry: Registry
    known: Registered | None
    verdicts: list[Verdict]

    @property
    def is_promoted(self) -> bool:
        """Whether the promoted version is this very bundle, so that there is nothing to judge."""
        return self.known is not None and self.known == self.registry.promoted

    @property
    def refused(self) -> list[Verdict]:
        """The rules that refuse the candidate."""
        return [verdict for verdict in self.verdicts if not verdict.passed]


def review(config: ReleaseConfig, root: Path) -> Review:
    """Compare what the workspace holds with the promoted version.

    Raises:
        DataError: see `read_candidate`; the metrics of the promoted version can't be had; or the
            candidate was promoted once and rolled back.
    """
    candidate = read_candidate(root)
    registry = read_registry(root, config.stage)
    now, known = registry.promoted, registry.of_bundle(candidate.digest)
    if now is None or known == now:
        promoted = None
    elif known is not None and known in registry.assigned:
        raise DataError(
            f"this bundle is {known.name}, which was rolled back to {now.name}; "
            f"`eilev rollback --to {known.name}` promotes it again"
        )
    else:
        promoted = read_metrics(now, root)
    verdicts = judge(config, candidate.metrics, candidate.manifest.parity, promoted)
    return Review(candidate, registry, known, verdicts)


def release(config: ReleaseConfig, found: Review, delivery: Delivery) -> Registered:
    """Register what was reviewed, deliver it, and then assign it the stage.

    In this order, so that a version is promoted only when the server has taken it. A release that
    stopped on the way goes on with the version that it has registered.

    Raises:
        RefusedError: a rule refuses it.
        DataError: the registry, DVC or git refuses.
        LiveError: the server does not take it.
    """
    if found.refused:
        rules = "; ".join(verdict.rule for verdict in found.refused)
        number = f"{len(found.refused)} of {len(found.verdicts)}"
        raise RefusedError(f"not released: {number} rules refuse it: {rules}")
    if delivery.push:
        push_released(found.registry.root)
    version = found.known or _register(config, found)
    if delivery.into is not None:
        fetch_bundle(version, found.registry.root, delivery.into)
    if delivery.server is not None:
        load(delivery.server, found.candidate.manifest)
    if not found.is_promoted:
        _assign(found.registry, version, "Release")
    if delivery.push:
        push_tags(found.registry.root)
    return version


def roll_back(config: ReleaseConfig, root: Path, to: str | None, delivery: Delivery) -> Registered:
    """Deliver an earlier version and assign it the stage again.

    Args:
        config: the stage.
        root: of the repository.
        to: a version's name; None stands for the one that was promoted before.
        delivery: without a folder, data/export/bundle gets the bundle.

    Raises:
        DataError: there is no such version, or its bundle can't be had; the registry refuses.
        LiveError: the server does not take it.
    """
    registry = read_registry(root, config.stage)
    version = registry.before_the_promoted() if to is None else registry.named(to)
    manifest = fetch_bundle(version, root, delivery.into or paths.BUNDLE)
    if delivery.server is not None:
        load(delivery.server, manifest)
    if version != registry.promoted:
        _assign(registry, version, "Roll back to")
    if delivery.push:
        push_tags(root)
    return version


def _register(config: ReleaseConfig, found: Review) -> Registered:
    """A new version, whose tag carries its model card."""
    registry, candidate = found.registry, found.candidate
    name, now = registry.next_name, registry.promoted
    card = model_card(name, candidate, config, found.verdicts, None if now is None else now.name)
    write_card(card, candidate.metrics)
    return register(registry, name, card)


def _assign(registry: Registry, version: Registered, what: str) -> None:
    now = registry.promoted
    before = "" if now is None else f" in place of {now.name}"
    assign(registry, version, f"{what} {version.name}{before}")
