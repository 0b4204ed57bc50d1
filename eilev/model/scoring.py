"""How likely given sentences or words are as the continuation of a prompt."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from eilev.model.video_blip import VideoBlip


@torch.no_grad()
def score_classes(
    model: VideoBlip,
    input_ids: Tensor,
    attention_mask: Tensor,
    video_input_mask: Tensor,
    class_input_ids: Tensor,
    class_attention_mask: Tensor,
    pixel_values: Tensor | None = None,
    video_features: Tensor | None = None,
    chunk_size: int = 64,
) -> Tensor:
    """Score classes by the mean log-likelihood of their tokens after each prompt.

    This is the score by which the reference (arXiv 2311.17041) classifies with a decoder-only
    model: the first token is predicted by the prompt's last position, each later one by the token
    before it. The prompt runs once, and its keys and values are repeated for `chunk_size` classes
    at a time. An encoder-decoder, for which the reference has no score, gets the mean over the
    target of its decoder.

    Args:
        model: in evaluation mode.
        input_ids: (batch, length), prompts padded on the left.
        attention_mask: (batch, length), 0 at padding.
        video_input_mask: (batch, length), non-zero at placeholders.
        class_input_ids: (num_classes, class length), without BOS and EOS, padded on the right.
        class_attention_mask: (num_classes, class length), 0 at padding.
        pixel_values: (num_videos, 3, time, height, width); see `VideoBlip.splice`.
        video_features: (num_videos, num_query_tokens, width); see `VideoBlip.splice`.
        chunk_size: classes scored in one pass; bounds the memory.

    Returns:
        float32 (batch, num_classes), at most 0.

    Raises:
        ValueError: a class without a token or padded on the left, or see `VideoBlip.splice`.
    """
    _check_classes(class_attention_mask)
    embeds = model.splice(input_ids, video_input_mask, pixel_values, video_features)
    score = _EncoderDecoder if model.family.encoder_decoder else _DecoderOnly
    prompts = score(model, embeds, attention_mask)
    scores = []
    for ids, mask in _chunks(class_input_ids, class_attention_mask, chunk_size):
        log_probs = prompts.log_probs(ids).view(len(input_ids), *ids.shape)
        scores.append((log_probs * mask).sum(-1) / mask.sum(-1))
    return torch.cat(scores, dim=1)


class _DecoderOnly:
    """Prompts that have run, with their cache."""

    def __init__(self, model: VideoBlip, embeds: Tensor, attention_mask: Tensor):
        self._model, self._attention_mask = model, attention_mask
        output = model.language_model(
            inputs_embeds=embeds, attention_mask=attention_mask, use_cache=True, logits_to_keep=1
        )
        self._cache, self._first = output.past_key_values, output.logits

    def log_probs(self, ids: Tensor) -> Tensor:
        """(batch * classes, class length), the classes of a prompt one after the other."""
        logits = self._first.repeat_interleave(len(ids), dim=0)
        rows = ids.repeat(len(self._first), 1)
        if ids.shape[1] > 1:
            mask = self._attention_mask.repeat_interleave(len(ids), dim=0)
            # A pass appends to the cache, which other chunks need as it is.
            cache = copy.deepcopy(self._cache)
            cache.batch_repeat_interleave(len(ids))
            # The padding behind a class's end is seen by nothing that counts.
            later = self._model.language_model(
                inputs_embeds=self._model.get_input_embeddings()(rows[:, :-1]),
                attention_mask=torch.cat([mask, torch.ones_like(rows[:, :-1])], dim=1),
                past_key_values=cache,
                use_cache=True,
            ).logits
            logits = torch.cat([logits, later], dim=1)
        return _chosen(logits, rows)


class _EncoderDecoder:
    """Prompts that the encoder has read."""

    def __init__(self, model: VideoBlip, embeds: Tensor, attention_mask: Tensor):
        self._language_model, self._attention_mask = model.language_model, attention_mask
        encoder = model.language_model.get_encoder()
        output = encoder(inputs_embeds=embeds, attention_mask=attention_mask)
        self._states = output.last_hidden_state

    def log_probs(self, ids: Tensor) -> Tensor:
        """(batch * classes, class length), the classes of a prompt one after the other."""
        rows = ids.repeat(len(self._states), 1)
        states = self._states.repeat_interleave(len(ids), dim=0)
        logits = self._language_model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=self._attention_mask.repeat_interleave(len(ids), dim=0),
            decoder_input_ids=self._language_model.prepare_decoder_input_ids_from_labels(rows),
            use_cache=False,
        ).logits
        return _chosen(logits, rows)


def _chosen(logits: Tensor, ids: Tensor) -> Tensor:
    log_probs = logits.float().log_softmax(-1)
    return log_probs.gather(-1, ids.unsqueeze(-1)).squeeze(-1)


def _chunks(ids: Tensor, mask: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Classes, `size` at a time, without the columns that are padding in all of a chunk."""
    for start in range(0, len(ids), size):
        part = mask[start : start + size]
        length = int(part.sum(-1).max())
        yield ids[start : start + size, :length], part[:, :length]


def _check_classes(mask: Tensor) -> None:
    if not mask.numel() or not bool((mask[:, 0] == 1).all()):
        raise ValueError("every class needs a token, and padding on the right")
    if bool((mask[:, 1:] > mask[:, :-1]).any()):
        raise ValueError("classes must be padded on the right")
