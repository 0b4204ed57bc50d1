"""A temporary Prefect server for the session and a small DVC project for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.testing.utilities import prefect_test_harness

# Declared in neither graph order nor alphabetical order.
DVC_YAML = """
stages:
  third:
    cmd: cat b.txt > c.txt; echo made c
    deps: [b.txt]
    outs: [c.txt]
  first:
    cmd: cat source.txt > a.txt; echo made a
    deps: [source.txt]
    outs: [a.txt]
  second:
    cmd: bash second.sh
    deps: [a.txt, second.sh]
    outs: [b.txt]
"""


@pytest.fixture(scope="session")
def _server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a DVC project whose stages first -> second -> third never ran."""
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "source.txt").write_text("source\n")
    (tmp_path / "second.sh").write_text("cat a.txt > b.txt\necho made b\n")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path
