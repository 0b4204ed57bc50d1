"""The flow `refresh` where a copy of this tree imports its annotations from a real repository."""

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.small import copy_tree
from eilev.parquet import read_table
from eilev.paths import NARRATIONS
from eilev.schema import NARRATIONS as SCHEMA
from flows.commands import CommandError
from flows.pipeline import refresh
from tests.flows.test_pipeline import artifacts
from tests.repositories import call, dvc

HEADER = "video,time,narration,verb_class,noun_class\n"
# What stands for the stages behind `ingest`, and for those that don't depend on it.
OTHERS = {
    "behind": {
        "cmd": "wc --bytes data/ingest/narrations.parquet > behind.txt",
        "deps": ["data/ingest/narrations.parquet"],
        "outs": ["behind.txt"],
    },
    "apart": {"cmd": "echo made > apart.txt", "outs": ["apart.txt"]},
}
LISTED = "inventory/dvc.yaml:inventory"  # anew every time

pytestmark = pytest.mark.usefixtures("prefect")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository of git and DVC, with a folder of annotations."""
    root = tmp_path / "annotators"
    (root / "annotations").mkdir(parents=True)
    call(root, "git", "init", "-q")
    dvc(root, "init", "-q")
    annotate(root, "monday")
    return root


def annotate(root: Path, day: str) -> None:
    """Commit another table of annotations."""
    rows = [
        f"{day}{video}.mp4,{second},The camera wearer {verb}s the {noun}.,{verb},{noun}"
        for video in range(4)
        for second, (verb, noun) in enumerate([("cut", "onion"), ("open", "jar"), ("fill", "cup")])
    ]
    (root / "annotations" / f"{day}.csv").write_text(HEADER + "\n".join(rows))
    dvc(root, "add", "-q", "annotations")
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-q", "-m", f"Annotate {day}")


@pytest.fixture
def checkout(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: this project, up to `ingest`, which imports the annotations."""
    root = tmp_path / "checkout"
    copy_tree(root)
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    chosen = {"ingest": stages["ingest"], **OTHERS}
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": chosen}))
    params = yaml.safe_load((root / "params.yaml").read_text())
    videos = {"annotations": "imports/annotations", "videos": str(tmp_path / "videos")}
    params["ingest"] |= {"source": "table", **videos}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "videos").mkdir()
    for day in ("monday", "tuesday"):
        for number in range(4):
            (tmp_path / "videos" / f"{day}{number}.mp4").touch()
    (root / "imports").mkdir()
    dvc(root, "import", "-q", str(source), "annotations", "--out", "imports/annotations")
    call(root, "git", "add", ".")
    call(root, "git", "commit", "-q", "-m", "Import the annotations")
    monkeypatch.chdir(root)
    return root


def refreshed() -> set[str]:
    """The stages that run."""
    refresh()
    rows = json.loads(str(artifacts("stages")[0].data))
    return {row["stage"] for row in rows if row["became"] == "ran"}


def test_what_is_new_in_an_import_comes_in_and_only_what_follows_is_computed(
    source: Path, checkout: Path
) -> None:
    assert refreshed() == {LISTED, "ingest", "behind", "apart"}
    assert refreshed() == {LISTED}
    annotate(source, "tuesday")
    assert refreshed() == {LISTED, "ingest", "behind"}
    narrations = read_table(checkout / NARRATIONS, SCHEMA)
    assert len(narrations) == 24
    assert sum(narrations["video_path"].str.contains("tuesday")) == 12
    source.rename(source.with_name("moved"))
    with pytest.raises(CommandError, match=r"imports/annotations.dvc.*annotators"):
        refresh()
