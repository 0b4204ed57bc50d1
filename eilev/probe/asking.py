"""Requests sent side by side, each answer kept as it comes."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Never

import httpx2
from tqdm import tqdm

from eilev.evaluation.trials import Trial
from eilev.probe.answers import AnswerLog
from eilev.probe.endpoint import Endpoint, EndpointError, RefusedError
from eilev.probe.requests import Asking

# Of the first requests, where most of what can be wrong shows.
_FIRST_RETRIES = 2


def ask_all(
    trials: Mapping[str, Trial],
    asking: Asking,
    endpoint: Endpoint,
    log: AnswerLog,
    concurrency: int,
) -> dict[str, str]:
    """Get an answer to every request that the log has none of.

    The request with the least clips and the one with the most come first, alone: what is wrong with
    the endpoint shows before much is sent.

    Args:
        trials: by the keys of their requests.
        asking: how requests are shaped.
        endpoint: who is asked.
        log: answers, to which new ones are added.
        concurrency: requests in flight.

    Returns:
        Reasons for which single requests were refused, by their keys.

    Raises:
        EndpointError: the endpoint refuses all, or fails for too long.
    """
    open_keys = [key for key in trials if key not in log.answers]
    open_keys.sort(key=lambda key: trials[key].shots)
    with tqdm(total=len(trials), initial=len(trials) - len(open_keys), desc="ask") as bar:
        run = _Run(trials, asking, endpoint, log, bar)
        return asyncio.run(run.all(open_keys, concurrency))


class _Run:
    """The requests of one run."""

    def __init__(
        self,
        trials: Mapping[str, Trial],
        asking: Asking,
        endpoint: Endpoint,
        log: AnswerLog,
        bar: "tqdm[Never]",
    ):
        self._trials, self._asking, self._endpoint = trials, asking, endpoint
        self._log, self._bar = log, bar
        self._refused: dict[str, str] = {}
        self._failed = False

    async def all(self, keys: Sequence[str], concurrency: int) -> dict[str, str]:
        """Ask for all of `keys`, fewest clips first."""
        async with self._endpoint.client() as client:
            for key in dict.fromkeys([*keys[:1], *keys[-1:]]):
                await self._first(client, key)
            rest = iter(keys[1:-1])
            workers = [self._work(client, rest) for _ in range(concurrency)]
            # Where one fails, what the others wait for is kept: it is paid for.
            ends = await asyncio.gather(*workers, return_exceptions=True)
        for error in ends:
            if error is not None:
                raise error
        return self._refused

    async def _first(self, client: httpx2.AsyncClient, key: str) -> None:
        patience = min(_FIRST_RETRIES, self._endpoint.retries)
        trial = self._trials[key]
        try:
            await self._ask(client, replace(self._endpoint, retries=patience), key)
        except RefusedError as error:
            shown = f"{self._endpoint.url}: the request with {trial.shots} shots is refused: "
            raise EndpointError(f"{shown}{error}{self._advice(str(error), trial)}") from error

    def _advice(self, problem: str, trial: Trial) -> str:
        lowered = problem.lower()
        if self._asking.chat_format.send == "video" and any(
            word in lowered for word in ("video", "multimodal", "content part", "content type")
        ):
            return "; where an endpoint takes no video_url parts, --send images"
        if trial.shots:
            return "; --shots names those that fit, --frames sends fewer of each clip"
        return "; --field NAME=VALUE changes a field of the request, NAME=null leaves it out"

    async def _work(self, client: httpx2.AsyncClient, keys: Iterator[str]) -> None:
        for key in keys:
            if self._failed:
                return
            try:
                await self._ask(client, self._endpoint, key)
            except RefusedError as error:
                self._refused[key] = str(error)
            except BaseException:
                self._failed = True
                raise

    async def _ask(self, client: httpx2.AsyncClient, endpoint: Endpoint, key: str) -> None:
        body = json.dumps(self._asking.body(self._trials[key])).encode()
        self._log.add(key, await endpoint.ask(client, body))
        self._bar.update()
