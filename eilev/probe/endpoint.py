"""An endpoint of OpenAI's chat completions: one request, again where that helps, or a clear no."""

import asyncio
import email.utils
import math
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import numpy as np

from eilev.probe.answers import Answer

_CHAT = "/chat/completions"
# Errors that pass; 529 is a vendor's "overloaded".
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
# No request will be answered as long as nothing changes.
_FOR_ALL = frozenset({401, 402, 403, 404, 405})
_MAX_WAIT_S = 60.0
# Longer than a server asks for in earnest.
_MAX_ASKED_WAIT_S = 600.0
_MOST_MODELS = 20
_THOUGHTS = re.compile(r".*</think>", re.S)
_GO_ON = "what was answered is kept; the same command goes on from there"


class EndpointError(ValueError):
    """Nothing more can be asked of the endpoint for now; the message says why and what to do."""


class RefusedError(ValueError):
    """The endpoint refuses this one request; the message is its own."""


@dataclass(frozen=True)
class Endpoint:
    """Where and how to ask.

    key_from is the environment variable that the key is from; retries come after 1, 2, 4, ...
    times `first_wait_s` seconds, up to 60, or when the endpoint says.
    """

    url: str
    key: str | None = None
    key_from: str | None = None
    retries: int = 8
    timeout_s: float = 120.0
    first_wait_s: float = 1.0

    def client(self) -> httpx2.AsyncClient:
        """A client with the key; to be closed."""
        headers = {"Content-Type": "application/json"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        # What bounds the connections is how many requests are made at a time.
        limits = httpx2.Limits(max_connections=None)
        return httpx2.AsyncClient(headers=headers, timeout=self.timeout_s, limits=limits)

    async def ask(self, client: httpx2.AsyncClient, body: bytes) -> Answer:
        """Send a request until it is answered.

        Raises:
            RefusedError: this request is refused, others may not be.
            EndpointError: none is answered: a wrong key, no such model, too many failures.
        """
        for number in range(self.retries + 1):
            wait: float | None = None
            try:
                response = await client.post(self.url, content=body)
            except httpx2.RequestError as error:
                problem = ": ".join(filter(None, [type(error).__name__, str(error)]))
            except (httpx2.InvalidURL, UnicodeError) as error:
                raise EndpointError(f"{self.url}: not an address: {error}") from error
            else:
                if response.is_success:
                    return _read(response, self.url)
                problem = f"{response.status_code}: {_message(response)}"
                if response.status_code not in _PASSING or _out_of_money(response):
                    raise await self._refusal(client, response.status_code, problem)
                wait = asked_wait(response.headers.get("Retry-After"))
            if number < self.retries:
                await asyncio.sleep(self._wait(number) if wait is None else wait)
        tries = f"{self.retries + 1} times" if self.retries else "once"
        raise EndpointError(f"{self.url}: {problem} (asked {tries}); {_GO_ON}")

    def _wait(self, number: int) -> float:
        """Seconds before retry `number`; not the same for all who wait."""
        longest = min(_MAX_WAIT_S, self.first_wait_s * 2.0**number)
        return longest * float(np.random.default_rng().uniform(0.5, 1.0))

    async def _refusal(
        self, client: httpx2.AsyncClient, status: int, problem: str
    ) -> EndpointError | RefusedError:
        if status not in _FOR_ALL and status != 429:
            return RefusedError(problem)
        advice = _GO_ON
        if status in (401, 403):
            advice = (
                f"the key in {self.key_from} is not taken"
                if self.key_from
                else "--api-key-env NAME names the environment variable with the key"
            )
        elif status in (404, 405):
            advice = await self._models(client)
        return EndpointError(f"{self.url}: {problem}; {advice}")

    async def _models(self, client: httpx2.AsyncClient) -> str:
        """What the endpoint says it has, for whoever asked for something else."""
        base, _, query = self.url.partition(_CHAT)
        try:
            listing = (await client.get(f"{base}/models{query}")).json()["data"]
            names = [str(model["id"]) for model in listing]
        except (httpx2.HTTPError, ValueError, KeyError, TypeError):
            return "is --url right? It is the address before /chat/completions"
        more = " and more" if len(names) > _MOST_MODELS else ""
        return f"--model may be {', '.join(names[:_MOST_MODELS])}{more}"


def chat_url(url: str) -> str:
    """Address of the chat completions, from what people give: the host, the base or all of it.

    Raises:
        ValueError: not an http address, or one with a password in it.

    Examples:
        >>> chat_url("http://127.0.0.1:8000"), chat_url("https://api.x.org/openai/v1/")
        ('http://127.0.0.1:8000/v1/chat/completions', 'https://api.x.org/openai/v1/chat/completions')
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"--url '{url}' is not an address such as http://127.0.0.1:8000/v1")
    if parts.username or parts.password:
        raise ValueError("--url holds a password; use --api-key-env: the address is written down")
    path = parts.path.rstrip("/") or "/v1"
    path = path if path.endswith(_CHAT) else path + _CHAT
    return urlunsplit(parts._replace(path=path, fragment=""))


def asked_wait(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date; None where it does not.

    >>> asked_wait("2.5"), asked_wait("soon"), asked_wait(None)
    (2.5, None, None)
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        date = email.utils.parsedate_tz(value)
        if date is None:
            return None
        seconds = email.utils.mktime_tz(date) - time.time()
    return min(max(seconds, 0.0), _MAX_ASKED_WAIT_S) if math.isfinite(seconds) else None


def _read(response: httpx2.Response, url: str) -> Answer:
    try:
        body = response.json()
        choice = body["choices"][0]
        text = choice["message"]["content"] or ""
        usage = body.get("usage") or {}
        return Answer(
            # Of a model that thinks aloud, what comes after.
            _THOUGHTS.sub("", text).strip(),
            choice.get("finish_reason"),
            _confidence(choice),
            usage.get("prompt_tokens"),
            usage.get("completion_tokens"),
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        message = f"{url}: not a chat completion: {_message(response)}"
        raise EndpointError(f"{message}; {_GO_ON}") from error


def _confidence(choice: dict[str, Any]) -> float | None:
    tokens = (choice.get("logprobs") or {}).get("content")
    return math.exp(sum(token["logprob"] for token in tokens)) if tokens else None


def _out_of_money(response: httpx2.Response) -> bool:
    """Whether "too many requests" means that nothing is paid for."""
    return response.status_code == 429 and "insufficient_quota" in response.text


def _message(response: httpx2.Response) -> str:
    """What a response says is wrong, on one line."""
    text: Any = response.text
    try:
        body = response.json()
        error = body.get("error", body)
        text = error if isinstance(error, str) else error.get("message") or error.get("detail")
    except (ValueError, AttributeError):
        pass
    return " ".join(str(text or response.text or response.reason_phrase).split())[:300]
