"""A changed video makes the pipeline run again, and nobody reads terabytes to see it."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.pipeline.dvc import run_dvc

ROOT = Path(__file__).parents[2]
TERABYTE = 10**12


class Project:
    """inventory/dvc.yaml as it is, and stages that stand for those that read its list."""

    def __init__(self, folder: Path, videos: str) -> None:
        self.folder = folder
        (folder / "inventory").mkdir()
        shutil.copy(ROOT / "inventory/dvc.yaml", folder / "inventory")
        sections = yaml.safe_load((ROOT / "params.yaml").read_text())
        sections["ingest"] |= {"annotations": "annotations.json", "videos": videos}
        (folder / "params.yaml").write_text(yaml.safe_dump(sections))
        (folder / "annotations.json").write_text("{}")
        stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
        readers = {
            name: {"cmd": f"echo {name} >> {name}.txt", "deps": lists, "outs": [f"{name}.txt"]}
            for name, stage in stages.items()
            if (lists := [dep for dep in stage["deps"] if dep.startswith("data/inventory")])
        }
        assert set(readers) == {"ingest", "clips"}
        (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": readers}))
        (folder / ".dvc").mkdir()
        (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")

    def dvc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run_dvc(self.folder, *arguments, PYTHONPATH=str(ROOT))

    def ran(self) -> set[str]:
        """The stages that `dvc repro` runs, but for the inventory itself."""
        done = self.dvc("repro")
        assert done.returncode == 0, done.stderr
        assert "Running stage 'inventory/dvc.yaml:inventory'" in done.stdout
        return {name for name in ("ingest", "clips") if f"stage '{name}':" in done.stdout}

    def lock(self) -> str:
        return (self.folder / "dvc.lock").read_text()


def test_terabytes_are_not_read_and_a_changed_video_is_seen(tmp_path: Path) -> None:
    # Sparse, in a name that a shell would take apart; read, they would take hours.
    videos = tmp_path / 'the wearer\'s "full" scale\n$HOME `pwd` \\ & ;'
    videos.mkdir()
    for number in range(3):
        with (videos / f"{number}.mp4").open("wb") as file:
            file.truncate(2 * TERABYTE)
    project = Project(tmp_path, str(videos))
    assert project.ran() == {"ingest", "clips"}
    assert project.ran() == set()
    with (videos / "1.mp4").open("r+b") as file:
        file.seek(TERABYTE)
        file.write(b"x")
    assert project.ran() == {"ingest", "clips"}
    (videos / "2.mp4").rename(videos / "3.mp4")
    assert project.ran() == {"ingest", "clips"}


def test_small_videos_are_told_by_content_alone(tmp_path: Path) -> None:
    """Another machine has other times; the lock file that it shares must not."""
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "a.mp4").write_bytes(b"one")
    project = Project(tmp_path, "videos")
    assert project.ran() == {"ingest", "clips"}
    before = project.lock()
    (videos / "a.mp4").write_bytes(b"one")
    os.utime(videos / "a.mp4", (1, 1))
    assert project.ran() == set()
    assert project.lock() == before
    (videos / "a.mp4").write_bytes(b"two")
    os.utime(videos / "a.mp4", (1, 1))
    assert project.ran() == {"ingest", "clips"}


def test_a_missing_folder_names_the_parameter(tmp_path: Path) -> None:
    done = Project(tmp_path, "nowhere").dvc("repro")
    assert done.returncode != 0
    assert "error: nowhere: no such folder; set ingest.videos in params.yaml" in done.stderr


@pytest.mark.parametrize("file", ["dvc.yaml", "experiments/ablations/dvc.yaml"])
def test_nothing_else_depends_on_the_folder_itself(file: str) -> None:
    stages = yaml.safe_load((ROOT / file).read_text())["stages"].values()
    deps = {dep for stage in stages for dep in stage["deps"]}
    assert "${ingest.videos}" not in deps
    assert json.dumps(sorted(deps)).count("raw/synthetic") == 0
