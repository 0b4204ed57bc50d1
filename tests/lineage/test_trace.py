"""In a real repository of git and DVC, whose stages make bundles."""

import argparse

import pytest

from eilev.commands import trace
from eilev.io import DataError
from tests.lineage.repository import commit_bundle, new_repository


@pytest.fixture(scope="module")
def repository(tiny_bundle, tmp_path_factory):
    """With two committed bundles; the annotations lie outside of git."""
    root = tmp_path_factory.mktemp("repository")
    new_repository(root, tiny_bundle, ignored="annotations.json")
    return root, [commit_bundle(root, seed) for seed in (0, 1)]


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
