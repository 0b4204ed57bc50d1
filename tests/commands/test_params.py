from pathlib import Path

import pytest

from eilev.cli import main
from eilev.config.compose import compose_params
from eilev.config.params import load_params

ROOT = Path(__file__).parents[2]
PROFILE = ["data=ego4d", "model=blip2-opt-2.7b", "recipe=videoblip"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_prints_the_composition(folder, capsys):
    main(["params", *PROFILE])
    assert capsys.readouterr().out == compose_params(PROFILE)[0]
    assert not (folder / "params.yaml").exists()


def test_writes_what_the_stages_read(folder):
    main(["params", "--write", *PROFILE])
    assert load_params() == compose_params(PROFILE)[1]


def test_a_bad_profile_changes_nothing(folder):
    (folder / "params.yaml").write_text("as it was")
    with pytest.raises(SystemExit, match="Could not find 'model/gpt'"):
        main(["params", "--write", "model=gpt"])
    assert (folder / "params.yaml").read_text() == "as it was"
