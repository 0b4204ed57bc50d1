"""Clips and text of an episode as one token sequence, laid out as in the reference implementation.

Decoder-only (OPT), `v` a placeholder (the pad id), `n` the newline, one context clip and the query:

    BOS v v v v n Answer: The camera wearer cuts the onion. n v v v v n Answer: <narration> n EOS

Encoder-decoder (T5), everything but the query's narration in the encoder:

    v v v v n Answer: The camera wearer cuts the onion. n v v v v n Answer: EOS -> <narration> EOS
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from eilev.inputs.tokenizer import TextCodec
from eilev.inputs.turns import Turn

# Positions that carry no loss (the convention of torch and transformers).
IGNORE_INDEX = -100


class TooLongError(ValueError):
    """Prompt and new tokens do not fit into the model's positions."""


@dataclass(frozen=True)
class Layout:
    """Token ids of an episode; `video_input_mask` is 1 at the placeholders.

    Decoder-only: `labels` is aligned with `input_ids`, IGNORE_INDEX where no loss is due.
    Encoder-decoder: `labels` is the decoder's target, empty when generating.
    """

    input_ids: list[int]
    labels: list[int]
    video_input_mask: list[int]


def interleave(
    turns: Sequence[Turn],
    codec: TextCodec,
    num_query_tokens: int,
    *,
    encoder_decoder: bool,
    loss_on: Literal["all", "query"],
) -> Layout:
    """Lay out an episode.

    `loss_on`: "query" = the query's narration only (the reference); "all" = every narration with
    the newline that closes it, so that each position of the context is one more few-shot example.

    Raises:
        ValueError: no turns, a negative number of videos, no query token, or `loss_on="all"` for an
            encoder-decoder, whose decoder sees the query's narration only.
    """
    if not turns:
        raise ValueError("an episode needs at least one turn")
    if num_query_tokens < 1:
        raise ValueError(f"num_query_tokens is {num_query_tokens}, must be at least 1")
    for turn in turns:
        if turn.num_videos < 0:
            raise ValueError(f"a turn has {turn.num_videos} videos: '{turn.prompt}'")
    if encoder_decoder:
        if loss_on == "all":
            raise ValueError("loss_on='all' needs a decoder-only model; use 'query'")
        return _encoder_decoder_layout(turns, codec, num_query_tokens)
    return _decoder_only_layout(turns, codec, num_query_tokens, loss_on)


def check_length(layout: Layout, max_new_tokens: int, max_length: int | None) -> None:
    """Check that a prompt leaves room for its narration.

    Args:
        layout: the prompt.
        max_new_tokens: most tokens to write.
        max_length: the model's positions; None where they are relative (T5).

    Raises:
        TooLongError: with the figures.
    """
    # The last new token is not fed back and needs no position.
    needed = len(layout.input_ids) + max_new_tokens - 1
    if max_length is not None and needed > max_length:
        raise TooLongError(
            f"{len(layout.input_ids)} prompt tokens (videos included) and {max_new_tokens} new "
            f"tokens need {needed} positions, the model has {max_length}"
        )


def pad_layouts(
    layouts: Sequence[Layout], pad_id: int, side: Literal["left", "right"]
) -> dict[str, npt.NDArray[np.int64]]:
    """Stack layouts into a batch.

    Returns:
        input_ids, attention_mask, video_input_mask (batch, length) and labels: (batch, length) for
        decoder-only, else (batch, target length) and padded on the right whatever the `side`,
        because a decoder's target starts at its first position.

    Raises:
        ValueError: no layouts.
    """
    if not layouts:
        raise ValueError("a batch needs at least one layout")
    aligned = all(len(layout.labels) == len(layout.input_ids) for layout in layouts)
    return {
        "input_ids": _pad([layout.input_ids for layout in layouts], pad_id, side),
        # Not `input_ids != pad_id`: the placeholders have the pad id and must be seen.
        "attention_mask": _pad([[1] * len(layout.input_ids) for layout in layouts], 0, side),
        "video_input_mask": _pad([layout.video_input_mask for layout in layouts], 0, side),
        "labels": _pad(
            [layout.labels for layout in layouts], IGNORE_INDEX, side if aligned else "right"
        ),
    }


def _decoder_only_layout(
    turns: Sequence[Turn], codec: TextCodec, num_query_tokens: int, loss_on: Literal["all", "query"]
) -> Layout:
    layout = Layout([], [], [])
    newline = list(codec.newline_ids)
    if codec.bos_id is not None:
        _append(layout, [codec.bos_id])
    for turn in turns[:-1]:
        _append_videos(layout, turn, codec, num_query_tokens)
        _append(layout, codec.encode(turn.prompt))
        answer = _answer(turn, codec)
        _append(layout, answer + newline, loss=bool(answer) and loss_on == "all")
    query = turns[-1]
    _append_videos(layout, query, codec, num_query_tokens)
    _append(layout, codec.encode(query.prompt))
    if query.narration is not None:
        _append(layout, [*_answer(query, codec), *newline, codec.eos_id], loss=True)
    return layout


def _encoder_decoder_layout(
    turns: Sequence[Turn], codec: TextCodec, num_query_tokens: int
) -> Layout:
    layout = Layout([], [], [])
    for turn in turns[:-1]:
        _append_videos(layout, turn, codec, num_query_tokens)
        _append(layout, codec.encode(turn.prompt) + _answer(turn, codec) + list(codec.newline_ids))
    query = turns[-1]
    _append_videos(layout, query, codec, num_query_tokens)
    _append(layout, [*codec.encode(query.prompt), codec.eos_id])
    target = [] if query.narration is None else [*codec.encode(query.narration), codec.eos_id]
    return Layout(layout.input_ids, target, layout.video_input_mask)


def _answer(turn: Turn, codec: TextCodec) -> list[int]:
    return [] if turn.narration is None else codec.encode(f" {turn.narration}")


def _append_videos(layout: Layout, turn: Turn, codec: TextCodec, num_query_tokens: int) -> None:
    for _ in range(turn.num_videos):
        _append(layout, [codec.pad_id] * num_query_tokens, video=True)
        _append(layout, codec.newline_ids)


def _append(layout: Layout, ids: Sequence[int], *, loss: bool = False, video: bool = False) -> None:
    layout.input_ids.extend(ids)
    layout.labels.extend(ids if loss else [IGNORE_INDEX] * len(ids))
    layout.video_input_mask.extend([int(video)] * len(ids))


def _pad(
    rows: Sequence[Sequence[int]], value: int, side: Literal["left", "right"]
) -> npt.NDArray[np.int64]:
    length = max(len(row) for row in rows)
    padded = np.full((len(rows), length), value, dtype=np.int64)
    for target, row in zip(padded, rows, strict=True):
        start = length - len(row) if side == "left" else 0
        target[start : start + len(row)] = row
    return padded
