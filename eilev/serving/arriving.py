"""Bodies of requests while they arrive and until their videos are decoded: bounded together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from starlette.requests import ClientDisconnect

from eilev.serving.protocol import ApiError, busy
from eilev.serving.waiting import gone


@dataclass
class Arrivals:
    """Nobody holds a place for an answer yet; only memory is taken.

    max_bytes: of one body. max_bytes_of_all: of all that are held. timeout_s: for one to arrive; a
    client that sends slower is dropped.
    """

    max_bytes: int
    max_bytes_of_all: int
    timeout_s: float
    _held: int = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytearray]:
        """Read a body and hold it.

        Raises:
            ApiError: 408, 413, or 429 as others hold too much.
        """
        body = bytearray()
        try:
            await self._read(request, body)
            yield body
        finally:
            self._held -= len(body)

    async def _read(self, request: Request, body: bytearray) -> None:
        try:
            async with asyncio.timeout(self.timeout_s):
                async for chunk in request.stream():
                    body += chunk
                    self._held += len(chunk)
                    if len(body) > self.max_bytes:
                        raise ApiError(413, f"the request exceeds {self.max_bytes} bytes")
                    if self._held > self.max_bytes_of_all:
                        raise busy("too many requests are arriving; try again")
        except TimeoutError as error:
            raise ApiError(408, "the request takes too long to arrive") from error
        except ClientDisconnect as error:
            raise gone() from error
