"""A bundle in onnxruntime: clips and text in, narration out; no torch.

Preprocessing and token layout are the code that training used. The graphs are those of an exported
bundle (eilev/bundle/manifest.py); how one is run is another module's matter (passes.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from eilev.bundle.agreement import check_agreement
from eilev.bundle.answers import Answer, Writing
from eilev.bundle.batch import Batch, Logits, TokenIds
from eilev.bundle.beams import Beams, beam_ends, search
from eilev.bundle.manifest import DECODER, GRAPHS, BundleError, Manifest
from eilev.bundle.passes import Features, encode, prefill, step
from eilev.bundle.rows import Array, Rows
from eilev.bundle.scoring import score_rows
from eilev.bundle.sessions import Graph, Value, open_graph
from eilev.clips.frame_choice import Frames
from eilev.inputs.interleave import Layout, check_length, interleave
from eilev.inputs.preprocess import PREPROCESSOR_FILE, Preprocessing
from eilev.inputs.tokenizer import TextCodec, load_codec
from eilev.inputs.turns import Request, Turn
from eilev.io import DataError


@dataclass(frozen=True)
class OnnxEngine:
    """A loaded bundle. Nothing in it changes, so any number of threads may use it."""

    manifest: Manifest
    codec: TextCodec
    preprocessing: Preprocessing
    graphs: Mapping[str, Graph]

    @classmethod
    def load(cls, folder: Path, num_threads: int | None = None) -> Self:
        """Check a bundle and load it.

        Args:
            folder: the bundle.
            num_threads: CPU threads of one operator; all that this process may use if None.

        Raises:
            BundleError: a file is missing, altered, unreadable or of another format version, or
                the manifest says something else than the graphs.
        """
        manifest = Manifest.load(folder)
        manifest.verify(folder)
        try:
            codec = load_codec(folder)
            preprocessing = Preprocessing.from_file(folder / PREPROCESSOR_FILE)
        except DataError as error:
            raise BundleError(str(error)) from error
        graphs = {name: open_graph(folder / name, num_threads) for name in GRAPHS[manifest.family]}
        check_agreement(manifest, graphs, codec, preprocessing, folder)
        return cls(manifest, codec, preprocessing, graphs)

    def narrate(self, turns: Sequence[Turn], clips: Sequence[Frames], max_new_tokens: int) -> str:
        """Narrate the last turn of one episode greedily; see `write`."""
        return self.complete([(turns, clips)], Writing(max_new_tokens))[0].text

    def generate(
        self,
        requests: Sequence[Request],
        max_new_tokens: int,
        num_beams: int = 1,
        length_penalty: float = 1.0,
    ) -> list[str]:
        """Narrate the last turns of several episodes: greedily in one batch, else see `Beams`.

        Raises:
            ValueError: as `write`.
        """
        if num_beams == 1:
            return [answer.text for answer in self.complete(requests, Writing(max_new_tokens))]
        ends = beam_ends(self.codec, self._encoder_decoder)
        beams = Beams(num_beams, length_penalty, max_new_tokens, ends)
        layouts, texts = self._layouts(requests, max_new_tokens), list[str]()
        for layout, (turns, clips) in zip(layouts, requests, strict=True):
            rows, logits = self.prefill(layout, self.features(turns, clips))
            texts.append(self.codec.decode(search(self, rows, logits[0, -1], beams)).strip())
        return texts

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
        layouts = self._layouts(requests, writing.max_new_tokens)
        batch, answers = Batch(self), list[Answer]()
        for layout, (turns, clips) in zip(layouts, requests, strict=True):
            rows, logits = self.prefill(layout, self.features(turns, clips))
            new = self.answers(layout, writing)
            batch.join(rows, logits[0, -1], new)
            answers += new
        yield answers
        while batch.answers:
            batch.step()
            yield answers

    def answers(self, layout: Layout, writing: Writing) -> list[Answer]:
        """Empty answers to a prompt."""
        numbers = range(writing.num_answers)
        return [Answer(writing, self.codec, len(layout.input_ids), number) for number in numbers]

    def room(self, layout: Layout) -> int | None:
        """Most tokens that can follow a prompt; None where positions are relative."""
        most = self.manifest.max_length
        return None if most is None else most - len(layout.input_ids) + 1

    def prefill_logits(self, turns: Sequence[Turn], clips: Sequence[Frames]) -> Logits:
        """Logits of one episode whose last turn may have its narration.

        Returns:
            float32 (positions, vocab_size): decoder-only at every token of the layout, else at
            every token of the narration, shifted right by the start token.

        Raises:
            ValueError: as `write`.
        """
        layout = self.layout(turns)
        # An encoder-decoder's prompt has one position, the start; the narration is fed after it.
        rows, first = self.prefill(layout, self.features(turns, clips), last_only=False)
        logits: list[Logits] = [*first]
        if self._encoder_decoder and len(layout.labels) > 1:
            logits += [*self.step(rows, np.array([layout.labels[:-1]]))[1]]
        return np.concatenate(logits)

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
        texts = self.encode_candidates(candidates)
        layout = self.layout(turns, max(map(len, texts)))
        rows, logits = self.prefill(layout, self.features(turns, clips))
        return score_rows(self, rows, logits, texts, chunk_size)

    def encode_candidates(self, candidates: Sequence[str]) -> list[list[int]]:
        """Token ids of narrations as they follow a prompt.

        Raises:
            ValueError: one is empty.
        """
        return self.codec.encode_narrations(candidates, after_prompt=not self._encoder_decoder)

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

    def features(self, turns: Sequence[Turn], clips: Sequence[Frames]) -> Features:
        """Encode the clips of an episode; they must fit its turns.

        Raises:
            ValueError: they do not.
        """
        wanted = sum(turn.num_videos for turn in turns)
        if len(clips) != wanted:
            raise ValueError(f"{len(clips)} clips were given for {wanted} videos in the turns")
        return self.encode(clips)

    def encode(self, clips: Sequence[Frames]) -> Features:
        """Features of clips, uint8 (num_frames, height, width, 3) each.

        Raises:
            ValueError: a clip has another number of frames.
        """
        return encode(self.manifest, self.graphs, self.preprocessing, clips)

    def prefill(
        self,
        layout: Layout,
        features: Features,
        context: Rows | None = None,
        *,
        last_only: bool = True,
    ) -> tuple[Rows, Logits]:
        """Run a prompt.

        Args:
            layout: of the whole episode.
            features: of its videos, or of those after the context.
            context: the row of a decoder that has seen the beginning of the same episode.
            last_only: whether only the logits after the last token are wanted.

        Returns:
            A row, and logits (1, positions, vocab_size).
        """
        return prefill(self.manifest, self.graphs, layout, features, context, last_only=last_only)

    def step(self, rows: Rows, tokens: TokenIds) -> tuple[Rows, Logits]:
        """Feed tokens (rows, new) to each row; the new rows and logits (rows, new, vocab_size)."""
        return step(self.manifest, self.graphs, rows, tokens)

    def context_length(self, layout: Layout, turns: Sequence[Turn]) -> int:
        """Positions of a prompt before its last turn, the same whatever that turn asks.

        An encoder reads both ways: there it is 0.
        """
        if self._encoder_decoder or len(turns) == 1:
            return 0
        start = self.codec.bos_id is not None
        return len(layout.input_ids) - len(self.layout(turns[-1:]).input_ids) + start

    @property
    def float_type(self) -> type[np.floating[Any]]:
        """Of keys and values."""
        return self.graphs[DECODER].float_type

    def place(self, array: Array) -> Value:
        """An array where the decoder runs."""
        return self.graphs[DECODER].value(array)

    def warm_up(self) -> None:
        """Run every graph once, a decoding step with a cache included."""
        size = self.preprocessing.image_size
        clip = np.zeros((self.manifest.num_frames, size, size, 3), dtype=np.uint8)
        self.complete([([Turn(self.manifest.prompt, None)], [clip])], Writing(2))

    def _layouts(self, requests: Sequence[Request], max_new_tokens: int) -> list[Layout]:
        if any(turns and turns[-1].narration is not None for turns, _ in requests):
            raise ValueError("the last turn has its narration already")
        return [self.layout(turns, max_new_tokens) for turns, _ in requests]

    @property
    def _encoder_decoder(self) -> bool:
        return self.manifest.family == "encoder_decoder"
