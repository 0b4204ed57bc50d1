"""Telling a running server to read its bundle again."""

import os
from dataclasses import dataclass
from urllib.parse import quote

import httpx2

from eilev.bundle.manifest import Manifest

# A large bundle takes a while to load.
TIMEOUT_S = 600.0
# Of an answer that is no error of ours.
_MOST_TOLD = 300

_ADVICE = {
    401: "--api-key-env NAME names the environment variable with its key",
    403: "--api-key-env NAME names the environment variable with its key",
    404: "is it started with `--may-load true`, and is --model right?",
    405: "is it started with `--may-load true`?",
}


class LiveError(ValueError):
    """The server was not reached or does not have the model now; the message says why."""


@dataclass(frozen=True)
class Server:
    """A running server: its address, the model's id there, the environment variable of its key."""

    url: str
    model: str
    key_from: str | None = None


def load(server: Server, manifest: Manifest) -> None:
    """Make a server read its folder again; until that has worked, the earlier bundle answers.

    Args:
        server: whom to tell.
        manifest: of the bundle that lies in the server's folder.

    Raises:
        LiveError: it refuses, can't be reached, or has loaded another bundle than this.
    """
    path = f"/v2/repository/models/{quote(server.model, safe='')}/load"
    url = f"{server.url.rstrip('/')}{path}"
    try:
        response = httpx2.post(url, headers=_headers(server.key_from), timeout=TIMEOUT_S)
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        raise LiveError(f"{url}: {type(error).__name__}: {error}") from error
    if not response.is_success:
        advice = _ADVICE.get(response.status_code)
        told = " ".join(response.text.split())[:_MOST_TOLD]
        raise LiveError("; ".join(filter(None, [f"{url}: {response.status_code}: {told}", advice])))
    loaded = _version(response)
    if loaded != manifest.fingerprint:
        raise LiveError(
            f"{url}: the server has loaded {loaded}, not {manifest.fingerprint}: it reads another"
            " folder; --into names the one that it was started with"
        )


def _version(response: httpx2.Response) -> str:
    try:
        return str(response.json()["version"])
    except (ValueError, KeyError, TypeError):
        return "something that it does not name"


def _headers(key_from: str | None) -> dict[str, str]:
    """A key is sent only where its variable is named."""
    if key_from is None:
        return {}
    key = os.environ.get(key_from, "").strip()
    if not key:
        raise LiveError(f"--api-key-env {key_from}: there is no such environment variable")
    return {"Authorization": f"Bearer {key}"}
