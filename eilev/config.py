"""params.yaml as strict, frozen records: one class per section, one section per stage.

An unknown, missing or ill-typed key raises `ParamsError`, which names the file and the key.
"""

import json
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Even = Annotated[int, Field(ge=2, multiple_of=2)]
Seed = Annotated[int, Field(ge=0)]

Source = Literal["ego4d", "epic_kitchens", "table"]
Kind = Literal["bursty", "random", "contrastive"]
Meaning = Literal["natural", "canonical", "permuted", "renamed"]
Condition = Literal["bursty", "random", "contrastive", "shuffled", "no_video", "new_words"]


class ParamsError(ValueError):
    """params.yaml is missing, unreadable or breaks a rule; the message names the key."""


class Section(BaseModel):
    """Base of every section: no coercion, no extra keys, no mutation."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class SynthesizeConfig(Section):
    """The procedural kitchen that stands in for Ego4D in the default run."""

    seed: Seed
    # Narrated actions in all, dealt out to the videos; each video has one narrator.
    num_actions: Positive
    num_videos: Positive
    num_verbs: Positive
    num_nouns: Positive
    num_narrators: Positive
    # The action of rank r occurs with a probability proportional to r ** -zipf_exponent.
    zipf_exponent: Annotated[float, Field(ge=0.0)]
    # Probabilities that a narrator calls a class by a synonym, or by a word of another class too.
    synonym_rate: Share
    homonym_rate: Share
    # Flaws of real annotations, as shares of the actions; `ingest` rejects the first three, the
    # fourth leaves the verb in Ego4D's catch-all class, the fifth leaves the noun without a class.
    rejected_rate: Share
    invalid_rate: Share
    other_person_rate: Share
    other_verb_rate: Share
    missing_noun_rate: Share
    # Pixels; even, as H.264 asks.
    width: Even
    height: Even
    fps: Positive
    action_s: Annotated[float, Field(gt=0.0)]
    processes: Positive


class IngestConfig(Section):
    """Where the annotations and the videos lie, and which adapter reads them."""

    source: Source
    # A file; for epic_kitchens and table also a folder of them.
    annotations: str
    videos: str
    # table only: file of classes and their words (eilev/data/synonyms.py); null makes every lemma a
    # class of its own. It lies in the folder `annotations`, which DVC watches for changes.
    synonyms: str | None

    @model_validator(mode="after")
    def _synonyms_are_watched(self) -> Self:
        if self.synonyms is None:
            return self
        if self.source != "table":
            raise ValueError("'synonyms' is for source: table")
        if Path(self.annotations) not in Path(self.synonyms).parents:
            raise ValueError("'synonyms' must lie in the folder that 'annotations' names")
        return self


class SplitConfig(Section):
    """Who is trained on (reference rules, design section 5)."""

    seed: Seed
    # "action": rare actions are held out as `novel`; "video": no action is held out.
    by: Literal["action", "video"]
    # Actions by falling frequency are common until they cover this share of the instances ...
    common_share: Share
    # ... or exactly this many actions are common, where a number is given.
    num_common_actions: Positive | None
    # Random videos fill train + val up to this share of the (common) instances, the rest is test.
    train_val_share: Share
    # Of train + val, the share that is train.
    train_share: Share


class ClipsConfig(Section):
    """Which frames of a video are kept for a narration (reference rules, design section 5)."""

    # Seconds of video centred on the narration time; the paper's is 8.
    window_s: Annotated[float, Field(gt=0.0)]
    # Frames taken uniformly from the window; the paper's is 8.
    num_frames: Positive
    # Pixels: stored frames are squares of this side, twice the vision size in the reference. (The
    # decoder gets some sizes wrong that 32 does not divide.)
    frame_size: Annotated[int, Field(ge=32, multiple_of=32)]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    # Clips per Arrow shard.
    shard_size: Positive
    processes: Positive


def _require_divisible(shots: tuple[int, ...], ways: int) -> None:
    if not any(count and count % ways == 0 for count in shots):
        raise ValueError(f"contrastive episodes need a multiple of ways={ways} among 'shots'")


class MixtureItem(Section):
    """One share of the episodes: which contexts, and what their words mean."""

    kind: Kind
    meaning: Meaning
    share: Share
    # Contrastive only: number of different actions in the context, each equally often.
    ways: Positive | None = None
    # Shot counts of this item; the mixture's where not given.
    shots: tuple[Annotated[int, Field(ge=0)], ...] | None = None

    @model_validator(mode="after")
    def _ways_belong_to_contrastive(self) -> Self:
        if (self.kind == "contrastive") != (self.ways is not None):
            raise ValueError("'ways' is required for contrastive episodes and only for them")
        return self


class Marginal(Section):
    """How often each action is asked about: a Zipf law over the most frequent actions."""

    top_actions: Positive
    # 0 asks about all of them equally often.
    zipf_exponent: Annotated[float, Field(ge=0.0)]


class EpisodeMixture(Section):
    """Episodes of one split: `shots` context clips each, kinds and meanings in given shares."""

    shots: tuple[Annotated[int, Field(ge=0)], ...]
    mixture: tuple[MixtureItem, ...]
    # At most this many queries, drawn at random; null takes every clip of the split.
    max_queries: Positive | None
    # Reshapes the queries' actions, repeating clips of rare ones; null keeps the split's own.
    marginal: Marginal | None

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        if abs(sum(item.share for item in self.mixture) - 1.0) > 1e-6:
            raise ValueError("the shares of 'mixture' must sum to 1")
        return self

    @model_validator(mode="after")
    def _every_item_has_shots(self) -> Self:
        for item in self.mixture:
            shots = item.shots or self.shots
            if item.ways is not None:
                _require_divisible(shots, item.ways)
            if item.meaning in ("permuted", "renamed") and not any(shots):
                raise ValueError(f"{item.meaning} episodes need a number above 0 among 'shots'")
        return self


class EvaluationEpisodes(Section):
    """Episodes of `test` and `novel`: every query under every kind at every shot count.

    Contrastive contexts exist at shot counts that `ways` divides, 0 (no context) among them.
    """

    shots: tuple[Annotated[int, Field(ge=0)], ...]
    kinds: tuple[Kind, ...]
    meaning: Meaning
    ways: Positive
    # At most this many queries per kind, drawn at random; null takes every clip of the split.
    max_queries: Positive | None

    @model_validator(mode="after")
    def _ways_divide_shots(self) -> Self:
        if "contrastive" in self.kinds:
            _require_divisible(self.shots, self.ways)
        return self


class EpisodesConfig(Section):
    """Who is in whose context."""

    seed: Seed
    # Training epochs; each draws its own contexts.
    epochs: Positive
    # Share of a bursty context that shares the query's verb class; the rest shares its noun class.
    verb_noun_ratio: Share
    train: EpisodeMixture
    val: EpisodeMixture
    evaluation: EvaluationEpisodes


class Bounds(Section):
    """A closed interval; null leaves a side open."""

    min: float | None
    max: float | None


class ValidateConfig(Section):
    """What the data must look like before anything is trained on it."""

    # Narrations kept by `ingest`, and share of them whose frames could be decoded.
    num_narrations: Bounds
    decoded_share: Bounds
    # Training episodes, contrastive ones apart: share of context items with the query's verb or
    # noun class, and by how much it exceeds the level that random contexts would have.
    burstiness: Bounds
    burstiness_above_random: Bounds
    # Maximum-likelihood Zipf exponent of the training action frequencies.
    zipf_exponent: Bounds
    # Whether no training query may be asked twice in an epoch under the same kind and shots; a
    # reshaped marginal repeats the clips of rare actions.
    unique_queries: bool
    # Bits: H(word | class) and H(class | word) over the narrations of the training episodes.
    verb_synonymy: Bounds
    noun_synonymy: Bounds
    verb_homonymy: Bounds
    noun_homonymy: Bounds


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

    # Magnitude of RandAugment (eilev/data/rand_augment.py), 5 in the reference; 0 switches it off.
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
    prompts: tuple[str, ...]
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


class TextMetricsConfig(Section):
    """Scoring models of the text metrics, each a hub name or a local folder; null asks for none."""

    # Cosine of two sentence embeddings; the paper's is sentence-transformers/all-mpnet-base-v2.
    bi_encoder: str | None
    # Both sentences read at once; the paper's is cross-encoder/stsb-roberta-large.
    cross_encoder: str | None
    # BERTScore's model; its usual one is roberta-large.
    bert_score: str | None


class BaselinesConfig(Section):
    """What the model is compared with (docs/evaluation.md); null leaves a baseline out."""

    # Folder of a checkpoint trained without contexts (VideoBLIP), asked about the same episodes.
    no_context_model: str | None
    # Clips of the training episodes, at most, that the frozen video classifier learns from.
    classifier_clips: Positive | None


class EvaluateConfig(Section):
    """How narrations are generated and under which conditions they are scored."""

    seed: Seed
    conditions: tuple[Condition, ...]
    prompt: str
    max_new_tokens: Positive
    batch_size: Positive
    text_metrics: TextMetricsConfig
    baselines: BaselinesConfig


class ExportConfig(Section):
    """ONNX export and its parity check against torch."""

    opset: Positive
    # Episodes whose greedy narrations must be identical, and the largest logit difference allowed.
    parity_episodes: Positive
    max_logit_difference: Annotated[float, Field(gt=0.0)]


class ReportConfig(Section):
    """The static page."""

    title: str
    num_samples: Positive
    seed: Seed


class Params(Section):
    """The whole of params.yaml."""

    synthesize: SynthesizeConfig
    ingest: IngestConfig
    split: SplitConfig
    clips: ClipsConfig
    episodes: EpisodesConfig
    # `validate` would shadow a pydantic method, hence the alias.
    validate_: ValidateConfig = Field(alias="validate")
    train: TrainConfig
    evaluate: EvaluateConfig
    export: ExportConfig
    report: ReportConfig


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: the file is missing, is not YAML, or breaks a rule; each bad key is named.
    """
    return check_params(read_params(path), str(path))


def read_params(path: Path) -> object:
    """Read params.yaml without checking its keys.

    Raises:
        ParamsError: the file is missing or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: no such file; run from the repository's root") from error
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {error}") from error


def check_params(raw: object, origin: str) -> Params:
    """Check values as they come from a YAML file.

    Args:
        raw: what the file holds.
        origin: names the file in messages.

    Raises:
        ParamsError: a rule is broken; each bad key is named.
    """
    try:
        # Strict JSON mode: lists become tuples, but "3" never becomes 3.
        return Params.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        raise ParamsError(f"{origin}: {_describe(error)}") from error


def _describe(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(str(part) for part in item['loc']) or 'top level'}: {item['msg']}"
        for item in error.errors()
    ]
    return "; ".join(problems)
