"""Answers are remembered for as long as they deserve."""

import time
from dataclasses import dataclass

import pytest

from embellie.app.observing import FRESH_TIMES, Observatory, without_a_result
from embellie.domain.evidence import Evidence


@dataclass
class Test:
    """As much of an experiment as tells it apart."""

    __test__ = False
    experiment: str


def filed(site, source):
    """A result in a site's log."""
    return site, Evidence(measures="interest", estimate=0.01, se=0.01, source=source)


def test_what_took_long_is_asked_again_later():
    """An answer of 0.3 s is kept for ten times as long; one of no time for two seconds at least."""
    observatory = Observatory(reader=None, metrics=(), read_seconds=15.0)
    observatory._fresh_or("slow", lambda: time.sleep(0.3))
    observatory._fresh_or("quick", lambda: None)
    now = time.monotonic()
    left = {key: until - now for key, (until, _) in observatory._fresh.items()}
    assert left["slow"] > 0.3 * FRESH_TIMES * 0.9
    assert 1.0 < left["quick"] <= 2.0
    assert observatory._fresh_or("quick", lambda: "computed again") is None


BOTH = [("gazette", Test("first-light")), ("herald", Test("first-light"))]


@pytest.mark.parametrize(
    ("results", "left"),
    [
        ([], ["gazette", "herald"]),
        ([filed("gazette", "first-light")], ["herald"]),
        ([filed("gazette", "first-light"), filed("herald", "first-light")], []),
        ([filed("gazette", "a survey")], ["gazette", "herald"]),
        ([filed("courier", "first-light")], []),
    ],
)
def test_a_result_stands_for_its_own_sites_experiment(results, left):
    """Not for another site's of the same name; one filed where no such experiment runs stands for all of them."""
    assert [site for site, _ in without_a_result(BOTH, results)] == left


def test_the_verdicts_history_keeps_how_it_came_about(newsroom, clock, gazette):
    """The burn-down starts before the evidence and ends with what is known now."""
    gazette.publish(newsroom)
    for _ in range(3):
        clock.wait(hours=1)
        gazette.simulate(newsroom, readers=300)
    history = newsroom.verdict_history()
    assert history[0][1].evpi.value > history[-1][1].evpi.value
    assert [at for at, _ in history] == sorted(at for at, _ in history)


def test_nobody_waits_for_a_long_history(newsroom, clock, monkeypatch, gazette):
    """What there is no time for is left out, then filled in; what is known already is always there."""
    gazette.publish(newsroom)
    clock.wait(hours=5)
    gazette.simulate(newsroom, readers=300)
    monkeypatch.setattr("embellie.app.observing.HISTORY_SECONDS", 0.0)
    assert len(newsroom.verdict_history()) == 1
    monkeypatch.setattr("embellie.app.observing.HISTORY_SECONDS", 60.0)
    whole = [at for at, _ in newsroom.verdict_history()]
    assert len(whole) == 7
    monkeypatch.setattr("embellie.app.observing.HISTORY_SECONDS", 0.0)
    assert [at for at, _ in newsroom.verdict_history()] == whole
