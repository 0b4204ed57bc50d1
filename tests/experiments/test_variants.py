from pathlib import Path

import pytest
import yaml

from eilev.config.params import Params, load_params
from eilev.config.section import ParamsError
from eilev.experiments import variants
from eilev.io import write_json

ROOT = Path(__file__).parents[2]
VARIANTS = yaml.safe_load((ROOT / variants.VARIANTS).read_text())
MATRIX = yaml.safe_load((ROOT / "experiments/ablations/dvc.yaml").read_text())["stages"]["variant"][
    "matrix"
]


@pytest.fixture
def base(monkeypatch):
    monkeypatch.chdir(ROOT)
    return yaml.safe_load(Path("params.yaml").read_text())


def test_the_pipeline_has_every_variant_and_three_seeds():
    assert MATRIX["name"] == list(VARIANTS)
    assert len(set(MATRIX["seed"])) >= 3


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_valid_and_changes_what_it_says(base, variant, tmp_path):
    params = variants.variant_params(base, variant, seed=7)
    variants.prepare(tmp_path, params)
    config: Params = load_params(tmp_path / "params.yaml")
    assert config.episodes.seed == config.train.seed == 7
    assert config.split.seed == base["split"]["seed"]
    assert (tmp_path / "data/split").is_symlink()
    assert (tmp_path / config.train.launch).samefile(config.train.launch)
    changed = {key for key in VARIANTS[variant] if _at(params, key) != _at(base, key)}
    assert changed == set(VARIANTS[variant])


def _at(params, key):
    for part in key.split("."):
        params = params[int(part) if part.isdigit() else part]
    return params


def test_a_launch_file_elsewhere_stays_there(base, tmp_path):
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text("num_processes: 1")
    base["train"]["launch"] = str(elsewhere)
    variants.prepare(tmp_path / "run", variants.variant_params(base, "default", 0))
    assert elsewhere.read_text() == "num_processes: 1"


def test_unknown_variants_and_keys_are_named(base, tmp_path, monkeypatch):
    with pytest.raises(ParamsError, match="no variant 'no_such'"):
        variants.variant_params(base, "no_such", 0)
    bad = tmp_path / "variants.yaml"
    bad.write_text("mine: {train.nosuch: 1}")
    monkeypatch.setattr(variants, "VARIANTS", bad)
    with pytest.raises(ParamsError, match=r"'mine' changes 'train\.nosuch'"):
        variants.variant_params(base, "mine", 0)


def test_a_failing_stage_leaves_no_metrics(base, tmp_path, monkeypatch, capfd):
    """Without narrations the first stage fails, names the file, and nothing is written."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(base))
    (tmp_path / variants.VARIANTS).write_text("default: {}")
    (tmp_path / "data").mkdir()
    write_json({}, tmp_path / "data/mine/metrics/other-0.json")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "sys.argv", ["run", "--variant", "default", "--seed", "0", "--into", "data/mine"]
    )
    with pytest.raises(SystemExit) as stopped:
        variants.main()
    assert stopped.value.code == 1
    assert "narrations.parquet" in capfd.readouterr().err
    assert [path.name for path in Path("data/mine/metrics").iterdir()] == ["other-0.json"]
