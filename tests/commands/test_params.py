import shutil
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


def test_explains_a_key_with_its_values_here_and_in_the_papers_profile(folder, capsys):
    main(["params", "--write", "train.phases.1.guidance=0.5"])
    capsys.readouterr()
    main(["params", "--explain", "train.phases.1.guidance"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "train.phases.guidance: number, 0 or more"
    assert [line.split() for line in lines[1:3]] == [
        ["params.yaml", "0.5"],
        [],
    ]
    assert "binding" in " ".join(lines[2:])


def test_explains_a_key_of_a_composition(folder, capsys):
    main(["params", "--explain", "clips.window_s", "data=ego4d"])
    assert capsys.readouterr().out.splitlines()[1].split() == ["data=ego4d", "8.0"]


def test_an_unknown_key_is_refused(folder):
    with pytest.raises(SystemExit, match=r"error: .*did you mean train\.phases\.guidance\?"):
        main(["params", "--explain", "train.guidence", "data=ego4d"])


def test_writes_the_page_and_the_schemas(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "conf", tmp_path / "conf", ignore=shutil.ignore_patterns("*.json"))
    monkeypatch.chdir(tmp_path)
    main(["params", "--docs"])
    written = capsys.readouterr().out.split()
    assert written == ["docs/params.md", "params.schema.json", "conf/profile.schema.json"]
    for path in written:
        assert Path(path).read_text() == (ROOT / path).read_text()
    with pytest.raises(SystemExit, match="--docs is about the default: leave out data=ego4d"):
        main(["params", "--docs", "data=ego4d"])
