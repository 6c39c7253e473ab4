"""The verbs of a rollout: start, advance, hold, complete, rollback."""

from datetime import UTC, datetime

import pytest

from embellie.domain.errors import Conflict, InputError
from embellie.release.changing import advance, complete, hold, rollback, start

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def begin(steps=(0.05, 0.25, 1.0)):
    return start("up", placement="bottom", stable="old", canary="new", steps=steps, by="ana", now=NOW)


def test_a_rollout_goes_step_by_step_to_everyone():
    """The weight follows the steps, then everyone has the canary."""
    first = begin()
    second = advance(first, by="ana", now=NOW)
    third = advance(second, by="ana", now=NOW)
    done = advance(third, by="ana", now=NOW)
    assert [one.weight for one in (first, second, third, done)] == [0.05, 0.25, 1.0, 1.0]
    assert done.state == "completed"


def test_holding_keeps_the_weight():
    """A held rollout stays where it is and can go on."""
    held = hold(begin(), by="ana", now=NOW)
    assert (held.weight, advance(held, by="ana", now=NOW).weight) == (0.05, 0.25)


def test_there_is_one_way_back_and_it_is_open_even_after_completion():
    """Rollback gives everyone the stable release at once."""
    assert rollback(complete(begin(), by="ana", now=NOW), by="ana", now=NOW).weight == 0


@pytest.mark.parametrize("verb", [advance, hold, complete])
def test_what_is_over_is_over(verb):
    """A rolled-back rollout cannot go on; the error says to start a new one."""
    with pytest.raises(Conflict, match="Start a new one"):
        verb(rollback(begin(), by="ana", now=NOW), by="ana", now=NOW)


def test_starting_what_is_live_is_refused():
    """A release cannot replace itself."""
    with pytest.raises(Conflict, match="already live"):
        start("up", placement="bottom", stable="new", canary="new", steps=(1.0,), by="ana", now=NOW)


@pytest.mark.parametrize("steps", [(), (0.5, 0.2), (0.0, 1.0), (0.5, 1.2)])
def test_steps_must_grow_within_one(steps):
    """Wrong steps are refused with an example of right ones."""
    with pytest.raises(InputError, match=r"Write for example steps"):
        begin(steps)
