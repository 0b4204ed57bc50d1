"""The section split: who is trained on."""

from typing import Literal

from eilev.config.section import Positive, Section, Seed, Share


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
