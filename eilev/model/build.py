"""A model to train: a BLIP-2 checkpoint, new eyes for a language model, or all from scratch."""

from pathlib import Path
from typing import Any

import torch
from transformers import Blip2Config, Blip2QFormerConfig, Blip2VisionConfig, OPTConfig

from eilev.config.train import ModelConfig, ScratchConfig
from eilev.inputs.tokenizer import VIDEO_TOKEN, TextCodec
from eilev.model.checkpoint import load_weights, set_special_tokens
from eilev.model.hub import pretrained_folder
from eilev.model.language_model import language_model_place, load_language_model
from eilev.model.video_blip import VideoBlip


def pretrained_place(config: ModelConfig) -> Path | None:
    """Where a model starts from lies: its checkpoint or its language model; None if all is new.

    Raises:
        DataError: there is no such place; the message says what to do.
    """
    if config.pretrained is not None:
        return pretrained_folder(config.pretrained)
    if config.scratch is not None and config.scratch.language_model is not None:
        return language_model_place(config.scratch.language_model)
    return None


def build_model(config: ModelConfig, codec: TextCodec, pretrained: Path | None = None) -> VideoBlip:
    """Build the model in float32 and freeze the modules that `config.freeze` names.

    Args:
        config: what is built, and what of it is not trained.
        codec: its vocabulary and special tokens.
        pretrained: what `pretrained_place` says of `config`.

    Initial weights from scratch come from torch's global generator: seed it before.

    Raises:
        ValueError: sizes that do not fit each other, or a checkpoint whose weights do not fit its
            config or whose vocabulary is smaller than the codec's.
    """
    if config.scratch is not None:
        model = _from_scratch(config.scratch, codec, pretrained)
    else:
        model = load_weights(_given(pretrained, "pretrained", config.pretrained))
    set_special_tokens(model, codec)
    model.freeze(config.freeze)
    return model


def _from_scratch(config: ScratchConfig, codec: TextCodec, pretrained: Path | None) -> VideoBlip:
    if config.language_model is None:
        text = new_text_config(config, codec.vocab_size, codec.pad_id)
        model = VideoBlip(scratch_config(config, text))
    else:
        place = _given(pretrained, "scratch.language_model", config.language_model)
        model = _around(load_language_model(place, codec), config, codec)
    # transformers starts them at zero, to be overwritten by a checkpoint: identical queries behind
    # a layer norm, whose gradient explodes at zero.
    torch.nn.init.normal_(model.query_tokens, std=config.initializer_range)
    return model


def _around(language_model: Any, config: ScratchConfig, codec: TextCodec) -> VideoBlip:
    model = VideoBlip(scratch_config(config, language_model.config))
    # Its tensors, not the module, which remembers where it was read from.
    model.language_model.load_state_dict(language_model.state_dict(), assign=True)
    model.tie_weights()
    model.config.image_token_index = codec.tokenizer.token_to_id(VIDEO_TOKEN)
    return model


def _given(place: Path | None, key: str, name: str | None) -> Path:
    if place is None:
        raise ValueError(f"train.model.{key} is '{name}': give its place")
    return place


def scratch_config(config: ScratchConfig, text: Any) -> Blip2Config:
    """Architecture of a model whose eyes are new.

    Args:
        config: sizes of the eyes.
        text: configuration of the language model.

    Raises:
        ValueError: sizes that do not fit each other.
    """
    if config.image_size % config.patch_size:
        raise ValueError(
            f"train.model.scratch.image_size is {config.image_size}, "
            f"not a multiple of patch_size {config.patch_size}"
        )
    vision = Blip2VisionConfig(
        image_size=config.image_size,
        patch_size=config.patch_size,
        initializer_range=config.initializer_range,
        **config.vision.model_dump(),
    )
    qformer = Blip2QFormerConfig(
        cross_attention_frequency=1,  # few layers, each of which sees the frames
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=config.initializer_range,
        **config.qformer.model_dump(),
    )
    return Blip2Config(
        vision_config=vision,
        qformer_config=qformer,
        text_config=text,
        num_query_tokens=config.num_query_tokens,
    )


def new_text_config(config: ScratchConfig, vocab_size: int, pad_id: int) -> OPTConfig:
    """Architecture of a language model from scratch, which `config.text` must describe."""
    text, positions = config.text, config.max_position_embeddings
    assert text is not None and positions is not None  # noqa: S101  (ScratchConfig checks)
    return OPTConfig(
        vocab_size=vocab_size,
        max_position_embeddings=positions,
        hidden_size=text.hidden_size,
        num_hidden_layers=text.num_hidden_layers,
        num_attention_heads=text.num_attention_heads,
        ffn_dim=text.intermediate_size,
        dropout=0.0,
        init_std=config.initializer_range,
        pad_token_id=pad_id,
    )
