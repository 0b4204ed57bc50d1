"""Whether the longest episodes fit into the positions of a model that is built from scratch."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from eilev.config.evaluate import EvaluateConfig
from eilev.config.train import ScratchConfig, TrainConfig
from eilev.inputs.episode import EpisodeFormat, episode_texts, make_layout
from eilev.inputs.interleave import TooLongError, check_length
from eilev.inputs.tokenizer import count_words, train_word_codec
from eilev.schema import EVALUATED, Split


def require_positions(
    episodes: Mapping[Split, Iterable[pa.RecordBatch]],
    narrations: pd.DataFrame,
    train: TrainConfig,
    evaluate: EvaluateConfig,
) -> None:
    """Check the longest episode of each split; a pretrained model's positions are not known here.

    Args:
        episodes: pieces of schema.EPISODES of each split.
        narrations: schema.NARRATIONS.
        train: the model and the prompts in training.
        evaluate: the prompt in evaluation, and how much is written after it.

    Raises:
        TooLongError: an episode needs more positions than there are; the message names the key.
    """
    scratch = train.model.scratch
    if scratch is None or scratch.max_position_embeddings is None:
        return
    texts = dict(zip(narrations["narration_id"], narrations["narration"], strict=True))
    counts = {clip: count_words(text) for clip, text in texts.items()}
    for split, pieces in episodes.items():
        row = _longest(pieces, counts)
        if row is None:
            continue
        told = episode_texts(row["narrations"], [*row["context"], row["query"]], texts)
        try:
            if split in EVALUATED:
                _check(told, scratch, (evaluate.prompt,), evaluate.max_new_tokens)
            else:
                _check(told, scratch, train.prompts)
        except TooLongError as error:
            raise TooLongError(
                "params.yaml: train.model.scratch.max_position_embeddings: the longest episode of"
                f" {split} has {row['shots']} shots: {error}; raise it, or lower the shots"
            ) from error


def _longest(pieces: Iterable[pa.RecordBatch], counts: Mapping[str, int]) -> dict[str, Any] | None:
    """The first episode with the most words; None where there are no episodes."""
    longest, most = None, -1
    for piece in pieces:
        if len(piece):
            words = _num_words(piece.to_pandas(), counts)
            place = int(np.argmax(words))
            if words[place] > most:
                longest, most = piece.slice(place, 1).to_pylist()[0], words[place]
    return longest


def _num_words(table: pd.DataFrame, counts: Mapping[str, int]) -> list[int]:
    """Words of each episode's narrations, given those of each clip's."""
    return [
        sum(counts[clip] for clip in (*context, query))
        if own is None
        else sum(map(count_words, own))
        for context, query, own in zip(
            table["context"], table["query"], table["narrations"], strict=True
        )
    ]


def _check(
    told: list[str],
    model: ScratchConfig,
    prompts: tuple[str, ...],
    max_new_tokens: int | None = None,
) -> None:
    """Check an episode with the longest of the prompts; without new tokens, its narration is told.

    The codec has a token for each word, whatever the vocabulary.
    """
    layout = make_layout(
        told,
        EpisodeFormat(
            codec=train_word_codec([*told, *prompts]),
            num_query_tokens=model.num_query_tokens,
            encoder_decoder=False,
            prompts=(max(prompts, key=count_words),),
            loss_on="query",
            generating=max_new_tokens is not None,
        ),
        np.random.default_rng(0),
    )
    check_length(layout, max_new_tokens or 1, model.max_position_embeddings)
