"""Columns: each number per unit has a name of its own."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.metric import Metric
from embellie.measure.aggregates import needs_of
from embellie.measure.columns import Column, Quotient, before, metric_before, metric_columns

columns = st.builds(
    Column,
    counted=st.sampled_from(["reads", "visits", "amount", "due"]),
    goal=st.sampled_from(["", "subscription"]),
    window=st.just("during"),
    days=st.sampled_from([(0, 0), (0, 7), (7, 14)]),
    share=st.booleans(),
    cap=st.sampled_from([0.0, 0.99, 0.999]),
)


@given(found=st.lists(columns, min_size=2, max_size=6))
def test_two_columns_never_share_a_name(found):
    """A name in the aggregates means one thing: also of the same column before the exposure."""
    both = [*found, *(before(column) for column in found)]
    for one, other in itertools.combinations(both, 2):
        assert (one == other) == (one.name == other.name)


def test_a_metrics_past_is_the_metric_itself_before():
    """Means and shares have a past, ratios one above and one below the line; what needs time or an order has none."""
    ratio = metric_before(Metric(metric="m", numerator="reads", denominator="visits"))
    assert isinstance(ratio, Quotient)
    assert (ratio.numerator.name, ratio.denominator.name) == ("reads@before", "visits@before")
    share = Metric(metric="m", numerator="conversions", goal="subscription", form="share")
    assert metric_before(share) == before(metric_columns(share)[0])
    for form in ({"form": "quantile"}, {"form": "retention", "days": (7, 14)}):
        assert metric_before(Metric(metric="m", numerator="visits", **form)) is None


def test_what_two_metrics_share_is_asked_for_once():
    """The query's width grows with what is new in a metric."""
    reads = Metric(metric="a", numerator="reads")
    ratio = Metric(metric="b", numerator="reads", denominator="visits")
    assert needs_of([reads, ratio]).names == ("reads", "visits")
    assert len(needs_of([reads, ratio]).pairs) == 3
