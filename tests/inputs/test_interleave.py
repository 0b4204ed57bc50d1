import json

import numpy as np
import pytest

from eilev.inputs.interleave import IGNORE_INDEX, Layout, interleave, pad_layouts
from eilev.inputs.tokenizer import load_codec, train_word_codec
from eilev.inputs.turns import Turn

PROMPT = "Question: What is the camera wearer doing? Answer:"
CASES = [(family, i) for family in ("opt", "t5") for i in range(4)]


@pytest.fixture(scope="module")
def codec():
    return train_word_codec([PROMPT, "The camera wearer cuts the onion.", "The dog eats."])


def golden(reference, family, index):
    folder = reference / family
    case = json.loads((folder / "cases.json").read_text())["layout"][index]
    expected = Layout(case["input_ids"], case["labels"], case["video_input_mask"])
    return load_codec(folder), case["prompts"], case["text"], expected


@pytest.mark.parametrize(("family", "index"), CASES)
def test_golden_layout(reference, family, index):
    codec, prompts, text, expected = golden(reference, family, index)
    turns = []
    for prompt, num_videos in prompts[:-1]:
        narration = prompt.removeprefix(PROMPT + " ")
        assert narration != prompt
        turns.append(Turn(PROMPT, narration, num_videos))
    turns.append(Turn(prompts[-1][0], text, prompts[-1][1]))
    layout = interleave(turns, codec, 4, encoder_decoder=family == "t5", loss_on="query")
    assert layout == expected


@pytest.mark.parametrize(("family", "index"), CASES)
def test_golden_layout_with_answers_inside_the_prompts(reference, family, index):
    codec, prompts, text, expected = golden(reference, family, index)
    turns = [Turn(prompt, None, num_videos) for prompt, num_videos in prompts]
    turns[-1] = Turn(prompts[-1][0], text, prompts[-1][1])
    layout = interleave(turns, codec, 4, encoder_decoder=family == "t5", loss_on="query")
    assert layout == expected


def test_loss_on_all_covers_every_narration_with_its_newline(codec):
    turns = [Turn("Answer:", "The dog eats."), Turn("Answer:", "The camera wearer cuts.")]
    layout = interleave(turns, codec, 2, encoder_decoder=False, loss_on="all")
    with_loss = [
        token
        for token, label in zip(layout.input_ids, layout.labels, strict=True)
        if label == token
    ]
    assert codec.decode(with_loss) == "The dog eats.\nThe camera wearer cuts.\n"
    assert with_loss[-1] == codec.eos_id
    assert all(label in (token, IGNORE_INDEX) for token, label in zip(*_ids(layout), strict=True))
    query_only = interleave(turns, codec, 2, encoder_decoder=False, loss_on="query")
    assert query_only.input_ids == layout.input_ids
    assert sum(label != IGNORE_INDEX for label in query_only.labels) < len(with_loss)


def _ids(layout):
    return layout.input_ids, layout.labels


def test_padding_keeps_placeholders_visible(codec):
    turns = [Turn("Answer:", None)]
    longer = [Turn("Answer:", "The dog eats."), Turn("Answer:", None)]
    layouts = [
        interleave(t, codec, 2, encoder_decoder=False, loss_on="query") for t in (turns, longer)
    ]
    left = pad_layouts(layouts, codec.pad_id, "left")
    right = pad_layouts(layouts, codec.pad_id, "right")
    short = len(layouts[0].input_ids)
    assert left["attention_mask"][0, -short:].all()
    assert not left["attention_mask"][0, :-short].any()
    assert right["attention_mask"][0, :short].all()
    for batch in (left, right):
        assert {name: value.shape for name, value in batch.items()} == {
            name: (2, len(layouts[1].input_ids)) for name in batch
        }
        assert (batch["video_input_mask"] <= batch["attention_mask"]).all()
        assert batch["video_input_mask"].sum(axis=1).tolist() == [2, 4]
        assert all(value.dtype == np.int64 for value in batch.values())
    assert (left["labels"] == IGNORE_INDEX).all()


def test_decoder_targets_are_padded_on_the_right(codec):
    layouts = [
        interleave([Turn("Answer:", text)], codec, 2, encoder_decoder=True, loss_on="query")
        for text in ("The dog eats.", "The camera wearer cuts the onion.")
    ]
    batch = pad_layouts(layouts, codec.pad_id, "left")
    assert batch["labels"][0, 0] == layouts[0].labels[0]
    assert batch["labels"][0, -1] == IGNORE_INDEX


def test_bad_episodes_are_refused(codec):
    with pytest.raises(ValueError, match="at least one turn"):
        interleave([], codec, 2, encoder_decoder=False, loss_on="query")
    with pytest.raises(ValueError, match="num_query_tokens"):
        interleave([Turn("Answer:", None)], codec, 0, encoder_decoder=False, loss_on="query")
    with pytest.raises(ValueError, match="-1 videos"):
        interleave([Turn("Answer:", None, -1)], codec, 2, encoder_decoder=False, loss_on="query")
    with pytest.raises(ValueError, match="decoder-only"):
        interleave([Turn("Answer:", None)], codec, 2, encoder_decoder=True, loss_on="all")
    with pytest.raises(ValueError, match="at least one layout"):
        pad_layouts([], codec.pad_id, "left")


def test_an_empty_prompt_puts_the_narration_behind_the_newline(codec):
    layout = interleave(
        [Turn("", "The dog eats.")], codec, 2, encoder_decoder=False, loss_on="query"
    )
    newline = list(codec.newline_ids)
    answer = [*codec.encode("The dog eats."), *newline, codec.eos_id]
    assert layout.input_ids == [codec.bos_id, codec.pad_id, codec.pad_id, *newline, *answer]
    assert layout.labels[-len(answer) :] == answer
