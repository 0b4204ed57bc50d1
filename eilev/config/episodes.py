"""The section episodes: who is in whose context."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from eilev.config.section import Kind, Meaning, Positive, Section, Seed, Share, require_distinct


def _require_divisible(shots: tuple[int, ...], ways: int) -> None:
    if not any(count and count % ways == 0 for count in shots):
        raise ValueError(f"contrastive episodes need a multiple of ways={ways} among 'shots'")


# Numbers of context clips, one or more.
Shots = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


class MixtureItem(Section):
    """One share of the episodes: which contexts, and what their words mean."""

    kind: Kind
    meaning: Meaning
    share: Share
    # Contrastive only: number of different actions in the context, each equally often.
    ways: Positive | None = None
    # Shot counts of this item; the mixture's where not given.
    shots: Shots | None = None

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

    shots: Shots
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

    shots: Shots
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)]
    meaning: Meaning
    ways: Positive
    # At most this many queries per kind, drawn at random; null takes every clip of the split.
    max_queries: Positive | None

    @model_validator(mode="after")
    def _ways_divide_shots(self) -> Self:
        require_distinct("kinds", self.kinds)
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
