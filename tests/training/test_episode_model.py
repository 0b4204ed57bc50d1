import math

import numpy as np
import pytest
import torch

from eilev.inputs.interleave import IGNORE_INDEX, interleave, pad_layouts
from eilev.inputs.preprocess import preprocess
from eilev.inputs.turns import Turn
from eilev.model.checkpoint import load_weights
from eilev.training.episode_model import EpisodeModel, label_scores, telling_tokens
from eilev.training.guidance import guidance_loss
from eilev.training.naming import naming_loss
from tests.tiny import NARRATIONS, PROMPT, tiny_clips, tiny_model

NUM_QUERY_TOKENS = 3


@pytest.fixture(scope="module")
def loaded():
    return tiny_model()


@pytest.fixture(scope="module")
def pixels(loaded):
    clips = [preprocess(clip, loaded.preprocessing) for clip in tiny_clips(3)]
    return torch.from_numpy(np.stack(clips))


def tokens_of(loaded, shot_counts, loss_on="all"):
    layouts = []
    for shots in shot_counts:
        turns = [Turn(PROMPT, NARRATIONS[i % 3]) for i in range(shots + 1)]
        layouts.append(
            interleave(
                turns, loaded.codec, NUM_QUERY_TOKENS, encoder_decoder=False, loss_on=loss_on
            )
        )
    padded = pad_layouts(layouts, loaded.codec.pad_id, "right")
    return {name: torch.from_numpy(values) for name, values in padded.items()}


def plain(loaded):
    vocab_size = loaded.model.config.text_config.vocab_size
    return EpisodeModel(loaded.model, torch.ones(vocab_size))


def test_grouping_by_shots_gives_the_loss_of_the_padded_batch(loaded, pixels):
    tokens = tokens_of(loaded, [2, 0, 1, 0, 2])
    index = torch.tensor([0, 1, 2, 1, 2, 0, 0, 2, 1, 0])
    with torch.no_grad():
        grouped = plain(loaded)(index, pixels, **tokens)
        padded = loaded.model(pixel_values=pixels[index], **tokens)
    torch.testing.assert_close(grouped["loss"], padded.loss)


def test_rows_are_those_of_each_episode_alone(loaded, pixels):
    index = torch.tensor([0, 1, 2, 1, 2, 0])
    model = plain(loaded)
    with torch.no_grad():
        rows = model(index, pixels, **tokens_of(loaded, [2, 0, 1]))["rows"]
        alone = [
            model(part, pixels, **tokens_of(loaded, [shots]))["rows"][0]
            for shots, part in zip([2, 0, 1], index.split([3, 1, 2]), strict=True)
        ]
    torch.testing.assert_close(rows, torch.stack(alone))


def test_the_gradient_of_a_clip_sums_over_the_episodes_that_show_it(loaded, pixels):
    tokens = tokens_of(loaded, [1, 1])
    gradients = []
    clip = pixels[:1]
    for shown, index in ((clip, [0, 0, 0, 0]), (clip.repeat(4, 1, 1, 1, 1), [0, 1, 2, 3])):
        loaded.model.zero_grad()
        plain(loaded)(torch.tensor(index), shown, **tokens)["loss"].backward()
        gradients.append(loaded.model.query_tokens.grad.clone())
    torch.testing.assert_close(gradients[0], gradients[1])


def test_weights_shift_the_loss_to_the_tokens_they_favour(loaded, pixels):
    """All the weight on one token: the loss is that token's mean."""
    tokens = tokens_of(loaded, [1])
    onion = loaded.codec.encode("onion")[0]
    weights = torch.zeros(loaded.model.config.text_config.vocab_size)
    weights[onion] = 5.0
    with torch.no_grad():
        loss = EpisodeModel(loaded.model, weights)(torch.tensor([0, 1]), pixels, **tokens)["loss"]
        logits = loaded.model(pixel_values=pixels[:2], **tokens).logits[0]
    (position,) = (tokens["labels"][0] == onion).nonzero()[:, 0].tolist()
    torch.testing.assert_close(loss, -logits[position - 1].log_softmax(-1)[onion])


def test_naming_alone_does_not_run_the_language_model(loaded, pixels, monkeypatch):
    tokens, index = tokens_of(loaded, [0, 0]), torch.tensor([0, 1])
    named = torch.tensor([loaded.codec.encode("cuts onion")[:2], [IGNORE_INDEX] * 2])
    weights = torch.full((loaded.model.config.text_config.vocab_size,), 3.0)
    model = EpisodeModel(loaded.model, weights, naming=0.5, language=0.0).train()
    scored = model.eval()(index, pixels, **tokens)
    torch.testing.assert_close(scored["loss"], plain(loaded)(index, pixels, **tokens)["loss"])
    monkeypatch.setattr(type(loaded.model), "forward", None)
    with torch.no_grad():
        loss = model.train()(index, pixels, named=named, **tokens)["loss"]
        words = loaded.model.get_input_embeddings().weight
        features = loaded.model.encode_videos(pixels[:2])
        alone = naming_loss(features, named, words, weights > 1).mean()
    torch.testing.assert_close(loss, 0.5 * alone)


