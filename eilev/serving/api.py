"""HTTP server of a bundle, in the form of OpenAI's chat completions.

    python -m eilev.serving.api --bundle data/export/bundle --port 8000

POST /v1/chat/completions, GET /v1/models, GET /health, and GET /docs for people. It listens only
after a warm-up inference, so a server that answers is ready.
"""

import argparse
import asyncio
import socket
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from eilev.bundle.answers import Answer
from eilev.bundle.onnx_engine import OnnxEngine
from eilev.clips.limits import Limits
from eilev.serving.protocol import ApiError
from eilev.serving.replies import events, whole
from eilev.serving.service import MODEL_ID, Asked, Service
from eilev.serving.waiting import GONE, all_or_none, chain, last, unless_gone

T = TypeVar("T")

EXAMPLE = {
    "model": MODEL_ID,
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
                {"type": "text", "text": "The camera wearer cuts the onion."},
                {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
            ],
        }
    ],
}


@dataclass(frozen=True)
class Capacity:
    """How much the server takes on."""

    # Requests that are answered or wait for it; one more is told to come back (429).
    max_requests: int = 16
    # Of these, requests whose answers are written at the same time.
    num_workers: int = 2
    max_body_bytes: int = 64 * 2**20
    # Of all requests that are still arriving: these hold no place.
    max_arriving_bytes: int = 512 * 2**20
    # A client that sends slower than this is dropped.
    body_timeout_s: float = 60.0
    # From the last byte of a request to the last token of its answer.
    answer_timeout_s: float = 120.0


class Api:
    """The routes over a service."""

    def __init__(self, service: Service, capacity: Capacity):
        self._service = service
        self._capacity = capacity
        self._places = asyncio.Semaphore(capacity.max_requests)
        self._arriving = 0
        self._writers = ThreadPoolExecutor(capacity.num_workers)
        # What they do is wait for the decoding processes.
        self._decoders = ThreadPoolExecutor(service.decoders.num_workers)
        self._created = int(time.time())

    async def health(self) -> dict[str, str]:
        """The server is ready."""
        return {"status": "ok"}

    async def version(self) -> dict[str, Any]:
        """Of the server's code and of the model."""
        revision = self._service.engine.manifest.git_revision
        return {"version": metadata.version("eilev"), "model_revision": revision}

    async def models(self) -> dict[str, Any]:
        """The one model."""
        return {"object": "list", "data": [await self.model(MODEL_ID)]}

    async def model(self, model_id: str) -> dict[str, Any]:
        """A model by its id."""
        if model_id != MODEL_ID:
            message = f"model '{model_id}' does not exist; this server has '{MODEL_ID}'"
            raise ApiError(404, message, param="model", code="model_not_found")
        return {"id": MODEL_ID, "object": "model", "created": self._created, "owned_by": "eilev"}

    async def chat_completions(self, request: Request) -> Response:
        """Narrate the last clip, given clips with narrations before it."""
        asked = await asyncio.to_thread(self._service.understand, await self._read(request))
        pieces = self._answers(asked)
        if not asked.request.stream:
            return JSONResponse(whole(asked, await unless_gone(request, last(pieces))))
        # What is wrong with the videos shows before a stream begins.
        first = await unless_gone(request, anext(pieces))
        return StreamingResponse(
            events(asked, chain(first, pieces)), media_type="text/event-stream"
        )

    def close(self) -> None:
        """Finish the steps that are being worked on and end the decoding processes."""
        self._writers.shutdown(cancel_futures=True)
        self._decoders.shutdown(cancel_futures=True)
        self._service.decoders.close()

    async def _answers(self, asked: Asked) -> AsyncGenerator[list[Answer]]:
        """The answers after each token; between two of them the request can be given up."""
        if self._places.locked():
            message = f"{self._capacity.max_requests} requests are being answered; try again"
            raise ApiError(429, message, kind="rate_limit_error", code="server_busy")
        deadline = time.monotonic() + self._capacity.answer_timeout_s
        async with self._places:
            decoding = [
                self._in(self._decoders, deadline, self._service.clip, video)
                for video in asked.chat.videos
            ]
            clips = await all_or_none(decoding)
            writing = self._service.write(asked, clips)
            while (
                answers := await self._in(self._writers, deadline, next, writing, None)
            ) is not None:
                yield answers

    async def _in(
        self, threads: ThreadPoolExecutor, deadline: float, step: Callable[..., T], *args: Any
    ) -> T:
        """Run a step of a request in a thread."""
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await asyncio.get_running_loop().run_in_executor(threads, step, *args)
        except TimeoutError as error:
            most = self._capacity.answer_timeout_s
            message = f"the answer takes longer than {most:g} s"
            raise ApiError(504, message, kind="server_error", code="timeout") from error

    async def _read(self, request: Request) -> bytes:
        body = bytearray()
        most, most_of_all = self._capacity.max_body_bytes, self._capacity.max_arriving_bytes
        try:
            async with asyncio.timeout(self._capacity.body_timeout_s):
                async for chunk in request.stream():
                    body += chunk
                    self._arriving += len(chunk)
                    if len(body) > most:
                        raise ApiError(413, f"the request exceeds {most} bytes")
                    if self._arriving > most_of_all:
                        message = "too many requests are arriving; try again"
                        raise ApiError(429, message, kind="rate_limit_error", code="server_busy")
        except TimeoutError as error:
            raise ApiError(408, "the request takes too long to arrive") from error
        except ClientDisconnect as error:
            raise ApiError(400, GONE) from error
        finally:
            self._arriving -= len(body)
        return bytes(body)


