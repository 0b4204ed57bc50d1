"""Whether the longest episodes fit into the positions of a model that is built from scratch."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eilev.config.evaluate import EvaluateConfig
from eilev.config.train import ScratchConfig, TrainConfig
from eilev.ids import ById, Ids
from eilev.inputs.episode import EpisodeFormat, make_layout
from eilev.inputs.interleave import TooLongError, check_length
from eilev.inputs.tokenizer import count_words, train_word_codec
from eilev.schema import EVALUATED, Split


def require_positions(
    episodes: Mapping[Split, Iterable[pa.RecordBatch]],
    ids: Ids,
    narrations: "pa.StringArray",
    train: TrainConfig,
    evaluate: EvaluateConfig,
) -> None:
    """Check the longest episode of each split; a pretrained model's positions are not known here.

    Args:
        episodes: pieces of schema.EPISODES of each split.
        ids: of all narrations.
        narrations: their sentences (num_narrations,).
        train: the model and the prompts in training.
        evaluate: the prompt in evaluation, and how much is written after it.

    Raises:
        TooLongError: an episode needs more positions than there are; the message names the key.
    """
    scratch = train.model.scratch
    if scratch is None or scratch.max_position_embeddings is None:
        return
    # The last one is that of an unknown clip, which the suites will find.
    sizes = (count_words(text.as_py()) for text in narrations)
    counts = np.append(np.fromiter(sizes, np.int32, len(narrations)), np.int32(0))
    texts: ById[str] = ById(ids, narrations)
    for split, pieces in episodes.items():
        row = _longest(pieces, ids, counts)
        if row is None:
            continue
        shown = [clip for clip in (*row["context"], row["query"]) if clip in ids]
        told = row["narrations"] or texts.take(shown)
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


def _longest(
    pieces: Iterable[pa.RecordBatch], ids: Ids, counts: NDArray[np.int32]
) -> dict[str, Any] | None:
    """The first episode with the most words; None where there are no episodes."""
    longest, most = None, -1
    for piece in pieces:
        if len(piece):
            words = _num_words(piece, ids, counts)
            place = int(np.argmax(words))
            if words[place] > most:
                longest, most = piece.slice(place, 1).to_pylist()[0], words[place]
    return longest


def _num_words(piece: pa.RecordBatch, ids: Ids, counts: NDArray[np.int32]) -> NDArray[np.int64]:
    """Words of each episode's narrations, given those of each clip's."""
    words = counts[ids.find(piece["query"])].astype(np.int64)
    of_context = counts[ids.find(pc.list_flatten(piece["context"]))]
    np.add.at(words, pc.list_parent_indices(piece["context"]).to_numpy(), of_context)
    for row in np.flatnonzero(pc.is_valid(piece["narrations"]).to_numpy(zero_copy_only=False)):
        words[row] = sum(map(count_words, piece["narrations"][int(row)].as_py()))
    return words


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
