"""From tables and clips to what the trainer takes: codec, model, datasets, fingerprint."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import GradientAccumulationPlugin

from eilev.clips.cache import ClipCache, ClipSource
from eilev.config.train import TrainConfig
from eilev.inputs.episode import EpisodeFormat, clip_ids_of
from eilev.inputs.preprocess import Preprocessing
from eilev.inputs.tokenizer import TextCodec, train_word_codec
from eilev.io import fingerprint
from eilev.language.new_words import invented_word_forms, new_word_forms
from eilev.model.build import build_model, pretrained_place
from eilev.model.checkpoint import load_inputs
from eilev.model.language_model import load_language_codec
from eilev.model.video_blip import VideoBlip
from eilev.training.dataset import EpisodeDataset
from eilev.training.episode_model import telling_tokens
from eilev.training.naming import find_names
from eilev.training.run import Resumption, TrainingData
from eilev.training.unlearnt import unlearnt_tokens


@dataclass(frozen=True)
class Setup:
    """A model with its data, ready to be trained."""

    model: VideoBlip
    codec: TextCodec
    data: TrainingData


def set_up(
    config: TrainConfig,
    narrations: pd.DataFrame,
    episodes: Mapping[str, pd.DataFrame],
    clips: ClipSource,
) -> Setup:
    """Build the model and the datasets.

    Args:
        config: The train section.
        narrations: schema.NARRATIONS.
        episodes: schema.EPISODES of `train` and `val`.
        clips: frames of every clip in them.
    """
    pretrained = pretrained_place(config.model)
    codec, preprocessing = _text_and_pixels(config, pretrained, narrations, episodes)
    torch.manual_seed(config.seed)
    model = build_model(config.model, codec, pretrained)
    encoder_decoder = model.family.encoder_decoder
    texts = narrations.set_index("narration_id")["narration"].to_dict()
    formats = {
        split: EpisodeFormat(
            codec=codec,
            num_query_tokens=model.config.num_query_tokens,
            encoder_decoder=encoder_decoder,
            prompts=config.prompts,
            # A validation score is about the query, whatever is trained on.
            loss_on=config.loss_on if split == "train" else "query",
            symmetries=config.augment.symmetries and split == "train",
        )
        for split in ("train", "val")
    }
    shown = clip_ids_of(pd.concat([episodes["train"], episodes["val"]]))
    frames = ClipCache(clips, shown, show_progress=PartialState().is_main_process)
    telling = telling_tokens(list(texts.values()), codec)
    learnt = telling.nonzero()[:, 0]
    unlearnt = learnt[:0]
    # A pretrained language model writes them in pieces that it has learnt.
    if pretrained is None and (episodes["train"]["meaning"] == "invented").any():
        forms = [*new_word_forms(), *invented_word_forms()]
        unlearnt = unlearnt_tokens(forms, texts.values(), codec)
        telling[unlearnt] = True
    weights = torch.where(telling, config.content_weight, 1.0)
    named = any(phase.naming for phase in config.phases)
    names = find_names(texts, telling, codec) if named else {}
    train, val = (
        EpisodeDataset(episodes[split], texts, formats[split], config.seed, names)
        for split in formats
    )
    data = TrainingData(train, val, frames, preprocessing, weights, unlearnt, learnt)
    return Setup(model, codec, data)


def make_accelerator(config: TrainConfig, use_cpu: bool = False) -> Accelerator:
    """Join the processes that train together.

    A step has as many pieces as the parameters say, whatever the environment does.
    """
    pieces = GradientAccumulationPlugin(config.accumulation_steps, sync_with_dataloader=False)
    return Accelerator(cpu=use_cpu, gradient_accumulation_plugin=pieces)


def make_reproducible(accelerator: Accelerator) -> None:
    """Choose deterministic kernels, and all cores for the work on the CPU.

    `accelerate launch` gives every process a single CPU thread unless told otherwise.
    """
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # Filling memory that is written to next only costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if accelerator.device.type == "cpu" and "ACCELERATE_MIXED_PRECISION" in os.environ:
        cores = len(os.sched_getaffinity(0))
        torch.set_num_threads(max(1, cores // accelerator.num_processes))


def resumption(
    config: TrainConfig, accelerator: Accelerator, inputs: list[Path], clips: Path, folder: Path
) -> Resumption:
    """Fingerprint a run: parameters, launch settings, clips, and the files it is given.

    Args:
        config: The train section.
        accelerator: Process count, accumulation and precision decide what a step is.
        inputs: Tables and code that the run depends on, hashed whole.
        clips: Folder of the clips, told apart by the sizes of its files (they can be huge).
        folder: Where checkpoints lie.

    Raises:
        DataError: an input is missing.
    """
    settings = {
        "train": config.model_dump(mode="json"),
        "processes": accelerator.num_processes,
        "accumulation": accelerator.gradient_accumulation_steps,
        "precision": accelerator.mixed_precision,
        "torch": torch.__version__,
        "clips": {path.name: path.stat().st_size for path in sorted(clips.iterdir())},
    }
    return Resumption(folder, fingerprint(settings, inputs))


def _text_and_pixels(
    config: TrainConfig,
    pretrained: Path | None,
    narrations: pd.DataFrame,
    episodes: Mapping[str, pd.DataFrame],
) -> tuple[TextCodec, Preprocessing]:
    scratch = config.model.scratch
    if pretrained is not None and scratch is None:
        return load_inputs(pretrained)
    assert scratch is not None  # noqa: S101  (ModelConfig has exactly one origin)
    if pretrained is not None:
        return load_language_codec(pretrained), Preprocessing(scratch.image_size)
    # Episodes whose words are permuted may inflect a word as no narration does.
    own = (rows for table in episodes.values() for rows in table["narrations"].dropna())
    told = (text for rows in own for text in rows)
    texts = [*narrations["narration"], *config.prompts, *told, *new_word_forms()]
    return train_word_codec(texts), Preprocessing(scratch.image_size)
