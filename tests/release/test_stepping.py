"""Gates: roll back on harm, hold on doubt or missing data, advance only on evidence of no harm."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.rollout import Rollout
from embellie.domain.unavailable import Unavailable
from embellie.release.changing import hold, rollback
from embellie.release.stepping import Observation, step
from embellie.store.wire import body_from_text, body_to_text

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
ROLLOUT = Rollout(rollout="up", placement="bottom", stable="old", canary="new", steps=(0.05, 0.25, 1.0))


def seen(low, high, **more):
    return Observation(low=low, high=high, readers=more.pop("readers", 5000), **more)


@pytest.mark.parametrize(
    ("observation", "state", "at_step"),
    [
        (seen(0.01, 0.04), "running", 1),
        (seen(-0.004, 0.02, margin=0.005), "running", 1),
        (seen(-0.03, 0.02), "held", 0),
        (seen(-0.05, -0.01), "rolled_back", 0),
        (seen(0.01, 0.04, alarm=True), "held", 0),
        (seen(0.01, 0.04, readers=12), "held", 0),
        (Unavailable("No reader was exposed.", "Wait for traffic."), "held", 0),
    ],
)
def test_what_a_gate_does(observation, state, at_step):
    """Each kind of observation has one answer."""
    after = step(ROLLOUT, observation, NOW)
    assert (after.state, after.step) == (state, at_step)
    assert after.reason


@pytest.mark.parametrize(
    ("observation", "code"),
    [
        (seen(0.01, 0.04), "no_harm"),
        (seen(-0.03, 0.02), "unclear"),
        (seen(-0.05, -0.01), "harm"),
        (seen(0.01, 0.04, alarm=True), "bad_split"),
        (seen(0.01, 0.04, readers=12), "few_readers"),
        (Unavailable("No reader was exposed.", "Wait for traffic."), "no_effect"),
    ],
)
def test_a_gate_gives_its_reason_as_a_code_too(observation, code):
    """Each reason can be said in another language, from its code and figures, which the log keeps; a person's has none."""
    after = step(ROLLOUT, observation, NOW)
    assert after.reason_code == code
    assert after.reason_figures.get("readers", 12) in {12, 5000}
    assert body_from_text("rollout", body_to_text(after)) == after
    by_hand = rollback(replace(after, state="running"), by="ana", now=NOW, reason="Clicks fell.")
    assert (by_hand.reason_code, by_hand.reason_figures) == ("", {})


def test_a_rollout_logged_before_reasons_had_codes_is_read():
    """An older event without the fields is a rollout without a code."""
    old = '{"rollout": "up", "placement": "bottom", "stable": "a", "canary": "b", "steps": [0.05, 1.0], "reason": "No harm."}'
    assert body_from_text("rollout", old).reason_code == ""


def test_the_same_doubt_is_told_once():
    """A gate asked every minute does not fill the history with the same reason."""
    held = step(ROLLOUT, seen(-0.03, 0.02), NOW)
    assert step(held, seen(-0.02, 0.03, readers=6000), NOW) is held
    assert step(held, seen(-0.02, 0.03, alarm=True), NOW).reason != held.reason


def test_a_gate_advances_nothing_that_a_person_holds():
    """Only harm moves it: back."""
    held = hold(ROLLOUT, by="ana", now=NOW, reason="Wait for the election.")
    assert step(held, seen(0.01, 0.04), NOW) is held
    assert step(held, seen(-0.03, 0.02), NOW) is held
    assert step(held, seen(-0.09, -0.05), NOW).state == "rolled_back"


def test_a_held_rollout_advances_when_the_doubt_is_gone():
    """Hold is not for ever."""
    held = step(ROLLOUT, seen(-0.03, 0.02), NOW)
    assert step(held, seen(0.01, 0.02), NOW).step == 1


def test_the_last_step_completes():
    """Advancing from 100 % makes the canary the stable release."""
    last = Rollout(rollout="up", placement="bottom", stable="old", canary="new", steps=(0.05, 1.0), step=1)
    assert step(last, seen(0.01, 0.02), NOW).state == "completed"


@given(low=st.floats(-1, 1), width=st.floats(0, 1), readers=st.integers(0, 10_000), margin=st.floats(0, 0.1))
def test_doubt_never_advances(low, width, readers, margin):
    """A rollout advances only when the whole interval is above the margin, on enough readers."""
    observation = seen(low, low + width, readers=readers, margin=margin)
    after = step(ROLLOUT, observation, NOW)
    assert (after.step == 1) == (low > -margin and readers >= observation.min_readers)
