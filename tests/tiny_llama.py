"""A real language model of Llama's kind, random and small, and a BLIP-2 with it.

Two of its four heads share a key, which is wider than the width gives each head; its output layer
is its embeddings; its tokens are pieces of words.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from eilev.config.train import ModelConfig
from eilev.inputs.preprocess import Preprocessing
from eilev.model.build import build_model
from eilev.model.checkpoint import LoadedModel
from eilev.model.language_model import load_language_codec
from tests.tiny import IMAGE_SIZE, NARRATIONS, PROMPT, tiny_config

NUM_QUERY_HEADS, NUM_KEY_HEADS, HEAD_DIM = 4, 2, 12


def write_tiny_llama(folder: Path) -> None:
    """A language model's folder as transformers writes it; there is no token for padding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([PROMPT, *NARRATIONS], trainer)
    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=NUM_QUERY_HEADS,
        num_key_value_heads=NUM_KEY_HEADS,
        head_dim=HEAD_DIM,
        max_position_embeddings=1024,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


def llama_config(folder: Path | str, **changes) -> ModelConfig:
    """New eyes around the language model of a folder, which is frozen."""
    own = {"text": None, "max_position_embeddings": None, "language_model": str(folder)}
    return tiny_config(freeze=("language_model",), **own, **changes)


def tiny_llama_model(folder: Path, seed: int = 0) -> LoadedModel:
    codec = load_language_codec(folder)
    torch.manual_seed(seed)
    model = build_model(llama_config(folder), codec, folder).eval()
    return LoadedModel(model, codec, Preprocessing(IMAGE_SIZE))
