"""The services of compose.yaml: what no Docker engine is needed for."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.local import LEASES
from tests.conftest import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: Mapping[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (ROOT / ".env.example").read_text()
SECRET = re.compile(r"PASSWORD|AUTH_STRING|API_KEY")
services = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))


def dockerfile(service: Mapping[str, Any]) -> str:
    """Of a service that is built here; nothing for the others."""
    return (ROOT / service["build"]["dockerfile"]).read_text() if "build" in service else ""


@services
def test_images_are_of_one_version(service: Mapping[str, Any]) -> None:
    assert "build" in service or re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", service["image"])


@services
def test_no_service_is_root(service: Mapping[str, Any]) -> None:
    users = [service.get("user"), *re.findall(r"^USER (\w+)$", dockerfile(service), re.MULTILINE)]
    assert any(users)
    assert not any(str(user).startswith(("0", "root")) for user in users)
    assert service["cap_drop"] == ["ALL"]


@services
def test_a_service_that_stays_tells_whether_it_is_well(service: Mapping[str, Any]) -> None:
    told = "healthcheck" in service or "HEALTHCHECK" in dockerfile(service)
    assert told or service["restart"] == "no"


@services
def test_ports_are_this_machines_own(service: Mapping[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@services
def test_secrets_are_in_no_file(service: Mapping[str, Any]) -> None:
    environment = service.get("environment", {})
    told = {name: value for name, value in environment.items() if SECRET.search(name)}
    assert all(re.fullmatch(r"\$\{\w+(:\?.*|:-)\}", value) for value in told.values())


def test_the_example_has_every_variable_and_no_secret() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    given = dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert set(given) == used
    asked = set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text()))
    assert {name for name in asked if given[name]} == set()
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


@services
def test_what_is_mounted_is_there(service: Mapping[str, Any]) -> None:
    sources = [volume.split(":")[0] for volume in service.get("volumes", [])]
    assert all(
        (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
        for source in sources
    )


def test_a_restart_of_prefects_server_ends_no_run() -> None:
    environment = SERVICES["prefect"]["environment"]
    assert environment["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"] == LEASES
    assert f"prefect:{environment['PREFECT_HOME']}" in SERVICES["prefect"]["volumes"]


def test_compose_takes_it(tmp_path: Path) -> None:
    command = compose_command()
    if command is None:
        pytest.skip("no Compose is installed (Debian: apt-get install docker-compose)")
    filled = re.sub(r"^(\w+)=$", r"\1=x:y", EXAMPLE, flags=re.MULTILINE)
    (tmp_path / "filled").write_text(filled)
    for name, status in (("filled", 0), (str(ROOT / ".env.example"), 1)):
        config = [*command, "--env-file", str(tmp_path / name), "config", "--quiet"]
        done = subprocess.run(config, cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode != 0) == bool(status), done.stderr
    assert "in .env" in done.stderr


def compose_command() -> list[str] | None:
    """Docker's own Compose, else the one before."""
    plugin = ["docker", "compose"]
    if (
        shutil.which("docker")
        and not subprocess.run([*plugin, "version"], capture_output=True).returncode
    ):
        return plugin
    return ["docker-compose"] if shutil.which("docker-compose") else None
