"""What the workspace offers for release, and what a registered version holds."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException
from dvc.repo import Repo
from scmrepo.exceptions import SCMError

from eilev import paths
from eilev.bundle.manifest import Manifest
from eilev.io import DataError, atomic_dir, read_json
from eilev.lineage.chain import Chain, code_missing, trace
from eilev.lineage.locks import at_odds
from eilev.lineage.versions import LOCK, find_version, git
from eilev.release.registry import Registered, bundle_digest

# What a version is judged by, and what it is; and the stage that ends with it.
RELEASED = (paths.BUNDLE, paths.METRICS)
EXPORT = "export"

_UNREADABLE = (OSError, DvcException, SCMError)


@dataclass(frozen=True)
class Candidate:
    """A bundle that belongs to the last commit, its metrics, and what stands behind it."""

    manifest: Manifest
    metrics: dict[str, Any]
    chain: Chain
    # DVC's, of the bundle's folder.
    digest: str


def read_candidate(root: Path) -> Candidate:
    """Read what the pipeline has left in the current folder.

    Raises:
        DataError: files are changed since the last commit; the bundle or its metrics are not what
            dvc.lock says, or belong to different runs; they were made with other code, parameters
            or data than those of the last commit; the code that made them is in no commit.
    """
    _require_committed(root)
    with Repo(str(root)) as repo:
        _require_locked(repo, root)
        cache, stale = Path(repo.cache.local.path), _stale(repo)
    manifest, metrics = Manifest.load(paths.BUNDLE), read_json(paths.METRICS)
    if manifest.metrics != metrics:
        raise DataError(
            f"{paths.METRICS} is not what {paths.BUNDLE} was exported with: run `dvc repro`"
        )
    if stale:
        raise DataError(f"not made by the last commit: {'; '.join(stale)}; run `dvc repro`")
    version = find_version(manifest.fingerprint, root, cache)
    digest = bundle_digest(Registered("HEAD", "HEAD"), root)
    if version is None or digest is None:
        raise DataError(f"{paths.BUNDLE} is not in DVC's cache: run `dvc commit`")
    problems = [*at_odds(version.steps), *code_missing(version, root)]
    if problems:
        raise DataError(f"{paths.BUNDLE} can't be traced back: {'; '.join(problems)}")
    return Candidate(manifest, metrics, trace(version, root, cache), digest)


def commit_locks(root: Path) -> None:
    """Commit what DVC has written, lock files and imports, if nothing else is changed.

    Raises:
        DataError: other files are changed, which are named, or git refuses.
    """
    changed = _changed(root)
    if not all(Path(name).name == LOCK or Path(name).suffix == ".dvc" for name in changed):
        _require_committed(root)
    if changed and git(root, "commit", "--message", "Lock the pipeline's results", "--all") is None:
        raise DataError(f"git does not commit {', '.join(changed)}; try `git commit --all` by hand")


def read_metrics(version: Registered, root: Path) -> dict[str, Any]:
    """metrics.json of a registered version, out of DVC's cache or its remote.

    Raises:
        DataError: neither has it.
    """
    try:
        with _files(version, root).open(paths.METRICS.as_posix()) as file:
            metrics: dict[str, Any] = json.load(file)
    except (*_UNREADABLE, ValueError) as error:
        raise _not_had(paths.METRICS, version, error) from error
    return metrics


def fetch_bundle(version: Registered, root: Path, folder: Path) -> Manifest:
    """Put the bundle of a registered version into a folder, whole or not at all.

    Raises:
        DataError: neither DVC's cache nor its remote has it.
        BundleError: what they have is altered.
    """
    with atomic_dir(folder) as temporary:
        try:
            _files(version, root).get(
                f"{paths.BUNDLE.as_posix()}/", f"{temporary}/", recursive=True
            )
        except _UNREADABLE as error:
            raise _not_had(paths.BUNDLE, version, error) from error
        manifest = Manifest.load(temporary)
        manifest.verify(temporary)
    return manifest


def push_released(root: Path) -> None:
    """Send what was released to DVC's remote.

    Raises:
        DataError: there is no remote, or it does not take it.
    """
    try:
        with Repo(str(root)) as repo:
            repo.push(targets=[str(path) for path in RELEASED])
    except _UNREADABLE as error:
        raise DataError(f"`dvc push` failed: {error}") from error


def _files(version: Registered, root: Path) -> DVCFileSystem:
    return DVCFileSystem(str(root), rev=version.commit)


def _not_had(path: Path, version: Registered, error: Exception) -> DataError:
    return DataError(
        f"{path} of {version.name} is neither in DVC's cache nor in a remote ({error}); "
        f"`dvc fetch --all-tags`, or make it again at commit {version.commit[:9]}"
    )


def _require_committed(root: Path) -> None:
    if changed := _changed(root):
        files = ", ".join(changed)
        raise DataError(f"changed since the last commit: {files}; commit them or put them back")


def _changed(root: Path) -> list[str]:
    """Files that git knows and that differ from the last commit, from the repository's root."""
    told = git(root, "status", "--porcelain", "--untracked-files=no")
    if told is None:
        raise DataError(f"{root} is no git repository, so no version can be registered")
    return [line[3:] for line in told.splitlines()]


def _stale(repo: Repo) -> list[str]:
    """Stages up to the export whose code, parameters or data have changed since they ran.

    What is not here can't be compared: a machine may have fetched no more than what is released.
    """
    return [
        f"{stage} has another {path}"
        for stage, changes in repo.status(targets=[EXPORT], with_deps=True).items()
        for change in changes
        if isinstance(change, dict)
        for path, how in change.get("changed deps", {}).items()
        if how != "deleted"
    ]


def _require_locked(repo: Repo, root: Path) -> None:
    """Every released file is what dvc.lock says."""
    for path in RELEASED:
        try:
            (out,) = repo.find_outs_by_path(str(root / path))
            status = out.status()
        except _UNREADABLE as error:
            raise DataError(f"{path}: DVC knows nothing of it: {error}") from error
        if status:
            (found,) = set(status.values())
            raise DataError(
                f"{path} is not what dvc.lock says ({found}): "
                "run `dvc repro` and commit dvc.lock, or `dvc checkout`"
            )
