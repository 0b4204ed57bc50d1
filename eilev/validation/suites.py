"""What the data must look like: one suite of expectations per table.

A table, its suite and its page of the Data Docs have the same name; descriptions are written for
readers who have not seen the code.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.expectations import core
from great_expectations.expectations.expectation import Expectation

from eilev import schema
from eilev.config.validate import Bounds, PhaseBounds, ValidateConfig
from eilev.schema import Split
from eilev.validation import expectations as own
from eilev.vocabulary import KINDS, MEANINGS, listed

NARRATIONS_SUITE = "narrations"
CLIPS_SUITE = "clips"
_NOTES = {
    NARRATIONS_SUITE: "What was ingested: one row per narrated action of a video.",
    CLIPS_SUITE: "What was decoded: one row per narration, with its frames' place or an error.",
    "train": "The episodes that the model is trained on in one phase, all its epochs. Columns that"
    " begin with num_ count the context clips that share the query's verb or noun class.",
    "val": "The episodes that decide which state of the model is kept.",
    "test": "Episodes about unseen clips of actions that were trained on.",
    "novel": "Episodes about actions that were never trained on.",
    "novel_val": "Episodes about other actions that were never trained on, to choose a recipe by.",
}
_WORDS_NOTE = "One row per narrated clip of the phase's training episodes, with its words there."


def episode_table(split: Split, phase: str | None = None) -> str:
    """Name of a split's table of episodes, in train of one phase's."""
    return f"episodes-{split}" if phase is None else f"episodes-{split}-{phase}"


def words_table(phase: str) -> str:
    """Name of the table of what is said in a phase's training episodes."""
    return f"words-train-{phase}"


def build_suites(
    config: ValidateConfig,
    splits: Sequence[Split],
    lacking: Mapping[Split, Sequence[str]] = MappingProxyType({}),
) -> list[ExpectationSuite]:
    """Suites of all tables.

    Args:
        config: bounds; a property without any bound is not expected anything of.
        splits: splits that have episodes.
        lacking: what the corpus cannot give of a split, for its page.
    """
    suites = [
        _suite(NARRATIONS_SUITE, _narrations(config), _NOTES[NARRATIONS_SUITE]),
        _suite(CLIPS_SUITE, _clips(config), _NOTES[CLIPS_SUITE]),
    ]
    for split in splits:
        note = ". ".join([_NOTES[split].rstrip("."), *lacking.get(split, ())])
        if split != "train":
            expectations = [*_episodes(split), _unique_queries()]
            suites.append(_suite(episode_table(split), expectations, note))
            continue
        for phase in config.phases:
            expectations = [*_episodes(split), *_distribution(config, phase)]
            expectations += [_unique_queries()] if config.unique_queries else []
            suites.append(_suite(episode_table(split, phase.name), expectations, note))
            suites.append(
                _suite(words_table(phase.name), _dynamic_meaning(config, phase), _WORDS_NOTE)
            )
    return [suite for suite in suites if suite.expectations]


def _suite(name: str, expectations: Sequence[Expectation], note: str) -> ExpectationSuite:
    return ExpectationSuite(name, [*expectations], notes=note)


def _narrations(config: ValidateConfig) -> list[Expectation]:
    bounds = config.num_narrations
    return [
        core.ExpectTableRowCountToBeBetween(
            min_value=None if bounds.min is None else math.ceil(bounds.min),
            max_value=None if bounds.max is None else math.floor(bounds.max),
            description=f"The number of narrations is {_interval(bounds)}.",
        ),
        _columns(schema.NARRATIONS.names),
        *_complete("narration_id", "video_id", "video_path", "timestamp_s", "narration"),
        _unique("narration_id", description="Each narration has one id of its own."),
        core.ExpectColumnValuesToBeBetween(
            column="timestamp_s",
            min_value=0,
            description="A narration is timed after the start of its video (seconds).",
        ),
        core.ExpectColumnValueLengthsToBeBetween(
            column="narration", min_value=1, description="No narration is empty."
        ),
        core.ExpectColumnValuesToBeInSet(
            column="split",
            value_set=list(schema.SPLITS),
            description=f"Each narration belongs to {listed(schema.SPLITS)}.",
        ),
    ]


def _clips(config: ValidateConfig) -> list[Expectation]:
    share = config.decoded_share
    return [
        _columns(schema.CLIPS_INDEX.names),
        *_complete("narration_id", "video_id", "num_frames"),
        _unique("narration_id", description="Each clip is listed once."),
        core.ExpectColumnValuesToBeInSet(
            column="is_narrated", value_set=[True], description="Each clip belongs to a narration."
        ),
        core.ExpectColumnProportionOfNonNullValuesToBeBetween(
            column="shard",
            min_value=share.min,
            max_value=share.max,
            description=f"The share of clips whose frames could be decoded is {_interval(share)}.",
        ),
        core.ExpectColumnValuesToBeInSet(
            column="is_accounted_for",
            value_set=[True],
            description="A clip has either frames and their place, or the reason why it has none.",
        ),
    ]


