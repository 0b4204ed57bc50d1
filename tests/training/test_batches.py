import numpy as np

from eilev.training.batches import PhaseBatches

EPOCHS = np.repeat([0, 1, 2], 10)


def rows(**options):
    return list(PhaseBatches(np.arange(30), EPOCHS, batch_size=4, **{"seed": 0} | options))


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
    assert len(PhaseBatches(np.arange(30), EPOCHS, 4, seed=0, start=3)) == 5


def test_a_phase_has_its_own_rows():
    mine = np.arange(10, 30)
    batches = list(PhaseBatches(mine, EPOCHS[mine], batch_size=4, seed=0))
    assert sorted(row for batch in batches for row in batch) == mine.tolist()
    assert batches[0] == rows()[2][2:] + rows()[3][:2]
