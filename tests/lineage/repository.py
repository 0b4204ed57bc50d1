"""A real repository of git and DVC, whose stages make bundles."""

import shutil
from pathlib import Path

from eilev.bundle.manifest import Manifest
from tests.repositories import call, dvc

# Stands for the stages in between; the export takes the seed into the bundle's manifest.
EXPORT = """
import json, pathlib, shutil, subprocess, sys, yaml
source, target = map(pathlib.Path, sys.argv[1:])
params = yaml.safe_load(open("params.yaml"))
shutil.copytree(source, target, dirs_exist_ok=True)
path = target / "manifest.json"
manifest = json.loads(path.read_text())
revision = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
manifest |= {"params": params, "git_revision": revision.strip()}
path.write_text(json.dumps(manifest))
"""
# What takes long has a run cache, all else persists, as in the pipeline.
STAGES = """
stages:
  ingest:
    cmd: mkdir -p data/ingest && tr 1 3 < annotations.json > data/ingest/narrations.parquet
    deps: [annotations.json]
    outs: [data/ingest/narrations.parquet: {persist: true}]
  validate:
    cmd: 'mkdir -p data/validate && echo ''{"success": true}'' > data/validate/validation.json'
    deps: [data/ingest/narrations.parquet]
    outs: [data/validate/validation.json: {persist: true}]
  train:
    cmd: mkdir -p data/train && cp params.yaml data/train/model
    deps: [data/ingest/narrations.parquet]
    params: [train.seed]
    outs: [data/train/model]
  export:
    cmd: python export.py tiny data/export/bundle
    deps: [data/ingest/narrations.parquet, data/train/model, export.py, tiny]
    params: [train.seed]
    outs: [data/export/bundle: {persist: true}]
"""


def new_repository(root: Path, bundle: Path, *, ignored: str = "") -> None:
    """With stages, and nothing run; `ignored` is what git does not hold beside results."""
    shutil.copytree(bundle, root / "tiny")
    (root / "export.py").write_text(EXPORT)
    (root / "dvc.yaml").write_text(STAGES)
    (root / "annotations.json").write_text("[1]")
    (root / ".gitignore").write_text(f"{ignored}\n/data\n")
    call(root, "git", "init", "-q")
    dvc(root, "init", "-q")


def commit_bundle(root: Path, seed: int) -> Manifest:
    """Commit the seed, run the stages and commit their lock file."""
    (root / "params.yaml").write_text(f"train:\n  seed: {seed}\n")
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-qm", f"Seed {seed}")
    dvc(root, "repro", "-q")
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-qm", f"Lock seed {seed}")
    return Manifest.load(root / "data/export/bundle")
