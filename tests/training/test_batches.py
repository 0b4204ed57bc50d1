import numpy as np
import torch

from eilev.data.interleave import Turn, interleave, pad_layouts
from eilev.training.batches import EpisodeModel, RunBatches
from tests.tiny import NARRATIONS, PROMPT, tiny_clips, tiny_model

EPOCHS = np.repeat([0, 1, 2], 10)


def rows(**options):
    return list(RunBatches(EPOCHS, batch_size=4, **{"seed": 0} | options))


def test_every_row_once_epoch_after_epoch():
    order = [row for batch in rows() for row in batch]
    assert [len(batch) for batch in rows()] == [4] * 7 + [2]
    for epoch in range(3):
        assert (
            sorted(order[10 * epoch : 10 * (epoch + 1)]) == np.flatnonzero(epoch == EPOCHS).tolist()
        )


def test_order_depends_on_seed_and_epoch():
    assert rows() == rows()
    assert rows() != rows(seed=1)
    order = np.array([row for batch in rows() for row in batch])
    assert (order[:10] != order[10:20] - 10).any()


def test_a_resumed_run_goes_on_with_the_next_batch():
    assert rows(start=3) == rows()[3:]
    assert len(RunBatches(EPOCHS, 4, seed=0, start=3)) == 5


def test_the_gradient_of_a_clip_sums_over_the_episodes_that_show_it():
    loaded = tiny_model()
    turns = [Turn(PROMPT, NARRATIONS[0]), Turn(PROMPT, NARRATIONS[1])]
    layout = interleave(turns, loaded.codec, 3, encoder_decoder=False, loss_on="all")
    padded = pad_layouts([layout, layout], loaded.codec.pad_id, "right")
    tokens = {name: torch.from_numpy(values) for name, values in padded.items()}
    clip = torch.from_numpy(np.stack(tiny_clips(1))).permute(0, 4, 1, 2, 3).float() / 255
    gradients = []
    for pixels, index in ((clip, [0, 0, 0, 0]), (clip.repeat(4, 1, 1, 1, 1), [0, 1, 2, 3])):
        loaded.model.zero_grad()
        EpisodeModel(loaded.model)(pixels, torch.tensor(index), **tokens).loss.backward()
        gradients.append(loaded.model.query_tokens.grad.clone())
    torch.testing.assert_close(gradients[0], gradients[1])
