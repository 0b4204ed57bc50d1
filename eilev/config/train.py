"""What is trained, and how: the section train."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eilev.config.section import (
    ParamsError,
    PhaseName,
    Positive,
    Section,
    Seed,
    Share,
    require_distinct,
)

Module = Literal["vision_model", "qformer", "language_projection", "language_model"]


class TransformerConfig(Section):
    """Size of one transformer built from scratch."""

    hidden_size: Positive
    """Width: numbers that stand for a token. A multiple of `num_attention_heads`."""
    num_hidden_layers: Positive
    """Depth. A language model needs two to bind: one to fetch a token's own clip, one to look the
    word up."""
    num_attention_heads: Positive
    """Heads of each layer, which share its width. `train.phases.guidance` tells one half of the
    language model's where to look."""
    intermediate_size: Positive
    """Width of the feed-forward part of each layer."""


class ScratchConfig(Section):
    """A BLIP-2 with new eyes, and a new language model (the default source's) or a pretrained one.

    Exactly one of `text` and `language_model` is given.
    """

    image_size: Positive
    """Side in pixels of what the vision tower sees, half of `clips.frame_size`; a multiple of
    `patch_size`. The published models see 224."""
    patch_size: Positive
    """Side in pixels of a patch, which becomes a token: 16 of them in each of the default's frames.
    The published models have 14."""
    num_query_tokens: Positive
    """Tokens that the Q-Former makes of a clip, all its frames together. The published models have
    32; larger eyes with 4 see verbs better (docs/binding.md)."""
    max_position_embeddings: Positive | None
    """Longest sequence of the language model that `text` describes, in tokens; null where it is
    pretrained. Its positions are learned; an episode of 8 shots of the kitchen takes about 100."""
    initializer_range: Annotated[float, Field(gt=0.0)]
    """Standard deviation of the initial weights. BERT's and OPT's 0.02 is for wide models: at
    widths around 100 it delays the phase change to in-context learning several times over. Verb
    accuracy after 50 text-only steps was 0.44 with 0.06, 0.04 with 0.02 (docs/log.md)."""
    vision: TransformerConfig
    """The vision tower, a ViT that sees each frame for itself. Small because most of the time goes
    there."""
    qformer: TransformerConfig
    """The Q-Former, which passes over the tokens of all frames of a clip once and has no order of
    them; each of its layers looks at the frames."""
    text: TransformerConfig | None
    """A new language model, a decoder of OPT's kind with one token for each word; null where there
    is a pretrained one."""
    language_model: str | None
    """A pretrained language model with its tokenizer, for which only the eyes are new: folder or
    hub name of a causal one, or `package:NAME`, an installed package that brings one as a GGUF file
    (docs/profiles.md); null builds one from `text`."""

    @model_validator(mode="after")
    def _one_language_model(self) -> Self:
        if (self.text is None) == (self.language_model is None):
            raise ValueError("give exactly one of 'text' and 'language_model'")
        if (self.text is None) != (self.max_position_embeddings is None):
            raise ValueError("give 'max_position_embeddings' with 'text', and not without it")
        return self


