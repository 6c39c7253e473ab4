"""Gates look at the worst of what they are given."""

import pytest

from embellie.app.releasing import observe
from embellie.domain.scorecard import (
    Check,
    Effect,
    Guardrail,
    Interval,
    RelativeEffect,
    SampleRatio,
    Scorecard,
    UnavailableEffect,
)
from embellie.domain.unavailable import Unavailable


def row(metric, low, high, *, role="primary", margin=None, adjusted=False):
    middle = (low + high) / 2
    return Effect(
        metric=metric,
        variant="canary",
        control_value=2.0,
        variant_value=2.0 * (1 + middle),
        effect=2.0 * middle,
        se=(high - low) / 2,
        p_value=0.5,
        interval=Interval(kind="always", level=0.95, low=2 * low, high=2 * high),
        relative=RelativeEffect(effect=middle, low=low, high=high, se=(high - low) / 4),
        role=role,
        adjusted=adjusted,
        guardrail=None if margin is None else Guardrail(state="open", margin=2.0 * margin),
    )


def card(*effects, checks=()):
    return Scorecard(
        unit="reader",
        control="stable",
        units={"stable": 5000, "canary": 5000},
        srm=SampleRatio(p_value=0.5, log_e=-1.0, alarm=False),
        effects=effects,
        excluded={},
        checks=checks,
    )


FINE = row("reads", 0.01, 0.03)


def test_the_primary_metric_alone_is_what_is_seen():
    """Its adjusted row is the narrower one."""
    assert observe(card(FINE, row("reads", 0.015, 0.025, adjusted=True)), metric="reads").low == 0.015


@pytest.mark.parametrize(
    ("guardrail", "metric"),
    [((-0.08, -0.04), "time"), ((-0.04, 0.01), "time"), ((-0.005, 0.01), "reads")],
)
def test_a_guardrail_harmed_or_in_doubt_goes_before_a_primary_that_gains(guardrail, metric):
    """A gain does not buy the right to harm; a guardrail that holds is no news."""
    seen = observe(card(FINE, row("time", *guardrail, role="guardrail", margin=0.01)), metric="reads")
    assert seen.metric == metric
    assert seen.margin == (0.01 if metric == "time" else 0.0)


def test_a_guardrail_that_could_not_be_computed_is_doubt():
    """No data holds; it is never zero."""
    gone = UnavailableEffect(
        metric="time", variant="canary", because=Unavailable("Nobody read.", "Wait."), role="guardrail"
    )
    assert observe(card(FINE, gone), metric="reads") == gone.because


def test_a_failed_check_is_an_alarm():
    """Whatever the figures say."""
    broken = Check(check="split_by", state="alarm", code="split_by_broken")
    assert observe(card(FINE, checks=(broken,)), metric="reads").alarm


def test_without_the_metric_nothing_is_seen():
    """The gate holds."""
    assert isinstance(observe(card(row("other", 0.1, 0.2)), metric="reads"), Unavailable)