def _episodes(split: Split) -> list[Expectation]:
    training = "the training clips"
    home = training if split == "train" else f"the {split} clips"
    apart = "" if split == "train" else f", contrastive ones from {home}"
    expectations = [
        _columns(schema.EPISODES.names),
        *_complete("query", "context", "shots", "epoch", "kind", "meaning"),
        core.ExpectColumnValuesToBeInSet(
            column="kind",
            value_set=[*KINDS],
            description=f"An episode is {listed(KINDS)}.",
        ),
        core.ExpectColumnValuesToBeInSet(
            column="meaning",
            value_set=[*MEANINGS],
            description=f"An episode's words are {listed(MEANINGS)}.",
        ),
        core.ExpectColumnValuesToBeBetween(
            column="epoch", min_value=0, description="Epochs are counted from 0."
        ),
        own.ExpectNoQueryLeakage(description="No query is part of its own context."),
        own.ExpectNoRepeatedItems(description="No clip occurs twice in a context."),
        own.ExpectRequestedShots(description="A context has as many clips as its 'shots' say."),
        own.ExpectEveryClipToHaveFrames(description="Every clip in an episode has frames."),
        own.ExpectQueryFromSplit(description=f"Queries come from {home}."),
        own.ExpectContextFromSplit(description=f"Contexts come from {training}{apart}."),
    ]
    if split in ("novel", "novel_val"):
        expectations.append(
            own.ExpectQueryActionToBeUntrained(
                description=f"No training clip shows the action of a {split} query."
            )
        )
    return expectations + _structure() + _rewriting()


def _structure() -> list[Expectation]:
    return [
        own.ExpectNoItemOfTheQueryAction(
            description="No clip of a bursty or random context shows the query's action."
        ),
        own.ExpectActionsEquallyOften(
            description="The actions of a contrastive context occur equally often."
        ),
        own.ExpectOneWayToBeTheQueryAction(
            description="In a contrastive context, shots / ways clips show the query's action."
        ),
        own.ExpectActionsToShareNoClass(
            description="The actions of a contrastive context differ in verb and in noun."
        ),
    ]


def _rewriting() -> list[Expectation]:
    return [
        own.ExpectNarrationPerClip(
            description="An episode with other words than the narrators' brings one narration"
            " per clip and the query, a natural one none."
        ),
        own.ExpectNarrationOfItsClip(
            description="An episode's own narrations are those of its clips with other words."
        ),
        own.ExpectOneWordPerClass(
            description="A canonical or permuted episode has one word for each class, a renamed one"
            " for each word of its context."
        ),
        own.ExpectOneClassPerWord(
            description="In a permuted episode no word stands for two classes, in a renamed one"
            " for two words."
        ),
    ]


def _distribution(config: ValidateConfig, phase: PhaseBounds) -> list[Expectation]:
    properties = (
        (
            own.ExpectBurstinessBetween,
            phase.burstiness,
            "Burstiness: {} of the context clips share the query's verb or noun class.",
        ),
        (
            own.ExpectBurstinessAboveRandomBetween,
            phase.burstiness_above_random,
            "Burstiness exceeds the share that random contexts would have by {}.",
        ),
        (
            own.ExpectZipfExponentBetween,
            config.zipf_exponent,
            "Skew: the Zipf exponent of the queries' actions (0: all equally frequent) is {}.",
        ),
    )
    return [
        expectation(
            min_value=bounds.min, max_value=bounds.max, description=text.format(_interval(bounds))
        )
        for expectation, bounds, text in properties
        if _is_bounded(bounds)
    ]


def _dynamic_meaning(config: ValidateConfig, phase: PhaseBounds) -> list[Expectation]:
    synonyms = "Synonyms: given the {} class, its word is uncertain by {} bits (0: one word each)."
    homonyms = "Homonyms: given the {} word, its class is uncertain by {} bits (0: one class each)."
    properties: tuple[tuple[type[own.ExpectWordProperty], own.Part, Bounds, str], ...] = (
        (own.ExpectSynonymyBetween, "verb", config.verb_synonymy, synonyms),
        (own.ExpectSynonymyBetween, "noun", config.noun_synonymy, synonyms),
        (own.ExpectHomonymyBetween, "verb", phase.verb_homonymy or config.verb_homonymy, homonyms),
        (own.ExpectHomonymyBetween, "noun", phase.noun_homonymy or config.noun_homonymy, homonyms),
    )
    return [
        expectation(
            part=part,
            min_value=bounds.min,
            max_value=bounds.max,
            description=text.format(part, _interval(bounds)),
        )
        for expectation, part, bounds, text in properties
        if _is_bounded(bounds)
    ]


def _columns(names: Sequence[str]) -> Expectation:
    return core.ExpectTableColumnsToMatchSet(
        column_set=list(names),
        exact_match=False,
        description=f"The table has the columns {', '.join(names)}.",
    )


def _complete(*columns: str) -> list[Expectation]:
    return [
        core.ExpectColumnValuesToNotBeNull(
            column=column, description=f"Every row has a value of {column}."
        )
        for column in columns
    ]


def _unique_queries() -> Expectation:
    return core.ExpectCompoundColumnsToBeUnique(
        column_list=["query", "kind", "shots", "epoch"],
        description="No query is asked twice under the same kind, shots and epoch.",
    )


def _unique(column: str, description: str) -> Expectation:
    return core.ExpectColumnValuesToBeUnique(column=column, description=description)


def _is_bounded(bounds: Bounds) -> bool:
    return bounds.min is not None or bounds.max is not None


def _interval(bounds: Bounds) -> str:
    if bounds.max is None:
        return "any" if bounds.min is None else f"at least {bounds.min:g}"
    return f"at most {bounds.max:g}" if bounds.min is None else f"{bounds.min:g} to {bounds.max:g}"
