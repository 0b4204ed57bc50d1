"""A model that narrates your own videos: `from eilev import Narrator`.

    narrator = Narrator.from_pretrained("data/train/model")
    narrator.narrate([("a.mp4", "The camera wearer cuts the onion."), ("b.mp4", None)])

Torch is imported when a checkpoint is loaded, onnxruntime when a bundle is; neither before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from eilev.bundle.manifest import MANIFEST_FILE
from eilev.clips.frame_choice import Frames
from eilev.clips.limits import Limits
from eilev.inputs.defaults import NarrationDefaults
from eilev.inputs.footage import Footage, cut_clip
from eilev.inputs.turns import Request, Turn, make_turns
from eilev.io import DataError

# A video and its narration; of an episode's last item the prompt, or None for the model's own.
Item = tuple[Footage, str | None]


class Backend(Protocol):
    """What TorchEngine (eilev.model) and OnnxEngine (eilev.bundle) have in common."""

    def generate(
        self,
        requests: Sequence[Request],
        max_new_tokens: int,
        num_beams: int = 1,
        length_penalty: float = 1.0,
    ) -> list[str]:
        """Narrate the last turns of several episodes in one batch."""

    def score(
        self, turns: Sequence[Turn], clips: Sequence[Frames], candidates: Sequence[str]
    ) -> list[float]:
        """Mean log-likelihood per token of each candidate as the narration of the last turn."""


@dataclass(frozen=True)
class Narrator:
    """A loaded model; `defaults` are the frames and the prompt that it was trained on."""

    backend: Backend
    defaults: NarrationDefaults
    # The largest video that is decoded.
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        device: str | None = None,
        dtype: str | None = None,
        limits: Limits | None = None,
    ) -> Self:
        """Load a model.

        Args:
            name: a folder with a checkpoint (config.json) or an exported bundle (manifest.json), or
                the name of a BLIP-2 checkpoint on the hub, `OWNER/NAME` or `OWNER/NAME@REVISION`.
            device: of a checkpoint, such as "cuda:1"; the first GPU, or else the CPU, by default.
            dtype: of a checkpoint's numbers: "float32" (default), "bfloat16" or "float16".
            limits: the largest video that is decoded.

        Raises:
            DataError: there is no such model, or a file of it is missing or broken; it is named.
            ValueError: the weights are not exactly those of the config, an unknown device or dtype,
                or one that is given for a bundle.
        """
        folder = Path(name)
        if (folder / MANIFEST_FILE).is_file():
            if device or dtype:
                raise ValueError(f"{name}: 'device' and 'dtype' are for checkpoints, not bundles")
            return cls(*_open_bundle(folder), limits or Limits())
        if folder.is_dir() and not (folder / "config.json").is_file():
            raise DataError(
                f"{name}: neither a checkpoint (config.json) nor a bundle ({MANIFEST_FILE})"
            )
        opened = _open_checkpoint(str(name), device, dtype or "float32")
        return cls(*opened, limits or Limits())

    def narrate(
        self,
        items: Sequence[Item],
        *,
        max_new_tokens: int = 32,
        num_beams: int = 1,
        length_penalty: float = 1.0,
    ) -> str:
        """Narrate the last video after the narrated ones before it.

        Args:
            items: pairs of a video and a text. A video is a file (all of it is the clip), a file
                and the seconds to centre the model's window on, or frames, uint8 (time, height,
                width, 3). The text is the video's narration; the last one is a prompt or None.
            max_new_tokens: most tokens to write.
            num_beams: 1 is greedy.
            length_penalty: of the beams; below 0 prefers short narrations.

        Raises:
            ValueError: an item is not like that (its number is named), a video can't be decoded
                (VideoError), or all are too long for the model (TooLongError).
        """
        options = (max_new_tokens, num_beams, length_penalty)
        return self._generate([self.read(items)], *options)[0]

    def narrate_batch(
        self,
        episodes: Sequence[Sequence[Item]],
        *,
        max_new_tokens: int = 32,
        num_beams: int = 1,
        length_penalty: float = 1.0,
    ) -> list[str]:
        """Narrate the last video of each of several episodes in one pass; see `narrate`."""
        requests = [self.read(items) for items in episodes]
        return self._generate(requests, max_new_tokens, num_beams, length_penalty)

    def score(self, items: Sequence[Item], candidates: Sequence[str]) -> list[float]:
        """Mean log-likelihood per token of each candidate as the narration of the last video.

        Raises:
            ValueError: as `narrate`, or there is no candidate or an empty one.
        """
        return self.backend.score(*self.read(items), candidates)

    def read(self, items: Sequence[Item]) -> tuple[list[Turn], list[Frames]]:
        """Decode an episode's videos and pair them with its texts.

        Raises:
            ValueError: as `narrate`.
        """
        for number, item in enumerate(items, start=1):
            if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], str | None)):
                raise ValueError(f"item {number} of {len(items)} is not a pair (video, text)")
        turns = make_turns([text for _, text in items], self.defaults.prompt)
        return turns, [cut_clip(footage, self.defaults, self.limits) for footage, _ in items]

    def _generate(
        self,
        requests: Sequence[Request],
        max_new_tokens: int,
        num_beams: int,
        length_penalty: float,
    ) -> list[str]:
        if max_new_tokens < 1 or num_beams < 1:
            raise ValueError("'max_new_tokens' and 'num_beams' must be at least 1")
        if not requests:
            return []
        texts = self.backend.generate(requests, max_new_tokens, num_beams, length_penalty)
        # A narration is one line; a model that was not trained to end there invents further ones.
        return [text.partition("\n")[0].strip() for text in texts]


def _open_bundle(folder: Path) -> tuple[Backend, NarrationDefaults]:
    try:
        from eilev.bundle.onnx_engine import OnnxEngine
    except ImportError as error:
        raise DataError(_not_installed(folder, "bundle", "serve", error)) from error
    engine = OnnxEngine.load(folder)
    manifest = engine.manifest
    defaults = NarrationDefaults(
        num_frames=manifest.num_frames,
        frame_size=manifest.frame_size,
        window_s=manifest.clip.window_s,
        prompt=manifest.prompt,
    )
    return engine, defaults


def _open_checkpoint(
    name: str, device: str | None, dtype: str
) -> tuple[Backend, NarrationDefaults]:
    try:
        from eilev.model.torch_engine import open_checkpoint
    except ImportError as error:
        raise DataError(_not_installed(name, "checkpoint", "pipeline", error)) from error
    engine = open_checkpoint(name, device, dtype)
    image_size = engine.loaded.preprocessing.image_size
    return engine, NarrationDefaults.load(engine.folder, image_size)


def _not_installed(name: str | Path, kind: str, extra: str, error: ImportError) -> str:
    return f"{name}: a {kind} needs {error.name}: pip install 'eilev[{extra}]'"
