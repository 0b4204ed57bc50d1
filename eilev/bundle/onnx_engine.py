"""A bundle in onnxruntime: clips and text in, narration out; no torch.

Preprocessing and token layout are the code that training used. The graphs are those of an exported
bundle (eilev/bundle/manifest.py); the splice of the video features happens here, outside of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from eilev.bundle.answers import Answer, Writing
from eilev.bundle.manifest import DECODER, EMBED, ENCODER, GRAPHS, VISION, BundleError, Manifest
from eilev.bundle.sessions import open_session
from eilev.clips.frame_choice import Frames
from eilev.inputs.interleave import Layout, check_length, interleave, pad_layouts
from eilev.inputs.preprocess import PREPROCESSOR_FILE, Preprocessing, preprocess
from eilev.inputs.tokenizer import TextCodec, load_codec
from eilev.inputs.turns import Request, Turn
from eilev.io import DataError

Arrays = dict[str, npt.NDArray[Any]]
Logits = npt.NDArray[np.float32]
TokenIds = npt.NDArray[np.int64]

# Clips in one pass of the vision graph: bounds its memory, whatever the number of shots.
VISION_BATCH = 32


@dataclass
class _State:
    """A batch while it is decoded: what every step is fed, and the cache of the last step."""

    fixed: Arrays
    cache: Arrays

    def repeated(self, times: int) -> "_State":
        """Each row `times` times; leaves this state as it is."""
        fixed, cache = (
            {name: np.repeat(array, times, axis=0) for name, array in arrays.items()}
            for arrays in (self.fixed, self.cache)
        )
        return _State(fixed, cache)


@dataclass(frozen=True)
class OnnxEngine:
    """A loaded bundle. Nothing in it changes, so any number of threads may use it."""

    manifest: Manifest
    codec: TextCodec
    preprocessing: Preprocessing
    sessions: Mapping[str, Any]

    @classmethod
    def load(cls, folder: Path, num_threads: int | None = None) -> Self:
        """Check a bundle and load it.

        Args:
            folder: the bundle.
            num_threads: CPU threads of one operator; all that this process may use if None.

        Raises:
            BundleError: a file is missing, altered, unreadable or of another format version.
        """
        manifest = Manifest.load(folder)
        manifest.verify(folder)
        try:
            codec = load_codec(folder)
            preprocessing = Preprocessing.from_file(folder / PREPROCESSOR_FILE)
        except DataError as error:
            raise BundleError(str(error)) from error
        sessions = {
            name: open_session(folder / name, num_threads) for name in GRAPHS[manifest.family]
        }
        return cls(manifest, codec, preprocessing, sessions)

    def narrate(self, turns: Sequence[Turn], clips: Sequence[Frames], max_new_tokens: int) -> str:
        """Narrate the last turn of one episode greedily; see `write`."""
        return self.complete([(turns, clips)], Writing(max_new_tokens))[0].text

    def generate(
        self,
        requests: Sequence[Request],
        max_new_tokens: int,
        num_beams: int = 1,
        length_penalty: float = 1.0,  # noqa: ARG002  (of beams; the interface is TorchEngine's)
    ) -> list[str]:
        """Narrate the last turns of several episodes in one batch, greedily; see `write`.

        Raises:
            ValueError: beams are asked for, or as `write`.
        """
        if num_beams != 1:
            raise ValueError("a bundle narrates greedily; beams need the checkpoint in torch")
        return [answer.text for answer in self.complete(requests, Writing(max_new_tokens))]

    def complete(self, requests: Sequence[Request], writing: Writing) -> list[Answer]:
        """The answers of `write` when they are finished."""
        *_, answers = self.write(requests, writing)
        return answers

    def write(self, requests: Sequence[Request], writing: Writing) -> Iterator[list[Answer]]:
        """Continue each episode until its end, token by token.

        Yields:
            After each token, all answers as far as they are written, those to the same request
            beside each other. The records are the same each time; they grow.

        Raises:
            TooLongError: an episode with `max_new_tokens` exceeds the model's positions.
            ValueError: clips do not fit the turns, a clip has another number of frames, or the
                turn to narrate has its narration.
        """
        if any(turns and turns[-1].narration is not None for turns, _ in requests):
            raise ValueError("the last turn has its narration already")
        layouts = [self.layout(turns, writing.max_new_tokens) for turns, _ in requests]
        state, logits = self._prefill(requests, layouts)
        number = writing.num_answers
        if number > 1:
            state, logits = state.repeated(number), np.repeat(logits, number, axis=0)
        answers = [
            Answer(writing, self.codec, len(layout.input_ids), place)
            for layout in layouts
            for place in range(number)
        ]
        while True:
            for answer, row in zip(answers, logits[:, -1], strict=True):
                if answer.finish_reason is None:
                    answer.add(row)
            yield answers
            if all(answer.finish_reason for answer in answers):
                return
            # What a finished row is fed changes nothing of the others.
            logits = self._step(state, np.array([answer.tokens[-1:] for answer in answers]))

    def room(self, turns: Sequence[Turn]) -> int | None:
        """Most tokens that can follow an episode; None where positions are relative.

        Raises:
            TooLongError: there is no room for one.
        """
        used = len(self.layout(turns).input_ids)
        return None if self.manifest.max_length is None else self.manifest.max_length - used + 1

    def prefill_logits(self, turns: Sequence[Turn], clips: Sequence[Frames]) -> Logits:
        """Logits of one episode whose last turn may have its narration.

        Returns:
            float32 (positions, vocab_size): decoder-only at every token of the layout, else at
            every token of the narration, shifted right by the start token.

        Raises:
            ValueError: as `write`.
        """
        logits: Logits = self._prefill([(turns, clips)], [self.layout(turns)])[1][0]
        return logits

    def score(
        self,
        turns: Sequence[Turn],
        clips: Sequence[Frames],
        candidates: Sequence[str],
        chunk_size: int = 64,
    ) -> list[float]:
        """Mean log-likelihood per token of each candidate as the narration of the last turn.

        The prompt runs once; its cache is repeated for `chunk_size` candidates at a time.

        Raises:
            TooLongError: the episode with a candidate exceeds the model's positions.
            ValueError: as `write`, or there is an empty candidate.
        """
        rows = self.codec.encode_narrations(candidates, after_prompt=not self._encoder_decoder)
        layout = self.layout(turns, max(map(len, rows)))
        state, first = self._prefill([(turns, clips)], [layout])
        scores: list[float] = []
        for start in range(0, len(rows), chunk_size):
            chunk = rows[start : start + chunk_size]
            ids = np.full((len(chunk), max(map(len, chunk))), self.codec.pad_id, dtype=np.int64)
            for row, tokens in zip(ids, chunk, strict=True):
                row[: len(tokens)] = tokens
            logits = np.repeat(first[:, -1:], len(chunk), axis=0)
            if ids.shape[1] > 1:
                later = self._step(state.repeated(len(chunk)), ids[:, :-1])
                logits = np.concatenate([logits, later], axis=1)
            scores += _mean_log_likelihoods(logits, ids, [len(tokens) for tokens in chunk])
        return scores

    def layout(self, turns: Sequence[Turn], max_new_tokens: int = 1) -> Layout:
        """Token layout of an episode, before any of its videos is decoded.

        Raises:
            TooLongError: it exceeds the model's positions together with `max_new_tokens`.
        """
        layout = interleave(
            turns,
            self.codec,
            self.manifest.num_query_tokens,
            encoder_decoder=self._encoder_decoder,
            loss_on="query",
        )
        check_length(layout, max_new_tokens, self.manifest.max_length)
        return layout

    def warm_up(self) -> None:
        """Run every graph once, a decoding step with a cache included."""
        size = self.preprocessing.image_size
        clip = np.zeros((self.manifest.num_frames, size, size, 3), dtype=np.uint8)
        turns = [Turn(self.manifest.prompt, None)]
        state, _ = self._prefill([(turns, [clip])], [self.layout(turns, 2)])
        self._step(state, np.full((1, 1), self.codec.eos_id))

    @property
    def _encoder_decoder(self) -> bool:
        return self.manifest.family == "encoder_decoder"

    def _prefill(
        self, requests: Sequence[Request], layouts: Sequence[Layout]
    ) -> tuple[_State, Logits]:
        """State and logits (batch, positions, vocab_size) after the prompt."""
        padded = pad_layouts(layouts, self.codec.pad_id, "left")
        features = self._encode(requests)
        embeds = self._run(EMBED, {"input_ids": padded["input_ids"]})["inputs_embeds"]
        video = padded["video_input_mask"].astype(bool)
        embeds[video] = features.reshape(-1, self.manifest.hidden_size)
        prompt = {"inputs_embeds": embeds, "attention_mask": padded["attention_mask"]}
        cache = self._empty_cache(len(requests))
        if not self._encoder_decoder:
            state = _State({"attention_mask": padded["attention_mask"]}, cache)
            return state, self._decode(state, prompt)
        cross = self._run(ENCODER, prompt)
        state = _State({"encoder_attention_mask": padded["attention_mask"], **cross}, cache)
        # Parity teacher-forces one episode at a time, so no label is padding.
        start = np.full((len(requests), 1), self.manifest.tokens.decoder_start, dtype=np.int64)
        inputs = np.concatenate([start, padded["labels"][:, :-1]], axis=1)
        return state, self._decode(state, {"input_ids": inputs})

    def _step(self, state: _State, tokens: TokenIds) -> Logits:
        """Feed tokens (batch, new) to each row; logits (batch, new, vocab_size)."""
        if self._encoder_decoder:
            return self._decode(state, {"input_ids": tokens})
        mask = state.fixed["attention_mask"]
        state.fixed["attention_mask"] = np.concatenate([mask, np.ones_like(tokens)], axis=1)
        return self._decode(state, self._run(EMBED, {"input_ids": tokens}))

    def _decode(self, state: _State, inputs: Arrays) -> Logits:
        outputs = self._run(DECODER, state.fixed | state.cache | inputs)
        logits: Logits = outputs.pop("logits")
        state.cache = {name.replace("present_", "past_"): out for name, out in outputs.items()}
        return logits

    def _encode(self, requests: Sequence[Request]) -> npt.NDArray[np.float32]:
        """Features (num_videos, num_query_tokens, hidden_size) in order of the placeholders."""
        clips: list[Frames] = []
        for turns, given in requests:
            wanted = sum(turn.num_videos for turn in turns)
            if len(given) != wanted:
                raise ValueError(f"{len(given)} clips were given for {wanted} videos in the turns")
            clips.extend(given)
        for clip in clips:
            if len(clip) != self.manifest.num_frames:
                raise ValueError(
                    f"a clip has {len(clip)} frames, the model takes {self.manifest.num_frames}"
                )
        shape = (0, self.manifest.num_query_tokens, self.manifest.hidden_size)
        features = [np.zeros(shape, dtype=np.float32)]
        for start in range(0, len(clips), VISION_BATCH):
            batch = clips[start : start + VISION_BATCH]
            pixels = np.stack([preprocess(clip, self.preprocessing) for clip in batch])
            features.append(self._run(VISION, {"pixel_values": pixels})["video_features"])
        return np.concatenate(features)

    def _empty_cache(self, batch: int) -> Arrays:
        shape = self.manifest.cache
        empty = np.zeros((batch, shape.num_heads, 0, shape.head_dim), dtype=np.float32)
        return {
            f"past_{part}_{layer}": empty
            for layer in range(shape.num_layers)
            for part in ("key", "value")
        }

    def _run(self, name: str, inputs: Arrays) -> Arrays:
        session = self.sessions[name]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs), strict=True))


def _mean_log_likelihoods(logits: Logits, ids: TokenIds, lengths: Sequence[int]) -> list[float]:
    """Mean over the first `lengths` tokens of each row: logits (rows, length, vocabulary)."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    normaliser = np.log(np.exp(shifted).sum(axis=-1))
    chosen = np.take_along_axis(shifted, ids[..., None], axis=-1)[..., 0] - normaliser
    return [float(row[:length].mean()) for row, length in zip(chosen, lengths, strict=True)]
