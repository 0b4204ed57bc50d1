"""Bundles beside each other and in each other's place, asked through the application."""

import asyncio
import shutil
import threading

import numpy as np
import pytest
from fastapi.testclient import TestClient

from eilev.bundle.manifest import BundleError
from eilev.serving.models import Models
from eilev.serving.settings import Settings
from tests.serving.asking import URL, body, text_of
from tests.serving.conftest import make_app


def test_two_models_answer_by_their_ids(tiny_bundle, llama_bundle, decoders, video_urls):
    folders = {"small": tiny_bundle, "llama": llama_bundle}
    models = Models(folders, Settings(num_threads=1))
    client = TestClient(make_app(models, decoders))
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == [*folders]
    answers = {
        name: text_of(client.post(URL, json=body(video_urls[0], model=name, max_tokens=8)))
        for name in folders
    }
    assert answers["small"] != answers["llama"]
    assert client.post(URL, json=body(video_urls[0])).status_code == 404
    models.close()


def test_a_model_is_replaced_while_it_answers(
    tiny_bundle, llama_bundle, decoders, video_urls, tmp_path
):
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    models = Models({"eilev": folder}, Settings(num_threads=1))
    client = TestClient(make_app(models, decoders))
    request = body(video_urls[0], max_tokens=8)
    before = text_of(client.post(URL, json=request))
    found, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            found.append(text_of(client.post(URL, json=request)))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    shutil.rmtree(folder)
    with pytest.raises(BundleError, match="no such file"):
        asyncio.run(models.reload("eilev"))
    assert text_of(client.post(URL, json=request)) == before
    shutil.copytree(llama_bundle, folder)
    asyncio.run(models.reload("eilev"))
    after = text_of(client.post(URL, json=request))
    stop.set()
    for thread in threads:
        thread.join()
    assert after != before
    assert set(found) == {before, after}
    models.close()


def test_examples_that_come_together_are_all_kept(tiny_bundle):
    models = Models({"eilev": tiny_bundle}, Settings(num_threads=1))
    model = models["eilev"]
    manifest = model.engine.manifest
    clip = np.ones((1, manifest.num_query_tokens, manifest.hidden_size), np.float32)

    async def add():
        return await asyncio.gather(*(model.add_example(str(n), n * clip) for n in range(8)))

    added = asyncio.run(add())
    assert [*model.bank.examples] == added
    assert [one.id for one in added] == [f"added {number + 1}" for number in range(8)]
    assert model.bank.features[:, 0, 0].tolist() == [*range(8)]
    models.close()


def test_a_server_that_is_stopping_says_so(tiny_bundle, decoders, video_urls):
    models = Models({"eilev": tiny_bundle}, Settings(num_threads=1))
    client = TestClient(make_app(models, decoders))
    models.close()
    response = client.post(URL, json=body(video_urls[0]))
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "stopping"
