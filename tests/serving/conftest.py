"""One model and one decoding process for all tests of the server."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from benchmarks.running import Server, serve
from eilev.clips.limits import Limits
from eilev.serving.answering import Answering
from eilev.serving.api import create_app
from eilev.serving.decoding import DecoderPool, Decoding
from eilev.serving.fetching import Fetcher
from eilev.serving.models import Models
from eilev.serving.settings import Settings
from tests.videos import write_video


@pytest.fixture(scope="session")
def models(tiny_bundle: Path) -> Iterator[Models]:
    models = Models({"eilev": tiny_bundle}, Settings(num_threads=1))
    yield models
    models.close()


@pytest.fixture(scope="session")
def decoders() -> Iterator[DecoderPool]:
    decoders = DecoderPool(1, Decoding(Limits()))
    yield decoders
    decoders.close()


@pytest.fixture(scope="session")
def server(tiny_bundle: Path) -> Iterator[Server]:
    """One process for all tests that ask over real HTTP and leave it as it was."""
    with serve(tiny_bundle) as server:
        yield server


@pytest.fixture(scope="module")
def client(models: Models, decoders: DecoderPool) -> TestClient:
    # Not as a context manager: that would end models and decoders, which other tests use.
    return TestClient(make_app(models, decoders, max_body_mib=1))


def make_app(models: Models, decoders: DecoderPool, **settings: object) -> FastAPI:
    """An application over them; it is not started as one, which would end them with it."""
    told = Settings(**settings)
    return create_app(models, make_answering(decoders, told), told)


def make_answering(decoders: DecoderPool, told: Settings, **changed: object) -> Answering:
    """What answers by these settings, or by bounds that no setting may have."""
    bounds = {"max_requests": told.max_requests, "timeout_s": told.answer_timeout_s}
    return Answering(decoders, Fetcher(told.fetching), told.limits, **(bounds | changed))


@pytest.fixture(scope="session")
def video_urls(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three different MP4 files as data URLs."""
    folder = tmp_path_factory.mktemp("videos")
    files = [write_video(folder / f"{i}.mp4", num_frames=8 + 4 * i) for i in range(3)]
    return [data_url(file.read_bytes()) for file in files]


def data_url(content: bytes, kind: str = "video/mp4") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
