"""Waiting for many things, and giving up all of them together."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from fastapi import Request

from eilev.serving.protocol import ApiError

T = TypeVar("T")


def gone() -> ApiError:
    """What is answered to a client that has gone; nobody reads it."""
    return ApiError(400, "the client went away")


async def all_or_none(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Results in order; where one fails or all are given up, what has not begun never does."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def last(pieces: AsyncIterator[T]) -> T:
    """The last piece, where there is one."""
    async for piece in pieces:  # noqa: B007  (the last one is wanted)
        pass
    return piece


async def chain(first: T, rest: AsyncGenerator[T, None]) -> AsyncIterator[T]:
    """The first piece, then the rest, which is closed in the end."""
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Wait for a result as long as the client does.

    Raises:
        ApiError: the client has gone; nobody reads it.
    """
    task, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise gone()
    finally:
        leaving.cancel()
        task.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
