"""A time limit for what comes before a request's body, which uvicorn does not have."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def closed_after(timeout_s: float) -> type[H11Protocol]:
    """Connections that are closed where a request line with its headers takes longer.

    Between two requests uvicorn's own limit for connections that are kept open stays.
    """

    class Connection(_Connection):
        header_timeout_s = timeout_s

    return Connection


class _Connection(H11Protocol):
    header_timeout_s: float
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_header()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._await_header()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.trailing_data[0]:  # the next request has begun with the last one
            self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _await_header(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_timeout_s, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
