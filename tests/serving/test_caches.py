"""What a server keeps of videos and contexts."""

from fastapi.testclient import TestClient

from eilev.serving.models import Models
from eilev.serving.settings import Settings
from tests.serving.asking import URL, body
from tests.serving.conftest import make_app
from tests.tiny import NARRATIONS


def test_what_is_kept_changes_no_answer_and_is_counted(tiny_bundle, decoders, video_urls):
    models = Models({"eilev": tiny_bundle}, Settings(num_threads=1))
    client = TestClient(make_app(models, decoders))

    def ask(*parts):
        answer = client.post(URL, json=body(*parts, max_tokens=8, logprobs=True)).json()
        return answer["choices"], answer["usage"]

    def lookups(name):
        lines = client.get("/metrics").text.splitlines()
        (line,) = [
            line
            for line in lines
            if line.startswith(f"eilev_cache_{name}_total") and 'cache="context"' in line
        ]
        return float(line.split()[-1])

    few_shot = [video_urls[0], NARRATIONS[0], video_urls[1], NARRATIONS[1]]
    queries = [ask(*few_shot, url) for url in video_urls]
    assert (lookups("queries"), lookups("hits")) == (3, 2)
    assert [ask(*few_shot, url) for url in video_urls] == queries
    assert lookups("hits") == 5
    cold = Models({"eilev": tiny_bundle}, Settings(num_threads=1))
    client = TestClient(make_app(cold, decoders))
    assert [ask(*few_shot, url)[1] for url in reversed(video_urls)] == [
        usage for _, usage in reversed(queries)
    ]
    models.close()
    cold.close()
