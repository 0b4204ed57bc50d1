"""The videos of a request as they were sent or fetched, and the context that others may share."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eilev.bundle.rows import Rows
from eilev.clips.limits import Limits
from eilev.serving.chat import VideoSource
from eilev.serving.fetching import Fetcher, Room
from eilev.serving.media import MediaError, Payload
from eilev.serving.protocol import ApiError
from eilev.serving.service import Asked
from eilev.serving.waiting import all_or_none


@dataclass(frozen=True)
class SentVideo:
    """A video, not decoded yet; `digest` is of all that its frames are made from."""

    param: str
    payload: Payload
    digest: str


@dataclass(frozen=True)
class Context:
    """The beginning of an episode.

    key: of its tokens and videos. length: in positions. num_videos: in it.
    """

    key: bytes
    length: int
    num_videos: int

    def keep(self, rows: Rows, asked: Asked) -> None:
        """Keep its part of a prompt that has been run."""
        kept = rows.beginning(self.length, asked.model.engine.place)
        asked.model.contexts.put(self.key, kept)


async def receive(asked: Asked, fetcher: Fetcher, limits: Limits) -> list[SentVideo]:
    """Read the videos of a request, and fetch those that lie elsewhere.

    Raises:
        ApiError: 422 for one that is refused; nothing is decoded yet.
    """
    room = fetcher.room()
    return await all_or_none(
        [_receive(video, fetcher, limits, room) for video in asked.chat.videos]
    )


async def _receive(video: VideoSource, fetcher: Fetcher, limits: Limits, room: Room) -> SentVideo:
    try:
        payload = await fetcher.read(video.url, limits, room)
    except MediaError as error:
        raise invalid_video(video.param, error) from error
    return SentVideo(video.param, payload, await asyncio.to_thread(payload.digest))


def context_of(asked: Asked, videos: Sequence[SentVideo]) -> Context | None:
    """The context of a request, where a decoder can begin with it."""
    turns = asked.chat.turns
    length = asked.model.engine.context_length(asked.layout, turns)
    if not length:
        return None
    num_videos = len(videos) - turns[-1].num_videos
    ids = np.array(asked.layout.input_ids[:length])
    digests = "".join(video.digest for video in videos[:num_videos])
    return Context(hashlib.sha256(ids.tobytes() + digests.encode()).digest(), length, num_videos)


def invalid_video(param: str, error: MediaError) -> ApiError:
    """The refusal of a video, which `param` names."""
    return ApiError(422, f"{param}: {error}", param=param, code="invalid_video")
