import subprocess
import sys

import pytest
import yaml

from eilev.config.section import ParamsError
from eilev.stages.launch import command
from tests.kitchen import tiny_train_config

# A name that a shell would take apart.
NAME = "the cook's $HOME\n`launch` file.yaml"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = tiny_train_config().model_dump(mode="json") | {"launch": NAME}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"train": section}))
    return tmp_path


def test_the_named_file_starts_what_is_asked_for(folder):
    settings = {"num_processes": 1, "mixed_precision": "no", "use_cpu": True}
    (folder / NAME).write_text(yaml.safe_dump(settings | {"distributed_type": "NO"}))
    (folder / "hello.py").write_text("import sys; print(sys.argv[1:])")
    launch = [sys.executable, "-m", "eilev.stages.launch", "hello.py", "it's", "$HOME"]
    done = subprocess.run(launch, capture_output=True, text=True, check=False)
    assert done.stdout == "[\"it's\", '$HOME']\n", done.stderr


def test_a_missing_file_is_named(folder):
    with pytest.raises(ParamsError, match="no such file"):
        command([])
