"""Breaking: who fails or is slow time and again rests, and comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.serve.breaking import LONGEST_REST, PATIENCE, REST_SECONDS, Breaker, Resting


class Clock:
    """Seconds that pass when someone says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def taking(clock, seconds, *, fails=False):
    """A policy that takes its time."""

    def policy():
        clock.now += seconds
        if fails:
            raise ZeroDivisionError
        return "slate"

    return policy


def outcome(breaker, policy):
    """What comes of one call."""
    try:
        return breaker.call(policy)
    except Resting:
        return "rests"
    except ZeroDivisionError:
        return "fails"


@pytest.mark.parametrize(("seconds", "fails", "told"), [(0.5, False, "slate"), (0.0, True, "fails")])
def test_after_three_in_a_row_it_rests_and_is_then_tried_once(seconds, fails, told):
    """Slow or failing alike: three times, then no more until the rest is over; one more failure, and it rests again."""
    clock = Clock()
    breaker, bad = Breaker(budget=0.1, timer=clock), taking(clock, seconds, fails=fails)
    assert [outcome(breaker, bad) for _ in range(PATIENCE + 2)] == [told] * PATIENCE + ["rests"] * 2
    clock.now += REST_SECONDS
    assert [outcome(breaker, bad) for _ in range(2)] == [told, "rests"]
    assert breaker.rests()


def test_who_is_well_again_is_called_again():
    """After its rest a good answer takes it back in, and three failures are needed once more."""
    clock = Clock()
    breaker, bad, good = Breaker(budget=0.1, timer=clock), taking(clock, 0.0, fails=True), taking(clock, 0.01)
    for _ in range(PATIENCE):
        outcome(breaker, bad)
    clock.now += REST_SECONDS
    assert [outcome(breaker, one) for one in (good, bad, bad, good)] == ["slate", "fails", "fails", "slate"]
    assert not breaker.rests()


def test_one_answer_that_keeps_all_waiting_is_enough():
    """More than a second beyond its budget: it rests at once, though it answered."""
    clock = Clock()
    breaker = Breaker(budget=0.1, timer=clock)
    assert [outcome(breaker, taking(clock, 2.0)) for _ in range(3)] == ["slate", "rests", "rests"]


def test_who_goes_on_failing_is_tried_ever_more_seldom():
    """Each rest is twice as long as the one before, up to 16 minutes; a good answer makes it short again."""
    clock = Clock()
    breaker, bad, good = Breaker(budget=0.1, timer=clock), taking(clock, 2.0), taking(clock, 0.01)
    rests = []
    for _ in range(7):
        assert outcome(breaker, bad) == "slate"
        began = clock.now
        while breaker.rests():
            clock.now += REST_SECONDS
        rests.append(clock.now - began)
    assert rests == [30, 60, 120, 240, 480, LONGEST_REST, LONGEST_REST]
    assert [outcome(breaker, one) for one in (good, bad)] == ["slate", "slate"]
    clock.now += REST_SECONDS
    assert not breaker.rests()


def test_without_a_budget_any_time_will_do():
    """A budget of 0 is none."""
    clock = Clock()
    breaker = Breaker(budget=0.0, timer=clock)
    assert {outcome(breaker, taking(clock, 100.0)) for _ in range(10)} == {"slate"}


@given(st.lists(st.booleans(), max_size=60))
def test_it_never_rests_unless_three_failed_in_a_row(failures):
    """Whatever the order of good and bad answers."""
    clock = Clock()
    breaker, row = Breaker(budget=1.0, timer=clock), 0
    for fails in failures:
        if breaker.rests():
            assert row >= PATIENCE
            return
        outcome(breaker, taking(clock, 0.0, fails=fails))
        row = row + 1 if fails else 0