class ModelConfig(Section):
    """Exactly one of `pretrained` (a BLIP-2 checkpoint) and `scratch` is given."""

    pretrained: str | None
    """Folder or hub name of a BLIP-2 checkpoint, the paper's way; null builds one from `scratch`,
    so that the default downloads nothing."""
    scratch: ScratchConfig | None
    """Sizes of a model built from scratch, a million parameters in the default; null where there is
    a checkpoint."""
    freeze: tuple[Module, ...]
    """Modules that no phase trains. The reference freezes `vision_model` and `language_model`, so
    that Q-Former, query tokens and projection are left; from scratch nothing is worth keeping."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.pretrained is None) == (self.scratch is None):
            raise ValueError("give exactly one of 'pretrained' and 'scratch'")
        return self


class AugmentConfig(Section):
    """Random changes of a training clip, the same for all its frames."""

    randaugment: Annotated[int, Field(ge=0, le=10)]
    """Magnitude of RandAugment (eilev/training/augmentation/rand_augment.py), 5 in the reference; 0
    switches it off. It turns, shifts and recolours, and the kitchen's verbs are told by places, its
    nouns by colours."""
    crop_scale: tuple[Share, Share]
    """Area of the random resized crop as a share of the frame, least and greatest; [1, 1] switches
    it off. The reference's is [0.5, 1]; the kitchen's few pixels are cropped less."""
    horizontal_flip: Share
    """Probability that a clip is mirrored. 0.5 in the reference; 0 for the kitchen, whose verbs
    differ by the side of the hands."""
    brightness: Annotated[float, Field(ge=0.0)]
    """The clip's mean is multiplied by a factor drawn from [1 - x, 1 + x]; 0 switches it off. For
    small models in place of RandAugment: with changes like these a model unlearns learning in
    context later."""
    contrast: Annotated[float, Field(ge=0.0)]
    """The distances from the clip's mean are multiplied by a factor drawn from [1 - x, 1 + x]; 0
    switches it off."""
    noise: Annotated[float, Field(ge=0.0)]
    """Standard deviation of pixel noise, in units of the full range, independent in every frame; 0
    switches it off."""
    symmetries: bool
    """In permuted and renamed episodes: turn or mirror all clips of an episode alike, and exchange
    their colour channels. Only the context says there what a look is called, so no label suffers.
    Off: it brought no step change (docs/binding.md)."""


class PhaseConfig(Section):
    """How one phase of the curriculum is trained; `episodes.train` says on what.

    Each phase has a warm-up, a schedule and an optimiser of its own, and goes on from the weights
    that the one before it ended with.
    """

    name: PhaseName
    """Name of the phase, as `episodes.train` has it."""
    freeze: tuple[Module, ...]
    """Modules that this phase does not train, beside `train.model.freeze`."""
    learning_rate_scale: Annotated[float, Field(gt=0.0)]
    """The phase's greatest learning rate as a multiple of `train.learning_rate`."""
    language: Annotated[float, Field(ge=0.0)]
    """Weight of the language loss: that the narration is told word for word. With 0 the language
    model, which must be frozen, is not run at all: naming alone teaches the eyes, at the price of
    the eyes. 1 is the reference."""
    guidance: Annotated[float, Field(ge=0.0)]
    """Weight of the loss on attention that teaches binding (eilev/training/guidance.py), for
    decoder-only models; needs `content_weight` above 1, which marks the words. 0 is the reference,
    which copies its context (docs/binding.md)."""
    naming: Annotated[float, Field(ge=0.0)]
    """Weight of the loss that draws what is seen of the query towards the words for it, the verb
    apart from the noun (eilev/training/naming.py); needs `content_weight` above 1. 0 is the
    reference."""


