"""The interleaved video language model: transformers' BLIP-2 over clips instead of images.

State-dict names and config are those of `Blip2ForConditionalGeneration`, so that a checkpoint
opens in either class.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from transformers import Blip2ForConditionalGeneration
from transformers.utils.generic import ModelOutput

from eilev.model.families import Family, family_of
from eilev.model.loss import cross_entropy


@dataclass
class VideoBlipOutput(ModelOutput):
    """`loss` (scalar, float32; None without labels) and `logits` (batch, length, vocabulary).

    `attentions`: of each layer of a decoder-only language model (batch, heads, length, length),
    where asked for.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    attentions: tuple[Tensor, ...] | None = None


class VideoBlip(Blip2ForConditionalGeneration):  # type: ignore[no-untyped-call]
    """BLIP-2 that reads any number of clips anywhere in the text (arXiv 2311.17041, section 3).

    Inputs follow `eilev.inputs.interleave`: `video_input_mask` marks the placeholders of the clips,
    which hold the pad id, so `attention_mask` must always be given.
    """

    frozen: tuple[str, ...] = ()

    @property
    def family(self) -> Family:
        """What is particular to its language model."""
        return family_of(self.config.text_config)

    def freeze(self, names: Iterable[str]) -> None:
        """Train all but the named modules, which are kept in evaluation mode from now on."""
        self.frozen = tuple(names)
        self.requires_grad_(True)
        for name in self.frozen:
            self.get_submodule(name).requires_grad_(False)
        # The Q-Former's own queries, though BLIP-2 keeps them beside it.
        self.query_tokens.requires_grad_("qformer" not in self.frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the trained modules; frozen ones never see dropout."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def encode_queries(self, pixel_values: Tensor) -> Tensor:
        """Q-Former output of each clip, which sees the tokens of all its frames in one pass.

        Args:
            pixel_values: (num_videos, 3, time, height, width).

        Returns:
            (num_videos, num_query_tokens, Q-Former width).
        """
        return self.ask(self.frame_tokens(pixel_values))

    def frame_tokens(self, pixel_values: Tensor) -> Tensor:
        """What the vision tower sees of each clip, its frames one after the other.

        Args:
            pixel_values: (num_videos, 3, time, height, width).

        Returns:
            (num_videos, time * (patches + 1), vision width).
        """
        frames = pixel_values.transpose(1, 2).flatten(0, 1)  # (num_videos * time, 3, h, w)
        tokens: Tensor = self.vision_model(frames).last_hidden_state
        return tokens.reshape(pixel_values.shape[0], -1, tokens.shape[-1])

    def ask(self, frame_tokens: Tensor) -> Tensor:
        """`encode_queries` from what `frame_tokens` gave."""
        queries: Tensor = self.qformer(
            query_embeds=self.query_tokens.expand(frame_tokens.shape[0], -1, -1),
            encoder_hidden_states=frame_tokens,
        ).last_hidden_state
        return queries

    def encode_videos(self, pixel_values: Tensor) -> Tensor:
        """What the language model sees of each clip.

        Args:
            pixel_values: (num_videos, 3, time, height, width).

        Returns:
            (num_videos, num_query_tokens, language model width).
        """
        return self.project(self.encode_queries(pixel_values))

    def project(self, queries: Tensor) -> Tensor:
        """`encode_videos` from what `encode_queries` gave."""
        # The Q-Former stays float32 in half-precision checkpoints.
        features: Tensor = self.language_projection(
            queries.to(self.language_projection.weight.dtype)
        )
        return features

    def splice(
        self,
        input_ids: Tensor,
        video_input_mask: Tensor,
        pixel_values: Tensor | None = None,
        video_features: Tensor | None = None,
    ) -> Tensor:
        """Token embeddings with the placeholders replaced by the clips' features.

        Args:
            input_ids: (batch, length).
            video_input_mask: (batch, length), non-zero at placeholders.
            pixel_values: (num_videos, 3, time, height, width) in the order of the placeholders.
            video_features: (num_videos, num_query_tokens, width), instead of `pixel_values`.

        Returns:
            (batch, length, width).

        Raises:
            ValueError: both or neither of pixels and features where the text has placeholders, or
                another number of clips than the placeholders are for.
        """
        if pixel_values is not None and video_features is not None:
            raise ValueError("give pixel_values or video_features, not both")
        embeds: Tensor = self.get_input_embeddings()(input_ids)
        if pixel_values is not None:
            video_features = self.encode_videos(pixel_values)
        mask = video_input_mask.bool()
        given = 0 if video_features is None else video_features.shape[0]
        self._check_counts(mask, given)
        if video_features is None:
            return embeds
        # masked_scatter fills row by row: the first run of placeholders gets the first clip.
        return embeds.masked_scatter(mask.unsqueeze(-1), video_features.to(embeds.dtype))

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        video_input_mask: Tensor,
        pixel_values: Tensor | None = None,
        video_features: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool = False,
        logits_to_keep: int = 0,
    ) -> VideoBlipOutput:
        """Logits and, where labels are given, their mean cross-entropy.

        Args:
            input_ids: (batch, length), padded on either side.
            attention_mask: (batch, length), 0 at padding.
            video_input_mask: (batch, length), non-zero at placeholders.
            pixel_values: (num_videos, 3, time, height, width); see `splice`.
            video_features: (num_videos, num_query_tokens, width); see `splice`.
            labels: decoder-only (batch, length), encoder-decoder (batch, target length).
            output_attentions: decoder-only; needs the "eager" attention implementation.
            logits_to_keep: decoder-only; the last positions alone get logits, 0 all of them.

        Returns:
            Decoder-only: logits at the positions of `input_ids`. Encoder-decoder: at every
            position of `labels`, or at the first decoder position without labels.

        Raises:
            ValueError: see `splice`; or no label carries a loss.
        """
        embeds = self.splice(input_ids, video_input_mask, pixel_values, video_features)
        if self.family.encoder_decoder:
            logits = self.language_model(
                inputs_embeds=embeds,
                attention_mask=attention_mask,
                decoder_input_ids=self._decoder_input_ids(input_ids, labels),
                use_cache=False,
            ).logits
            attentions = None
            loss = None if labels is None else cross_entropy(logits, labels)
        else:
            output = self.language_model(
                inputs_embeds=embeds,
                attention_mask=attention_mask,
                use_cache=False,
                output_attentions=output_attentions,
                logits_to_keep=logits_to_keep,
            )
            logits, attentions = output.logits, output.attentions
            loss = None if labels is None else cross_entropy(logits[:, :-1], labels[:, 1:])
        return VideoBlipOutput(loss=loss, logits=logits, attentions=attentions)

    @torch.no_grad()
    def generate(  # type: ignore[override]
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        video_input_mask: Tensor,
        pixel_values: Tensor | None = None,
        video_features: Tensor | None = None,
        **generate_kwargs: Any,
    ) -> Tensor:
        """Continue left-padded prompts.

        Args:
            input_ids: (batch, length), padded on the left.
            attention_mask: (batch, length), 0 at padding.
            video_input_mask: (batch, length), non-zero at placeholders.
            pixel_values: (num_videos, 3, time, height, width); see `splice`.
            video_features: (num_videos, num_query_tokens, width); see `splice`.
            generate_kwargs: of `transformers.GenerationMixin.generate`.

        Returns:
            (batch, new length): new tokens only, special tokens after a row's end.
        """
        embeds = self.splice(input_ids, video_input_mask, pixel_values, video_features)
        tokens: Tensor = self.language_model.generate(
            inputs_embeds=embeds, attention_mask=attention_mask, **generate_kwargs
        )
        # Without input_ids a decoder-only model returns new tokens only; an encoder-decoder
        # begins with its start token.
        return tokens[:, 1:] if self.family.encoder_decoder else tokens

    @torch.no_grad()
    def generate_greedily(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        video_input_mask: Tensor,
        max_new_tokens: int,
        pixel_values: Tensor | None = None,
        video_features: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Continue left-padded prompts with the likeliest token each time.

        Args:
            input_ids: (batch, length), padded on the left.
            attention_mask: (batch, length), 0 at padding.
            video_input_mask: (batch, length), non-zero at placeholders.
            max_new_tokens: most tokens to write.
            pixel_values: (num_videos, 3, time, height, width); see `splice`.
            video_features: (num_videos, num_query_tokens, width); see `splice`.

        Returns:
            New tokens (batch, new length), and the probability of each row's (batch,): the product
            of its tokens', the end of the sequence among them.
        """
        embeds = self.splice(input_ids, video_input_mask, pixel_values, video_features)
        output = self.language_model.generate(
            inputs_embeds=embeds,
            attention_mask=attention_mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            output_scores=True,
            return_dict_in_generate=True,
        )
        # The scores are the last steps': an encoder-decoder begins with its start token.
        tokens: Tensor = output.sequences[:, -len(output.scores) :]
        logits = torch.stack(output.scores, dim=1).float()
        chosen = logits.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
        return tokens, chosen.where(self._is_written(tokens), 0.0).sum(dim=1).exp()

    def _is_written(self, tokens: Tensor) -> Tensor:
        """Which of the new tokens (batch, length) come no later than a row's end."""
        ends = self.language_model.generation_config.eos_token_id
        is_end = torch.isin(tokens, torch.as_tensor(ends, device=tokens.device))
        return is_end.cumsum(dim=1) - is_end.long() == 0

    def _decoder_input_ids(self, input_ids: Tensor, labels: Tensor | None) -> Tensor:
        if labels is not None:
            shifted: Tensor = self.language_model.prepare_decoder_input_ids_from_labels(labels)
            return shifted
        start = self.language_model.config.decoder_start_token_id
        return input_ids.new_full((input_ids.shape[0], 1), start)

    def _check_counts(self, mask: Tensor, num_videos: int) -> None:
        per_row = mask.sum(dim=1)
        num_tokens = self.config.num_query_tokens
        if bool((per_row % num_tokens).any()):
            raise ValueError(
                f"placeholders per row are {per_row.tolist()}, "
                f"expected multiples of {num_tokens} (num_query_tokens)"
            )
        expected = int(per_row.sum()) // num_tokens
        if expected != num_videos:
            raise ValueError(
                f"the text has placeholders for {expected} videos, but {num_videos} are given"
            )
