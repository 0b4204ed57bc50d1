"""The web page at /: its files, and ready examples to try it with.

Everything is a file of this package: the page asks no other server for anything, and the policy
that is sent with it forbids it to.
"""

import os
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.responses import Response as AnyResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
EXAMPLES = Path(__file__).parent / "examples"

HEADERS = {
    # A browser asks each time whether its copy is the right one, and is told so by the ETag.
    "Cache-Control": "no-cache",
    # Pico's icons are data URLs in its style sheet; clips are blobs.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Files(StaticFiles):
    """A folder with our headers."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> AnyResponse:
        """A file, or that the browser's copy is still right."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(HEADERS)
        return response


def add_to(app: FastAPI, examples: Path | None = None) -> None:
    """Serve the page at / and what belongs to it below /page/.

    Args:
        app: the application.
        examples: a folder of ready examples (eilev.serving.ready); the package's if not given.
    """
    static = _Files(directory=STATIC)

    async def page(request: Request) -> Response:
        return await static.get_response("index.html", request.scope)

    app.add_api_route("/", page, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/page/examples", _Files(directory=examples or EXAMPLES))
    app.mount("/page", static)
