"""The section episodes: who is in whose context."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from eilev.config.section import (
    OneOf,
    PhaseName,
    Positive,
    Section,
    Seed,
    Share,
    require_distinct,
)
from eilev.vocabulary import KINDS, MEANINGS

Kind = Annotated[str, OneOf(KINDS)]
Meaning = Annotated[str, OneOf(MEANINGS)]


def _require_divisible(shots: tuple[int, ...], ways: int) -> None:
    if not any(count and count % ways == 0 for count in shots):
        raise ValueError(f"contrastive episodes need a multiple of ways={ways} among 'shots'")


# Numbers of context clips, one or more.
Shots = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


class MixtureItem(Section):
    """One share of the episodes: which contexts, and what their words mean."""

    kind: Kind
    """How contexts are drawn. `bursty`, the paper's: a part shares the query's verb, the rest its
    noun, none both. `random`: any clips of other actions. `contrastive`: several actions equally
    often, exactly one of them the query's, so that copying what is frequent does not help."""
    meaning: Meaning
    """What the words mean. `natural`: the narrators' words, as in the paper. `canonical`: one word
    for each class, the paper's ablation. `permuted`: the classes' words are re-assigned within the
    episode, so that only the context tells what a word means; with the kitchen's little data this
    is what forces a model to read it (docs/ablations.md). `renamed`: the same word by word, so that
    synonyms stay synonyms. `invented`: so renamed in words that nobody has, whose embeddings are
    drawn anew in every step, so that a word can be used that was never learnt (docs/binding.md)."""
    share: Share
    """Share of the episodes; the shares of a mixture sum to 1."""
    ways: Positive | None = None
    """Contrastive only, and needed there: number of different actions in the context, each equally
    often. Only shot counts that it divides are taken."""
    shots: Shots | None = None
    """Shot counts of this item; the mixture's where not given. Permuted and renamed items take
    those above 0 only, as nothing else tells their words."""

    @model_validator(mode="after")
    def _ways_belong_to_their_kinds(self) -> Self:
        if KINDS[self.kind].in_ways != (self.ways is not None):
            wanted = "needs" if self.ways is None else "has no"
            raise ValueError(f"a mixture item of kind '{self.kind}' {wanted} 'ways'")
        return self


class Marginal(Section):
    """How often each action is asked about: a Zipf law over the most frequent actions."""

    top_actions: Positive
    """How many actions are asked about, the most frequent ones; the split must have as many."""
    zipf_exponent: Annotated[float, Field(ge=0.0)]
    """Skew: the action of rank r is asked about in proportion to r ** -zipf_exponent. 0 asks about
    all of them equally often: the ablation without skew."""


class EpisodeMixture(Section):
    """Episodes of one split: `shots` context clips each, kinds and meanings in given shares."""

    shots: Shots
    """Context clips of an episode, one of these numbers in equal shares; one that stands here twice
    has twice the share. The paper trains on 16 only. A model from scratch learns its positions, and
    a shot count that never occurs in training scores nothing, so the default trains on all that
    are evaluated; 0 teaches what the weights know without a context."""
    mixture: tuple[MixtureItem, ...]
    """Which contexts and which words, in given shares. The paper: bursty and natural only. The
    default renames and invents words, and has contrastive and random contexts (docs/binding.md)."""
    max_queries: Positive | None
    """At most this many queries an epoch, drawn at random; null takes every clip of the split, as
    the paper does. Where val is limited, it is for time: 2,048 cost 7 % of the paper's training."""
    marginal: Marginal | None
    """Reshapes how often each action is asked about, to a Zipf law over the most frequent ones:
    clips of rare actions are repeated, some of frequent ones left out. Null keeps the split's own
    skew, as the paper does."""

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
            if MEANINGS[item.meaning].reassigned and not any(shots):
                raise ValueError(f"{item.meaning} episodes need a number above 0 among 'shots'")
        return self


class TrainingPhase(EpisodeMixture):
    """What one phase of the curriculum is trained on."""

    name: PhaseName
    """Name of the phase, as `train.phases` and `validate.phases` have it."""
    epochs: Positive
    """Epochs of this phase, with contexts of their own in each; `train` runs through them once and
    in order. The paper has one phase of 5."""


class EvaluationEpisodes(Section):
    """Episodes of test, novel and novel_val: every query under every kind at every shot count.

    Contrastive contexts exist at shot counts that `ways` divides, 0 (no context) among them.
    """

    shots: Shots
    """Context clips at which a curve has a point. The paper evaluates 0, 1, 2, 4, 8, 12 and 16; the
    default stops at the 8 that it trains on."""
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)]
    """Kinds of contexts (`episodes.train.mixture.kind`); `evaluate.conditions` are made from
    them."""
    meaning: Meaning
    """What the words mean (`episodes.train.mixture.meaning`); the paper asks in the narrators' own,
    `natural`."""
    ways: Positive
    """Different actions in a contrastive context. Of 4, one is the query's: copying the most
    frequent one is right a quarter of the time at best."""
    max_queries: Positive | None
    """At most this many queries of each kind, drawn at random; null takes every clip of the split,
    as the paper does. It bounds the time."""

    @model_validator(mode="after")
    def _ways_divide_shots(self) -> Self:
        require_distinct("kinds", self.kinds)
        if any(KINDS[kind].in_ways for kind in self.kinds):
            _require_divisible(self.shots, self.ways)
        return self


class EpisodesConfig(Section):
    """Who is in whose context."""

    seed: Seed
    """Seed of all draws. An episode depends on it, its split, epoch and row only; equal parameters
    give equal bytes."""
    verb_noun_ratio: Share
    """Share of a bursty context that shares the query's verb class (rounded down to whole clips);
    the rest shares its noun class. 0.5 is the reference's. A class with too few clips is filled up
    from the other one, then from any clips."""
    train: Annotated[tuple[TrainingPhase, ...], Field(min_length=1)]
    """Episodes that the model is trained on, phase after phase: each query once an epoch, kinds and
    meanings in given shares. The paper's curriculum is one phase of bursty contexts; the default
    learns to name clips, then to match contexts, then to bind (docs/binding.md)."""
    val: EpisodeMixture
    """Episodes that decide which state of the last phase's model is kept: in the default, renamed
    words at the most shots, half of the contexts contrastive, so that it takes binding to score."""
    evaluation: EvaluationEpisodes
    """Episodes of the final scores, about `test`, `novel` and `novel_val` clips: every query under
    every kind at every shot count. Contrastive ones exist at the counts that `ways` divides, 0
    among them."""

    @model_validator(mode="after")
    def _each_phase_once(self) -> Self:
        require_distinct("train", [phase.name for phase in self.train])
        return self
