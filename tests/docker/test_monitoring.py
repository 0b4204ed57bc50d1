"""Dashboard, scrape configuration and alerts, against a real model server and a real Prometheus."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.running import Server, free_port
from tests.conftest import ROOT
from tests.serving.conftest import server, video_urls  # noqa: F401
from tests.serving.running import client_of, few_shot
from tools.dashboard import FILE, render

CONFIG = ROOT / "docker/prometheus/prometheus.yml"
ALERTS = ROOT / "docker/prometheus/alerts.yml"
WAIT_S = 90
installed = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")),
    reason="Prometheus is not installed (Debian: apt-get install prometheus)",
)


def of_the_dashboard() -> list[tuple[str, str]]:
    """Its legends and their PromQL."""
    dashboard = json.loads((ROOT / FILE).read_text())
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
    return [(target["legendFormat"], target["expr"]) for target in targets]


def of_the_alerts() -> list[str]:
    """Theirs, which gives a result only where something is wrong."""
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule["expr"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def asked(server: Server, video_urls: list[str]) -> Server:  # noqa: F811
    """A server that has answered at once and in pieces, and has refused."""
    ask(server, video_urls)
    return server


def ask(server: Server, video_urls: list[str]) -> None:  # noqa: F811
    create = client_of(server).chat.completions.create
    messages: Any = few_shot(video_urls)
    create(model="eilev", messages=messages)
    list(create(model="eilev", messages=messages, stream=True))
    assert httpx.post(f"{server.url}/v1/chat/completions", json={}).status_code == 400


def test_the_dashboard_is_what_its_table_says() -> None:
    assert (ROOT / FILE).read_text() == render(), "`python -m tools.dashboard` writes it"


def test_the_server_has_every_metric_that_is_named(asked: Server) -> None:
    text = httpx.get(f"{asked.url}/metrics").text
    samples = {
        sample.name for one in text_string_to_metric_families(text) for sample in one.samples
    }
    expressions = [query for _, query in of_the_dashboard()] + of_the_alerts()
    named = {name for one in expressions for name in re.findall(r"\b(?:eilev|process)_\w+", one)}
    assert len(named) > 10
    assert named - samples == set()


@installed
def test_promtool_takes_configuration_and_alerts() -> None:
    tests = ROOT / "tests/docker/alerts.test.yml"
    for check in (
        ["check", "config", CONFIG],
        ["check", "rules", ALERTS],
        ["test", "rules", tests],
    ):
        done = subprocess.run(["promtool", *check], capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"


@installed
def test_every_expression_of_the_dashboard_gives_a_result(
    asked: Server,
    video_urls: list[str],  # noqa: F811
    tmp_path: Path,
) -> None:
    with prometheus(asked, tmp_path) as url:
        wait_until(lambda: result(url, 'count_over_time(up{job="eilev"}[1m]) > 1'))
        ask(asked, video_urls)  # a rate wants something between two readings
        for legend, expression in of_the_dashboard():
            query = expression.replace("$__rate_interval", "1m")
            wait_until(partial(result, url, query))
            assert "{{" in legend or len(result(url, query)) == 1, query


@contextmanager
def prometheus(server: Server, folder: Path) -> Iterator[str]:  # noqa: F811
    """A Prometheus with our configuration, but for the server's address and the pace."""
    config = yaml.safe_load(CONFIG.read_text())
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{server.port}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    shutil.copy(ALERTS, folder)
    port = free_port()
    options = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "warn",
    }
    command = ["prometheus", *(f"--{name}={value}" for name, value in options.items())]
    process = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: is_ready(url))
        yield url
    finally:
        process.terminate()
        process.wait(timeout=WAIT_S)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").is_success
    except httpx.TransportError:
        return False


def result(url: str, expression: str) -> list[Any]:
    """What Prometheus answers; it fails for what it can't parse."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": expression}).json()
    assert answer["status"] == "success", answer
    found: list[Any] = answer["data"]["result"]
    return found


def wait_until(come: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not come():
        assert time.monotonic() < deadline, come
        time.sleep(0.2)
