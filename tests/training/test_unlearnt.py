import torch

from eilev.inputs.tokenizer import train_word_codec
from eilev.language.new_words import INVENTED_NOUNS, invented_word_forms, new_word_forms
from eilev.training.unlearnt import redraw, unlearnt_tokens
from tests.tiny import tiny_model

SAID = "The camera wearer cuts the onion."


def test_words_that_nobody_says():
    codec = train_word_codec([SAID, *new_word_forms(), "bribot"])
    tokens = unlearnt_tokens([*new_word_forms(), *invented_word_forms(), "onion"], [SAID], codec)
    words = {codec.decode([token]).strip() for token in tokens.tolist()}
    assert {"daxes", "wug", "bribot"} <= words
    assert not words & {"onion", "cuts", *INVENTED_NOUNS[1:]}


def test_drawn_embeddings_are_like_learnt_ones_and_tied():
    model = tiny_model().model
    weight = model.get_input_embeddings().weight
    assert model.language_model.get_output_embeddings().weight is weight
    before = weight.detach().clone()
    half = len(weight) // 2
    tokens, like = torch.arange(half), torch.arange(half, len(weight))
    redraw(model, tokens, like, 0, 7)
    drawn = weight[tokens].detach().clone()
    assert torch.equal(weight[like], before[like])
    assert not torch.allclose(drawn, before[tokens])
    spread = before[like].std(0).mean()
    assert 0.5 * spread < drawn.std(0).mean() < 2 * spread
    redraw(model, tokens, like, 0, 8)
    assert not torch.allclose(weight[tokens], drawn)
    redraw(model, tokens, like, 0, 7)
    assert torch.equal(weight[tokens], drawn)
