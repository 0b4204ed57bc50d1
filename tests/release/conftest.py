"""A project with a bundle, and videos to ask about."""

import shutil

import pytest

from eilev.cli import main
from tests.release.projects import make_project
from tests.serving.conftest import video_urls  # noqa: F401


@pytest.fixture(scope="session")
def finished(tiny_bundle, tmp_path_factory):
    """A folder with the project and its remotes; copy it before changing it."""
    folder = tmp_path_factory.mktemp("releases")
    (folder / "project").mkdir()
    make_project(folder / "project", tiny_bundle)
    return folder


@pytest.fixture
def project(finished, tmp_path, monkeypatch):
    """The current folder: the project, nothing released."""
    root = shutil.copytree(finished, tmp_path / "work", symlinks=True) / "project"
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def eilev(capsys):
    """Runs a command that must work; gives what it prints."""

    def run(*arguments):
        capsys.readouterr()
        main(arguments)
        return capsys.readouterr().out

    return run


@pytest.fixture
def refusal():
    """Runs a command that must be refused; gives its one line."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert isinstance(ended.value.code, str)
        assert "\n" not in ended.value.code
        return ended.value.code

    return run
