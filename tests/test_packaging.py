"""The files around the code agree with it and with one another."""

import importlib.util
import json
import re
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PROSE = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def pythons() -> list[str]:
    """What `requires-python` allows."""
    bounds = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"])
    assert bounds
    return [f"3.{minor}" for minor in range(int(bounds[1]), int(bounds[2]))]


def instructions(dockerfile: Path, name: str) -> list[str]:
    """The arguments of each instruction of that name."""
    lines = dockerfile.read_text().splitlines()
    joined = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return re.findall(rf"^{name} (.*)$", joined, re.M)


def ignored(path: str) -> bool:
    """Whether .dockerignore, of which the last match counts, keeps a path from Docker."""
    answer = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and fnmatch(path, line.removeprefix("!")):
            answer = not line.startswith("!")
    return answer


def test_the_workflow_runs_what_ci_runs_on_every_python() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == pythons()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    assert (ROOT / ".ci" / "run").is_file()
    actions = [step["uses"] for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in actions)


def test_the_readme_names_the_pythons() -> None:
    *earlier, last = pythons()
    assert f"Python {', '.join(earlier)} or {last}" in (ROOT / "README.md").read_text()


def make(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "Makefile", folder)
    command = ["make", "-C", str(folder), ".venv/bin/python", f"PYTHON={python}"]
    return subprocess.run(command, check=False, text=True, capture_output=True)


def test_make_takes_the_pythons_that_the_package_takes(tmp_path: Path) -> None:
    first, last = (tuple(map(int, version.split("."))) for version in (pythons()[0], pythons()[-1]))
    condition = f"{first} <= sys.version_info < {(last[0], last[1] + 1)}"
    assert condition in (ROOT / "Makefile").read_text()
    result = make(tmp_path, "false")
    *earlier, latest = pythons()
    assert result.returncode != 0
    assert f"needs Python {', '.join(earlier)} or {latest}; PYTHON=false is not" in result.stderr


def test_make_leaves_no_half_made_environment(tmp_path: Path) -> None:
    # What Debian's python3 does without python3-venv.
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && exit 0\nmkdir -p .venv/bin\n: > .venv/bin/python\nexit 1\n'
    )
    python.chmod(0o755)
    assert make(tmp_path, str(python)).returncode != 0
    assert not (tmp_path / ".venv").exists()


def test_targets_that_texts_name_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    for path in PROSE:
        named = re.findall(r"(?:^|`)make ([a-z-]+)", path.read_text(), re.M)
        assert targets.issuperset(named), path.name


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfiles_name_what_exists(dockerfile: Path) -> None:
    for arguments in instructions(dockerfile, "COPY"):
        for source in arguments.split()[:-1]:
            assert (ROOT / source).exists()
            assert not ignored(source)
    for arguments in instructions(dockerfile, "RUN"):
        for extras in re.findall(r"'\.\[(.*?)\]'", arguments):
            assert PROJECT["optional-dependencies"].keys() >= set(extras.split(","))
    assert f"python:{pythons()[0]}-" in instructions(dockerfile, "FROM")[0]


def test_the_server_s_image_starts_the_server() -> None:
    dockerfile = ROOT / "docker" / "server.Dockerfile"
    (command,) = map(json.loads, instructions(dockerfile, "ENTRYPOINT"))
    program, subcommand = command[:2]
    module, _, function = PROJECT["scripts"][program].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert importlib.util.find_spec(f"eilev.commands.{subcommand}")
    (port,) = instructions(dockerfile, "EXPOSE")
    assert command[command.index("--port") + 1] == port
    assert f"http://127.0.0.1:{port}/health" in instructions(dockerfile, "HEALTHCHECK")[0]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    (paper,) = citation["references"]
    assert paper["url"] in (ROOT / "README.md").read_text()


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert versions[0] == PROJECT["version"]
