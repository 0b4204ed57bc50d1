"""The application: chat completions as OpenAI has them, and what is known of the models.

POST /v1/chat/completions, GET /v1/models, GET /health, and GET /docs for people.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from eilev.serving import pages
from eilev.serving.answering import Answering
from eilev.serving.arriving import Arrivals
from eilev.serving.models import Models
from eilev.serving.protocol import ApiError
from eilev.serving.replies import events, whole
from eilev.serving.service import Asked, understand
from eilev.serving.settings import DEFAULT_ID, MIB, Settings
from eilev.serving.waiting import chain, last, unless_gone

EXAMPLE = {
    "model": DEFAULT_ID,
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


class Api:
    """The routes."""

    def __init__(self, models: Models, answering: Answering, settings: Settings):
        self._models, self._answering, self._limits = models, answering, settings.limits
        self._arrivals = Arrivals(
            settings.max_body_mib * MIB, settings.max_arriving_mib * MIB, settings.body_timeout_s
        )
        self._created = int(time.time())

    async def health(self) -> dict[str, str]:
        """The server is ready."""
        return {"status": "ok"}

    async def version(self) -> dict[str, Any]:
        """Of the server's code and of the models."""
        revisions = {
            name: model.engine.manifest.git_revision for name, model in self._models.loaded.items()
        }
        return {"version": metadata.version("eilev"), "model_revisions": revisions}

    async def models(self) -> dict[str, Any]:
        """All models."""
        data = [await self.model(name) for name in self._models.loaded]
        return {"object": "list", "data": data}

    async def model(self, model_id: str) -> dict[str, Any]:
        """A model by its id."""
        _ = self._models[model_id]
        return {"id": model_id, "object": "model", "created": self._created, "owned_by": "eilev"}

    async def chat_completions(self, request: Request) -> Response:
        """Narrate the last clip, given clips with narrations before it."""
        async with self._arrivals.body(request) as body:
            asked = await self._understand(body)
            answers = self._answering.answers(asked)
            if not asked.request.stream:
                return JSONResponse(whole(asked, await unless_gone(request, last(answers))))
            # What is wrong with the videos shows before a stream begins.
            first = await unless_gone(request, anext(answers))
        stream = events(asked, chain(first, answers))
        return StreamingResponse(stream, media_type="text/event-stream")

    def close(self) -> None:
        """Let the models end, and the decoding processes."""
        self._models.close()
        self._answering.close()

    async def _understand(self, body: bytes) -> Asked:
        while True:
            asked = await asyncio.to_thread(understand, body, self._models, self._limits)
            # Another bundle may have taken its place in the meantime.
            if not asked.model.retired:
                return asked


def create_app(models: Models, answering: Answering, settings: Settings) -> FastAPI:
    """The application; it owns models and decoders from here on."""
    api = Api(models, answering, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        api.close()

    app = FastAPI(title="EILeV", lifespan=lifespan)
    if origins := settings.cors_origin:
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"]
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
    pages.add_to(app, settings.examples)
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
