"""dvc.yaml, params.yaml, the stages and the data folders agree with each other."""

from pathlib import Path

import grimp
import pytest
import yaml

from eilev import paths
from eilev.config import Params, load_params

ROOT = Path(__file__).parent.parent.parent
DVC_YAML = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = DVC_YAML["stages"]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("eilev")


def _sections() -> set[str]:
    return {field.alias or name for name, field in Params.model_fields.items()}


def test_one_name_for_stage_section_and_module() -> None:
    modules = {path.stem for path in (ROOT / "eilev/stages").glob("*.py")}
    assert set(STAGES) == _sections() == modules - {"__init__", "runner"}


def test_committed_params_are_valid() -> None:
    load_params(ROOT / "params.yaml")


@pytest.mark.parametrize("name", STAGES)
def test_command_runs_the_stage_module(name: str) -> None:
    assert STAGES[name]["cmd"].endswith(f"-m eilev.stages.{name}")


@pytest.mark.parametrize("name", STAGES)
def test_stage_depends_on_its_own_section_and_writes_its_own_folder(name: str) -> None:
    stage = STAGES[name]
    assert stage["params"][0] == name
    folder = "data/raw/synthetic" if name == "synthesize" else f"data/{name}"
    outs = [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]
    for out in outs:
        path = out if isinstance(out, str) else next(iter(out))
        assert Path(path).is_relative_to(folder), path


@pytest.mark.parametrize("name", STAGES)
def test_code_dependencies_are_exactly_what_the_stage_imports(
    name: str, graph: grimp.ImportGraph
) -> None:
    module = f"eilev.stages.{name}"
    imported = {module} | graph.find_upstream_modules(module)
    files = {_file(item) for item in imported if not (ROOT / item.replace(".", "/")).is_dir()}
    listed = {dep for dep in STAGES[name]["deps"] if dep.startswith("eilev/")}
    listed_code = {dep for dep in listed if dep.endswith(".py")}
    assert sorted(listed_code) == sorted(files)


def test_every_result_has_a_stage_that_writes_it() -> None:
    outs = {
        out if isinstance(out, str) else next(iter(out))
        for stage in STAGES.values()
        for out in [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]
    }
    constants = {value for name, value in vars(paths).items() if name.isupper()}
    for path in constants - {paths.DATA, paths.CHECKPOINTS}:
        assert any(path.is_relative_to(out) or Path(out).is_relative_to(path) for out in outs), path


def _file(module: str) -> str:
    return module.replace(".", "/") + ".py"
