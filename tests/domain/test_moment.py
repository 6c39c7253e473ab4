"""A time is the same whichever way it is kept."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.moment import iso, micros, moment

ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
YEARS = range(1900, 2200)
TIMES = st.builds(
    lambda year, rest, zone: datetime(year, 1, 1, tzinfo=zone) + rest,
    st.sampled_from(YEARS),
    st.timedeltas(timedelta(), timedelta(days=364)),
    ZONES,
)


@given(TIMES)
def test_microseconds_lose_nothing(at):
    """There and back is the same instant, to the microsecond, before 1970 too."""
    assert moment(micros(at)) == at


@given(TIMES)
def test_text_is_utc_and_loses_nothing(at):
    """The text ends in `Z` and names the same instant, whatever zone it was given in."""
    text = iso(at)
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == at


def test_the_order_of_microseconds_is_the_order_of_time():
    """Sorting numbers sorts times."""
    start = datetime(2026, 3, 2, tzinfo=UTC)
    assert micros(start) < micros(start + timedelta(microseconds=1))
