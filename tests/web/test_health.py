"""Health tells degraded from dead."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from embellie.app import health
from embellie.app.syncing import STATE_FILE, FeedMemory, FeedState
from embellie.domain.site import Site

NOTHING_WRONG = {"ready": True, "degraded": False, "concerns": []}


def told(call):
    answer = call("GET", "/readyz")
    assert answer.status_code == 200
    return [one["code"] for one in answer.json()["concerns"]]


def test_all_well_is_said_to_anyone(call):
    """200, nothing of concern."""
    assert NOTHING_WRONG.items() <= call("GET", "/readyz").json().items()


def test_a_disk_that_fills_is_told_before_the_log_stops(call, tokens, monkeypatch):
    """Degraded, with what to do; readers are served all the same."""
    usage = SimpleNamespace(total=100e9, used=99.7e9, free=300_000_000)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: usage)
    answer = call("GET", "/readyz").json()
    assert (answer["ready"], answer["degraded"], answer["concerns"][0]["code"]) == (True, True, "disk_low")
    assert "300 MB" in answer["concerns"][0]["message"]
    assert "embellie_disk_free_bytes 300000000" in call("GET", "/metrics", token=tokens["viewer"]).text
    assert "embellie_degraded 1" in call("GET", "/metrics", token=tokens["viewer"]).text


@pytest.mark.parametrize(
    ("state", "stale"),
    [
        (lambda now: FeedState(ok_at=now - timedelta(minutes=59)), False),
        (lambda now: FeedState(ok_at=now - timedelta(minutes=61), failures=3), True),
        (lambda now: FeedState(failures=7), True),
        (lambda now: FeedState(failures=1), False),
    ],
)
def test_a_feed_that_was_not_read_for_long_is_told(call, newsroom, state, stale):
    """After an hour, or after many failures of one that never answered; its address is not said."""
    feed = "https://feeds.example/rss?token=hunter2"
    site: Site = newsroom.sites["gazette"]
    newsroom.sites = dict(newsroom.sites) | {"gazette": replace(site, feeds=(feed,))}
    FeedMemory(newsroom.data / STATE_FILE, "gazette").write({feed: state(newsroom.clock())})
    assert told(call) == (["feed_stale"] if stale else [])
    assert "hunter2" not in call("GET", "/readyz").text


def test_a_live_release_without_its_model_is_told(call, newsroom, monkeypatch):
    """The policy ranks without it, so nobody else would notice."""
    live = newsroom.stable("gazette")["article-bottom"]
    releases = [replace(one, model="m" * 16) if one.release == live else one for one in newsroom.releases("gazette")]
    monkeypatch.setattr(newsroom, "releases", lambda site: releases if site == "gazette" else [])
    assert told(call) == ["model_missing"]


def test_a_server_that_stops_asks_for_no_more_readers(call):
    """503 from the moment it is told to stop, so that a balancer sends readers elsewhere; the process still answers."""
    call.app.state.stopping.set()
    answer = call("GET", "/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "stopping")
    assert answer.headers["retry-after"]
    assert call("GET", "/healthz").status_code == 200
