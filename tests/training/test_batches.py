import numpy as np
import pytest

from eilev.training.batches import WHOLE, Part, PhaseBatches

EPOCHS = np.repeat([0, 1, 2], 10)
SIZES = np.tile([0, 0, 1, 2, 4, 8], 5)


def rows(part=WHOLE, **options):
    given = {"batch_size": 4, "seed": 0, "part": part} | options
    return list(PhaseBatches(np.arange(30), EPOCHS, SIZES, **given))


def test_every_row_epoch_after_epoch_and_the_last_step_filled_up_with_the_first_rows():
    steps = rows()
    assert [len(step) for step in steps] == [4] * 8
    assert sorted(steps[0] + steps[1] + steps[2])[:10] == list(range(10))
    assert sorted(row for step in steps[:5] for row in step) == list(range(20))
    assert set(steps[7]) - set(range(20, 30)) < set(steps[0])
    assert {row for step in steps for row in step} == set(range(30))


def test_fewer_rows_than_a_step_are_repeated():
    (step,) = PhaseBatches(np.arange(3), EPOCHS[:3], SIZES[:3], batch_size=8, seed=0)
    assert sorted(np.bincount(step).tolist()) == [2, 3, 3]


def test_order_depends_on_seed_and_epoch():
    assert rows() == rows()
    assert rows() != rows(seed=1)
    order = rows(batch_size=10)
    assert order[0] != [row - 10 for row in order[1]]


def test_a_resumed_run_goes_on_with_the_next_step():
    assert rows(start=3) == rows()[3:]
    assert rows(Part(pieces=2), start=3) == rows(Part(pieces=2))[6:]
    assert len(PhaseBatches(np.arange(30), EPOCHS, SIZES, 4, 0, Part(pieces=2), start=3)) == 10


def test_a_phase_has_its_own_rows():
    mine = np.arange(10, 30)
    batches = list(PhaseBatches(mine, EPOCHS[mine], SIZES[mine], batch_size=4, seed=0))
    order = [row for batch in batches for row in batch]
    assert sorted(order[:20]) == mine.tolist()


@pytest.mark.parametrize(("processes", "pieces"), [(2, 1), (1, 2), (2, 2), (4, 1)])
def test_a_step_is_the_same_however_it_is_shared(processes, pieces):
    shares = [rows(Part(process, processes, pieces)) for process in range(processes)]
    assert {len(share) for share in shares} == {8 * pieces}
    for number, step in enumerate(rows()):
        place = slice(number * pieces, (number + 1) * pieces)
        shared = [row for share in shares for piece in share[place] for row in piece]
        assert sorted(shared) == sorted(step)


def test_processes_get_about_as_much_to_do():
    sizes = np.random.default_rng(0).choice([0, 0, 1, 2, 4, 8, 8], 4800)
    given = (np.arange(4800), np.zeros(4800, dtype=int), sizes, 48, 0)
    shares = [list(PhaseBatches(*given, Part(process, 2))) for process in (0, 1)]
    loads = np.array([[sizes[piece].sum() for piece in share] for share in shares])
    assert np.abs(loads[0] - loads[1]).mean() < 0.03 * loads.sum(0).mean()
    assert loads[0].sum() == pytest.approx(loads[1].sum(), rel=0.01)
