"""Against transformers' own search, with logits that make sequences end early and late."""

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from eilev.bundle.beams import Beams, search

VOCABULARY, START = 12, 3


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        initializer_range=1.0,
    )
    return LlamaForCausalLM(config).eval()


class Prefixes:
    """Rows that are the sequences themselves, which the model reads anew each time."""

    def __init__(self, model, sequences):
        self.model, self.sequences = model, sequences

    def taken(self, numbers, place):  # noqa: ARG002
        return Prefixes(self.model, [self.sequences[number] for number in numbers])

    def place(self, array):
        return array

    @torch.no_grad()
    def step(self, rows, tokens):
        new = [[*seen, *row] for seen, row in zip(rows.sequences, tokens.tolist(), strict=True)]
        logits = self.model(input_ids=torch.tensor(new)).logits.numpy()
        return Prefixes(self.model, new), logits[:, -1:]


@pytest.mark.parametrize("ends", [(1,), (1, 5)])
def test_every_token_is_that_of_transformers(model, ends):
    lengths = set()
    for num_beams, length_penalty in [(2, 1.0), (2, -1.0), (3, 2.5), (4, 0.0)]:
        for prompt in range(0, VOCABULARY, 2):
            expected = model.generate(
                input_ids=torch.tensor([[START, prompt]]),
                attention_mask=torch.ones(1, 2, dtype=torch.long),
                num_beams=num_beams,
                length_penalty=length_penalty,
                max_new_tokens=9,
                eos_token_id=list(ends),
                pad_token_id=0,
                do_sample=False,
            )[0, 2:].tolist()
            engine = Prefixes(model, [])
            rows, logits = engine.step(Prefixes(model, [[START]]), np.array([[prompt]]))
            found = search(engine, rows, logits[0, -1], Beams(num_beams, length_penalty, 9, ends))
            assert found == expected
            lengths.add(len(found))
    assert len(lengths) > 3
