"""Trending and evergreens: what rises, and what lasts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.errors import InputError
from embellie.recommend.built_in import build_policy
from embellie.recommend.state import State
from embellie.recommend.trending import rises

DAY = 24 * 60


@given(st.lists(st.floats(0.0, 500.0), min_size=1, max_size=20), st.floats(0.1, 50.0))
def test_the_whole_site_waking_up_is_no_trend(long, factor):
    """When every article's short count is the same multiple of what is foretold, every rise is 1."""
    ages = np.full(len(long), 1e6)
    short = factor * np.array(long) / 24.0
    found = rises(short, np.array(long), ages, half_lives=(1.0, 24.0), pseudo_reads=10.0)
    assert found == pytest.approx(np.ones(len(long)))


def test_an_article_read_evenly_since_it_came_out_does_not_rise():
    """A young article's long count is not full yet: that alone is no trend."""
    ages = np.array([2.0, 500.0])
    rate = 60.0
    short, long = (rate * h / np.log(2.0) * (1.0 - 2.0 ** (-ages / h)) for h in (1.0, 24.0))
    assert rises(short, long, ages, half_lives=(1.0, 24.0), pseudo_reads=10.0) == pytest.approx([1.0, 1.0])


@pytest.fixture
def week(gazette):
    """A steady favourite of a fortnight, a news of today that a few read evenly, and one that took off an hour ago."""
    log = [gazette.publish("steady", -14 * DAY), gazette.publish("even", -DAY), gazette.publish("rising", -DAY)]
    log += [gazette.publish(f"quiet{i}", -DAY) for i in range(5)]
    reads = [("steady", -14 * DAY + 30 * i) for i in range(14 * 48)]
    reads += [("even", -DAY + 40 * i) for i in range(36)]
    reads += [("rising", -60 + i) for i in range(60)]
    reads += [("quiet0", -5), ("quiet0", -3)]
    told = sorted(reads, key=lambda one: one[1])
    return State().fold([*log, *(gazette.read(name, at, reader=f"r{i}") for i, (name, at) in enumerate(told))])


def test_what_rises_comes_first(gazette, week):
    """The article that took off leads, and says so; two reads are no trend, nor is a steady favourite."""
    ranking = build_policy("trending")(gazette.request(0), week)
    assert (ranking[0].article, ranking[0].reason) == ("rising", "trending")
    assert [item.article for item in ranking if item.reason == "trending"] == ["rising"]


def test_an_evergreen_has_its_share_of_slots(gazette, week, names):
    """With a share of a half, the steady favourite stands second, wherever popularity has it; young ones are none."""
    ranking = build_policy("evergreen", {"share": 0.5, "half_life": 0.5})(gazette.request(0), week)
    assert [item.article for item in ranking if item.reason == "evergreen"] == ["steady"]
    assert names(ranking).index("steady") == 1


def test_evergreens_never_crowd_out_what_is_popular(gazette, names):
    """Every other slot is `popular`'s, in its order, however many evergreens there are."""
    log = [gazette.publish(f"old{i}", -30 * DAY) for i in range(9)] + [
        gazette.publish(f"new{i}", -60) for i in range(9)
    ]
    for day in range(20):
        log += [
            gazette.read(f"old{i}", (day - 20) * DAY + 60 * n, reader=f"{i}{n}") for i in range(9) for n in range(i + 2)
        ]
    log += [gazette.read(f"new{i}", -30, reader=f"n{n}") for i in range(9) for n in range(60 + i)]
    state = State().fold(sorted(log, key=lambda event: event.at))
    mixed = names(build_policy("evergreen", {"share": 0.25})(gazette.request(0), state))
    assert mixed[:8] == ["new8", "new7", "new6", "old8", "new5", "new4", "new3", "old7"]


def test_a_share_is_a_share(gazette, week, names):
    """No share is `popular`; more than all is refused."""
    request = gazette.request(0)
    assert names(build_policy("evergreen", {"share": 0.0})(request, week)) == names(
        build_policy("popular")(request, week)
    )
    with pytest.raises(InputError, match="from 0 to 1"):
        build_policy("evergreen", {"share": 1.5})
