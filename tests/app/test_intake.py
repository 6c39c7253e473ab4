"""What comes in is put right before it is kept."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from embellie.app.intake import OLDEST, on_server_clock
from embellie.domain.event import Event
from embellie.domain.reading import Click

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def click(at):
    return Event(id="e", site="gazette", at=at, body=Click(slate_id="s", article="a", position=1))


@given(
    wrong=st.timedeltas(min_value=timedelta(days=-4000), max_value=timedelta(days=4000)),
    age=st.timedeltas(min_value=timedelta(0), max_value=OLDEST),
)
def test_a_clock_that_is_wrong_moves_nothing(wrong, age):
    """Whatever a device's clock says, an event happened as long ago as the device says it did."""
    sent = NOON + wrong
    assert on_server_clock(click(sent - age), sent_at=sent, received_at=NOON) == click(NOON - age)


def test_what_cannot_be_is_put_at_the_bound():
    """Nothing happens after it was told, and nothing is told more than a week late."""
    later, older = NOON + timedelta(hours=1), NOON - timedelta(days=30)
    assert on_server_clock(click(later), sent_at=NOON, received_at=NOON).at == NOON
    assert on_server_clock(click(older), sent_at=NOON, received_at=NOON).at == NOON - OLDEST
