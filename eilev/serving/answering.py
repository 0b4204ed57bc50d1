"""From a request that has been understood to its answers, while others are answered as well."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import TypeVar

from eilev.bundle.answers import Answer
from eilev.bundle.rows import Rows
from eilev.clips.frame_choice import Frames
from eilev.clips.limits import Limits
from eilev.serving.decoding import ClipFormat, DecoderPool
from eilev.serving.fetching import Fetcher
from eilev.serving.media import MediaError
from eilev.serving.protocol import ApiError, busy
from eilev.serving.scheduler import Job, Prompt, Told
from eilev.serving.sent import SentVideo, context_of, invalid_video, receive
from eilev.serving.service import Asked
from eilev.serving.waiting import all_or_none

T = TypeVar("T")


class Answering:
    """Places for requests, the processes that decode their videos, and the way to the engines.

    Args:
        decoders: it owns them from here on.
        fetcher: of videos that lie elsewhere.
        limits: of one video.
        max_requests: that hold a place; one more is refused.
        timeout_s: from the last byte of a request to the last token of its answer.
    """

    def __init__(
        self,
        decoders: DecoderPool,
        fetcher: Fetcher,
        limits: Limits,
        max_requests: int,
        timeout_s: float,
    ) -> None:
        self._decoders, self._fetcher, self._limits = decoders, fetcher, limits
        self._places = asyncio.Semaphore(max_requests)
        self._max_requests, self._timeout_s = max_requests, timeout_s
        # What they do is wait for the decoding processes.
        self._threads = ThreadPoolExecutor(decoders.num_workers, "decoders")

    async def answers(self, asked: Asked) -> AsyncGenerator[list[Answer]]:
        """The answers, after each token if they are streamed; between two it can be given up.

        Raises:
            ApiError: 422 for a video, 429 if there is no place, 504 if it takes too long.
        """
        async with aclosing(self._told(asked)) as every:
            async for told in every:
                answers = [answer for answer in told if isinstance(answer, Answer)]
                yield answers
                if all(answer.finish_reason for answer in answers):
                    return

    async def scores(self, asked: Asked) -> list[float]:
        """Mean log-likelihood per token of each candidate.

        Raises:
            ApiError: as `answers`.
        """
        async with aclosing(self._told(asked)) as told:
            return [score for score in await anext(told) if isinstance(score, float)]

    async def _told(self, asked: Asked) -> AsyncGenerator[list[Answer] | list[float]]:
        """What the engine says, one after the other, until nobody asks any more."""
        if self._places.locked():
            raise busy(f"{self._max_requests} requests are being answered; try again")
        deadline = time.monotonic() + self._timeout_s
        async with self._places:
            with asked.model.in_use():
                job, inbox = await self._job(asked, deadline)
                asked.model.scheduler.submit(job)
                try:
                    while True:
                        told = await self._by(deadline, inbox.get())
                        if isinstance(told, Exception):
                            raise told
                        yield told
                finally:
                    job.cancelled = True

    def close(self) -> None:
        """End the decoding processes."""
        self._threads.shutdown(cancel_futures=True)
        self._decoders.close()

    async def _job(self, asked: Asked, deadline: float) -> tuple[Job, asyncio.Queue[Told]]:
        """A job for the engine, and where it puts the answers."""
        videos = await self._by(deadline, receive(asked, self._fetcher, self._limits))
        context = context_of(asked, videos)
        known = None if context is None else asked.model.contexts.get(context.key)
        if context is not None and known is not None:
            videos = videos[context.num_videos :]
        prompt = await self._by(deadline, self._prompt(asked, videos, known))
        inbox: asyncio.Queue[Told] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        job = Job(
            prompt,
            asked.writing,
            streamed=asked.streamed,
            deliver=lambda told: _tell(loop, inbox, told),
            encoded=lambda place, made: asked.model.features.put(videos[place].digest, made),
            prefilled=lambda rows: context.keep(rows, asked) if context else None,
            candidates=asked.candidates,
        )
        return job, inbox

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


def _tell(loop: asyncio.AbstractEventLoop, inbox: asyncio.Queue[Told], told: Told) -> None:
    if not loop.is_closed():  # else nobody waits any more
        loop.call_soon_threadsafe(inbox.put_nowait, told)
