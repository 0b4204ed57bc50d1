"""The benchmark of sizes has parameters of its own, which the stages must take."""

from pathlib import Path

import pytest
import yaml

from benchmarks.size import make_params
from eilev.config.params import load_params


def test_the_stages_take_the_parameters_of_the_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(make_params()))
    load_params()