class TrainConfig(Section):
    """Training of the interleaved video model (docs/profiles.md has the paper's values)."""

    seed: Seed
    """Seed of the initial weights, the order of the episodes, prompts and augmentation. Equal
    parameters give equal weights on one machine."""
    launch: str
    """Accelerate's launch file: device, precision and process count. The paper's is 8 GPUs in
    bf16."""
    model: ModelConfig
    """What is trained: a checkpoint or a new model, exactly one of `pretrained` and `scratch`."""
    prompts: Annotated[tuple[str, ...], Field(min_length=1)]
    """One of these asks for the narration of each clip; drawn per clip. The reference has several
    paraphrases of one question; a small model knows no other task and is asked nothing."""
    loss_on: Literal["all", "query"]
    """`query`: the query's narration only (the reference). `all`: every narration of the episode
    counts, which teaches bursty contexts the wrong way round, as no context clip has the query's
    verb and noun both: 0.004 against 0.23 in text-only trials (docs/log.md)."""
    content_weight: Annotated[float, Field(gt=0.0)]
    """Weight in the loss of the tokens that tell narrations apart (verbs, nouns): those that fewer
    than half of the narrations contain. 1 is the plain mean (the reference). "The camera wearer" is
    learnt at once; above 1, a small model's time goes to what is left."""
    phases: Annotated[tuple[PhaseConfig, ...], Field(min_length=1)]
    """The curriculum, in order: how each phase of `episodes.train` is trained. The paper's has
    one."""
    batch_size: Positive
    """Episodes of an optimiser step, those of all processes together: 128 in the paper. A process
    runs batch_size / (processes * accumulation_steps) of them at once, which must be whole."""
    accumulation_steps: Positive
    """Parts of a step that each process runs one after the other, to save memory; the losses stay
    the same. The paper's 128 are 16 parts of 1 episode on 8 GPUs with contexts, 1 of 16 without."""
    learning_rate: Annotated[float, Field(gt=0.0)]
    """AdamW's greatest learning rate, which each phase scales. The paper fine-tunes with 1e-5; from
    scratch it takes far more, though 0.003 was behind 0.001 at smaller initial weights
    (docs/log.md)."""
    betas: tuple[Share, Share]
    """AdamW's decay of the two moments. 0.999 is the usual second one; 0.98 looks back over 50
    steps instead of 1,000, in small phases of some hundreds."""
    weight_decay: Annotated[float, Field(ge=0.0)]
    """AdamW's weight decay, of matrices only; biases and norms are not decayed. 0.05 is the
    paper's."""
    warmup_steps: Annotated[int, Field(ge=0)]
    """Optimiser steps over which the learning rate rises from 0. The paper has none with contexts
    and 1,000 without (VideoBLIP); new weights need some."""
    schedule: Literal["constant", "linear", "cosine"]
    """What the learning rate does after the warm-up: stay, or fall to 0 at the last step along a
    line (the paper) or half a cosine."""
    max_grad_norm: Annotated[float, Field(gt=0.0)]
    """Gradients of a greater norm are scaled down to it."""
    augment: AugmentConfig
    """Random changes of the training clips, the same for all frames of a clip. Without them a small
    model knows its clips by heart and unlearns learning in context."""
    views: Annotated[int, Field(ge=0)]
    """Augmentations of a clip that phases with a frozen vision tower draw from: the tower, and the
    Q-Former where it is frozen as well, run once for each clip and view, into memory-mapped files
    beside the checkpoints, instead of at every showing. 0 runs them at every showing, each time
    with another augmentation. A clip and view of the published ViT-g takes 5.8 MB in half
    precision, what its Q-Former makes of them 0.05."""
    validate_every: Positive
    """Optimiser steps between validations; the last step of a phase is always validated, and the
    only one where `train.phases.language` is 0. 200 is the reference's."""
    checkpoint_every: Positive
    """Optimiser steps between checkpoints, from which a stopped run resumes with the same
    result."""
    select_by: Literal["icl", "loss"]
    """What keeps a model. `loss`: the least validation loss (the reference). `icl`: the most exact
    narrations of the val episodes, as learning in context is transient and the loss keeps a model
    that has unlearnt it."""
    num_workers: Annotated[int, Field(ge=0)]
    """Processes that load batches, for each training process; 0 loads in the training process
    itself, which is enough where all frames fit into memory. The result does not depend on it."""

    def episodes_at_once(self, num_processes: int) -> int:
        """Episodes of a step that each of some processes runs at once.

        Raises:
            ParamsError: the step cannot be shared out evenly.
        """
        parts = num_processes * self.accumulation_steps
        at_once, left = divmod(self.batch_size, parts)
        if left:
            raise ParamsError(
                f"train.batch_size: {self.batch_size} episodes cannot be shared out evenly among "
                f"{num_processes} (num_processes in {self.launch}) x {self.accumulation_steps} "
                f"(train.accumulation_steps): choose a multiple of {parts} or change one of the two"
            )
        return at_once

    @model_validator(mode="after")
    def _phases_fit(self) -> Self:
        require_distinct("phases", [phase.name for phase in self.phases])
        if self.views and self.augment.symmetries:
            raise ValueError("'views' are encoded once for all episodes: set 'symmetries' to false")
        for phase in self.phases:
            self._check_silent(phase)
        marked = any(phase.guidance or phase.naming for phase in self.phases)
        if marked and self.content_weight <= 1:
            raise ValueError(
                "'guidance' and 'naming' need a 'content_weight' above 1, which marks the words"
            )
        return self

    def _check_silent(self, phase: PhaseConfig) -> None:
        """Refuse a phase without the language loss that needs the language model all the same."""
        if phase.language:
            return
        frozen = {*phase.freeze, *self.model.freeze}
        if "language_model" not in frozen or phase.guidance or not phase.naming:
            raise ValueError(
                f"phase '{phase.name}': 'language' 0 needs a 'language_model' in 'freeze', "
                "'guidance' 0 and a 'naming' above 0"
            )
