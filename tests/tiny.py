"""A real model small enough to build in every test."""

import numpy as np
import torch

from eilev.config.train import ModelConfig, ScratchConfig, TransformerConfig
from eilev.export.write import BundleInfo, write_bundle
from eilev.inputs.preprocess import Preprocessing
from eilev.inputs.tokenizer import train_word_codec
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


def tiny_part(num_layers) -> TransformerConfig:
    return TransformerConfig(
        hidden_size=16,
        num_hidden_layers=num_layers,
        num_attention_heads=2,
        intermediate_size=32,
    )


def tiny_config(freeze=(), **changes) -> ModelConfig:
    scratch = ScratchConfig(
        **{
            "image_size": IMAGE_SIZE,
            "patch_size": 8,
            "num_query_tokens": 3,
            "max_position_embeddings": 256,
            "initializer_range": 0.02,
            "vision": tiny_part(1),
            "qformer": tiny_part(1),
            "text": tiny_part(2),
            "language_model": None,
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


def tiny_info() -> BundleInfo:
    return BundleInfo(
        num_frames=NUM_FRAMES,
        window_s=1.0,
        frame_size=2 * IMAGE_SIZE,
        prompt=PROMPT,
        max_new_tokens=6,
        opset=18,
        git_revision=None,
        params={"seed": 0},
        metrics={},
    )


def write_tiny_bundle(folder, loaded: LoadedModel, **options) -> None:
    """An ONNX bundle; takes a while, so use the fixtures."""
    write_bundle(loaded, tiny_info(), folder, **options)


def tiny_clips(num_clips, seed=0):
    rng = np.random.default_rng(seed)
    shape = (NUM_FRAMES, IMAGE_SIZE, IMAGE_SIZE, 3)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(num_clips)]
