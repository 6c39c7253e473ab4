"""A rollout grows, or it cannot be written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.errors import InputError
from embellie.domain.rollout import Rollout

SHARES = st.lists(st.floats(0.001, 1.0), min_size=1, max_size=6, unique=True).map(sorted)


def rollout(*steps, **fields):
    return Rollout(rollout="r", placement="bottom", stable="old", canary="new", steps=steps, **fields)


@given(SHARES, st.data())
def test_the_weight_is_the_share_of_the_step(shares, data):
    """While it runs or is held, the canary has the share of its step."""
    step = data.draw(st.integers(0, len(shares) - 1))
    assert rollout(*shares, step=step).weight == rollout(*shares, step=step, state="held").weight == shares[step]


def test_in_the_end_it_is_everyone_or_nobody():
    """Complete is all readers whatever the last step was, rolled back is none."""
    assert rollout(0.1, 0.5, step=1, state="completed").weight == 1.0
    assert rollout(0.1, 0.5, step=1, state="rolled_back").weight == 0.0


@pytest.mark.parametrize("steps", [(), (0.0, 1.0), (0.5, 0.5), (0.5, 0.1), (0.5, 1.01), (float("nan"),)])
def test_steps_that_do_not_grow_are_refused(steps):
    """A reader once on the canary must never leave it by a step."""
    with pytest.raises(InputError, match="must grow"):
        rollout(*steps)
