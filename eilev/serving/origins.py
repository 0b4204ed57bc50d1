"""Whose web pages may ask: a browser says which page a request comes from."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import Request

from eilev.serving.protocol import ApiError

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Origins:
    """A dependency of the routes that do something.

    Without it any page that somebody opens could make a server on his own machine compute: a
    browser sends a request without a preflight if its body has the type text/plain, and keeps only
    the answer from that page.
    """

    def __init__(self, allowed: Sequence[str]):
        self._allowed = frozenset(allowed)

    async def __call__(self, request: Request) -> None:
        """Let a request of the server's own page, of an allowed one or of no page through.

        Raises:
            ApiError: 403.
        """
        origin = request.headers.get("origin")
        if request.method in _SAFE or origin is None or {origin, "*"} & self._allowed:
            return
        # The first is not sent over plain HTTP to another machine; behind a proxy that sets another
        # host the second differs.
        own = request.headers.get("sec-fetch-site") == "same-origin"
        if own or urlsplit(origin).netloc == request.headers.get("host"):
            return
        message = f"pages of {origin!r} may not ask; start the server with --cors-origin {origin}"
        raise ApiError(403, message, code="origin_not_allowed")
