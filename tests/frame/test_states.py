"""Unknowns that are one of a few values."""

import pytest

from embellie.domain.errors import QuestionError
from embellie.frame.states import read_states


def test_states_are_kept_in_rising_order():
    """However they were written."""
    assert read_states("discrete", "200: 20 %, -70: 0.5, 50: 30 %").parameters == (-70.0, 50.0, 200.0, 0.5, 0.3, 0.2)


def test_an_event_is_one_or_nothing():
    """30 % of happening."""
    assert read_states("chance", "30 %").parameters == pytest.approx((0.0, 1.0, 0.7, 0.3))


@pytest.mark.parametrize(
    ("name", "inside", "says"),
    [
        ("discrete", "1: 50 %, 2: 40 %", "add up to 0.9"),
        ("discrete", "1: 50 %, 1: 50 %", "different values"),
        ("discrete", "1: 100 %", "different values"),
        ("discrete", "1: 150 %, 2: -50 %", "add up"),
        ("discrete", "1, 2", "has no chance"),
        ("discrete", "a: 50 %, b: 50 %", "`a` is no number"),
        ("discrete", "1 EUR: 50 %, 2 EUR: 50 %", "is no number"),
        ("chance", "130 %", "is no chance"),
        ("chance", "often", "is no number"),
    ],
)
def test_what_makes_no_states_is_refused_with_the_way_to_write_it(name, inside, says):
    """The message says what is wrong, the hint what to write."""
    with pytest.raises(QuestionError) as caught:
        read_states(name, inside)
    assert says in caught.value.message
    assert caught.value.hint
