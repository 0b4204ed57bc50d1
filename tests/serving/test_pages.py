"""The page's files over HTTP, and that they are what they are said to be."""

import hashlib
import json
import re

import pytest
from fastapi.testclient import TestClient

from eilev.serving.pages import STATIC
from tests.serving.conftest import make_app

VENDOR = STATIC / "vendor"


@pytest.fixture(scope="module")
def client(models, decoders) -> TestClient:
    return TestClient(make_app(models, decoders, api_key=["secret"]))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/main.js", "text/javascript; charset=utf-8"),
        ("/page/vendor/pico.css", "text/css; charset=utf-8"),
        ("/page/icon.svg", "image/svg+xml"),
        ("/page/examples/index.json", "application/json"),
        ("/page/examples/pull-bag-1.mp4", "video/mp4"),
    ],
)
def test_files_need_no_key_and_are_fetched_once(client, path, kind):
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    head = client.head(path)
    assert head.headers["content-length"] == str(len(answer.content))
    assert not head.content
    again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_what_is_not_there_is_refused_as_elsewhere(client):
    assert client.get("/page/nothing.js").status_code == 404
    assert client.get("/page/nothing.js").json()["error"]["message"].startswith("GET /page/")
    assert client.get("/page/..%2fpages.py").status_code == 404
    assert client.get("/v1/models").status_code == 401


def test_the_page_has_no_script_or_style_of_its_own_and_names_what_exists():
    text = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", text)
    named = re.findall(r'(?:src|href)="page/([^"]+)"', text)
    assert named
    for script in STATIC.glob("*.js"):
        named += re.findall(r'from "\./([^"]+)"', script.read_text())
        assert not re.search(r"innerHTML|dangerously|\beval\b", script.read_text()), script.name
    assert all((STATIC / name).is_file() for name in named)


def test_vendored_files_are_the_packages_own():
    packages = json.loads((VENDOR / "vendored.json").read_text())
    files = {name: file for package in packages for name, file in package["files"].items()}
    assert {path.name for path in VENDOR.iterdir()} == {"vendored.json", *files}
    for name, file in files.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == file["sha256"], name
    for package in packages:
        assert any(name.startswith("LICENSE.") for name in package["files"])
