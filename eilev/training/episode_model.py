"""The model in training: every clip of a batch encoded once, no padding across shot counts."""

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from eilev.inputs.interleave import IGNORE_INDEX
from eilev.inputs.tokenizer import TextCodec
from eilev.model.video_blip import VideoBlip, VideoBlipOutput
from eilev.training.guidance import guidance_loss
from eilev.training.naming import naming_loss
from eilev.training.sharding import layer_classes

_INPUTS = ("input_ids", "attention_mask", "video_input_mask")


class EpisodeModel(nn.Module):
    """The model, its batch economies and its loss, as one module under the gradient synchroniser.

    Args:
        model: What is trained.
        token_weights: (vocabulary,) weight of each target token in the loss, above 1 of those that
            tell narrations apart (`telling_tokens`).
        naming: weight of the loss on what the query's tokens are called (`eilev.training.naming`);
            0 leaves it out.
        guidance: weight of the loss on attention (`eilev.training.guidance`), for decoder-only
            models whose attention implementation is "eager"; 0 leaves it out.
        language: weight of the language loss in training; 0 leaves the language model out there.
    """

    token_weights: Tensor

    def __init__(
        self,
        model: VideoBlip,
        token_weights: Tensor,
        guidance: float = 0.0,
        naming: float = 0.0,
        language: float = 1.0,
    ):
        super().__init__()
        self.model = model
        self.guidance = guidance
        self.naming = naming
        self.language = language
        self.encoder_decoder = model.family.encoder_decoder
        self.register_buffer("token_weights", token_weights, persistent=False)

    def forward(
        self,
        clip_index: Tensor,
        pixel_values: Tensor | None = None,
        frame_tokens: Tensor | None = None,
        queries: Tensor | None = None,
        **tokens: Tensor,
    ) -> dict[str, Tensor]:
        """Score the labels of a batch of episodes.

        The decoder is the larger half of a small model, and attention to padding is wasted on it:
        rows with the same number of clips are as good as equally long and run together.

        Args:
            clip_index: int64 (num_placeholder_runs,), which clip each run shows.
            pixel_values: float (num_clips, 3, T, h, w), the distinct clips.
            frame_tokens: float (num_clips, frames * tokens, vision width), what a frozen vision
                tower sees of them, instead of `pixel_values`.
            queries: float (num_clips, query tokens, Q-Former width), what a Q-Former that is
                frozen as well makes of that, instead of either.
            tokens: input_ids, attention_mask, video_input_mask and labels, (batch, length), padded
                on the right; and, where naming has a weight, named (batch, 2).

        Returns:
            loss: weighted mean over the labels, scalar; an episode's guidance and naming weigh as
            much as its labels. weight: sum of the weights, by which the losses of parts of a step
            are to be averaged. rows: what `label_scores` sums up of each row, (batch, 3), without
            gradient.
        """
        features = self._encode(pixel_values, frame_tokens, queries)[clip_index]
        num_clips = tokens["video_input_mask"].sum(1) // features.shape[1]
        first = num_clips.cumsum(0) - num_clips
        rows = features.new_empty((len(num_clips), 3), dtype=torch.float32)
        losses, weights = [], []
        for count in torch.unique(num_clips).tolist():
            members = (num_clips == count).nonzero()[:, 0]
            shown = first[members, None] + torch.arange(count, device=members.device)
            group = self._trimmed({name: value[members] for name, value in tokens.items()})
            loss, weight, rows[members] = self._tell(group, features[shown.flatten()])
            named = self._naming(group, features[shown[:, -1]])
            losses.append(loss + (weight * named).sum())
            weights.append(weight.sum())
        total = torch.stack(weights).sum()
        return {"loss": torch.stack(losses).sum() / total, "weight": total, "rows": rows}

    def _encode(
        self, pixel_values: Tensor | None, frame_tokens: Tensor | None, queries: Tensor | None
    ) -> Tensor:
        if pixel_values is not None:
            return self.model.encode_videos(pixel_values)
        if frame_tokens is not None:
            queries = self.model.ask(frame_tokens)
        if queries is None:
            raise ValueError("give pixel_values, frame_tokens or queries")
        return self.model.project(queries)

    def _tell(self, group: Mapping[str, Tensor], features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the language model says of a group: loss, and each row's weight and scores.

        Where that does not count, no loss, rows that weigh alike, and no scores.
        """
        if self.training and not self.language:
            blank = features.new_zeros((len(group["labels"]), 3), dtype=torch.float32)
            return blank.sum(), blank[:, 0] + 1, blank
        output = self._run(group, features)
        loss, weight, rows = self._score(output["logits"], group["labels"])
        guided = (weight * (self.guidance * self._guidance(group, output))).sum()
        return (self.language * loss if self.training else loss) + guided, weight, rows

    def _guidance(self, group: Mapping[str, Tensor], output: VideoBlipOutput) -> Tensor:
        """Loss on the attention of each episode; nothing where it was not asked for."""
        if output.attentions is None:
            return group["labels"].new_zeros(())
        inputs = {name: group[name] for name in _INPUTS}
        return guidance_loss(output.attentions, **inputs, telling=self.token_weights > 1)

    def _naming(self, group: Mapping[str, Tensor], query: Tensor) -> Tensor:
        """Weighted loss on what each episode's query is called."""
        if not (self.naming and self.training):
            return group["labels"].new_zeros(())
        words: Tensor = self.model.get_input_embeddings().weight  # type: ignore[assignment]
        return self.naming * naming_loss(query, group["named"], words, self.token_weights > 1)

    def _trimmed(self, group: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Cut off what is padding in every row of a group."""
        length = int(group["attention_mask"].sum(1).max())
        return {
            name: value if name in self._unpadded else value[:, :length]
            for name, value in group.items()
        }

    @property
    def _no_split_modules(self) -> list[str]:
        """What Accelerate asks for when it shares the model out."""
        return layer_classes(self, self.model.language_model)

    @property
    def _unpadded(self) -> tuple[str, ...]:
        """What has another length than the input; so has the target of an encoder-decoder."""
        return ("named", "labels") if self.encoder_decoder else ("named",)

    def _run(self, group: Mapping[str, Tensor], features: Tensor) -> VideoBlipOutput:
        inputs = {name: group[name] for name in _INPUTS}
        # Only an encoder-decoder needs to see its target.
        labels = group["labels"] if self.encoder_decoder else None
        output: VideoBlipOutput = self.model(
            **inputs,
            video_features=features,
            labels=labels,
            output_attentions=self.guidance > 0 and self.training,
            logits_to_keep=0 if self.encoder_decoder else _reach(group["labels"]),
        )
        return output

    def _score(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weighted loss, each row's sum of the weights, and what `label_scores` sums up."""
        if not self.encoder_decoder:
            # Each position predicts the token after it; the first ones may have been left out.
            logits, labels = logits[:, :-1], labels[:, -logits.shape[1] + 1 :]
        labelled = labels != IGNORE_INDEX
        targets, picked = labels[labelled], logits[labelled].float()
        losses = F.cross_entropy(picked, targets, reduction="none")
        weights = self.token_weights[targets]
        with torch.no_grad():
            rows = label_scores(labelled, losses, picked.argmax(-1) == targets)
            of_rows = weights.new_zeros(len(labels)).index_add(0, labelled.nonzero()[:, 0], weights)
        return (losses * weights).sum(), of_rows, rows


def _reach(labels: Tensor) -> int:
    """Positions from the end on whose logits score all labels.

    Where the query alone is scored, its few words are all that the vocabulary is needed for.
    """
    first = int((labels != IGNORE_INDEX).any(dim=0).nonzero()[0])
    return labels.shape[1] - first + 1


def label_scores(labelled: Tensor, losses: Tensor, correct: Tensor) -> Tensor:
    """Sum up each row's loss, rightly predicted labels and labels: float (batch, 3).

    Args:
        labelled: bool (batch, length), where the labels are.
        losses: (num_labels,), row-major.
        correct: bool (num_labels,), whether the likeliest token is the label.
    """
    values = torch.stack([losses, correct.float(), torch.ones_like(losses)], dim=1)
    sums = values.new_zeros((len(labelled), 3))
    return sums.index_add(0, labelled.nonzero()[:, 0], values)


def telling_tokens(texts: Iterable[str], codec: TextCodec) -> Tensor:
    """Find the tokens that tell narrations apart: those that fewer than half of them contain.

    "The camera wearer" and the full stop are learnt at once; what is left to learn are verbs and
    nouns, a few tokens among many, which may weigh more in the loss.

    Args:
        texts: The narrations.
        codec: Makes them tokens.

    Returns:
        bool (number of tokens,).
    """
    counts, number = torch.zeros(codec.vocab_size), 0
    for text in texts:
        number += 1
        # With the space that interleave puts before a narration.
        counts[list(set(codec.encode(f" {text}")))] += 1
    return (counts > 0) & (counts < number / 2)
