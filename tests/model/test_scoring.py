import pytest
import torch
from safetensors.torch import load_file

from eilev.inputs.interleave import interleave, pad_layouts
from eilev.inputs.preprocess import preprocess
from eilev.inputs.turns import Turn
from eilev.model.checkpoint import load_model
from eilev.model.scoring import score_classes
from tests.tiny import tiny_clips
from tests.tiny_llama import tiny_llama_model

PROMPT = "Question: What is the camera wearer doing? Answer:"
CLASSES = [
    "The camera wearer cuts",
    "The camera wearer opens the drawer.",
    "wash",
    "The camera wearer",
    "put down the plate and the onion",
]


@pytest.fixture(scope="module", params=["opt", "t5", "llama"])
def loaded(reference, request):
    if request.param == "llama":
        return tiny_llama_model(request.getfixturevalue("tiny_llama"))
    return load_model(reference / request.param)


def padded(rows, value):
    length = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])


def classes_of(loaded):
    rows = [loaded.codec.encode(f" {text}") for text in CLASSES]
    assert len({len(row) for row in rows}) > 2
    ids = padded(rows, loaded.codec.pad_id)
    return rows, {
        "class_input_ids": ids,
        "class_attention_mask": padded([[1] * len(row) for row in rows], 0),
    }


def prompts_of(loaded, shot_counts):
    """A batch of prompts with different numbers of shots, padded on the left."""
    config = loaded.model.config
    layouts = [
        interleave(
            [*[Turn(PROMPT, CLASSES[i % 2]) for i in range(shots)], Turn(PROMPT, None)],
            loaded.codec,
            config.num_query_tokens,
            encoder_decoder=not config.use_decoder_only_language_model,
            loss_on="query",
        )
        for shots in shot_counts
    ]
    arrays = pad_layouts(layouts, loaded.codec.pad_id, "left")
    del arrays["labels"]
    clips = tiny_clips(sum(shot_counts) + len(shot_counts))
    pixels = [torch.from_numpy(preprocess(clip, loaded.preprocessing)) for clip in clips]
    return {name: torch.from_numpy(value) for name, value in arrays.items()} | {
        "pixel_values": torch.stack(pixels)
    }


def score_alone(loaded, prompt, row):
    """One class after one unpadded prompt in a single pass, token by token."""
    ids, pixels = prompt["input_ids"], prompt["pixel_values"]
    if loaded.model.config.use_decoder_only_language_model:
        whole = torch.cat([ids, torch.tensor([row])], dim=1)
        video = torch.nn.functional.pad(prompt["video_input_mask"], (0, len(row)))
        logits = loaded.model(whole, torch.ones_like(whole), video, pixel_values=pixels).logits
        logits = logits[0, ids.shape[1] - 1 : -1]
    else:
        logits = loaded.model(**prompt, labels=torch.tensor([row])).logits[0]
    log_probs = logits.log_softmax(-1)
    return sum(log_probs[i, token] for i, token in enumerate(row)) / len(row)


@pytest.mark.parametrize("chunk_size", [1, 2, 64])
def test_golden_classification(reference, chunk_size):
    folder = reference / "opt"
    cases = load_file(folder / "cases.safetensors")
    ids = cases["classify.prompt_input_ids"]
    scores = score_classes(
        load_model(folder).model,
        ids,
        torch.ones_like(ids),
        cases["classify.prompt_video_input_mask"],
        cases["classify.class_input_ids"],
        cases["classify.class_attention_mask"],
        pixel_values=cases["classify.pixel_values"],
        chunk_size=chunk_size,
    )
    torch.testing.assert_close(scores, cases["classify.log_likelihood"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("chunk_size", [1, 2, 64])
@torch.no_grad()
def test_scores_of_a_padded_batch_are_those_of_each_class_alone(loaded, chunk_size):
    rows, classes = classes_of(loaded)
    batch = prompts_of(loaded, [2, 0, 8])
    scores = score_classes(loaded.model, **batch, **classes, chunk_size=chunk_size)
    assert scores.shape == (3, len(CLASSES))
    assert scores.dtype == torch.float32
    for number, pixels in enumerate(batch["pixel_values"].split([3, 1, 9])):
        seen = batch["attention_mask"][number].bool()
        prompt = {
            name: value[number : number + 1, seen]
            for name, value in batch.items()
            if name != "pixel_values"
        }
        expected = [score_alone(loaded, prompt | {"pixel_values": pixels}, row) for row in rows]
        torch.testing.assert_close(scores[number], torch.stack(expected), atol=1e-4, rtol=0)


def test_the_prompt_runs_once_however_many_chunks(loaded):
    language_model = loaded.model.language_model
    decoder_only = not loaded.model.family.encoder_decoder
    part = language_model.get_decoder() if decoder_only else language_model.get_encoder()
    lengths = []

    def record(module, arguments, options):
        lengths.append(options["inputs_embeds"].shape[1])

    hook = part.register_forward_pre_hook(record, with_kwargs=True)
    batch = prompts_of(loaded, [1])
    try:
        score_classes(loaded.model, **batch, **classes_of(loaded)[1], chunk_size=2)
    finally:
        hook.remove()
    prompt, *chunks = lengths
    assert prompt == batch["input_ids"].shape[1]
    assert (len(chunks) == 3) == decoder_only
    assert all(length < prompt for length in chunks)


@pytest.mark.parametrize("mask", [[[0, 1]], [[1, 0, 1]], [[0, 0]]])
def test_classes_without_tokens_or_padded_on_the_left_are_refused(loaded, mask):
    mask = torch.tensor(mask)
    with pytest.raises(ValueError, match="on the right"):
        score_classes(
            loaded.model,
            **prompts_of(loaded, [0]),
            class_input_ids=torch.ones_like(mask),
            class_attention_mask=mask,
        )
