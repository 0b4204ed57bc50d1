"""Greedy narrations for trials: every clip encoded once, prompts of like length batched."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from eilev.clips.cache import ClipCache
from eilev.config.evaluate import EvaluateConfig
from eilev.evaluation.trials import Trial
from eilev.inputs.episode import EpisodeFormat, make_layout
from eilev.inputs.interleave import Layout, pad_layouts
from eilev.inputs.preprocess import preprocess
from eilev.model.checkpoint import LoadedModel

# Videos, context sentences, blank or not: what a model sees of a trial.
_Key = tuple[tuple[str, ...], tuple[str, ...], bool]


@dataclass(frozen=True)
class Generated:
    """A narration and how sure the model was of it."""

    sentence: str
    # Probability of the whole sentence, the product of its tokens', in [0, 1]; None: not known.
    confidence: float | None


@dataclass(frozen=True)
class Features:
    """What the language model sees of each clip.

    `values` is (num_clips + 1, num_query_tokens, width): one row per clip and a last one of zeros,
    which stands for a video that is not shown.
    """

    values: Tensor
    row_of: dict[str, int]

    def rows(self, trial: Trial) -> list[int]:
        """Rows of a trial's videos in the order of its placeholders."""
        if trial.blank:
            return [len(self.values) - 1] * len(trial.videos)
        return [self.row_of[clip_id] for clip_id in trial.videos]


@torch.no_grad()
def encode_clips(
    loaded: LoadedModel,
    frames: ClipCache,
    clip_ids: Sequence[str],
    batch_size: int,
    device: torch.device,
) -> Features:
    """Encode each clip once, with the exact preprocessing of serving."""
    encoded = []
    for start in tqdm(range(0, len(clip_ids), batch_size), desc="encode clips", unit="batch"):
        clips = frames.take(clip_ids[start : start + batch_size])
        pixels = np.stack([preprocess(clip, loaded.preprocessing) for clip in clips])
        encoded.append(loaded.model.encode_videos(torch.from_numpy(pixels).to(device)))
    values = torch.cat([*encoded, torch.zeros_like(encoded[0][:1])])
    return Features(values, {clip_id: row for row, clip_id in enumerate(clip_ids)})


def generate_narrations(
    trials: Sequence[Trial], loaded: LoadedModel, features: Features, config: EvaluateConfig
) -> list[Generated]:
    """Narrate the query of each trial greedily.

    Trials that show the model the same thing (all conditions do without shots) are generated once.

    Returns:
        One narration per trial, in their order.
    """
    keys: list[_Key] = [(trial.videos, trial.texts[:-1], trial.blank) for trial in trials]
    distinct = dict(zip(reversed(keys), reversed(trials), strict=True))
    layouts = {key: _prompt(trial, loaded, config) for key, trial in distinct.items()}
    # Rows of one length need no padding, which is a row's work for nothing.
    queue = sorted(distinct, key=lambda key: len(layouts[key].input_ids))
    narrated: dict[_Key, Generated] = {}
    with tqdm(total=len(queue), desc="generate", unit="episode") as bar:
        for start in range(0, len(queue), config.batch_size):
            batch = queue[start : start + config.batch_size]
            rows = [row for key in batch for row in features.rows(distinct[key])]
            written = _generate([layouts[key] for key in batch], rows, loaded, features, config)
            narrated.update(zip(batch, written, strict=True))
            bar.update(len(batch))
    return [narrated[key] for key in keys]


def _prompt(trial: Trial, loaded: LoadedModel, config: EvaluateConfig) -> Layout:
    episode_format = EpisodeFormat(
        codec=loaded.codec,
        num_query_tokens=loaded.model.config.num_query_tokens,
        encoder_decoder=loaded.model.family.encoder_decoder,
        prompts=(config.prompt,),
        loss_on="query",
        generating=True,
    )
    return make_layout(trial.texts, episode_format, np.random.default_rng(config.seed))


def _generate(
    layouts: Sequence[Layout],
    rows: Sequence[int],
    loaded: LoadedModel,
    features: Features,
    config: EvaluateConfig,
) -> list[Generated]:
    device = features.values.device
    padded = pad_layouts(layouts, loaded.codec.pad_id, "left")
    inputs = {
        name: torch.from_numpy(padded[name]).to(device)
        for name in ("input_ids", "attention_mask", "video_input_mask")
    }
    tokens, confidences = loaded.model.generate_greedily(
        **inputs,
        video_features=features.values[list(rows)],
        max_new_tokens=config.max_new_tokens,
    )
    sentences = [loaded.codec.decode(row).strip() for row in tokens.tolist()]
    return [
        Generated(sentence, confidence)
        for sentence, confidence in zip(sentences, confidences.tolist(), strict=True)
    ]
