"""A checkpoint in torch: clips and text in, narration out; the twin of the ONNX engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eilev.clips.frame_choice import Frames
from eilev.inputs.interleave import check_length
from eilev.inputs.turns import Request, Turn
from eilev.model.batch import make_batch, make_layout
from eilev.model.checkpoint import LoadedModel, load_model
from eilev.model.hub import pretrained_folder
from eilev.model.scoring import score_classes

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def open_checkpoint(name: str, device: str | None, dtype: str) -> "TorchEngine":
    """Load a checkpoint by folder or hub name.

    Args:
        name: see `pretrained_folder`.
        device: a torch device; the first GPU, or else the CPU, if None.
        dtype: one of DTYPES.

    Raises:
        DataError: there is no such checkpoint, or a file of it is missing or broken.
        ValueError: an unknown device or dtype, or the weights do not fit the config.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype is '{dtype}', must be one of {', '.join(DTYPES)}")
    try:
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device '{device}' can't be used: {error}") from error
    folder = pretrained_folder(name)
    loaded = load_model(folder, DTYPES[dtype])
    loaded.model.to(place)  # type: ignore[arg-type]
    return TorchEngine(loaded, folder)


@dataclass(frozen=True)
class TorchEngine:
    """A checkpoint that was loaded from `folder`, on whatever device its model is."""

    loaded: LoadedModel
    folder: Path

    def generate(
        self,
        requests: Sequence[Request],
        max_new_tokens: int,
        num_beams: int = 1,
        length_penalty: float = 1.0,
    ) -> list[str]:
        """Narrate the last turns of several episodes in one batch.

        Args:
            requests: turns of each episode, the last one without narration, and their clips.
            max_new_tokens: most tokens to write.
            num_beams: 1 is greedy. With beams a decoder-only model ends at a newline, too, as the
                reference's does.
            length_penalty: exponent of the length by which a beam's log-likelihood is divided;
                below 0 prefers short narrations.

        Raises:
            TooLongError: an episode with `max_new_tokens` exceeds the model's positions.
            ValueError: clips do not fit the turns, or a turn to narrate has its narration.
        """
        if any(turns and turns[-1].narration is not None for turns, _ in requests):
            raise ValueError("the last turn has its narration already")
        for turns, _ in requests:
            self._check_length(turns, max_new_tokens)
        options: dict[str, Any] = {"num_beams": num_beams, "do_sample": False}
        if num_beams > 1:
            options |= {"length_penalty": length_penalty, "eos_token_id": self._ends()}
        batch = self._batch(requests)
        tokens = self.loaded.model.generate(**batch, max_new_tokens=max_new_tokens, **options)
        return [self.loaded.codec.decode(row).strip() for row in tokens.tolist()]

    def score(
        self,
        turns: Sequence[Turn],
        clips: Sequence[Frames],
        candidates: Sequence[str],
        chunk_size: int = 64,
    ) -> list[float]:
        """Mean log-likelihood per token of each candidate as the narration of the last turn.

        Raises:
            TooLongError: the episode with a candidate exceeds the model's positions.
            ValueError: clips do not fit the turns, or there is an empty candidate.
        """
        codec, model = self.loaded.codec, self.loaded.model
        rows = codec.encode_narrations(candidates, after_prompt=not self._encoder_decoder)
        length = max(map(len, rows))
        self._check_length(turns, length)
        ids = [[*row, *[codec.pad_id] * (length - len(row))] for row in rows]
        mask = [[1] * len(row) + [0] * (length - len(row)) for row in rows]
        scores = score_classes(
            model,
            **self._batch([(turns, clips)]),
            class_input_ids=torch.tensor(ids, device=model.device),
            class_attention_mask=torch.tensor(mask, device=model.device),
            chunk_size=chunk_size,
        )
        return [float(score) for score in scores[0]]

    @property
    def _encoder_decoder(self) -> bool:
        return self.loaded.model.family.encoder_decoder

    def _batch(self, requests: Sequence[Request]) -> dict[str, Tensor]:
        batch = make_batch(self.loaded, requests)
        del batch["labels"]
        return batch

    def _check_length(self, turns: Sequence[Turn], max_new_tokens: int) -> None:
        """Raises TooLongError."""
        model = self.loaded.model
        available = model.family.max_length(model.config.text_config)
        check_length(make_layout(self.loaded, turns), max_new_tokens, available)

    def _ends(self) -> list[int]:
        codec = self.loaded.codec
        newline = () if self._encoder_decoder else codec.newline_ids
        return [codec.eos_id, *(newline if len(newline) == 1 else ())]
