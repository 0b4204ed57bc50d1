"""A reference of a small world, and requests as they are noted."""

import numpy as np
import pandas as pd
import pytest

from eilev.bundle.onnx_engine import OnnxEngine
from eilev.drift.reference import Trained, make_reference, natural_episodes
from eilev.traffic import LoggedRequest, Reference, mask
from tests.episodes.test_build import CONFIG
from tests.tiny import NUM_FRAMES
from tests.worlds import World, episode_frames, make_world


@pytest.fixture(scope="package")
def world() -> World:
    return make_world(2000)


@pytest.fixture(scope="package")
def episodes(world: World) -> pd.DataFrame:
    """The training's, in the narrators' words."""
    made = episode_frames(world.narrations, world.split, world.decoded_ids, CONFIG)
    return natural_episodes(made["train"])


@pytest.fixture(scope="package")
def reference(world: World, episodes: pd.DataFrame, engine: OnnxEngine) -> Reference:
    size = engine.manifest.frame_size

    def frames(narration_id: str) -> np.ndarray:
        rng = np.random.default_rng(int(narration_id.removeprefix("clip-")))
        return rng.integers(256, size=(NUM_FRAMES, size, size, 3), dtype=np.uint8)

    trained = Trained(world.narrations, world.split, episodes, world.decoded_ids, frames, engine)
    return make_reference(trained, num_clips=60, seed=0)


def noted(
    world: World, reference: Reference, rows: pd.DataFrame, seed: int, **changed: object
) -> list[LoggedRequest]:
    """Episodes as requests that were answered rightly, about clips like the training's."""
    rng = np.random.default_rng(seed)
    texts = dict(zip(world.narrations["narration_id"], world.narrations["narration"], strict=True))
    vocabulary = frozenset(reference.vocabulary)
    clips = rng.integers(len(reference.feature_mean), size=len(rows)).tolist()
    return [
        LoggedRequest(
            **{
                "time": 1.0,
                "model": "eilev",
                "fingerprint": reference.fingerprint,
                "shots": len(context),
                "context": tuple(mask(texts[one], vocabulary) for one in context),
                "answer": mask(texts[query], vocabulary),
                "confidence": 0.9,
                "feature_mean": reference.feature_mean[clip],
                "feature_std": reference.feature_std[clip],
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "seconds": 0.1,
            }
            | changed
        )
        for query, context, clip in zip(rows["query"], rows["context"], clips, strict=True)
    ]
