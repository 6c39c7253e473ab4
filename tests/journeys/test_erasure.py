"""A reader of ten thousand events is erased from a newspaper with an experiment: figures are as if they had never come."""

import random
import uuid
from datetime import timedelta

import numpy as np

from embellie.app.config import metrics_of
from embellie.app.demo import EXPERIMENT, PLACEMENT, SITE, START, write_project
from embellie.app.erasing import erase_reader
from embellie.app.log_keeping import place_of
from embellie.app.measuring import scorecard
from embellie.app.newsroom import Newsroom
from embellie.app.scorecard_document import scorecard_document
from embellie.app.traffic import TICK, SimulatedClock, Traffic
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import Readership
from embellie.store.lake import export
from embellie.store.log import SqliteLog

DAY = timedelta(days=1)
EVENTS = 10_000


def play(folder):
    """A newspaper of a few hundred readers over half a day; returns when it ended."""
    write_project(folder, language="en", port=0)
    clock, rng = SimulatedClock(START), np.random.default_rng(4)
    with Newsroom.open(folder, clock=clock, simulated=True) as newsroom:
        traffic = Traffic(
            newsroom,
            clock,
            readers=Readership(600, rng, seed=4),
            calendar=Calendar(START, rng),
            site=SITE,
            placement=PLACEMENT,
            entropy=random.Random(4),
        )
        traffic.open()
        for _ in range(round(DAY / 2 / TICK)):
            traffic.tick()
        traffic.finish()
    return clock()


def read_much(folder, now):
    """Let a reader who is in the experiment read ten thousand articles more; the first half is in the lake already."""
    place = place_of(folder)
    with SqliteLog(place.log) as log:
        exposure = next(event for _, event in log.scan(kinds=["exposure"]) if event.body.variant != "status_quo")
        reader = exposure.body.unit
        reads = [
            Event(
                id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{reader}/{number}")),
                site=SITE,
                at=exposure.at + (now - exposure.at) * number / EVENTS,
                consent="profiling",
                body=Read(
                    article=f"a{number % 90}", reader=reader, visit=f"{reader}-{number // 40}", engaged_seconds=40
                ),
            )
            for number in range(EVENTS)
        ]
        log.append(reads[: EVENTS // 2], received_at=now)
        export(place.log, place.lake, views=place.views)
        log.append(reads[EVENTS // 2 :], received_at=now)
    return reader, exposure.body.variant


def without(folder, reader, beside):
    """Write the same newspaper as if this reader had never been there."""
    beside.mkdir()
    (beside / "embellie.toml").write_bytes((folder / "embellie.toml").read_bytes())
    with SqliteLog(place_of(folder).log) as log, SqliteLog(place_of(beside).log) as other:
        for _, event in log.scan():
            body = event.body
            if reader not in (getattr(body, "reader", ""), getattr(body, "unit", "")):
                other.append([event], received_at=event.received_at)


def card(folder, now):
    with Newsroom.open(folder, clock=lambda: now, simulated=True) as newsroom:
        site, test = newsroom.placed(EXPERIMENT)
        return scorecard_document(
            scorecard(
                newsroom.analysis,
                test,
                metrics_of(newsroom.config),
                read_seconds=newsroom.config.read_seconds,
                site=site,
                now=now,
            )
        )


def test_after_an_erasure_a_scorecard_is_as_if_the_reader_had_never_come(tmp_path):
    """Not a figure of the whole document differs; beside the one before, their variant counts one unit less, the other as many."""
    paper, never = tmp_path / "paper", tmp_path / "never"
    now = play(paper)
    reader, variant = read_much(paper, now)
    before = card(paper, now)
    without(paper, reader, never)
    report = erase_reader(place_of(paper), reader, now=now)
    after = card(paper, now)
    assert report.gone
    assert report.sites[0].before.log >= EVENTS
    assert report.sites[0].after.total == 0
    assert after == card(never, now)
    assert after["variants"] == {
        name: {"units": told["units"] - (name == variant)} for name, told in before["variants"].items()
    }
    assert after["effects"] != before["effects"]
