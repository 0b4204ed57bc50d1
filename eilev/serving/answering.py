"""From a request that has been understood to its answers, while others are answered as well."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from eilev.bundle.answers import Answer
from eilev.bundle.passes import Features
from eilev.bundle.rows import Rows
from eilev.clips.frame_choice import Frames
from eilev.clips.limits import Limits
from eilev.serving.aside import aside
from eilev.serving.decoding import ClipFormat, DecoderPool
from eilev.serving.examples import best_of, noting, prompt_features, rounds_of, without_notes
from eilev.serving.fetching import Fetcher
from eilev.serving.media import MediaError
from eilev.serving.protocol import ApiError, ExamplesRequest, busy
from eilev.serving.request_log import RequestLog
from eilev.serving.scheduler import Job, Prompt, Told
from eilev.serving.sent import SentVideo, context_of, invalid_video, receive
from eilev.serving.service import Asked, Written
from eilev.serving.waiting import all_or_none, last

T = TypeVar("T")


class Answering:
    """Places for requests, the processes that decode their videos, and the way to the engines.

    Args:
        decoders: it owns them from here on.
        fetcher: of videos that lie elsewhere.
        limits: of one video.
        max_requests: that hold a place; one more is refused.
        timeout_s: from the last byte of a request to the last token of its answer.
        request_log: notes what was answered; it owns that, too.
    """

    def __init__(
        self,
        decoders: DecoderPool,
        fetcher: Fetcher,
        limits: Limits,
        max_requests: int,
        timeout_s: float,
        request_log: RequestLog | None = None,
    ) -> None:
        self._decoders, self._fetcher, self._limits = decoders, fetcher, limits
        self._places = asyncio.Semaphore(max_requests)
        self._max_requests, self._timeout_s = max_requests, timeout_s
        self._request_log = request_log
        # What they do is wait for the decoding processes.
        self._threads = ThreadPoolExecutor(decoders.num_workers, "decoders")

    async def answers(self, asked: Asked) -> AsyncGenerator[Written]:
        """The answers, after each token if they are streamed; between two it can be given up.

        Raises:
            ApiError: 422 for a video, 429 if there is no place, 504 if it takes too long.
        """
        async with self._place(asked) as deadline:
            pieces = (
                self._alone(asked, deadline)
                if asked.examples is None
                else self._with_examples(asked, asked.examples, deadline)
            )
            async with aclosing(pieces) as every:
                async for written in every:
                    if self._request_log and written.finished:
                        seconds = time.monotonic() - deadline + self._timeout_s
                        self._request_log.note(written, written.query_features(), seconds)
                    without_notes(asked, written.answers)
                    yield written

    async def scores(self, asked: Asked) -> list[float]:
        """Mean log-likelihood per token of each candidate.

        Raises:
            ApiError: as `answers`.
        """
        async with self._place(asked) as deadline:
            begun = await self._begin(asked, deadline)
            async with aclosing(self._told(begun, deadline)) as told:
                return [score for score in await anext(told) if isinstance(score, float)]

    async def features(self, asked: Asked) -> Features:
        """What the model makes of the videos: (number of videos, query tokens, hidden size).

        Raises:
            ApiError: as `answers`.
        """
        async with self._place(asked) as deadline:
            return await self._features(asked, deadline)

    def close(self) -> None:
        """End the decoding processes."""
        self._threads.shutdown(cancel_futures=True)
        self._decoders.close()
        if self._request_log:
            self._request_log.close()

    @asynccontextmanager
    async def _place(self, asked: Asked) -> AsyncIterator[float]:
        """Hold a place; yields until when the answer must be there."""
        if self._places.locked():
            raise busy(f"{self._max_requests} requests are being answered; try again")
        deadline = time.monotonic() + self._timeout_s
        async with self._places:
            with asked.model.in_use():
                yield deadline

    async def _alone(self, asked: Asked, deadline: float) -> AsyncGenerator[Written]:
        """Answers to the clips of the request."""
        begun = await self._begin(self._noting(asked), deadline)
        async with aclosing(self._written(asked, begun, deadline)) as every:
            async for written in every:
                yield written

    async def _with_examples(
        self, asked: Asked, wanted: ExamplesRequest, deadline: float
    ) -> AsyncGenerator[Written]:
        """Answers after examples of the bank."""
        own = await self._features(asked, deadline)
        if wanted.rounds > 1:
            yield await self._best(asked, wanted, own, deadline)
            return
        shown = await asyncio.to_thread(next, rounds_of(asked, wanted, own))
        async with aclosing(self._after(shown, own, deadline)) as every:
            async for written in every:
                yield written

    async def _best(
        self, asked: Asked, wanted: ExamplesRequest, own: Features, deadline: float
    ) -> Written:
        """The answer to trust most, of rounds that end with the first one that can be."""
        noted = replace(noting(asked), streamed=False)
        rounds, tried = rounds_of(noted, wanted, own), list[Written]()
        while (shown := await asyncio.to_thread(next, rounds, None)) is not None:
            async with aclosing(self._after(shown, own, deadline)) as every:
                tried.append(await last(every))
            if tried[-1].answers[0].confidence >= wanted.confidence:
                break
        return best_of(tried)

    def _after(self, shown: Asked, own: Features, deadline: float) -> AsyncGenerator[Written]:
        """Answers to a request with its examples; all that it shows has been encoded."""
        prompt = Prompt(shown.layout, {}, prompt_features(shown, own))
        begun = _submit(self._noting(shown), prompt, query_features=lambda: own[-1])
        return self._written(shown, begun, deadline)

    async def _written(
        self, asked: Asked, begun: "_Begun", deadline: float
    ) -> AsyncGenerator[Written]:
        async with aclosing(self._told(begun, deadline)) as every:
            async for told in every:
                answers = [answer for answer in told if isinstance(answer, Answer)]
                written = Written(asked, answers, begun.query_features)
                yield written
                if written.finished:
                    return

    async def _told(
        self, begun: "_Begun", deadline: float
    ) -> AsyncGenerator[list[Answer] | list[float] | Features]:
        """What the engine says, one after the other, until nobody asks any more."""
        try:
            while True:
                told = await self._by(deadline, begun.inbox.get())
                if isinstance(told, Exception):
                    raise told
                yield told
        finally:
            begun.job.cancelled = True

    async def _features(self, asked: Asked, deadline: float) -> Features:
        """Of all videos of a request."""
        videos = await self._by(deadline, receive(asked, self._fetcher, self._limits))
        prompt = await self._by(deadline, self._prompt(asked, videos, None))
        begun = _submit(asked, prompt, encoded=_keep(asked, videos), only_encoded=True)
        async with aclosing(self._told(begun, deadline)) as told:
            return np.asarray(await anext(told), np.float32)

    async def _begin(self, asked: Asked, deadline: float) -> "_Begun":
        """Give a request to the engine, with what is known of it already."""
        videos = await self._by(deadline, receive(asked, self._fetcher, self._limits))
        context, query = await aside(context_of, asked, videos), videos[-1].digest
        known = None if context is None else asked.model.contexts.get(context.key)
        if context is not None and known is not None:
            videos = videos[context.num_videos :]
        prompt = await self._by(deadline, self._prompt(asked, videos, known))
        return _submit(
            asked,
            prompt,
            encoded=_keep(asked, videos),
            prefilled=lambda rows: context.keep(rows, asked) if context else None,
            query_features=lambda: asked.model.features.peek(query),
        )

    def _noting(self, asked: Asked) -> Asked:
        """A request whose answers' confidence will be known, where somebody wants to note it."""
        return noting(asked) if self._request_log else asked

    async def _prompt(
        self, asked: Asked, videos: Sequence[SentVideo], context: Rows | None
    ) -> Prompt:
        """Frames of the videos after a known context, or what was made of them before."""
        features = {
            place: known
            for place, video in enumerate(videos)
            if (known := asked.model.features.get(video.digest)) is not None
        }
        new = {place: video for place, video in enumerate(videos) if place not in features}
        return Prompt(asked.layout, await self._frames(asked, new), features, context)

    async def _frames(self, asked: Asked, videos: Mapping[int, SentVideo]) -> dict[int, Frames]:
        """Decode videos; one that was sent several times, once."""
        different = {video.digest: video for video in videos.values()}
        decoded = await all_or_none([self._decode(asked, video) for video in different.values()])
        frames = dict(zip(different, decoded, strict=True))
        return {number: frames[video.digest] for number, video in videos.items()}

    async def _decode(self, asked: Asked, video: SentVideo) -> Frames:
        manifest = asked.model.engine.manifest
        wanted = ClipFormat(manifest.num_frames, manifest.frame_size)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(
                self._threads, self._decoders.decode, video.payload, wanted
            )
        except MediaError as error:
            raise invalid_video(video.param, error) from error

    async def _by(self, deadline: float, step: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await step
        except TimeoutError as error:
            message = f"the answer takes longer than {self._timeout_s:g} s"
            raise ApiError(504, message, kind="server_error", code="timeout") from error


@dataclass(frozen=True)
class _Begun:
    """A job that the engine has, and where what it says arrives."""

    job: Job
    inbox: asyncio.Queue[Told]
    query_features: Callable[[], Features | None]


def _submit(
    asked: Asked,
    prompt: Prompt,
    *,
    encoded: Callable[[int, Features], None] = lambda *_: None,
    prefilled: Callable[[Rows], None] = lambda _: None,
    query_features: Callable[[], Features | None] = lambda: None,
    only_encoded: bool = False,
) -> _Begun:
    inbox: asyncio.Queue[Told] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    job = Job(
        prompt,
        asked.writing,
        streamed=asked.streamed,
        deliver=lambda told: _tell(loop, inbox, told),
        encoded=encoded,
        prefilled=prefilled,
        candidates=asked.candidate_ids,
        only_encoded=only_encoded,
    )
    asked.model.scheduler.submit(job)
    return _Begun(job, inbox, query_features)


def _keep(asked: Asked, videos: Sequence[SentVideo]) -> Callable[[int, Features], None]:
    return lambda place, made: asked.model.features.put(videos[place].digest, made)


def _tell(loop: asyncio.AbstractEventLoop, inbox: asyncio.Queue[Told], told: Told) -> None:
    if not loop.is_closed():  # else nobody waits any more
        loop.call_soon_threadsafe(inbox.put_nowait, told)