def test_an_encoder_decoder_is_scored_on_its_target(reference):
    model = load_weights(reference / "t5").eval()
    length, target = model.config.num_query_tokens + 2, [5, 6, 7]
    tokens = {
        "input_ids": torch.tensor([[0] * length, [0] * length]),
        "attention_mask": torch.tensor([[1] * length, [1] * (length - 1) + [0]]),
        "video_input_mask": torch.tensor([[1] * (length - 2) + [0, 0]] * 2),
        "labels": torch.tensor([target, [5, 6, IGNORE_INDEX]]),
    }
    size = model.config.vision_config.image_size
    pixels = torch.rand(2, 3, 2, size, size)
    episode_model = EpisodeModel(model, torch.ones(model.config.text_config.vocab_size))
    with torch.no_grad():
        scored = episode_model(torch.tensor([0, 1]), pixels, **tokens)
        expected = model(pixel_values=pixels, **tokens).loss
    torch.testing.assert_close(scored["loss"], expected)
    assert scored["rows"][:, 2].tolist() == [3, 2]


def test_label_scores_by_hand():
    labelled = torch.tensor([[False, True, True], [False, False, False], [True, False, False]])
    losses = torch.tensor([0.5, 1.5, math.pi])
    scores = label_scores(labelled, losses, torch.tensor([True, False, True]))
    torch.testing.assert_close(scores, torch.tensor([[2.0, 1, 2], [0, 0, 0], [math.pi, 1, 1]]))


def test_telling_tokens_are_those_of_few_narrations(loaded):
    codec = loaded.codec
    found = telling_tokens(NARRATIONS, codec).nonzero()[:, 0].tolist()
    telling = {codec.tokenizer.id_to_token(token) for token in found}
    assert telling == {"cuts", "opens", "washes", "onion", "drawer", "cup"}


def test_guidance_adds_the_loss_on_attention_while_training(pixels):
    loaded = tiny_model()
    loaded.model.language_model.set_attn_implementation("eager")
    weights = torch.where(telling_tokens(NARRATIONS, loaded.codec), 3.0, 1.0)
    tokens, index = tokens_of(loaded, [2, 2]), torch.tensor([0, 1, 0, 1, 2, 1])
    module = EpisodeModel(loaded.model, weights, guidance=0.5)
    guided = module.train()(index, pixels, **tokens)["loss"]
    plain = EpisodeModel(loaded.model, weights).train()(index, pixels, **tokens)
    inputs = {name: value for name, value in tokens.items() if name != "labels"}
    attentions = loaded.model(
        **inputs, pixel_values=pixels[index], output_attentions=True
    ).attentions
    missing = guidance_loss(attentions, **inputs, telling=weights > 1)
    assert (missing > 0).all()
    # Both episodes have the same labels, so they weigh the same.
    torch.testing.assert_close(guided, plain["loss"] + 0.5 * missing.mean())
    torch.testing.assert_close(module.eval()(index, pixels, **tokens)["loss"], plain["loss"])


@pytest.mark.parametrize("guidance", [0.0, 0.5])
def test_parts_of_a_batch_have_its_loss_averaged_by_their_weights(pixels, guidance):
    loaded = tiny_model()
    loaded.model.language_model.set_attn_implementation("eager")
    weights = torch.where(telling_tokens(NARRATIONS, loaded.codec), 3.0, 1.0)
    module = EpisodeModel(loaded.model, weights, guidance).train()
    whole = module(torch.tensor([0, 1, 2, 1, 2, 0]), pixels, **tokens_of(loaded, [2, 0, 1]))
    parts = [
        module(torch.tensor([0, 1, 2, 1]), pixels, **tokens_of(loaded, [2, 0])),
        module(torch.tensor([2, 0]), pixels, **tokens_of(loaded, [1])),
    ]
    total = sum(part["weight"] for part in parts)
    torch.testing.assert_close(whole["weight"], total)
    mean = sum(part["loss"] * part["weight"] for part in parts) / total
    torch.testing.assert_close(whole["loss"], mean)


def test_naming_asks_for_the_querys_words_while_training(pixels):
    loaded = tiny_model()
    telling = telling_tokens(NARRATIONS, loaded.codec)
    weights = torch.where(telling, 3.0, 1.0)
    cuts, onion = (loaded.codec.encode(f" {word}")[0] for word in ("cuts", "onion"))
    tokens, index = tokens_of(loaded, [1, 1]), torch.tensor([0, 1, 2, 1])
    named = torch.tensor([[cuts, onion]] * 2)
    module = EpisodeModel(loaded.model, weights, naming=0.5)
    whole = module.train()(index, pixels, **tokens, named=named)
    alone = EpisodeModel(loaded.model, weights).train()(index, pixels, **tokens, named=named)
    query = loaded.model.encode_videos(pixels[[1, 1]])
    words = loaded.model.get_input_embeddings().weight
    extra = naming_loss(query, named, words, telling).mean()
    torch.testing.assert_close(whole["loss"], alone["loss"] + 0.5 * extra)
    scored = module.eval()(index, pixels, **tokens, named=named)["loss"]
    torch.testing.assert_close(scored, alone["loss"])
