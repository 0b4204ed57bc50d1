"""The bundles that a repository has had: their manifests, out of the working tree, git and DVC."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from eilev import paths
from eilev.bundle.manifest import MANIFEST_FILE, Manifest
from eilev.lineage.locks import Item, Step, made_by, out_of, read_lock

LOCK = "dvc.lock"


@dataclass(frozen=True)
class Version:
    """A bundle and the stages that made it; `commit` is None for the working tree's."""

    manifest: Manifest
    commit: str | None
    exported: Step
    steps: dict[str, Step]


def find_version(fingerprint: str, root: Path, cache: Path) -> Version | None:
    """The newest version whose bundle has a fingerprint.

    Args:
        fingerprint: `system_fingerprint` of an answer.
        root: of the repository.
        cache: DVC's, of files by their MD5.
    """
    return next(
        (one for one in _versions(root, cache) if one.manifest.fingerprint == fingerprint), None
    )


def git(root: Path, *arguments: str) -> str | None:
    """What git prints; None if it refuses."""
    result = subprocess.run(
        ["git", "-C", str(root), *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout if result.returncode == 0 else None


def cached(digest: str, cache: Path) -> Path:
    """Where DVC keeps what has a digest."""
    return cache / digest[:2] / digest[2:]


def _versions(root: Path, cache: Path) -> Iterator[Version]:
    seen: set[str] = set()
    for commit, text in _locks(root):
        steps = read_lock(text, LOCK if commit is None else f"{commit[:9]}:{LOCK}")
        exported, bundle = made_by(str(paths.BUNDLE), steps), out_of(str(paths.BUNDLE), steps)
        if exported is None or bundle is None or bundle.digest in seen:
            continue
        seen.add(bundle.digest)
        manifest = _manifest(bundle, cache)
        if manifest is not None:
            yield Version(manifest, commit, exported, steps)


def _locks(root: Path) -> Iterator[tuple[str | None, str]]:
    """Lock files, the newest first; the working tree's only where it is not committed."""
    path = root / LOCK
    if path.is_file() and git(root, "diff", "--quiet", "HEAD", "--", LOCK) is None:
        yield None, path.read_text()
    for commit in (git(root, "log", "--format=%H", "--", LOCK) or "").split():
        text = git(root, "show", f"{commit}:{LOCK}")
        if text is not None:
            yield commit, text


def _manifest(bundle: Item, cache: Path) -> Manifest | None:
    """None where the cache has it no more, or it is of another format."""
    try:
        listing = json.loads(cached(bundle.digest, cache).read_bytes())
        (digest,) = [item["md5"] for item in listing if item["relpath"] == MANIFEST_FILE]
        return Manifest.model_validate_json(cached(digest, cache).read_bytes())
    except (OSError, ValueError, ValidationError):
        return None
