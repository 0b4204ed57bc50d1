"""A trial as a chat: the very stored frames of its clips, and their narrations."""

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from eilev.clips.frame_choice import uniform_indices
from eilev.clips.store import ClipStore
from eilev.evaluation.trials import Trial

Send = Literal["video", "images"]
Layout = Literal["turns", "interleaved"]
PromptAs = Literal["system", "user"]
Part = dict[str, Any]

# A system message, which this project's own server leaves out: the same prompt serves all.
PROMPT = (
    "You see short clips filmed by a person who wears a camera, each as its frames in order. "
    "Narrate each clip in one short sentence, in the form of the earlier answers; where there are "
    "none, like 'The camera wearer cuts the onion.' Answer with that sentence alone."
)


@dataclass(frozen=True)
class ChatFormat:
    """How a trial becomes a chat.

    send: a clip is one video_url part (a list of JPEGs, as vLLM and this project's server take it)
    or an image_url part for each frame. layout: narrations are the assistant's turns, or text
    between the clips of one message of the user. prompt: leading instruction, none where empty;
    prompt_as says whose. frames: most of a clip that are sent, evenly chosen; None is all.
    """

    send: Send = "video"
    layout: Layout = "turns"
    prompt: str = PROMPT
    prompt_as: PromptAs = "system"
    frames: int | None = None


class StoredJpegs(ClipStore):
    """The clips of a store as they lie there, not decoded."""

    def jpegs(self, narration_id: str) -> list[bytes]:
        """The frames of a clip in order.

        Raises:
            KeyError: the narration has no clip or does not exist.
        """
        frames: list[bytes] = self._stored(narration_id).as_py()
        return frames


class Pictures:
    """Clips as parts of a message; the clip None is black.

    Attributes:
        clips: the store.
    """

    def __init__(self, folder: Path, chat_format: ChatFormat):
        """Open the store in a folder.

        Raises:
            DataError: there is none.
        """
        self.clips = StoredJpegs(folder)
        self._send, self._most = chat_format.send, chat_format.frames
        self._known: dict[str | None, tuple[str, int]] = {}

    def parts(self, clip: str | None) -> list[Part]:
        """The parts that show a clip."""
        frames = [base64.b64encode(jpeg).decode() for jpeg in self._jpegs(clip)]
        if self._send == "video":
            url = f"data:video/jpeg;base64,{','.join(frames)}"
            return [{"type": "video_url", "video_url": {"url": url}}]
        urls = [f"data:image/jpeg;base64,{frame}" for frame in frames]
        return [{"type": "image_url", "image_url": {"url": url}} for url in urls]

    def digest(self, clip: str | None) -> str:
        """What tells the frames of a clip, as they are sent, from others."""
        return self._facts(clip)[0]

    def size(self, clip: str | None) -> int:
        """Bytes of a clip's parts in a request, within a few."""
        return self._facts(clip)[1]

    @cached_property
    def black_frame(self) -> str:
        """Address of what a blank clip shows, a frame of it."""
        return f"data:image/jpeg;base64,{base64.b64encode(self._black[0]).decode()}"

    @property
    def frames_per_clip(self) -> int:
        """Frames that are sent of a clip."""
        return len(self._jpegs(None))

    def _facts(self, clip: str | None) -> tuple[str, int]:
        if clip not in self._known:
            text = repr(self.parts(clip)).encode()
            self._known[clip] = (hashlib.sha256(text).hexdigest(), len(text))
        return self._known[clip]

    def _jpegs(self, clip: str | None) -> list[bytes]:
        jpegs = self._black if clip is None else self.clips.jpegs(clip)
        most = min(self._most or len(jpegs), len(jpegs))
        return [jpegs[index] for index in uniform_indices(len(jpegs), most)]

    @cached_property
    def _black(self) -> list[bytes]:
        stored = self.clips.jpegs(self.clips.ids[0])
        with Image.open(io.BytesIO(stored[0])) as frame:
            buffer = io.BytesIO()
            Image.new("RGB", frame.size).save(buffer, "JPEG")
        return [buffer.getvalue()] * len(stored)


def shown_clips(trial: Trial) -> list[str | None]:
    """The clips that a trial shows, in order; None is a blank one."""
    return [None if trial.blank else clip for clip in trial.videos]


def messages(trial: Trial, pictures: Pictures, chat_format: ChatFormat) -> list[dict[str, Any]]:
    """The chat that asks for the narration of a trial's query."""
    *context, query = [pictures.parts(clip) for clip in shown_clips(trial)]
    narrated = list(zip(context, trial.texts[:-1], strict=True))
    if chat_format.layout == "turns":
        turns = [(_user(clip), {"role": "assistant", "content": text}) for clip, text in narrated]
        chat = [*(message for turn in turns for message in turn), _user(query)]
    else:
        content = [part for clip, text in narrated for part in (*clip, _text(text))]
        chat = [_user([*content, *query])]
    if not chat_format.prompt:
        return chat
    if chat_format.prompt_as == "system":
        return [{"role": "system", "content": chat_format.prompt}, *chat]
    return [_user([_text(chat_format.prompt), *chat[0]["content"]]), *chat[1:]]


def _user(content: Sequence[Part]) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def _text(text: str) -> Part:
    return {"type": "text", "text": text}
