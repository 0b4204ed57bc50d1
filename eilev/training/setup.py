"""From tables and clips to what the trainer takes: codec, model, datasets, fingerprint."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedType, GradientAccumulationPlugin

from eilev.clips.cache import ClipCache, ClipSource
from eilev.config.section import ParamsError
from eilev.config.train import TrainConfig
from eilev.ids import ById, Ids
from eilev.inputs.episode import EpisodeFormat, clip_ids_of
from eilev.inputs.preprocess import Preprocessing
from eilev.inputs.tokenizer import TextCodec, train_word_codec
from eilev.io import hash_files
from eilev.language.new_words import invented_word_forms, new_word_forms
from eilev.model.build import build_model, pretrained_place
from eilev.model.checkpoint import load_inputs
from eilev.model.language_model import load_language_codec
from eilev.model.video_blip import VideoBlip
from eilev.paths import DROP_UNFINISHED
from eilev.training.dataset import EpisodeDataset
from eilev.training.episode_model import telling_tokens
from eilev.training.episodes import map_episodes, write_episodes
from eilev.training.naming import find_names
from eilev.training.resume import Resumption
from eilev.training.run import TrainingData
from eilev.training.unlearnt import unlearnt_tokens


@dataclass(frozen=True)
class Setup:
    """A model with its data, ready to be trained."""

    model: VideoBlip
    codec: TextCodec
    data: TrainingData


def set_up(
    config: TrainConfig,
    narrations: ById[str],
    episodes: Mapping[str, pa.Table],
    clips: ClipSource,
) -> Setup:
    """Build the model and the datasets.

    Args:
        config: The train section.
        narrations: sentences of all clips.
        episodes: schema.EPISODES of `train` and `val`, such as `read_episodes` has.
        clips: frames of every clip in them.
    """
    pretrained = pretrained_place(config.model)
    codec, preprocessing = _text_and_pixels(config, pretrained, narrations, episodes)
    torch.manual_seed(config.seed)
    model = build_model(config.model, codec, pretrained)
    encoder_decoder = model.family.encoder_decoder
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
    shown = clip_ids_of(piece for table in episodes.values() for piece in table.to_batches())
    frames = ClipCache(clips, shown, show_progress=PartialState().is_main_process)
    telling = telling_tokens(narrations, codec)
    learnt = telling.nonzero()[:, 0]
    unlearnt = learnt[:0]
    # A pretrained language model writes them in pieces that it has learnt.
    if pretrained is None and "invented" in pc.unique(episodes["train"]["meaning"]).to_pylist():
        forms = [*new_word_forms(), *invented_word_forms()]
        unlearnt = unlearnt_tokens(forms, narrations, codec)
        telling[unlearnt] = True
    weights = torch.where(telling, config.content_weight, 1.0)
    named = any(phase.naming for phase in config.phases)
    names = find_names(narrations, telling, codec) if named else None
    train, val = (
        EpisodeDataset(episodes[split], narrations, formats[split], config.seed, names)
        for split in formats
    )
    data = TrainingData(train, val, frames, preprocessing, weights, unlearnt, learnt)
    return Setup(model, codec, data)


def read_episodes(
    tables: Mapping[str, Path], ids: Ids, folder: Path, accelerator: Accelerator
) -> dict[str, pa.Table]:
    """Map the episodes (schema.EPISODES) into memory; one process writes the files that all map.

    Args:
        tables: The Parquet file of each split.
        ids: of all narrations.
        folder: Where the files are written; all processes must see it.
        accelerator: The processes.

    Raises:
        DataError: a file can't be read, or has a clip that is none of the narrations.
    """
    files = {split: folder / f"{split}.arrow" for split in tables}
    if accelerator.is_main_process:
        for split, path in tables.items():
            write_episodes(path, ids, files[split])
    accelerator.wait_for_everyone()
    return {split: map_episodes(file) for split, file in files.items()}


def make_accelerator(config: TrainConfig, use_cpu: bool = False) -> Accelerator:
    """Join the processes that train together.

    A step has as many pieces as the parameters say, whatever the environment does.

    Raises:
        ParamsError: the launch file asks for what the trainer can't do.
    """
    if os.environ.get("ACCELERATE_USE_DEEPSPEED", "false") == "true":
        raise ParamsError(
            f"{config.launch}: DeepSpeed takes a step before the weight of all its pieces is known,"
            " which training divides by: use FSDP, which shares as much out (docs/scale.md)"
        )
    pieces = GradientAccumulationPlugin(config.accumulation_steps, sync_with_dataloader=False)
    accelerator = Accelerator(cpu=use_cpu, gradient_accumulation_plugin=pieces)
    if accelerator.distributed_type == DistributedType.FSDP and not accelerator.is_fsdp2:
        raise ParamsError(f"{config.launch}: set fsdp_version to 2 in fsdp_config")
    return accelerator


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


# Parameters without a say in the result: a stopped run may go on with others.
_FREE = frozenset({"num_workers", "checkpoint_every"})


def resumption(
    config: TrainConfig, accelerator: Accelerator, inputs: list[Path], clips: Path, folder: Path
) -> Resumption:
    """Say what a run depends on: parameters, launch settings, clips, and the files it is given.

    Whether another run's checkpoint makes way is up to the environment (`DROP_UNFINISHED`).

    Args:
        config: The train section.
        accelerator: Process count, accumulation and precision decide what a step is.
        inputs: Tables and code that the run depends on, hashed whole.
        clips: Folder of the clips, told apart by the sizes of its files (they can be huge).
        folder: Where checkpoints lie.

    Raises:
        DataError: an input is missing.
    """
    of = {
        "train": config.model_dump(mode="json", exclude=set(_FREE)),
        "processes": accelerator.num_processes,
        "accumulation": accelerator.gradient_accumulation_steps,
        "precision": accelerator.mixed_precision,
        "distribution": accelerator.distributed_type.value,
        "torch": torch.__version__,
        "sizes": {str(path): path.stat().st_size for path in sorted(clips.iterdir())},
        "files": hash_files({_name(path): path for path in inputs}),
    }
    return Resumption(folder, of, os.environ.get(DROP_UNFINISHED, "0") == "1")


def _name(path: Path) -> str:
    """What to call a file: code goes by its place in the package, wherever that lies."""
    root = Path(__file__).parents[2]
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _text_and_pixels(
    config: TrainConfig,
    pretrained: Path | None,
    narrations: ById[str],
    episodes: Mapping[str, pa.Table],
) -> tuple[TextCodec, Preprocessing]:
    scratch = config.model.scratch
    if pretrained is not None and scratch is None:
        return load_inputs(pretrained)
    assert scratch is not None  # noqa: S101  (ModelConfig has exactly one origin)
    if pretrained is not None:
        return load_language_codec(pretrained), Preprocessing(scratch.image_size)
    # Episodes whose words are permuted may inflect a word as no narration does.
    pieces = (piece for table in episodes.values() for piece in table.to_batches())
    told = (text for piece in pieces for text in pc.list_flatten(piece["narrations"]).to_pylist())
    texts: Iterable[Any] = chain(narrations, config.prompts, told, new_word_forms())
    return train_word_codec(texts), Preprocessing(scratch.image_size)
