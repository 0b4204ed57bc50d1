"""The section validate: what the data must look like."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from eilev.config.section import PhaseName, Section, require_distinct


class Bounds(Section):
    """A closed interval; null leaves a side open."""

    min: float | None
    """Least value allowed; null allows any below `max`."""
    max: float | None
    """Greatest value allowed; null allows any above `min`."""


class PhaseBounds(Section):
    """What the training episodes of one phase of the curriculum must be."""

    name: PhaseName
    """Name of the phase, as `episodes.train` has it."""
    burstiness: Bounds
    """Share of the context clips of the phase's episodes (contrastive ones apart) with the query's
    verb or noun class. A bursty recipe has nearly 1, as no clip is drawn from elsewhere while these
    last: 0.994 on EPIC-KITCHENS' validation annotations."""
    burstiness_above_random: Bounds
    """By how much that share exceeds the level that random contexts would have: 0.847 on
    EPIC-KITCHENS' validation annotations. Where a few actions make up the data, contexts may
    look bursty that are not."""
    verb_homonymy: Bounds | None
    """In place of `validate.verb_homonymy`, which null keeps: words mean what the phase says."""
    noun_homonymy: Bounds | None
    """In place of `validate.noun_homonymy`, which null keeps. Only permuted or renamed words raise
    it, so a lower bound says that a phase has them."""


class ValidateConfig(Section):
    """What the data must look like before anything is trained on it.

    A value out of bounds stops the pipeline before training. A property whose bounds are both null
    is not expected anything of. An experiment changes these bounds to state what it claims to be.
    """

    num_narrations: Bounds
    """Narrations kept by `ingest`. Each source has its own least number: 60,000 of EPIC-KITCHENS'
    76,885, 100 for a table of one's own, which an episode of 16 shots needs."""
    decoded_share: Bounds
    """Share of the narrations whose frames could be decoded. Lost videos skew the data unseen, so
    99 % must be there."""
    zipf_exponent: Bounds
    """Skew: maximum-likelihood Zipf exponent of the actions that training asks about; 0 is uniform.
    The paper's second property. 0.69 on EPIC-KITCHENS' validation annotations."""
    unique_queries: bool
    """Whether no training query may be asked twice in an epoch under the same kind and shots. A
    reshaped marginal (`episodes.train.marginal`) repeats the clips of rare actions and needs
    false."""
    verb_synonymy: Bounds
    """Dynamic meaning, in bits: H(word | class) of the verbs in the narrations of the training
    episodes; 0 where each class has one word. 1.26 on EPIC-KITCHENS' validation annotations."""
    noun_synonymy: Bounds
    """The same of the nouns. 0.82 on EPIC-KITCHENS' validation annotations."""
    verb_homonymy: Bounds
    """Dynamic meaning, in bits: H(class | word) of the verbs in the narrations of the training
    episodes; 0 where each word has one class. 0.22 on EPIC-KITCHENS' validation annotations."""
    noun_homonymy: Bounds
    """The same of the nouns. Common nouns have one class (0.0005 on EPIC-KITCHENS' validation
    annotations): only permuted or renamed words, as in the default's training, raise it."""
    phases: Annotated[tuple[PhaseBounds, ...], Field(min_length=1)]
    """What the training episodes of each phase of `episodes.train` must be, in its order."""

    @model_validator(mode="after")
    def _each_phase_once(self) -> Self:
        require_distinct("phases", [phase.name for phase in self.phases])
        return self
