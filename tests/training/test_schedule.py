"""Rates at the beginning, in between and at the end of a run."""

import pytest

from fastrec.training.schedule import Schedule


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("constant", [8, 8, 8, 8, 8]),
        ("linear", [8, 6.5, 5, 3.5, 2]),
        ("cosine", [8, 5 + 3 * 0.5**0.5, 5, 5 - 3 * 0.5**0.5, 2]),
        ("cooldown", [8, 8, 8, 8, 2]),
    ],
)
def test_rates_of_four_epochs(name, rates):
    schedule = Schedule(name, 8.0, 2.0, 4)
    assert [schedule.at(done) for done in range(5)] == pytest.approx(rates)


def test_a_cooldown_takes_the_last_epoch():
    schedule = Schedule("cooldown", 8.0, 0.0, 3)
    assert [schedule.at(done) for done in (2, 2.25, 2.5, 3)] == pytest.approx([8, 6, 4, 0])
    assert Schedule("cooldown", 8.0, 0.0, 1).at(0.5) == pytest.approx(4)
