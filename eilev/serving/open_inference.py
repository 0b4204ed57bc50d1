"""The Open Inference Protocol (KServe's and Triton's "v2") over the same answers.

Inputs of a model are `videos` (BYTES, one for each clip, the last one to be narrated), `narrations`
(BYTES, one for each clip before it) and, if wanted, `prompt` (BYTES, one); the output is
`narration`. Tensors may follow the JSON in binary, as Triton's clients send them. In JSON, a video
is a data URL or its file in base64.
"""

import base64
import itertools
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import pydantic_core
from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from eilev.serving.chat import MAX_VIDEOS
from eilev.serving.protocol import ApiError, ChatRequest
from eilev.serving.values import Body, check_values

HEADER_LENGTH = "Inference-Header-Content-Length"
VIDEOS, NARRATIONS, PROMPT, NARRATION = "videos", "narrations", "prompt", "narration"
# Of the request's `parameters`, those that say how it is answered.
_WRITING = ("max_tokens", "temperature", "top_p", "top_k", "seed", "stop")


Item = TypeVar("Item")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Tensor(_Record):
    """An input; its data are here or, in binary, after the JSON."""

    name: str
    shape: Annotated[list[int], FailFast()]
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class Wanted(_Record):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(_Record):
    """Body of POST /v2/models/ID/infer."""

    id: str | None = None
    parameters: dict[str, Any] = {}
    inputs: Annotated[list[Tensor], FailFast(), Field(min_length=1)]
    outputs: Annotated[list[Wanted], FailFast()] = []

    @property
    def wants_binary(self) -> bool:
        """Whether the output shall follow the JSON."""
        asked = [output.parameters for output in self.outputs if output.name == NARRATION]
        given = asked[0].get("binary_data") if asked else self.parameters.get("binary_data_output")
        return bool(given)


def metadata_of(name: str, version: str) -> dict[str, Any]:
    """What a client may know of a model beforehand."""

    def tensor(name: str, *shape: int) -> dict[str, Any]:
        return {"name": name, "datatype": "BYTES", "shape": list(shape)}

    inputs = [tensor(VIDEOS, -1), tensor(NARRATIONS, -1), tensor(PROMPT, 1)]
    return {
        "name": name,
        "versions": [version],
        "platform": "onnx_onnxv1",
        "inputs": inputs,
        "outputs": [tensor(NARRATION, 1)],
    }


@dataclass(frozen=True)
class Inference:
    """A request of the protocol as a chat."""

    request: InferRequest
    chat: ChatRequest


def read_inference(model_id: str, body: Body, header_length: str | None) -> Inference:
    """Read a request.

    Args:
        model_id: of the path.
        body: JSON, and after it the binary tensors.
        header_length: bytes of the JSON, where it is not all.

    Raises:
        ApiError: 400, naming the tensor or the field.
    """
    length = _length(header_length, len(body))
    check_values(body[:length])
    try:
        request = InferRequest.model_validate_json(body[:length])
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise ApiError(400, f"{place}: {first['msg']}") from error
    tensors = _tensors(request.inputs, memoryview(body)[length:])
    return Inference(request, _chat(model_id, tensors, request.parameters))


def reply(
    inference: Inference, version: str, narrations: Sequence[str]
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of the answer."""
    content = b"".join(_packed(text.encode()) for text in narrations)
    output: dict[str, Any] = {
        "name": NARRATION,
        "datatype": "BYTES",
        "shape": [len(narrations)],
    }
    binary = inference.request.wants_binary
    output |= (
        {"parameters": {"binary_data_size": len(content)}} if binary else {"data": [*narrations]}
    )
    answer = {"model_name": inference.chat.model, "model_version": version, "outputs": [output]}
    if inference.request.id is not None:
        answer["id"] = inference.request.id
    header = json.dumps(answer).encode()
    if not binary:
        return header, {"Content-Type": "application/json"}
    kind = "application/octet-stream"
    return header + content, {"Content-Type": kind, HEADER_LENGTH: str(len(header))}


def _length(given: str | None, most: int) -> int:
    if given is None:
        return most
    if not re.fullmatch(r"[0-9]{1,12}", given) or int(given) > most:
        raise ApiError(400, f"{HEADER_LENGTH}: '{given}' is no length within the body")
    return int(given)


def _tensors(inputs: Sequence[Tensor], binary: memoryview) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for tensor in inputs:
        if tensor.name not in (VIDEOS, NARRATIONS, PROMPT):
            raise ApiError(400, f"there is no input '{tensor.name}'")
        if tensor.datatype != "BYTES":
            raise ApiError(400, f"{tensor.name}: '{tensor.datatype}' is not BYTES")
        if tensor.name in found:
            raise ApiError(400, f"{tensor.name}: it is given twice")
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            flat = _few(tensor.name, _flat(tensor.data or []))
            items = [_from_json(tensor.name, item) for item in flat]
        else:
            if type(size) is not int or not 0 <= size <= len(binary):
                raise ApiError(400, f"{tensor.name}: the body lacks its {size} bytes")
            items = _few(tensor.name, _unpacked(tensor.name, binary[:size]))
            binary = binary[size:]
        found[tensor.name] = items
    return found


def _chat(
    model_id: str, tensors: Mapping[str, Sequence[bytes]], parameters: Mapping[str, Any]
) -> ChatRequest:
    videos, narrations = tensors.get(VIDEOS, ()), tensors.get(NARRATIONS, ())
    if len(videos) != len(narrations) + 1:
        raise ApiError(
            400, f"{len(videos)} videos and {len(narrations)} narrations: the last video has none"
        )
    parts: list[dict[str, Any]] = []
    for video, text in itertools.zip_longest(videos, (*narrations, *tensors.get(PROMPT, ()))):
        if video is not None:
            parts.append({"type": "video_url", "video_url": {"url": _url(video)}})
        if text is not None:
            parts.append({"type": "text", "text": text.decode(errors="replace")})
    fields = {name: parameters[name] for name in _WRITING if name in parameters}
    chat = {"model": model_id, "messages": [{"role": "user", "content": parts}], **fields}
    try:
        return ChatRequest.model_validate(chat)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ApiError(400, f"parameters.{first['loc'][0]}: {first['msg']}") from error


def _url(video: bytes) -> str:
    if video[:5].lower() == b"data:":
        return video.decode(errors="replace")
    return f"data:;base64,{base64.b64encode(video).decode()}"


def _from_json(name: str, item: Any) -> bytes:
    if not isinstance(item, str):
        raise ApiError(400, f"{name}: {pydantic_core.to_json(item).decode()[:40]} is no string")
    if name == VIDEOS and item[:5].lower() != "data:":
        return f"data:;base64,{item}".encode()
    return item.encode()


def _few(name: str, items: Iterator[Item]) -> list[Item]:
    """All items, of which there are no more than videos may be."""
    found = list(itertools.islice(items, MAX_VIDEOS + 1))
    if len(found) > MAX_VIDEOS:
        raise ApiError(400, f"{name}: more than {MAX_VIDEOS} elements")
    return found


def _flat(data: Sequence[Any]) -> Iterator[Any]:
    """Data may be nested by its shape; BYTES here have one dimension."""
    for item in data:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item


def _packed(content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + content


def _unpacked(name: str, content: memoryview) -> Iterator[bytes]:
    while content:
        (length,) = struct.unpack("<I", content[:4]) if len(content) >= 4 else (len(content) + 1,)
        if 4 + length > len(content):
            raise ApiError(400, f"{name}: its bytes end within an element")
        yield bytes(content[4 : 4 + length])
        content = content[4 + length :]
