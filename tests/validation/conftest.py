import pandas as pd
import pytest

from eilev.config.validate import Bounds, PhaseBounds, ValidateConfig
from eilev.schema import Split
from tests.episodes.test_build import CONFIG
from tests.worlds import World, episode_frames


@pytest.fixture(scope="package")
def episodes(world: World) -> dict[Split, pd.DataFrame]:
    return episode_frames(world.narrations, world.split, world.decoded_ids, CONFIG)


@pytest.fixture(scope="package")
def bounds() -> ValidateConfig:
    """What sound episodes of CONFIG fulfil: two thirds of those measured are bursty."""
    return ValidateConfig(
        num_narrations=Bounds(min=100, max=None),
        decoded_share=Bounds(min=0.99, max=1.0),
        zipf_exponent=Bounds(min=0.5, max=1.5),
        unique_queries=True,
        verb_synonymy=Bounds(min=0.1, max=None),
        noun_synonymy=Bounds(min=0.1, max=None),
        verb_homonymy=Bounds(min=0.1, max=None),
        noun_homonymy=Bounds(min=0.1, max=None),
        phases=(
            PhaseBounds(
                name="contexts",
                burstiness=Bounds(min=0.6, max=0.9),
                burstiness_above_random=Bounds(min=0.4, max=None),
                verb_homonymy=None,
                noun_homonymy=None,
            ),
        ),
    )
