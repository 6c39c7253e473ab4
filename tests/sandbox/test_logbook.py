"""A log of the sandbox without a server, and poison for it."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from embellie.sandbox.logbook import LogbookSettings, logbook
from embellie.sandbox.poison import POISONS

START = datetime(2026, 3, 2, tzinfo=UTC)
SINCE = START + timedelta(days=1)


@pytest.fixture(scope="module")
def events():
    return logbook(LogbookSettings(start=START, days=2, readers=80, seed=5))


def test_the_same_settings_give_the_same_events(events):
    """It is a function of its settings, in order of time, each event once."""
    assert logbook(LogbookSettings(start=START, days=2, readers=80, seed=5)) == events
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert len({event.id for event in events}) == len(events)


def test_it_holds_what_a_server_writes(events):
    """Articles, slates, impressions, clicks and reads; clicks only on what was shown; nobody named without consent."""
    kinds = Counter(event.kind for event in events)
    assert set(kinds) == {"article", "served", "impression", "click", "read"}
    shown = {
        event.body.slate_id: {item.article for item in event.body.items} for event in events if event.kind == "served"
    }
    assert all(event.body.article in shown[event.body.slate_id] for event in events if event.kind == "click")
    assert not any(event.consent == "none" and getattr(event.body, "reader", "") for event in events)


@pytest.mark.parametrize("name", POISONS)
def test_poison_works_from_its_moment_on(events, name):
    """Before it, nothing is touched; after it, something is; ids stay unlike one another."""
    bad = POISONS[name](events, SINCE)
    assert [event for event in bad if event.at < SINCE - timedelta(seconds=1)] == [
        event for event in events if event.at < SINCE - timedelta(seconds=1)
    ]
    assert bad != events
    assert len({event.id for event in bad}) == len(bad)
