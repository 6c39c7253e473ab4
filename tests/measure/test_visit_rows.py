"""Visits kept ready beside the log: the same sums as from its events, to the last digit, whatever a visit crosses."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from embellie.domain.event import Event
from embellie.domain.experiment import Experiment, Exposure, Variant
from embellie.domain.metric import Metric
from embellie.domain.money import Money
from embellie.domain.reading import Click, Conversion, Erasure, Impression, Read
from embellie.domain.slate import Slate
from embellie.measure.from_log import read_aggregates
from embellie.measure.log_query import DIMENSIONS
from embellie.measure.visit_rows import visits_view
from embellie.ports import DailyView
from embellie.store import analysis as analysing
from embellie.store.analysis import Analysis
from embellie.store.lake import export
from embellie.store.lake_manifest import read_manifest, view_files
from embellie.store.log import FILE, SqliteLog

MIDNIGHT = datetime(2026, 3, 8, tzinfo=UTC)
SECONDS = 10.0
VIEW = visits_view(SECONDS)
METRICS = (
    Metric(metric="articles_per_visit", numerator="reads", denominator="visits"),
    Metric(metric="attention", numerator="engaged_seconds", cap=0.9),
    Metric(metric="ctr", numerator="clicks", denominator="impressions"),
    Metric(metric="kept", numerator="visits", form="retention", days=(1, 3)),
    Metric(metric="median", numerator="reads", form="quantile", quantile=0.5),
    Metric(metric="paid", numerator="amount", goal="subscription"),
    Metric(metric="signed", numerator="conversions", form="share"),
)
EXPERIMENT = Experiment(
    experiment="first-light",
    placement="bottom",
    control="a",
    variants=tuple(Variant(name=name, weight=1, scenario=name, release="r") for name in "ab"),
    salt="s",
    pre_days=2,
)


def an_event(chance: random.Random, number: int) -> Event:
    """Make an event of few readers and visits, hours around two midnights, exposures in the middle of visits."""
    reader, visit = f"r{chance.randrange(12)}", chance.choice(["", "v1", "v2", "v3"])
    at = MIDNIGHT + timedelta(minutes=chance.choice([-3000, -30, -5, 0, 1, 20, 1435, 1440, 1450, 2000, 4500]))
    at += timedelta(seconds=chance.randrange(3))
    article = f"a{chance.randrange(3)}"
    bodies = [
        Read(article=article, reader=reader, visit=visit, engaged_seconds=chance.choice([3.0, 10.0, 12.3456])),
        Read(article=article, reader=reader, visit=visit, engaged_seconds=11.0),
        Click(slate_id="s", article=article, position=1, reader=reader, visit=visit),
        Impression(slate_id="s", article=article, position=1, reader=reader, visit=visit),
        Slate(
            slate_id="s",
            placement="bottom",
            reader=reader,
            visit=visit,
            article=article,
            variant="a",
            release="r",
            policy="p",
        ),
        Exposure(experiment=chance.choice(["first-light", "other"]), unit=reader, variant="ab"[int(reader[1:]) % 2]),
        Conversion(
            goal="subscription", reader=reader, visit=visit, amount=Money(amount=Decimal("1.25"), currency="EUR")
        ),
    ]
    body = Erasure(reader=reader) if chance.random() < 0.004 else chance.choice(bodies)
    return Event(id=f"e{number}", site=chance.choice(["gazette", "gazette", "courier"]), at=at, body=body)


@pytest.fixture(autouse=True)
def ask_what_lies_ready(monkeypatch):
    """Use the visits however few of them lie ready."""
    monkeypatch.setattr(analysing, "READY", -1.0)


def sums(reader, *, read_seconds=SECONDS, **more):
    return read_aggregates(
        reader, EXPERIMENT, METRICS, read_seconds=read_seconds, dimensions=DIMENSIONS, now=MIDNIGHT + 9 * DAY, **more
    )


DAY = timedelta(days=1)


@pytest.mark.parametrize("seed", range(5))
def test_visits_and_events_give_the_same_sums(seed, tmp_path):
    """Over midnight, over an exposure, over the end of a window, without a name, in the tail: nothing is counted otherwise."""
    chance = random.Random(seed)
    sent = [an_event(chance, number) for number in range(600)]
    with SqliteLog(tmp_path / FILE) as log:
        cut = chance.randrange(100, 600)
        log.append(sent[:cut], received_at=MIDNIGHT)
        export(log.path, tmp_path / "lake", views=[VIEW])
        log.append(sent[cut:], received_at=MIDNIGHT + DAY)
        rolled = Analysis(log, lake=tmp_path / "lake", views=[VIEW])
        events = Analysis(log)
        assert rolled.ready
        assert not events.ready
        until = MIDNIGHT + timedelta(minutes=chance.choice([0, 20, 1440, 1441]), seconds=1)
        for more in ({}, {"site": "gazette"}, {"site": "gazette", "until": until}, {"part": 40}):
            assert sums(rolled, **more) == sums(events, **more), more
        export(log.path, tmp_path / "lake")
        assert sums(rolled) == sums(events)


def test_a_visit_of_more_pages_than_a_person_turns_is_told_over_midnight_too(tmp_path):
    """Its pages add up over its rows; those of two visits do not."""

    def pages(reader, visit, count, *, at):
        slate = Slate(
            slate_id="s", placement="p", reader=reader, visit=visit, article="", variant="a", release="r", policy="p"
        )
        names = (f"{reader}-{visit}-{at}-{number}" for number in range(count))
        return [Event(id=name, site="gazette", at=at, body=slate) for name in names]

    exposed = [
        Event(
            id=f"x-{who}",
            site="gazette",
            at=MIDNIGHT - DAY,
            body=Exposure(experiment="first-light", unit=who, variant="a"),
        )
        for who in ("long", "twice")
    ]
    exposed += [
        Event(
            id=f"r-{who}",
            site="gazette",
            at=MIDNIGHT,
            body=Read(article="a", reader=who, visit="v", engaged_seconds=9.0),
        )
        for who in ("long", "twice")
    ]
    before, after = MIDNIGHT - timedelta(minutes=9), MIDNIGHT + timedelta(minutes=9)
    late = [*pages("long", "v", 200, at=after), *pages("twice", "w", 200, at=after)]
    with SqliteLog(tmp_path / FILE) as log:
        log.append(
            [*exposed, *pages("long", "v", 200, at=before), *pages("twice", "v", 200, at=before)], received_at=after
        )
        log.append(late, received_at=after)
        export(log.path, tmp_path, views=[VIEW])
        rolled, events = sums(Analysis(log, lake=tmp_path, views=[VIEW])), sums(Analysis(log))
        assert rolled == events
        assert rolled.excluded["bots"] == 1
        assert rolled.slices["since", "0"]["a"].n == 1


def test_a_lake_goes_on_keeping_what_it_keeps(tmp_path):
    """Another export, told nothing of views, keeps them; only days to which something came are computed again."""
    chance = random.Random(1)
    with SqliteLog(tmp_path / FILE) as log:
        log.append([an_event(chance, number) for number in range(80)], received_at=MIDNIGHT)
        export(log.path, tmp_path, views=[VIEW])
        before = view_files(tmp_path, read_manifest(tmp_path), VIEW)
        late = Event(id="late", site="gazette", at=MIDNIGHT, body=Read(article="a", reader="r", engaged_seconds=20.0))
        log.append([late], received_at=MIDNIGHT)
        export(log.path, tmp_path)
        after = view_files(tmp_path, read_manifest(tmp_path), VIEW)
        assert len(after) == len(read_manifest(tmp_path).partitions)
        changed = set(after.values()) - set(before.values())
        assert [path.parent.as_posix() for path in changed] == [f"{tmp_path}/site=gazette/day=2026-03-08"]
        assert set(tmp_path.rglob("visits-*.parquet")) == set(after.values())


def test_another_query_under_the_same_name_is_computed_anew(tmp_path):
    """Who changes the seconds that make a read is not told what the old seconds counted: before the next export, and after."""
    chance = random.Random(2)
    other = visits_view(3.0)
    with SqliteLog(tmp_path / FILE) as log:
        log.append([an_event(chance, number) for number in range(200)], received_at=MIDNIGHT)
        export(log.path, tmp_path, views=[VIEW])
        expected = sums(Analysis(log), read_seconds=3.0)
        assert expected != sums(Analysis(log))
        assert sums(Analysis(log, lake=tmp_path, views=[other]), read_seconds=3.0) == expected
        export(log.path, tmp_path, views=[other])
        kept = Analysis(log, lake=tmp_path, views=[other])
        assert kept.ready == (other,)
        assert sums(kept, read_seconds=3.0) == expected
        assert sums(kept) == sums(Analysis(log))


def test_a_file_of_visits_that_is_cut_short_is_passed_over_and_written_again(tmp_path):
    """A damaged view is computed from the events, and mended by the next export."""
    chance = random.Random(3)
    with SqliteLog(tmp_path / FILE) as log:
        log.append([an_event(chance, number) for number in range(200)], received_at=MIDNIGHT)
        export(log.path, tmp_path, views=[VIEW])
        expected = sums(Analysis(log, lake=tmp_path, views=[VIEW]))
        victim = next(iter(view_files(tmp_path, read_manifest(tmp_path), VIEW).values()))
        victim.write_bytes(victim.read_bytes()[:50])
        assert sums(Analysis(log, lake=tmp_path, views=[VIEW])) == expected
        export(log.path, tmp_path)
        manifest = read_manifest(tmp_path)
        assert len(view_files(tmp_path, manifest, VIEW)) == len(manifest.partitions)


def test_visits_count_as_ready_when_most_of_the_log_is_in_them(tmp_path, monkeypatch):
    """With a long tail, counting its visits first would be slower than asking the events."""
    monkeypatch.undo()
    chance = random.Random(4)
    with SqliteLog(tmp_path / FILE) as log:
        log.append([an_event(chance, number) for number in range(90)], received_at=MIDNIGHT)
        export(log.path, tmp_path, views=[VIEW])
        analysis = Analysis(log, lake=tmp_path, views=[VIEW])
        assert analysis.ready == (VIEW,)
        log.append([an_event(chance, number) for number in range(90, 150)], received_at=MIDNIGHT)
        assert analysis.ready == ()


def test_a_lake_written_before_there_were_views_is_read_as_it_is(tmp_path):
    """Its manifest names none; the next export adds them."""
    chance = random.Random(5)
    with SqliteLog(tmp_path / FILE) as log:
        log.append([an_event(chance, number) for number in range(90)], received_at=MIDNIGHT)
        export(log.path, tmp_path)
        assert Analysis(log, lake=tmp_path, views=[DailyView("visits", VIEW.sql)]).rows("FROM visits")
        done = export(log.path, tmp_path, views=[VIEW])
        assert not done.written
        assert Analysis(log, lake=tmp_path, views=[VIEW]).ready
