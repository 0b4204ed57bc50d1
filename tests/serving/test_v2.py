"""The Open Inference Protocol, asked by Triton's own client over real HTTP."""

import base64
import shutil

import httpx
import numpy as np
import pytest
import tritonclient.http
from fastapi.testclient import TestClient
from tritonclient.utils import InferenceServerException

from benchmarks.running import serve
from tests.serving.conftest import make_app
from tests.serving.running import client_of, few_shot
from tests.tiny import NARRATIONS


@pytest.fixture(scope="module")
def server(tiny_bundle, tmp_path_factory):
    folder = shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("v2") / "bundle")
    with serve(folder, "--may-load", "true") as server:
        yield server, folder


@pytest.fixture(scope="module")
def triton(server):
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{server[0].port}") as client:
        yield client


def tensor(name, items, *, binary):
    given = tritonclient.http.InferInput(name, [len(items)], "BYTES")
    given.set_data_from_numpy(np.array(items, dtype=np.object_), binary_data=binary)
    return given


@pytest.mark.parametrize("binary", [True, False])
def test_tritons_client_gets_the_same_narration(server, triton, video_urls, binary):
    files = [base64.b64decode(url.split(",")[1]) for url in video_urls]
    videos = files if binary else [base64.b64encode(file).decode().encode() for file in files]
    inputs = [
        tensor("videos", videos, binary=binary),
        tensor("narrations", [text.encode() for text in NARRATIONS[:2]], binary=binary),
    ]
    wanted = tritonclient.http.InferRequestedOutput("narration", binary_data=binary)
    result = triton.infer("eilev", inputs, outputs=[wanted], request_id="7")
    assert result.get_response()["id"] == "7"
    (narration,) = result.as_numpy("narration")
    chat = client_of(server[0]).chat.completions.create(
        model="eilev", messages=few_shot(video_urls)
    )
    text = narration.decode() if isinstance(narration, bytes) else narration
    assert text == chat.choices[0].message.content
    assert result.get_response()["model_version"] == chat.system_fingerprint


def test_it_says_what_it_is(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("eilev")
    assert "binary_tensor_data" in triton.get_server_metadata()["extensions"]
    names = [one["name"] for one in triton.get_model_metadata("eilev")["inputs"]]
    assert names == ["videos", "narrations", "prompt"]
    assert [one["name"] for one in triton.get_model_repository_index()] == ["eilev"]


def test_wrong_requests_say_what_is_wrong(triton, video_urls):
    videos = [url.encode() for url in video_urls]
    with pytest.raises(InferenceServerException, match="3 videos and 0 narrations"):
        triton.infer("eilev", [tensor("videos", videos, binary=True)])
    with pytest.raises(InferenceServerException, match="no input 'pixels'"):
        triton.infer("eilev", [tensor("pixels", videos, binary=False)])
    with pytest.raises(InferenceServerException, match="does not exist"):
        triton.infer("other", [tensor("videos", videos[:1], binary=True)])


@pytest.mark.parametrize("header", ["-1", "9999999", "x", "5"])
def test_a_wrong_length_of_the_header_is_refused(models, decoders, header):
    client = TestClient(make_app(models, decoders))
    headers = {"Inference-Header-Content-Length": header}
    response = client.post("/v2/models/eilev/infer", content=b'{"inputs": []}', headers=headers)
    assert response.status_code == 400
    assert isinstance(response.json()["error"], str)


def test_a_bundle_is_loaded_again_only_where_that_is_allowed(
    server, triton, models, decoders, llama_bundle
):
    closed = TestClient(make_app(models, decoders))
    assert closed.post("/v2/repository/models/eilev/load").status_code == 404
    url, folder = f"{server[0].url}/v2/repository/models/eilev/load", server[1]
    before = triton.get_model_metadata("eilev")["versions"]
    (folder / "decoder.onnx").write_bytes(b"nonsense")
    refused = httpx.post(url)
    assert refused.status_code == 422
    assert "the earlier model stays" in refused.json()["error"]
    shutil.rmtree(folder)
    shutil.copytree(llama_bundle, folder)
    triton.load_model("eilev")
    assert triton.get_model_metadata("eilev")["versions"] != before
