"""dvc.yaml, params.yaml, the stages and the data folders agree with each other."""

from pathlib import Path

import pytest
import yaml

from eilev import paths
from eilev.config.clips import ClipsConfig
from eilev.config.params import Params, load_params
from eilev.release.registry import ARTIFACT

ROOT = Path(__file__).parents[2]
DVC_YAML = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = DVC_YAML["stages"]


def _sections() -> set[str]:
    return {field.alias or name for name, field in Params.model_fields.items()}


def test_one_name_for_stage_section_and_module() -> None:
    modules = {path.stem for path in (ROOT / "eilev/stages").glob("*.py")}
    others = {"__init__", "inventory", "launch", "runner", "watched"}
    # What comes after the pipeline: the gate, `eilev release`, and `eilev drift`.
    assert set(STAGES) == _sections() - {"release", "drift"} == modules - others


def test_committed_params_are_valid() -> None:
    load_params(ROOT / "params.yaml")


def test_what_is_released_is_the_bundle() -> None:
    assert DVC_YAML["artifacts"][ARTIFACT]["path"] == paths.BUNDLE.as_posix()


def test_what_takes_long_has_a_run_cache() -> None:
    """DVC has none for a stage of which an output persists."""
    persist = {
        name
        for name, stage in STAGES.items()
        for out in [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
        if isinstance(out, dict) and any(options.get("persist") for options in out.values())
    }
    assert set(STAGES) - persist == {"synthesize", "clips", "train", "evaluate"}


@pytest.mark.parametrize("name", STAGES)
def test_command_runs_the_stage_module(name: str) -> None:
    assert STAGES[name]["cmd"].endswith(f"-m eilev.stages.{name}")


@pytest.mark.parametrize("file", ["dvc.yaml", "inventory/dvc.yaml"])
def test_no_parameter_passes_through_a_shell(file: str) -> None:
    stages = yaml.safe_load((ROOT / file).read_text())["stages"].values()
    assert not [stage["cmd"] for stage in stages if "$" in stage["cmd"]]


def _keys_of_clips() -> list[str]:
    return [f"clips.{name}" for name in ClipsConfig.model_fields if name not in ClipsConfig.FREE]


def test_where_clips_are_decoded_makes_nothing_stale() -> None:
    ablations = yaml.safe_load((ROOT / "experiments/ablations/dvc.yaml").read_text())["stages"]
    for stage in [*STAGES.values(), *ablations.values()]:
        keys = {key for key in stage.get("params", []) if isinstance(key, str)}
        assert {key for key in keys if key.startswith("clips")} <= {*_keys_of_clips()}
    assert {*_keys_of_clips()} <= {*STAGES["export"]["params"]}


@pytest.mark.parametrize("name", STAGES)
def test_stage_depends_on_its_own_section_and_writes_its_own_folder(name: str) -> None:
    stage = STAGES[name]
    own = _keys_of_clips() if name == "clips" else [name]
    assert stage["params"][: len(own)] == own
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
