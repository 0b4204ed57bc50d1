"""What is trained, and how: the section train."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from eilev.config.section import Positive, Section, Seed, Share


class TransformerConfig(Section):
    """Size of one transformer built from scratch."""

    hidden_size: Positive
    num_hidden_layers: Positive
    num_attention_heads: Positive
    intermediate_size: Positive


class ScratchConfig(Section):
    """A BLIP-2 built from scratch (the default source's model)."""

    image_size: Positive
    patch_size: Positive
    num_query_tokens: Positive
    max_position_embeddings: Positive
    # Standard deviation of the initial weights. BERT's and OPT's 0.02 is for wide models: at widths
    # around 100 it delays the phase change to in-context learning several times over.
    initializer_range: Annotated[float, Field(gt=0.0)]
    vision: TransformerConfig
    qformer: TransformerConfig
    text: TransformerConfig


class ModelConfig(Section):
    """Exactly one of `pretrained` (a BLIP-2 checkpoint) and `scratch` is given."""

    # Folder or hub name of a BLIP-2 checkpoint.
    pretrained: str | None
    scratch: ScratchConfig | None
    # Modules that are not trained; the reference: ["vision_model", "language_model"].
    freeze: tuple[Literal["vision_model", "qformer", "language_projection", "language_model"], ...]

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.pretrained is None) == (self.scratch is None):
            raise ValueError("give exactly one of 'pretrained' and 'scratch'")
        return self


class AugmentConfig(Section):
    """Random changes of a training clip, the same for all its frames."""

    # Magnitude of RandAugment (eilev/training/augmentation/rand_augment.py), 5 in the reference;
    # 0 switches it off.
    randaugment: Annotated[int, Field(ge=0, le=10)]
    # Area of the random resized crop as a share of the frame; [1, 1] switches it off.
    crop_scale: tuple[Share, Share]
    horizontal_flip: Share
    # Brightness and contrast factors are drawn from [1 - x, 1 + x].
    brightness: Annotated[float, Field(ge=0.0)]
    contrast: Annotated[float, Field(ge=0.0)]
    # Standard deviation of pixel noise, in units of the full range.
    noise: Annotated[float, Field(ge=0.0)]
    # In permuted episodes: turn or mirror all clips of an episode alike, and exchange their colour
    # channels. Only the context says there what a look is called, so no label suffers.
    symmetries: bool


class TrainConfig(Section):
    """Training of the interleaved video model (reference values in design section 5)."""

    seed: Seed
    # Accelerate's launch file: device, precision and process count.
    launch: str
    model: ModelConfig
    # One of these asks for the narration of each clip; drawn per clip.
    prompts: Annotated[tuple[str, ...], Field(min_length=1)]
    # "all": every narration of the episode counts; "query": the query's only (the reference).
    loss_on: Literal["all", "query"]
    # Weight in the loss of the tokens that tell narrations apart (verbs, nouns): those that fewer
    # than half of the narrations contain. 1 is the plain mean (the reference).
    content_weight: Annotated[float, Field(gt=0.0)]
    # Weight of the loss on attention that teaches binding (eilev/training/guidance.py), for
    # decoder-only models; needs content_weight > 1, which marks the words. 0 is the reference.
    guidance: Annotated[float, Field(ge=0.0)]
    # Episodes that a process runs at once, and how many such batches make up an optimiser step: a
    # step sees batch_size * accumulation_steps * processes episodes.
    batch_size: Positive
    accumulation_steps: Positive
    learning_rate: Annotated[float, Field(gt=0.0)]
    betas: tuple[Share, Share]
    weight_decay: Annotated[float, Field(ge=0.0)]
    warmup_steps: Annotated[int, Field(ge=0)]
    schedule: Literal["constant", "linear", "cosine"]
    max_grad_norm: Annotated[float, Field(gt=0.0)]
    augment: AugmentConfig
    # Steps between validations, and between checkpoints that a stopped run resumes from.
    validate_every: Positive
    checkpoint_every: Positive
    # What keeps a model: "icl" = exact narrations on the val episodes, "loss" = the reference's.
    select_by: Literal["icl", "loss"]
    num_workers: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _guidance_knows_the_words(self) -> Self:
        if self.guidance and self.content_weight <= 1:
            raise ValueError("'guidance' needs a 'content_weight' above 1, which marks the words")
        return self
