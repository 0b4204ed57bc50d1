"""A model to train: from scratch, or a BLIP-2 checkpoint with parts of it frozen."""

from pathlib import Path

import torch
from transformers import Blip2Config, Blip2QFormerConfig, Blip2VisionConfig, OPTConfig

from eilev.config.train import ModelConfig, ScratchConfig
from eilev.inputs.tokenizer import TextCodec
from eilev.model.checkpoint import load_weights, set_special_tokens
from eilev.model.video_blip import VideoBlip


def build_model(config: ModelConfig, codec: TextCodec, pretrained: Path | None = None) -> VideoBlip:
    """Build the model in float32 and freeze the modules that `config.freeze` names.

    Args:
        config: what is built, and what of it is not trained.
        codec: its vocabulary and special tokens.
        pretrained: folder of the checkpoint that `config.pretrained` names (`pretrained_folder`).

    Initial weights from scratch come from torch's global generator: seed it before.

    Raises:
        ValueError: sizes that do not fit each other, or a checkpoint whose weights do not fit its
            config or whose vocabulary is smaller than the codec's.
    """
    if config.scratch is not None:
        model = _from_scratch(config.scratch, codec)
    elif pretrained is not None:
        model = load_weights(pretrained)
    else:
        raise ValueError(f"train.model.pretrained is '{config.pretrained}': give its folder")
    set_special_tokens(model, codec)
    model.freeze(config.freeze)
    return model


def _from_scratch(config: ScratchConfig, codec: TextCodec) -> VideoBlip:
    model = VideoBlip(scratch_config(config, codec.vocab_size, codec.pad_id))
    # transformers starts them at zero, to be overwritten by a checkpoint: identical queries behind
    # a layer norm, whose gradient explodes at zero.
    torch.nn.init.normal_(model.query_tokens, std=config.initializer_range)
    return model


def scratch_config(config: ScratchConfig, vocab_size: int, pad_id: int) -> Blip2Config:
    """Architecture of a model from scratch.

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
    text = OPTConfig(
        vocab_size=vocab_size,
        max_position_embeddings=config.max_position_embeddings,
        hidden_size=config.text.hidden_size,
        num_hidden_layers=config.text.num_hidden_layers,
        num_attention_heads=config.text.num_attention_heads,
        ffn_dim=config.text.intermediate_size,
        dropout=0.0,
        init_std=config.initializer_range,
        pad_token_id=pad_id,
    )
    return Blip2Config(
        vision_config=vision,
        qformer_config=qformer,
        text_config=text,
        num_query_tokens=config.num_query_tokens,
    )
