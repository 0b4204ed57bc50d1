"""One engine and one service over the tiny bundle for all tests of the server."""

import base64
from collections.abc import Iterator

import pytest

from eilev.bundle.onnx_engine import OnnxEngine
from eilev.serving.service import Service
from tests.videos import write_video


@pytest.fixture(scope="session")
def service(engine: OnnxEngine) -> Iterator[Service]:
    service = Service.start(engine, num_decoders=1)
    yield service
    service.decoders.close()


@pytest.fixture(scope="session")
def video_urls(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three different MP4 files as data URLs."""
    folder = tmp_path_factory.mktemp("videos")
    files = [write_video(folder / f"{i}.mp4", num_frames=8 + 4 * i) for i in range(3)]
    return [data_url(file.read_bytes()) for file in files]


def data_url(content: bytes, kind: str = "video/mp4") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
