"""What a result depends on: one list, the same in dvc.yaml and the imports, and true in DVC."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml

from eilev.stages import watched as lists
from eilev.stages.watched import STAGES, watched, watched_by_experiments, watched_files

ROOT = Path(__file__).parents[2]
ABLATIONS = "experiments/ablations/dvc.yaml"
WATCHED = {
    **{f"eilev.stages.{name}": watched(name) for name in STAGES},
    "eilev.experiments.results": list(lists.EXPERIMENT_RESULTS),
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    graph = grimp.build_graph("eilev")
    for path in lists.UNWATCHED:
        graph.remove_module(path.removesuffix(".py").replace("/", "."))
    return graph


def _imported_files(module: str, graph: grimp.ImportGraph) -> set[str]:
    names = {module} | graph.find_upstream_modules(module)
    files = {f"{name.replace('.', '/')}.py" for name in names}
    return {file for file in files if (ROOT / file).is_file()}


def _covers(path: str, file: str) -> bool:
    return file == path or file.startswith(f"{path}/")


@pytest.mark.parametrize("module", WATCHED)
def test_every_import_lies_under_a_watched_path(module: str, graph: grimp.ImportGraph) -> None:
    files = _imported_files(module, graph)
    assert len(files) > 3
    bare = {file for file in files if not any(_covers(path, file) for path in WATCHED[module])}
    assert bare == set()


@pytest.mark.parametrize("module", WATCHED)
def test_every_watched_path_is_imported(module: str, graph: grimp.ImportGraph) -> None:
    files = _imported_files(module, graph)
    idle = {path for path in WATCHED[module] if not any(_covers(path, file) for file in files)}
    # What every stage has is listed alike, whether or not one of them can do without.
    assert idle <= set(lists.COMMON)


def _code(stage: dict[str, Any]) -> list[str]:
    return [dep for dep in stage["deps"] if dep.startswith("eilev/")]


def _pipeline(path: str) -> dict[str, Any]:
    stages: dict[str, Any] = yaml.safe_load((ROOT / path).read_text())["stages"]
    return stages


@pytest.mark.parametrize("name", STAGES)
def test_dvc_yaml_has_the_list(name: str) -> None:
    assert _code(_pipeline("dvc.yaml")[name]) == watched(name)


def test_the_experiments_have_the_list() -> None:
    for name, stage in _pipeline(ABLATIONS).items():
        expected = list(lists.EXPERIMENT_RESULTS) if name == "results" else watched_by_experiments()
        assert _code(stage) == expected, name


def test_the_fingerprint_of_a_training_reads_every_file_of_its_rooms() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in watched_files("train")}
    nested = "eilev/training/augmentation/augment.py"
    assert {nested, "eilev/model/video_blip.py", "eilev/stages/train.py"} <= files
    assert {"eilev/config/report.py", "eilev/report/charts.py"}.isdisjoint(files)
    assert not [file for file in files if "__pycache__" in file]


def _dvc(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package under DVC: stages with the real code dependencies, all up to date."""
    folder = tmp_path_factory.mktemp("watched")
    shutil.copytree(ROOT / "eilev", folder / "eilev", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".dvcignore", folder)
    ablations = _pipeline(ABLATIONS)
    real = {**_pipeline("dvc.yaml"), **{name: ablations[name] for name in ("variant", "results")}}
    stages = {
        name: {"cmd": f"echo {name} > {name}.txt", "deps": _code(stage), "outs": [f"{name}.txt"]}
        for name, stage in real.items()
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    _dvc(folder, "init", "--no-scm", "-q")
    _dvc(folder, "config", "core.analytics", "false")
    _dvc(folder, "repro", "-q")
    assert json.loads(_dvc(folder, "status", "--json")) == {}
    return folder


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("eilev/config/report.py", {"report"}),
        ("eilev/episodes/meaning.py", {"episodes", "validate", "evaluate", "variant"}),
        ("eilev/stages/evaluate.py", {"evaluate", "variant"}),
        ("eilev/report/page.html.j2", {"report", "results"}),
        ("eilev/episodes/splits.py", {"split", "episodes", "validate", "evaluate", "variant"}),
        ("eilev/planning/gpus.py", set()),
        ("eilev/serving/chat.py", set()),
    ],
)
def test_a_comment_makes_stale_what_depends_on_it(
    file: str, stale: set[str], project: Path
) -> None:
    path = project / file
    text = path.read_text()
    path.write_text(text + "\n# A comment.\n")
    try:
        assert set(json.loads(_dvc(project, "status", "--json"))) == stale
    finally:
        path.write_text(text)
