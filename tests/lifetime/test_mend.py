import subprocess
from pathlib import Path

import pytest
from dvc.dvcfile import Lockfile
from dvc.repo import Repo

from eilev.lifetime.copies import ROOT as DVC_ROOT
from eilev.lifetime.copies import keep_copies
from eilev.lifetime.mend import mend
from tests.conftest import ROOT

WHOLE = """schema: '2.0'
stages:
  train:
    cmd: python -m eilev.stages.train
    deps:
    - path: data/clips
      hash: md5
      md5: d41d8cd98f00b204e9800998ecf8427e.dir
      size: 3
      nfiles: 1
"""
# As a kill leaves it: cut off within a key.
HALF = WHOLE[: WHOLE.index("hash") + 2]


@pytest.fixture
def project(tmp_path):
    """A DVC project with a lock file in git, which has been rewritten since."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").touch()
    (tmp_path / "dvc.lock").write_text(WHOLE)
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "-q"], ["add", "dvc.lock"], [*author, "commit", "-qm", "Start"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "dvc.lock").write_text(WHOLE.replace("train", "later"))
    return tmp_path


def kept(project, monkeypatch):
    """What a stage does that DVC starts."""
    monkeypatch.setenv(DVC_ROOT, str(project))
    keep_copies()


def test_what_is_whole_is_left_alone(project):
    (project / ".dvc" / "tmp").mkdir()
    (project / ".dvc" / "tmp" / "rwlock").write_text("{}")
    before = (project / "dvc.lock").read_bytes()
    assert mend(project) == []
    assert (project / "dvc.lock").read_bytes() == before


def test_the_copy_of_before_the_last_stage_is_put_back(project, monkeypatch):
    kept(project, monkeypatch)
    before = (project / "dvc.lock").read_bytes()
    (project / "dvc.lock").write_text(HALF)
    (line,) = mend(project)
    assert line.startswith("dvc.lock: broken")
    assert "that of before the last stage is in its place" in line
    assert (project / "dvc.lock").read_bytes() == before
    assert (project / ".dvc/tmp/eilev/dvc.broken").read_text() == HALF


@pytest.mark.parametrize("copy", [None, HALF])
def test_without_a_whole_copy_it_is_that_of_the_last_commit(project, monkeypatch, copy):
    if copy is not None:
        (project / "dvc.lock").write_text(copy)
        kept(project, monkeypatch)
    (project / "dvc.lock").write_text(HALF)
    (line,) = mend(project)
    assert "that of git's HEAD is in its place; what ran since then runs again" in line
    assert (project / "dvc.lock").read_text() == WHOLE


def test_without_any_every_stage_runs_again(project):
    subprocess.run(["git", "rm", "-q", "--cached", "dvc.lock"], cwd=project, check=True)
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *author, "commit", "-qm", "None"], cwd=project, check=True)
    (project / "dvc.lock").write_text(HALF)
    (line,) = mend(project)
    assert "every stage runs again" in line
    assert not (project / "dvc.lock").exists()


@pytest.mark.parametrize("name", ["experiments/ablations", "inventory"])
def test_the_lock_files_of_other_pipelines_are_mended_as_well(project, monkeypatch, name):
    folder = project / name
    folder.mkdir(parents=True)
    (folder / "dvc.yaml").touch()
    (folder / "dvc.lock").write_text(WHOLE)
    kept(project, monkeypatch)
    (folder / "dvc.lock").write_text(HALF)
    (line,) = mend(project)
    assert line.startswith(f"{name}/dvc.lock: broken")
    assert (folder / "dvc.lock").read_text() == WHOLE


def test_wherever_the_committed_one_is_cut_dvc_reads_it_afterwards(project):
    text = (ROOT / "dvc.lock").read_text()[:3000]
    for length in range(0, 3000, 151):
        (project / "dvc.lock").write_text(text[:length])
        mend(project)
        with Repo(str(project)) as repo:
            Lockfile(repo, str(project / "dvc.lock")).load()


def test_half_a_list_of_files_in_use_is_removed(project):
    path: Path = project / ".dvc" / "tmp" / "rwlock"
    path.parent.mkdir()
    path.write_text('{"write": {"data/tr')
    (line,) = mend(project)
    assert line == f"{path}: broken (half written when DVC was stopped?), removed"
    assert mend(project) == []
