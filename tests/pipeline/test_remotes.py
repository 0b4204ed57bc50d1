"""Two machines and a remote between them, as docs/remotes.md says: a folder, or S3."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.running import serve
from eilev.bundle.manifest import Manifest
from eilev.commands import trace
from tests.lineage.repository import commit_bundle, new_repository
from tests.repositories import call, dvc
from tests.s3 import BUCKET, s3_server

BUNDLE = "data/export/bundle"


@pytest.fixture(scope="module")
def first(
    tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Manifest]]:
    """The machine that computes, with two committed bundles."""
    root = tmp_path_factory.mktemp("machines") / "first"
    root.mkdir()
    new_repository(root, tiny_bundle)
    # Before the first commit: `--all-commits` passes over those whose configuration has no remote.
    dvc(root, "remote", "add", "--default", "storage", str(root.with_name("storage")))
    return root, [commit_bundle(root, seed) for seed in (0, 1)]


def clone(source: Path, name: str | Path) -> Path:
    target = source.parent / name
    call(source, "git", "clone", "-q", str(source), str(target))
    return target


def test_s3_hands_a_bundle_on(first: tuple[Path, list[Manifest]]) -> None:
    root, made = first
    server = clone(root, "of-s3")
    with s3_server() as (bucket, _):
        for machine in (root, server):
            dvc(machine, "remote", "add", "--local", "s3", f"s3://{BUCKET}/eilev")
        dvc(root, "push", "--remote", "s3", BUNDLE)
        keys = [item.key for item in bucket.objects.all()]
        dvc(server, "pull", "--remote", "s3", BUNDLE)
    assert keys
    assert all(key.startswith("eilev/files/md5/") for key in keys)
    assert Manifest.load(server / BUNDLE) == made[1]


def test_a_second_machine_pulls_what_it_needs_and_computes_nothing(
    first: tuple[Path, list[Manifest]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root, made = first
    dvc(root, "push", "--run-cache", "--all-commits")

    second = clone(root, "second")
    dvc(second, "pull", BUNDLE)
    assert [path.name for path in (second / "data").iterdir()] == ["export"]
    with serve(second / BUNDLE) as running:
        assert httpx.get(f"{running.url}/v1/models").json()["data"][0]["id"] == "eilev"

    told = dvc(second, "repro", "--pull")
    assert "Running stage" not in told
    assert "Pulling data for stage: 'ingest'" in told
    assert call(second, "git", "status", "--porcelain") == ""

    # Also an answer of an earlier commit's bundle, once its files are here.
    dvc(second, "fetch", "--all-commits")
    monkeypatch.chdir(second)
    for manifest in made:
        trace.run(argparse.Namespace(fingerprint=manifest.fingerprint, params=False))
        text = capsys.readouterr().out
        assert f"git checkout {(manifest.git_revision or '')[:9]} && make repro" in text


@pytest.fixture(params=["folder", "S3"])
def remote(
    request: pytest.FixtureRequest, first: tuple[Path, list[Manifest]], tmp_path: Path
) -> Iterator[str]:
    """Where results are shared."""
    if request.param == "folder":
        yield str(tmp_path / "shared")
    else:
        with s3_server():
            yield f"s3://{BUCKET}/shared"


def test_machines_share_what_takes_long_though_no_commit_names_it(
    first: tuple[Path, list[Manifest]], remote: str, tmp_path: Path
) -> None:
    root = clone(first[0], tmp_path / "one")
    other = clone(first[0], tmp_path / "other")
    for machine in (root, other):
        dvc(machine, "remote", "add", "--default", "--local", "shared", remote)
        (machine / "params.yaml").write_text("train:\n  seed: 7\n")
    assert "Running stage 'train'" in dvc(root, "repro")
    trained = (root / "data/train/model").read_bytes()
    dvc(root, "push", "--run-cache")

    dvc(other, "fetch", "--run-cache")
    told = dvc(other, "repro", "--pull")
    assert "Stage 'train' is cached" in told
    assert (other / "data/train/model").read_bytes() == trained
    # Also back: what was made before is not made again.
    (other / "params.yaml").write_text("train:\n  seed: 8\n")
    assert "Running stage 'train'" in dvc(other, "repro")
    (other / "params.yaml").write_text("train:\n  seed: 7\n")
    assert "Stage 'train' is cached" in dvc(other, "repro")
