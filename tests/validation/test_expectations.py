import doctest

from eilev.validation import expectations
from eilev.validation.expectations import draw_bars


def test_worked_examples() -> None:
    result = doctest.testmod(expectations)
    assert result.attempted
    assert not result.failed


def test_bars_show_what_is_there_and_what_is_not() -> None:
    assert draw_bars([0, 1, 1000]) == "·▁█"
    assert draw_bars([0, 0]) == "··"
