"""A pipeline of two stages whose last one makes a bundle, in a repository of git and DVC."""

import json
import shutil
from contextlib import chdir
from pathlib import Path

import yaml
from dvc.repo import Repo

from eilev import paths
from eilev.bundle.manifest import Manifest
from tests.conftest import ROOT
from tests.repositories import call, dvc

# Stands for the real export: the bundle's manifest gets revision, parity and metrics.
EXPORT = """
import json, pathlib, shutil, subprocess, sys
source, target = map(pathlib.Path, sys.argv[1:])
shutil.copytree(source, target)
path = target / "manifest.json"
manifest = json.loads(path.read_text())
told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
parity = {"episodes": 9, "max_logit_difference": 1e-5, "identical_narrations": 9,
          "action_agreement": 1.0}
metrics = json.loads(pathlib.Path("data/evaluate/metrics.json").read_text())
path.write_text(json.dumps(manifest | {"git_revision": told, "parity": parity, "metrics": metrics}))
"""
STAGES = """
stages:
  evaluate:
    cmd: mkdir -p data/evaluate && cp measured.json data/evaluate/metrics.json
    deps: [measured.json]
    metrics: [data/evaluate/metrics.json]
  export:
    cmd: python export.py tiny data/export/bundle
    deps: [data/evaluate/metrics.json, export.py, tiny]
    outs: [data/export/bundle]
artifacts:
  eilev: {path: data/export/bundle, type: model}
"""


def measured(score: float, left: float = 0.1) -> dict:
    """metrics.json of a model with a score; `left` of it without its videos."""

    def curve(value: float) -> dict:
        row = {"action_accuracy": value, "calibration_error": 0.1, "count": 50}
        return {"shots": {"0": row, "8": row}, "unavailable": {}}

    conditions = {name: curve(score) for name in ("bursty", "contrastive", "new_words")}
    without = {name: curve(left) for name in ("shuffled", "no_video")}
    probes = {"contrastive_shuffled": {"0": score, "8": left}}
    return {
        **dict.fromkeys(("test", "novel"), conditions | without),
        "data": {
            "corpus": {"num_clips": 100, "zipf_exponent": 0.7},
            "train_episodes": {"contexts": {"num_episodes": 90, "burstiness": 0.8}},
        },
        "model": {},
        "probes": {"test": probes, "novel": probes},
    }


def make_project(root: Path, bundle: Path) -> None:
    """With a remote of DVC and one of git beside it, and a first bundle that is committed."""
    shutil.copytree(bundle, root / "tiny")
    (root / "export.py").write_text(EXPORT)
    (root / "dvc.yaml").write_text(STAGES)
    (root / ".gitignore").write_text("/data\n")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    (root / "params.yaml").write_text(yaml.safe_dump({"release": params["release"]}))
    call(root, "git", "init", "-q", "-b", "main")
    call(root, "git", "init", "-q", "--bare", "../origin.git")
    call(root, "git", "remote", "add", "origin", "../origin.git")
    call(root, "git", "config", "user.name", "A")
    call(root, "git", "config", "user.email", "a@b.example")
    dvc(root, "init", "-q")
    dvc(root, "remote", "add", "-q", "-d", "store", "../../store")
    commit_model(root, 0.7)


def commit_model(root: Path, score: float, left: float = 0.1) -> Manifest:
    """Run the pipeline for a model with a score, and commit what it locks."""
    (root / "measured.json").write_text(json.dumps(measured(score, left)))
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-qm", f"Measure {score}")
    # In this process: to start DVC takes longer than what it does here.
    with chdir(root), Repo() as repo:
        repo.reproduce()
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-qm", f"Lock {score}")
    return Manifest.load(root / paths.BUNDLE)
