"""In a real repository of git and DVC, whose stages make bundles."""

import argparse
import shutil

import pytest

from eilev.bundle.manifest import Manifest
from eilev.commands import trace
from eilev.io import DataError
from tests.repositories import call, dvc

# Stands for the stages in between; the export takes the seed into the bundle's manifest.
EXPORT = """
import json, pathlib, shutil, subprocess, sys, yaml
source, target = map(pathlib.Path, sys.argv[1:])
params = yaml.safe_load(open("params.yaml"))
shutil.copytree(source, target)
path = target / "manifest.json"
manifest = json.loads(path.read_text())
revision = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
manifest |= {"params": params, "git_revision": revision.strip()}
path.write_text(json.dumps(manifest))
"""
STAGES = """
stages:
  ingest:
    cmd: mkdir -p data/ingest && tr 1 3 < annotations.json > data/ingest/narrations.parquet
    deps: [annotations.json]
    outs: [data/ingest/narrations.parquet]
  validate:
    cmd: 'mkdir -p data/validate && echo ''{"success": true}'' > data/validate/validation.json'
    deps: [data/ingest/narrations.parquet]
    outs: [data/validate/validation.json]
  export:
    cmd: python export.py tiny data/export/bundle
    deps: [data/ingest/narrations.parquet, export.py, tiny]
    params: [train.seed]
    outs: [data/export/bundle]
"""


@pytest.fixture(scope="module")
def repository(tiny_bundle, tmp_path_factory):
    """With two committed bundles; the annotations lie outside of git."""
    root = tmp_path_factory.mktemp("repository")
    shutil.copytree(tiny_bundle, root / "tiny")
    (root / "export.py").write_text(EXPORT)
    (root / "dvc.yaml").write_text(STAGES)
    (root / "annotations.json").write_text("[1]")
    (root / ".gitignore").write_text("annotations.json\n/data\n")
    call(root, "git", "init", "-q")
    dvc(root, "init", "-q")
    return root, [commit_bundle(root, seed) for seed in (0, 1)]


def commit_bundle(root, seed):
    (root / "params.yaml").write_text(f"train:\n  seed: {seed}\n")
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-qm", f"Seed {seed}")
    dvc(root, "repro", "-q")
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-qm", f"Lock seed {seed}")
    return Manifest.load(root / "data/export/bundle")


def traced(root, fingerprint, monkeypatch, capsys):
    monkeypatch.chdir(root)
    trace.run(argparse.Namespace(fingerprint=fingerprint, params=True))
    return capsys.readouterr().out


def test_an_answer_of_any_committed_bundle_leads_back(repository, monkeypatch, capsys):
    root, manifests = repository
    for seed, manifest in enumerate(manifests):
        text = traced(root, manifest.fingerprint, monkeypatch, capsys)
        assert f"code        {manifest.git_revision}" in text
        assert "checks      passed" in text
        assert f"train.seed: {seed}" in text
        assert text.index("  ingest\n") < text.index("  export\n")
        assert f"git checkout {manifest.git_revision[:9]} && make repro" in text


def test_what_is_missing_is_named(repository, monkeypatch, capsys):
    root, manifests = repository
    (root / "annotations.json").write_text("[2]")
    text = traced(root, manifests[0].fingerprint, monkeypatch, capsys)
    assert "can't be made again from here:\n  annotations.json: it has changed since" in text
    (root / "annotations.json").unlink()
    text = traced(root, manifests[1].fingerprint, monkeypatch, capsys)
    assert "annotations.json: it is not here" in text
    (root / "annotations.json").write_text("[1]")


def test_an_unknown_fingerprint_says_what_to_try(repository, monkeypatch, capsys):
    with pytest.raises(DataError, match="dvc fetch --all-commits"):
        traced(repository[0], "eilev-0123456789abcdef", monkeypatch, capsys)
