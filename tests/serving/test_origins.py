"""What pages of other origins may ask of a server."""

import json

import pytest
from fastapi.testclient import TestClient

from tests.serving.asking import URL, body
from tests.serving.conftest import make_app


def test_web_pages_may_call_where_they_are_allowed(models, decoders):
    origin = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    closed = TestClient(make_app(models, decoders))
    assert "access-control-allow-origin" not in closed.options(URL, headers=origin).headers
    open_ = TestClient(make_app(models, decoders, cors_origin=["https://a.example"]))
    allowed = open_.options(URL, headers=origin).headers["access-control-allow-origin"]
    assert allowed == "https://a.example"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://testserver"}, 200),
        ({"Origin": "https://a.example"}, 200),
        ({"Origin": "https://proxied.example", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://b.example"}, 403),
        ({"Origin": "https://b.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://testserver.b.example"}, 403),
    ],
)
def test_web_pages_of_others_make_it_do_nothing(models, decoders, video_urls, headers, status):
    app = make_app(models, decoders, cors_origin=["https://a.example"], may_load=True)
    client = TestClient(app)
    # A browser sends this type to any server, without asking it first.
    headers = headers | {"Content-Type": "text/plain"}
    text = json.dumps(body(video_urls[0]))
    assert client.post(URL, content=text, headers=headers).status_code == status
    assert client.get("/v1/models", headers=headers).status_code == 200
    if status == 403:
        refused = client.post("/v2/repository/models/eilev/load", headers=headers)
        assert refused.status_code == 403
