"""The routes of the Open Inference Protocol, and of Triton's model repository: load a bundle."""

from collections.abc import Awaitable, Callable
from importlib import metadata
from typing import Any

from fastapi import APIRouter, Request, Response

from eilev.io import DataError
from eilev.serving.answering import Answering
from eilev.serving.arriving import Arrivals
from eilev.serving.aside import aside
from eilev.serving.documents import Answers, InferenceError, errors
from eilev.serving.models import Models
from eilev.serving.open_inference import HEADER_LENGTH, metadata_of, read_inference, reply
from eilev.serving.protocol import ApiError
from eilev.serving.service import ask, understood
from eilev.serving.waiting import last, unless_gone

Route = Callable[..., Awaitable[Any]]

_NO_MODEL = errors(404, body=InferenceError)
_INFERRED: Answers = {
    200: {"content": {"application/json": {}, "application/octet-stream": {}}},
    **errors(400, 404, 408, 413, 422, 429, 503, 504, body=InferenceError),
}


class OpenInference:
    """Routes over models and what answers for them."""

    def __init__(self, models: Models, answering: Answering, arrivals: Arrivals):
        self._models, self._answering, self._arrivals = models, answering, arrivals

    async def server(self) -> dict[str, Any]:
        """What this is."""
        extensions = ["binary_tensor_data", "model_repository"]
        return {"name": "eilev", "version": metadata.version("eilev"), "extensions": extensions}

    async def live(self) -> dict[str, bool]:
        """It answers."""
        return {"live": True}

    async def ready(self) -> dict[str, bool]:
        """It listens only when everything has worked once."""
        return {"ready": True}

    async def model(self, model_id: str) -> dict[str, Any]:
        """Inputs and outputs of a model."""
        return metadata_of(model_id, self._version(model_id))

    async def model_ready(self, model_id: str) -> dict[str, Any]:
        """Whether a model answers."""
        return {"name": model_id, "ready": bool(self._version(model_id))}

    async def infer(self, model_id: str, request: Request) -> Response:
        """Narrate the last video."""
        async with self._arrivals.body(request) as body:
            length = request.headers.get(HEADER_LENGTH)
            inference = await aside(read_inference, model_id, body, length)
            asked = await understood(ask, inference.chat, self._models)
            written = await unless_gone(request, last(self._answering.answers(asked)))
        texts = [answer.text for answer in written.answers]
        content, headers = reply(inference, asked.model.fingerprint, texts)
        return Response(content, headers=headers)

    async def index(self) -> list[dict[str, str]]:
        """All models."""
        return [
            {"name": name, "version": self._version(name), "state": "READY", "reason": ""}
            for name in self._models.loaded
        ]

    async def load(self, model_id: str) -> dict[str, str]:
        """Read a model's folder again; no request fails, the earlier one answers meanwhile."""
        try:
            await self._models.reload(model_id)
        except DataError as error:
            message = f"the earlier model stays: {error}"
            raise ApiError(422, message, code="invalid_bundle") from error
        return {"name": model_id, "version": self._version(model_id)}

    def _version(self, model_id: str) -> str:
        return self._models[model_id].fingerprint


def open_inference_routes(routes: OpenInference, *, may_load: bool) -> APIRouter:
    """All of them; without `may_load`, nobody can make the server read its folders again."""
    router = APIRouter(prefix="/v2", responses=errors(401, 403, body=InferenceError))
    get: dict[str, tuple[Route, Answers]] = {
        "": (routes.server, {}),
        "/health/live": (routes.live, {}),
        "/health/ready": (routes.ready, {}),
        "/models/{model_id}": (routes.model, _NO_MODEL),
        "/models/{model_id}/ready": (routes.model_ready, _NO_MODEL),
    }
    post: dict[str, tuple[Route, Answers]] = {
        "/models/{model_id}/infer": (routes.infer, _INFERRED),
        "/repository/index": (routes.index, {}),
    }
    if may_load:
        loaded = errors(404, 422, body=InferenceError)
        post["/repository/models/{model_id}/load"] = (routes.load, loaded)
    for path, (route, answers) in get.items():
        router.get(path, responses=answers)(route)
    for path, (route, answers) in post.items():
        router.post(path, responses=answers)(route)
    return router
