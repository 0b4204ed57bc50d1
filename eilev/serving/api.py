"""HTTP server of a bundle, in the form of OpenAI's chat completions.

    python -m eilev.serving.api --bundle data/export/bundle --port 8000

POST /v1/chat/completions, GET /v1/models, GET /health, and GET /docs for people. It listens only
after a warm-up inference, so a server that answers is ready.
"""

import argparse
import asyncio
import json
import socket
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from eilev.bundle.onnx_engine import Completion, OnnxEngine
from eilev.clips.limits import Limits
from eilev.serving.protocol import ApiError, ChatRequest, Usage
from eilev.serving.service import MODEL_ID, Service

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

    # Requests inside the server; one more is told to come back (429).
    max_requests: int = 16
    # Of these, requests that are worked on at the same time.
    num_workers: int = 2
    max_body_bytes: int = 64 * 2**20
    # A client that sends slower than this is dropped, for it holds a place.
    body_timeout_s: float = 60.0


class Api:
    """The routes over a service."""

    def __init__(self, service: Service, capacity: Capacity):
        self._service = service
        self._capacity = capacity
        self._places = asyncio.Semaphore(capacity.max_requests)
        self._threads = ThreadPoolExecutor(capacity.num_workers)
        self._created = int(time.time())

    async def health(self) -> dict[str, str]:
        """The server is ready."""
        return {"status": "ok"}

    async def models(self) -> dict[str, Any]:
        """The one model."""
        model = {"id": MODEL_ID, "object": "model", "created": self._created, "owned_by": "eilev"}
        return {"object": "list", "data": [model]}

    async def chat_completions(self, request: Request) -> Response:
        """Narrate the last clip, given clips with narrations before it."""
        if self._places.locked():
            message = f"{self._capacity.max_requests} requests are being answered; try again"
            raise ApiError(429, message, kind="rate_limit_error", code="server_busy")
        async with self._places:
            body = await self._read(request)
            answer = self._service.answer
            loop = asyncio.get_running_loop()
            chat, completion = await loop.run_in_executor(self._threads, answer, body)
        if chat.stream:
            return StreamingResponse(_events(chat, completion), media_type="text/event-stream")
        return JSONResponse(_body(completion))

    def close(self) -> None:
        """Finish what is being worked on and end the decoding processes."""
        self._threads.shutdown()
        self._service.decoders.close()

    async def _read(self, request: Request) -> bytes:
        body = bytearray()
        most = self._capacity.max_body_bytes
        try:
            async with asyncio.timeout(self._capacity.body_timeout_s):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise ApiError(413, f"the request exceeds {most} bytes")
        except TimeoutError as error:
            raise ApiError(408, "the request takes too long to arrive") from error
        except ClientDisconnect as error:
            raise ApiError(400, "the client went away") from error
        return bytes(body)


def create_app(service: Service, capacity: Capacity) -> FastAPI:
    """The application; it owns `service` from here on."""
    api = Api(service, capacity)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        api.close()

    app = FastAPI(title="EILeV", lifespan=lifespan)
    app.get("/health")(api.health)
    app.get("/v1/models")(api.models)
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


def _body(completion: Completion) -> dict[str, Any]:
    message = {"role": "assistant", "content": completion.text}
    choice = {"index": 0, "message": message, "finish_reason": _finish_reason(completion)}
    return _envelope("chat.completion") | {"choices": [choice], "usage": _usage(completion)}


def _events(chat: ChatRequest, completion: Completion) -> Iterator[str]:
    """The answer as server-sent events; a narration is one sentence and comes in one piece."""
    envelope = _envelope("chat.completion.chunk")
    deltas = [({"role": "assistant", "content": ""}, None), ({"content": completion.text}, None)]
    for delta, reason in [*deltas, ({}, _finish_reason(completion))]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield _event(envelope | {"choices": [choice]})
    if chat.stream_options and chat.stream_options.include_usage:
        yield _event(envelope | {"choices": [], "usage": _usage(completion)})
    yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"


def _envelope(kind: str) -> dict[str, Any]:
    identifier = f"chatcmpl-{uuid.uuid4().hex}"
    return {"id": identifier, "object": kind, "created": int(time.time()), "model": MODEL_ID}


def _finish_reason(completion: Completion) -> str:
    return "stop" if completion.stopped else "length"


def _usage(completion: Completion) -> dict[str, Any]:
    prompt, new = completion.num_prompt_tokens, completion.num_new_tokens
    return Usage(
        prompt_tokens=prompt, completion_tokens=new, total_tokens=prompt + new
    ).model_dump()


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
    config = uvicorn.Config(create_app(service, capacity), timeout_graceful_shutdown=30)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
