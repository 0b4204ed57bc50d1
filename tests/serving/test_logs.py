"""What a server writes of its requests."""

from tests.serving.asking import URL, body


def test_a_request_keeps_its_id(client, video_urls, caplog):
    caplog.set_level("INFO", "eilev.serving")
    response = client.post(URL, json=body(video_urls[0]), headers={"X-Request-ID": "mine-1"})
    assert response.headers["x-request-id"] == "mine-1"
    assert client.get("/health").headers["x-request-id"]
    strange = client.get("/health", headers={"X-Request-ID": "a b<script>"})
    assert strange.headers["x-request-id"] != "a b<script>"
    (line,) = [record for record in caplog.records if record.message.startswith("answered")]
    assert line.completion_tokens == response.json()["usage"]["completion_tokens"]
