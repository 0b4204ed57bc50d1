"""A server that answers bearers of its keys only."""

from fastapi.testclient import TestClient

from tests.serving.asking import URL, body, error_of
from tests.serving.conftest import make_app


def test_only_bearers_of_a_key_are_answered(models, decoders, video_urls):
    client = TestClient(make_app(models, decoders, api_key="one,two"))
    request = body(video_urls[0])
    for headers in ({}, {"Authorization": "Bearer three"}, {"Authorization": "Basic b25l"}):
        response = client.post(URL, json=request, headers=headers)
        assert response.status_code == 401
        assert error_of(response)["code"] == "invalid_api_key"
    for key in ("one", "two"):
        headers = {"Authorization": f"Bearer {key}"}
        assert client.post(URL, json=request, headers=headers).status_code == 200
        assert client.get("/v1/models", headers=headers).status_code == 200
    assert client.get("/v1/models").status_code == 401
    assert client.get("/health").status_code == 200
