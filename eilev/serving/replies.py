"""Answers in the form of OpenAI's chat completions: whole, or as events while they are written."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Any

import pydantic_core
from fastapi.responses import StreamingResponse
from starlette.types import Message, Send

from eilev.bundle.answers import Answer, TokenLogprob
from eilev.bundle.bank import Found
from eilev.inputs.tokenizer import TextCodec
from eilev.serving.logs import LOG
from eilev.serving.protocol import ApiError, Usage, bug
from eilev.serving.service import Asked, Written


def whole(written: Written) -> bytes:
    """The body of an answer that is finished; of long ones with all their tokens it takes long."""
    answers = written.answers
    choices = [
        {
            "index": answer.number,
            "message": {"role": "assistant", "content": answer.text},
            "logprobs": _logprobs(answer, 0),
            "finish_reason": answer.finish_reason,
        }
        for answer in answers
    ]
    envelope = _envelope("chat.completion", written.asked)
    body = envelope | {"choices": choices, "usage": _usage(answers)}
    return pydantic_core.to_json(body, inf_nan_mode="null")


def scored(asked: Asked, scores: Sequence[float]) -> dict[str, Any]:
    """The body of an answer about candidates."""
    texts = zip(asked.candidates, scores, strict=True)
    data = [{"index": n, "text": text, "score": score} for n, (text, score) in enumerate(texts)]
    return {
        "object": "list",
        "model": asked.model_id,
        "notes": asked.chat.notes,
        "data": data,
        "prompt_tokens": len(asked.layout.input_ids),
    }


class EventStream(StreamingResponse):
    """Events for a client that reads them: who stops to holds the place no longer than this."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[str], timeout_s: float):
        super().__init__(events)
        self._events, self._timeout_s = events, timeout_s

    async def stream_response(self, send: Send) -> None:
        """Send all events; each has to find room on its way in time."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self._timeout_s):
                await send(message)

        try:
            async with aclosing(self._events):
                await super().stream_response(send_in_time)
        except TimeoutError:
            LOG.info("the client does not read its answer")


async def events(asked: Asked, pieces: AsyncIterator[Written]) -> AsyncGenerator[str]:
    """The same as server-sent events; what goes wrong on the way is one of them."""
    try:
        async for event in _events(asked, pieces):
            yield event
    except ApiError as error:
        yield f"data: {json.dumps(error.body)}\n\n"
    except Exception:
        LOG.exception("an answer ended too early")
        yield f"data: {json.dumps(bug().body)}\n\n"
    yield "data: [DONE]\n\n"


async def _events(asked: Asked, pieces: AsyncIterator[Written]) -> AsyncIterator[str]:
    """Each answer as far as it is settled after each token."""
    envelope = _envelope("chat.completion.chunk", asked)
    finished: set[int] = set()
    sent: dict[int, int] = {}
    told: dict[int, int] = {}
    answers: list[Answer] = []
    async for written in pieces:
        answers = written.answers
        for answer in answers:
            number = answer.number
            if number not in sent:
                sent[number] = told[number] = 0
                yield _event(envelope, _choice(answer, {"role": "assistant", "content": ""}))
            if number in finished:
                continue
            new = answer.settled[sent[number] :]
            if new or (answer.finish_reason and len(answer.logprobs) > told[number]):
                choice = _choice(answer, {"content": new}, told[number])
                sent[number], told[number] = sent[number] + len(new), len(answer.logprobs)
                yield _event(envelope, choice)
            if answer.finish_reason:
                finished.add(number)
                yield _event(
                    envelope, _choice(answer, {}) | {"finish_reason": answer.finish_reason}
                )
    if asked.include_usage:
        yield f"data: {json.dumps(envelope | {'choices': [], 'usage': _usage(answers)})}\n\n"


def _choice(answer: Answer, delta: dict[str, str], told: int | None = None) -> dict[str, Any]:
    logprobs = None if told is None else _logprobs(answer, told)
    return {"index": answer.number, "delta": delta, "logprobs": logprobs, "finish_reason": None}


def _event(envelope: dict[str, Any], choice: dict[str, Any]) -> str:
    return f"data: {json.dumps(envelope | {'choices': [choice]})}\n\n"


def _envelope(kind: str, asked: Asked) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": asked.model_id,
        # Which bundle it was, and so which data, parameters and code.
        "system_fingerprint": asked.model.fingerprint,
        # Ours: what of the request was left out.
        "notes": asked.chat.notes,
    } | _shown(asked)


def _shown(asked: Asked) -> dict[str, Any]:
    """Ours: which examples of the bank stood before the request's own clips, the best one first."""
    if asked.shown is None:
        return {}
    used = {"examples_used": [_used(found) for found in asked.shown.found]}
    rounds = [asdict(one) for one in asked.shown.rounds]
    return used | ({"rounds": rounds} if rounds else {})


def _used(found: Found) -> dict[str, Any]:
    return {**asdict(found.example), "similarity": round(found.similarity, 4)}


def _logprobs(answer: Answer, told: int) -> dict[str, Any] | None:
    if answer.writing.num_logprobs is None:
        return None
    return {"content": [_token(each, answer.codec) for each in answer.logprobs[told:]]}


def _token(token: TokenLogprob, codec: TextCodec) -> dict[str, Any]:
    likeliest = [_named(each, logprob, codec) for each, logprob in token.likeliest]
    return _named(token.token, token.logprob, codec) | {"top_logprobs": likeliest}


def _named(token: int, logprob: float, codec: TextCodec) -> dict[str, Any]:
    text = codec.tokenizer.decode([token], skip_special_tokens=False)
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _usage(answers: Sequence[Answer]) -> dict[str, Any]:
    prompt = answers[0].num_prompt_tokens
    new = sum(answer.num_new_tokens for answer in answers)
    return Usage(
        prompt_tokens=prompt, completion_tokens=new, total_tokens=prompt + new
    ).model_dump()
