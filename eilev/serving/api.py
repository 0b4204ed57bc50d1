"""The application: chat completions as OpenAI has them, scores, and what is known of the models."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib import metadata
from typing import Any

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from eilev.serving import pages
from eilev.serving.answering import Answering
from eilev.serving.arriving import Arrivals
from eilev.serving.aside import aside
from eilev.serving.documents import (
    AddedExample,
    ChatCompletion,
    ModelCard,
    ModelList,
    Scores,
    document,
    errors,
)
from eilev.serving.keys import Keys
from eilev.serving.logs import LOG
from eilev.serving.metrics import Metrics
from eilev.serving.models import Models
from eilev.serving.origins import Origins
from eilev.serving.protocol import ApiError, bug, busy
from eilev.serving.replies import EventStream, events, scored, whole
from eilev.serving.service import understand_chat, understand_example, understand_score, understood
from eilev.serving.settings import DEFAULT_ID, MIB, Settings
from eilev.serving.v2 import OpenInference, open_inference_routes
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

    def __init__(
        self, models: Models, answering: Answering, arrivals: Arrivals, send_timeout_s: float
    ):
        self._models, self._answering, self._arrivals = models, answering, arrivals
        self._send_timeout_s = send_timeout_s
        self._metrics = Metrics(models)
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

    async def metrics(self) -> Response:
        """For Prometheus."""
        return Response(self._metrics.text(), media_type=CONTENT_TYPE_LATEST)

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
            asked = await understood(understand_chat, body, self._models)
            answers = self._metrics.watch(asked, self._answering.answers(asked))
            if not asked.streamed:
                written = await unless_gone(request, last(answers))
                return Response(await aside(whole, written), media_type="application/json")
            # What is wrong with the videos shows before a stream begins.
            first = await unless_gone(request, anext(answers))
        stream = events(first.asked, chain(first, answers))
        return EventStream(stream, self._send_timeout_s)

    async def score(self, request: Request) -> Response:
        """How likely each candidate is as the narration of the last clip."""
        async with self._arrivals.body(request) as body:
            asked = await understood(understand_score, body, self._models)
            scores = await unless_gone(request, self._answering.scores(asked))
        return JSONResponse(scored(asked, scores))

    async def add_example(self, request: Request) -> dict[str, Any]:
        """Take a narrated clip into the bank, until the server ends or the model is read again."""
        async with self._arrivals.body(request) as body:
            asked = await understood(understand_example, body, self._models)
            features = await unless_gone(request, self._answering.features(asked))
        example = await asked.model.add_example(asked.narration, features)
        if asked.model.retired:
            raise busy(f"model '{asked.model_id}' was read again in the meantime; try again")
        return {**asdict(example), "num_examples": len(asked.model.bank.examples)}

    async def refuse(self, request: Request, error: ApiError) -> Response:
        """The answer to a request that is refused."""
        self._metrics.refused(error.status)
        LOG.info("refused: %s", _one_line(str(error)), extra={"status": error.status})
        headers = {"Retry-After": "1"} if error.status == 429 else None
        return JSONResponse(_envelope(request, error), status_code=error.status, headers=headers)

    def close(self) -> None:
        """Let the models end, and the decoding processes."""
        self._models.close()
        self._answering.close()


def create_app(models: Models, answering: Answering, settings: Settings) -> FastAPI:
    """The application; it owns models and decoders from here on."""
    arrivals = Arrivals(
        settings.max_body_mib * MIB, settings.max_arriving_mib * MIB, settings.body_timeout_s
    )
    api = Api(models, answering, arrivals, settings.answer_timeout_s)
    inference = OpenInference(models, answering, arrivals)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        api.close()

    version = metadata.version("eilev")
    app = FastAPIOffline(title="EILeV", version=version, lifespan=lifespan)
    _add_middleware(app, settings)
    app.get("/health")(api.health)
    app.head("/health", include_in_schema=False)(api.health)
    app.get("/version")(api.version)
    app.get("/metrics", response_class=PlainTextResponse)(api.metrics)
    may_ask = [Depends(Origins(settings.cors_origin)), Depends(Keys(settings.api_key))]
    routes = _openai_routes(api, bank_may_grow=settings.bank_may_grow)
    app.include_router(routes, dependencies=may_ask, responses=errors(401, 403))
    app.include_router(
        open_inference_routes(inference, may_load=settings.may_load), dependencies=may_ask
    )
    pages.add_to(app, settings.page_examples)
    app.exception_handler(ApiError)(api.refuse)
    app.exception_handler(HTTPException)(_on_http_error)
    app.exception_handler(Exception)(_on_bug)
    app.openapi = lambda: document(app, EXAMPLE)  # type: ignore[method-assign]
    return app


def _openai_routes(api: Api, *, bank_may_grow: bool) -> APIRouter:
    router = APIRouter(prefix="/v1")
    answered = errors(400, 404, 408, 413, 422, 429, 503, 504)
    chat: dict[int | str, Any] = {200: {"model": ChatCompletion}, **answered}
    router.post("/chat/completions", responses=chat)(api.chat_completions)
    score: dict[int | str, Any] = {200: {"model": Scores}, **answered}
    router.post("/score", responses=score)(api.score)
    if bank_may_grow:
        router.post("/bank", response_model=AddedExample, responses=answered)(api.add_example)
    router.get("/models", response_model=ModelList)(api.models)
    router.get("/models/{model_id}", response_model=ModelCard, responses=errors(404))(api.model)
    router.head("/models", include_in_schema=False)(api.models)
    router.head("/models/{model_id}", include_in_schema=False)(api.model)
    return router


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    app.add_middleware(CorrelationIdMiddleware, header_name="X-Request-ID", validator=_is_id)
    if origins := settings.cors_origin:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID"],
        )


def _is_id(text: str) -> bool:
    """Whether a client's own id may stand in logs and headers."""
    return len(text) <= 128 and text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def _one_line(text: str) -> str:
    """What a client sent can't look like another line of the log."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _envelope(request: Request, error: ApiError) -> dict[str, Any]:
    """An error as clients of either protocol know it."""
    return {"error": str(error)} if request.url.path.startswith("/v2") else error.body


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    message = f"{request.method} {request.url.path}: {error.detail}"
    known = ApiError(error.status_code, message)
    return JSONResponse(_envelope(request, known), error.status_code, error.headers)


async def _on_bug(request: Request, _error: Exception) -> Response:
    return JSONResponse(_envelope(request, bug()), status_code=500)