def create_app(service: Service, capacity: Capacity, cors_origins: Sequence[str] = ()) -> FastAPI:
    """The application; it owns `service` from here on.

    Args:
        service: what answers.
        capacity: how much it takes on.
        cors_origins: of web pages that may call it; "*" is any.
    """
    api = Api(service, capacity)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        api.close()

    app = FastAPI(title="EILeV", lifespan=lifespan)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=cors_origins, allow_methods=["*"], allow_headers=["*"]
        )
    routes: dict[str, Callable[..., Any]] = {
        "/health": api.health,
        "/version": api.version,
        "/v1/models": api.models,
        "/v1/models/{model_id}": api.model,
    }
    for path, route in routes.items():
        app.get(path)(route)
        app.head(path, include_in_schema=False)(route)
    content = {"application/json": {"schema": {"type": "object"}, "example": EXAMPLE}}
    extra = {"requestBody": {"content": content, "required": True}}
    app.post("/v1/chat/completions", openapi_extra=extra)(api.chat_completions)
    app.exception_handler(ApiError)(_on_api_error)
    app.exception_handler(HTTPException)(_on_http_error)
    app.exception_handler(Exception)(_on_bug)
    return app


async def _on_api_error(_: Request, error: ApiError) -> Response:
    headers = {"Retry-After": "1"} if error.status == 429 else None
    return JSONResponse(error.body, status_code=error.status, headers=headers)


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    message = f"{request.method} {request.url.path}: {error.detail}"
    return JSONResponse(ApiError(error.status_code, message).body, status_code=error.status_code)


async def _on_bug(_: Request, _error: Exception) -> Response:
    body = ApiError(500, "internal error; the server's log tells more", kind="server_error").body
    return JSONResponse(body, status_code=500)


def _bind(host: str, port: int) -> socket.socket:
    """Take the port before anything is loaded, without listening yet."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        message = f"can't listen on {host}:{port} ({error}); choose another with --port"
        raise OSError(message) from error
    return listener


def main() -> None:
    """Load a bundle and serve it until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m eilev.serving.api", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("data/export/bundle"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument(
        "--cors-origin", action="append", default=[], help="of a web page that may call; * for any"
    )
    parser.add_argument(
        "--drain-s", type=int, default=30, help="seconds for open requests when told to stop"
    )
    parser.add_argument("--max-pixels", type=int, default=Limits.max_pixels, help="of a frame")
    parser.add_argument(
        "--max-seconds", type=float, default=Limits.max_duration_s, help="of a clip"
    )
    arguments = parser.parse_args()
    capacity = Capacity()
    limits = Limits(max_pixels=arguments.max_pixels, max_duration_s=arguments.max_seconds)
    try:
        listener = _bind(arguments.host, arguments.port)
        engine = OnnxEngine.load(arguments.bundle)
        service = Service.start(engine, capacity.num_workers, limits)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    app = create_app(service, capacity, arguments.cors_origin)
    config = uvicorn.Config(app, timeout_graceful_shutdown=arguments.drain_s)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
