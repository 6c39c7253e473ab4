"""Whichever worker is asked, the metrics are the server's; and no counter ever goes backwards."""

import pytest

from embellie.web.shared_tally import SharedTally
from embellie.web.worker_berth import Berth


@pytest.fixture
def opened(tmp_path):
    """Opens the tally of a worker of two, as its process would."""

    def open_(number):
        return SharedTally(Berth(number=number, of=2, port=0, line=0, stacks=0, shared=str(tmp_path)))

    return open_


def answered(tally, count):
    for _ in range(count):
        tally.own.answered("/v1/slate", "GET", status=200, seconds=0.002)
        tally.own.received("gazette", accepted=3, duplicates=1, quarantined=0, lost=2)
        tally.own.slates["gazette", "bottom", "popular", "v"] += 1


def told(tally):
    return tally.all()[0].text(gauges={})


def test_what_all_have_counted_is_told_by_each(opened):
    """Requests, events, slates, what was lost, and the histogram of latency: sums over the workers."""
    first, second = opened(1), opened(2)
    answered(first, 3)
    answered(second, 4)
    second.write()
    lines = told(first).splitlines()
    for line in (
        'embellie_requests_total{route="/v1/slate",method="GET",status="200"} 7',
        'embellie_events_total{site="gazette",outcome="accepted"} 21',
        'embellie_events_lost_total{site="gazette"} 14',
        'embellie_slates_total{site="gazette",placement="bottom",policy="popular",variant="v"} 7',
        'embellie_request_seconds_bucket{route="/v1/slate",le="0.0025"} 7',
        'embellie_request_seconds_count{route="/v1/slate"} 7',
    ):
        assert line in lines
    assert told(second) == told(first)


def test_a_worker_that_takes_anothers_place_goes_on_from_its_counts(opened):
    """Whatever was told of the one that was killed is told again, and what the new one counts comes on top."""
    first, second = opened(1), opened(2)
    answered(first, 3)
    before = told(first)
    answered(first, 5)  # killed before it told anybody
    again = opened(1)
    assert told(second) == told(again) == before
    answered(again, 1)
    assert 'embellie_request_seconds_count{route="/v1/slate"} 4' in told(again)


def test_a_server_alone_tells_what_it_counted(tmp_path):
    """No file is written anywhere."""
    alone = SharedTally()
    answered(alone, 2)
    alone.write()
    assert 'embellie_request_seconds_count{route="/v1/slate"} 2' in told(alone)
    assert alone.workers() == (1, 1)
    assert list(tmp_path.iterdir()) == []
