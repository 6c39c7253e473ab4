"""What comes in is put right before it is kept."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.app.intake import OLDEST, Sender, on_server_clock, take_in
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


def raw(**changes):
    """A click as a page sends it."""
    header = {"id": "e", "site": "gazette", "kind": "click", "at": "2026-03-02T11:59:00Z"}
    return header | {"slate_id": "s", "article": "a", "position": 1} | changes


ERASURE = {"id": "e", "site": "gazette", "kind": "erasure", "at": "2026-03-02T11:59:00Z", "reader": "r"}


@pytest.mark.parametrize(
    ("bad", "at"),
    [
        (raw(position="first"), "$.events[1].position"),
        (raw(site="herald"), "$.events[1].site"),
        (ERASURE, "$.events[1].kind"),
    ],
)
def test_a_bad_event_is_rejected_alone(bad, at):
    """What cannot be read, is for another site, or is no page's to send; the batch around it is kept."""
    events, (rejected,) = take_in([raw(), bad, raw()], sender=Sender(site="gazette", public=True), now=NOON)
    assert len(events) == 2
    assert (rejected.index, rejected.at, rejected.site) == (1, at, "gazette")


def test_a_token_may_send_what_a_page_may_not():
    """An erasure comes from a back end."""
    events, rejected = take_in([ERASURE], sender=Sender(site="gazette", public=False), now=NOON)
    assert (len(events), rejected) == (1, [])


def test_a_person_among_simulated_readers_is_dated_by_the_simulated_clock():
    """A browser's own time, months away, is not theirs; a time of the simulation stands."""
    batch = [raw(at="2026-07-01T00:00:00Z"), raw()]
    events, _ = take_in(batch, sender=Sender(site="gazette", public=True, simulated=True), now=NOON)
    assert [event.at for event in events] == [NOON, NOON - timedelta(minutes=1)]
