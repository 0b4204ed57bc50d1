"""A real model small enough to build in every test."""

import numpy as np
import torch

from eilev.config import ModelConfig, ScratchConfig, TransformerConfig
from eilev.data.preprocess import Preprocessing
from eilev.data.tokenizer import train_word_codec
from eilev.model.build import build_model
from eilev.model.checkpoint import LoadedModel

PROMPT = "Answer:"
NARRATIONS = [
    "The camera wearer cuts the onion.",
    "The camera wearer opens the drawer.",
    "The camera wearer washes the cup.",
]
NUM_FRAMES = 2
IMAGE_SIZE = 16


def tiny_config(freeze=(), **changes) -> ModelConfig:
    part = TransformerConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    scratch = ScratchConfig(
        **{
            "image_size": IMAGE_SIZE,
            "patch_size": 8,
            "num_query_tokens": 3,
            "max_position_embeddings": 96,
            "vision": part,
            "qformer": part,
            "text": part,
        }
        | changes
    )
    return ModelConfig(pretrained=None, scratch=scratch, freeze=freeze)


def tiny_codec():
    return train_word_codec([PROMPT, *NARRATIONS])


def tiny_model(seed=0, **changes) -> LoadedModel:
    codec = tiny_codec()
    torch.manual_seed(seed)
    model = build_model(tiny_config(**changes), codec).eval()
    return LoadedModel(model, codec, Preprocessing(IMAGE_SIZE))


def tiny_clips(num_clips, seed=0):
    rng = np.random.default_rng(seed)
    shape = (NUM_FRAMES, IMAGE_SIZE, IMAGE_SIZE, 3)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(num_clips)]
