"""Architectures of the published checkpoints, so that their size is known without their weights.

Sizes as in the `config.json` of each checkpoint on the hub (OPT-2.7B's and Flan-T5-XL's own, with
BLIP-2's ViT-g and Q-Former, which are transformers' defaults).
"""

import copy
import functools
from pathlib import Path
from typing import Any

import torch
from transformers import (
    Blip2Config,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    OPTConfig,
    PreTrainedConfig,
    T5Config,
)
from transformers.initialization import no_init_weights

from eilev.config.train import ModelConfig, ScratchConfig
from eilev.model.build import new_text_config, scratch_config
from eilev.model.checkpoint import CONFIG_FILE
from eilev.model.language_model import (
    language_model_place,
    load_language_codec,
    load_language_config,
)
from eilev.model.video_blip import VideoBlip

# Hub name of each published checkpoint: its language model.
ARCHITECTURES = {
    "Salesforce/blip2-opt-2.7b": "opt-2.7b",
    "Salesforce/blip2-flan-t5-xl": "flan-t5-xl",
    "kpyu/eilev-blip2-opt-2.7b": "opt-2.7b",
    "kpyu/eilev-blip2-flan-t5-xl": "flan-t5-xl",
    "kpyu/video-blip-opt-2.7b-ego4d": "opt-2.7b",
    "kpyu/video-blip-flan-t5-xl-ego4d": "flan-t5-xl",
}


def meta_model(config: ModelConfig, vocab_size: int) -> VideoBlip:
    """Build a model on torch's meta device: shapes without numbers; see `outline`."""
    with torch.device("meta"):
        return outline(config, vocab_size)


def outline(config: ModelConfig, vocab_size: int) -> VideoBlip:
    """Build a model's modules, frozen as `config` says; their weights are not to be used.

    On the meta device or under FakeTensorMode this takes no memory.

    Args:
        config: The train.model section.
        vocab_size: Tokens of a model from scratch; a checkpoint brings its own.

    Raises:
        ValueError: `config.pretrained` is neither published nor a folder with a config.json.
        DataError: the language model that `config.scratch` names is not to be had.
    """
    blip2 = _blip2_config(config, vocab_size)
    with no_init_weights():
        model = VideoBlip(blip2)
    model.tie_weights()
    if model.family.untied(model.config.text_config):
        _untie_head(model)
    model.freeze(config.freeze)
    return model


def _untie_head(model: VideoBlip) -> None:
    """Give Flan-T5's output layer weights of its own, as its checkpoints do.

    transformers ties them in the config and unties them when it finds both in a checkpoint.
    """
    head = model.language_model.lm_head
    head.weight = torch.nn.Parameter(torch.empty_like(head.weight))


def _blip2_config(config: ModelConfig, vocab_size: int) -> Blip2Config:
    if config.scratch is not None:
        return scratch_config(config.scratch, _text_config(config.scratch, vocab_size))
    assert config.pretrained is not None  # noqa: S101  (ModelConfig has exactly one origin)
    if (Path(config.pretrained) / CONFIG_FILE).is_file():
        return Blip2Config.from_pretrained(config.pretrained)
    if config.pretrained not in ARCHITECTURES:
        raise ValueError(
            f"train.model.pretrained: {config.pretrained}: its architecture is not known; give a "
            f"folder with its {CONFIG_FILE} or one of {', '.join(ARCHITECTURES)}"
        )
    return Blip2Config(
        vision_config=Blip2VisionConfig(),
        qformer_config=Blip2QFormerConfig(),
        text_config=_language_model(ARCHITECTURES[config.pretrained]),
        num_query_tokens=32,
    )


def _text_config(scratch: ScratchConfig, vocab_size: int) -> Any:
    if scratch.language_model is None:
        return new_text_config(scratch, vocab_size, pad_id=0)
    # Building a model may change its configuration.
    return copy.deepcopy(_pretrained_text_config(scratch.language_model))


@functools.lru_cache  # a GGUF file is read for seconds, and a plan asks several times
def _pretrained_text_config(name: str) -> Any:
    place = language_model_place(name)
    config = load_language_config(place)
    config.vocab_size = max(config.vocab_size, load_language_codec(place).vocab_size)
    return config


def _language_model(name: str) -> PreTrainedConfig:
    if name == "opt-2.7b":
        return OPTConfig(
            vocab_size=50272,
            hidden_size=2560,
            num_hidden_layers=32,
            num_attention_heads=32,
            ffn_dim=10240,
            max_position_embeddings=2048,
            word_embed_proj_dim=2560,
        )
    return T5Config(
        vocab_size=32128,
        d_model=2048,
        d_kv=64,
        d_ff=5120,
        num_layers=24,
        num_heads=32,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,  # type: ignore[call-arg]
    )
