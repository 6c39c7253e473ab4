"""What a site's log counts is what happened on it, and nowhere else."""

from datetime import UTC, datetime, timedelta

import pytest

from embellie.app.activity import counts_by_kind, slates_by_variant, traffic_through_time
from embellie.domain.event import Event, fact_id
from embellie.domain.reading import Click
from embellie.domain.slate import Slate
from embellie.store.analysis import Analysis
from embellie.store.log import SqliteLog

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def slate(number, variant):
    body = Slate(
        slate_id=str(number),
        placement="p",
        reader="",
        visit="",
        article="",
        variant=variant,
        release="latest-1",
        policy="latest",
    )
    return event(f"s{number}", body, minute=number)


def event(name, body, *, minute, site="gazette"):
    return Event(id=fact_id(name), site=site, at=NOON + timedelta(minutes=minute), body=body)


@pytest.fixture
def reader(tmp_path):
    """A log of six slates, three of them in a comparison, and two clicks; and one click on another site."""
    click = Click(slate_id="0", article="a", position=1)
    events = [slate(number, "heuristic" if number % 2 else "") for number in range(6)]
    events += [event("c1", click, minute=1), event("c2", click, minute=60), event("c3", click, minute=1, site="herald")]
    with SqliteLog(tmp_path / "log.sqlite") as log:
        log.append(events, received_at=NOON)
        analysis = Analysis(log)
        yield analysis
        analysis.close()


def test_each_kind_is_counted(reader):
    """Another site's events are its own."""
    assert counts_by_kind(reader, "gazette") == {"click": 2, "served": 6}
    assert counts_by_kind(reader, "unknown") == {}


def test_traffic_is_told_in_equal_stretches_from_the_first_event_to_the_last(reader):
    """The last event falls into the last stretch, not after it."""
    found = [(row["at"], row["kind"], row["count"]) for row in traffic_through_time(reader, "gazette", buckets=4)]
    first, last = "2026-03-02T12:00:00Z", "2026-03-02T12:45:00Z"
    assert found == [(first, "click", 1), (first, "served", 6), (last, "click", 1)]


def test_a_slate_in_no_comparison_counts_under_its_release(reader):
    """So that everything served is somewhere."""
    assert slates_by_variant(reader, "gazette") == {"heuristic": 3, "latest-1": 3}
