"""The section split: who is trained on."""

from typing import Annotated, Literal

from pydantic import Field

from eilev.config.section import Positive, Section, Seed, Share

# With all or none, a split would be empty.
_Part = Annotated[float, Field(gt=0.0, lt=1.0)]


class SplitConfig(Section):
    """Who is trained on, by the reference's rules."""

    seed: Seed
    """Seed of the order of the videos, which decides who is train, val and test."""
    by: Literal["action", "video"]
    """`action` holds rare actions out as `novel`, the paper's test of learning in context; `video`
    divides all clips by video and holds no action out."""
    common_share: Share
    """Actions by falling frequency are common until they cover this share of the instances; the
    others are novel. 0.8 is the reference's. Without effect where `num_common_actions` is given."""
    num_common_actions: Positive | None
    """Exactly this many actions, the most frequent ones, are common, in place of `common_share`;
    null leaves it to the share."""
    novel_val_share: Share
    """Share of the rare instances, by whole actions, that are held out to choose a recipe by
    (`novel_val`), so that `novel` is looked at once, at the end. The reference has none."""
    train_val_share: _Part
    """Random videos fill train and val up to this share of the (common) instances; the rest is
    `test`. Each gets a video at least, so three videos are needed. The reference's share is 0.75;
    the kitchen's few thousand clips give more to training."""
    train_share: _Part
    """Of train and val, the share that is train, again by whole videos. The reference's is 0.75;
    the kitchen needs fewer clips to select a model by than to train it."""
