"""dvc.yaml, params.yaml, the stages and the data folders agree with each other."""

from pathlib import Path

import pytest
import yaml

from eilev import paths
from eilev.config.params import Params, load_params

ROOT = Path(__file__).parents[2]
DVC_YAML = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = DVC_YAML["stages"]


def _sections() -> set[str]:
    return {field.alias or name for name, field in Params.model_fields.items()}


def test_one_name_for_stage_section_and_module() -> None:
    modules = {path.stem for path in (ROOT / "eilev/stages").glob("*.py")}
    assert set(STAGES) == _sections() == modules - {"__init__", "inventory", "runner", "watched"}


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


def test_every_result_has_a_stage_that_writes_it() -> None:
    inventory = yaml.safe_load((ROOT / "inventory/dvc.yaml").read_text())["stages"]
    outs = {
        out if isinstance(out, str) else next(iter(out))
        for stage in [*STAGES.values(), *inventory.values()]
        for out in [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]
    }
    constants = {value for value in vars(paths).values() if isinstance(value, Path)}
    for path in constants - {paths.DATA, paths.CHECKPOINTS}:
        assert any(path.is_relative_to(out) or Path(out).is_relative_to(path) for out in outs), path
