"""What is past its time loses its names, and stays counted."""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from embellie.app.config import RetentionConfig, read_config
from embellie.app.log_keeping import ledger_document, place_of
from embellie.app.newsroom import Newsroom
from embellie.app.retaining import before, limits, lost_units_line, nightly, retain, retention_document
from embellie.domain.errors import ConfigError
from embellie.domain.event import Event
from embellie.domain.experiment import Experiment, Exposure, Variant
from embellie.domain.reading import Click, ConsentChange, Conversion, Impression, Read
from embellie.domain.slate import Slate
from embellie.ports import Rejected
from embellie.store.lake import export
from embellie.store.leftovers import find_leftovers
from embellie.store.log import FILE, SqliteLog

NOW = datetime(2026, 6, 15, 2, tzinfo=UTC)
RETENTION = RetentionConfig(none="7d", measurement="2 months", profiling="2 months")
OLD, NEW = NOW - timedelta(days=90), NOW - timedelta(days=10)


def acts(name: str, at: datetime, *, consent="measurement") -> list[Event]:
    own = {"reader": f"reader-{name}", "visit": f"visit-{name}"}
    bodies = (
        Read(article="a1", engaged_seconds=20.0, **own),
        Click(slate_id="s1", article="a1", position=1, **own),
        Impression(slate_id="s1", article="a1", position=1, **own),
        Slate(slate_id="s1", placement="bottom", article="a1", variant="ml", release="r", policy="p", **own),
        ConsentChange(reader=own["reader"], state="measurement"),
        Conversion(goal="subscription", **own),
        Exposure(experiment="first-light", unit=own["reader"], variant="heuristic"),
    )
    return [
        Event(id=f"{name}-{number}", site="gazette", at=at, body=body, consent=consent)
        for number, body in enumerate(bodies)
    ]


@pytest.fixture
def project(tmp_path):
    """Old and new readers, of each consent, compacted; two bad events put aside, one long ago; and a last event."""
    (tmp_path / "embellie.toml").write_text('data = "data"\n[sites.gazette]\n')
    place = place_of(tmp_path)
    with SqliteLog(place.log) as log:
        bad = Rejected(index=0, payload='{"reader": "reader-bad-old"}', reason="No kind.", site="gazette")
        log.append([*acts("old", OLD), *acts("old-profile", OLD, consent="profiling")], received_at=OLD, rejected=[bad])
        log.append([*acts("new", NEW), *acts("new-none", NEW, consent="none")], received_at=NEW)
        log.append([Event(id="last", site="gazette", at=NEW, body=Read(article="a2"))], received_at=NOW, rejected=[bad])
        export(place.log, place.log.parent / "lake", views=place.views)
    return tmp_path


GONE = [f"{what}-{who}" for what in ("reader", "visit") for who in ("old", "old-profile", "new-none")]


def test_names_past_their_time_are_in_no_file_and_events_stay_counted(project):
    """By consent: what is old enough has no reader and no visit left, in the log or in the lake; other names stay."""
    data, place = project / "data", place_of(project)
    assert find_leftovers(data, GONE, longer=["reader-new-none"])
    done = retain(place, RETENTION, now=NOW)
    assert find_leftovers(data, GONE) == []
    with SqliteLog(place.log) as log:
        kinds = [event.kind for _, event in log.scan()]
        named = {event.body.reader for _, event in log.scan(kinds=["read", "click", "consent"])}
    assert named == {"", "reader-new"}
    assert {kind: kinds.count(kind) for kind in ("read", "click", "exposure")} == {"read": 5, "click": 4, "exposure": 1}
    assert (done.past.nameless, done.past.exposures, done.lake) == (18, 3, 21)
    assert dict(done.past.units) == {("gazette", "first-light"): 3}
    rows = duckdb.sql(
        f"SELECT reader, count(*) FROM '{data}/lake/**/events-*.parquet' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    assert rows == [("", 19), ("reader-new", 7)]


def test_the_ledger_balances(project):
    """What went is told in its own column; counted anew, all agrees."""
    retain(place_of(project), RETENTION, now=NOW)
    document = ledger_document(place_of(project), verify=True)
    assert document["imbalances"] == []
    assert document["total"]["erased"] == 3 + 1


def test_a_second_time_changes_nothing_and_looking_changes_nothing(project):
    """A dry run tells what the real one does; after that nothing is past its time."""
    place = place_of(project)
    before_ = (project / "data" / FILE).read_bytes()
    dry = retain(place, RETENTION, now=NOW, dry=True)
    assert (project / "data" / FILE).read_bytes() == before_
    done = retain(place, RETENTION, now=NOW)
    again = retain(place, RETENTION, now=NOW)
    assert (dry.past, dry.done, done.done) == (done.past, False, True)
    assert (again.past.nameless, again.past.exposures, again.past.quarantined, again.lake) == (0, 0, 0, 0)


def test_the_lake_goes_on_as_the_logs_own(project):
    """The next export takes it up, and an analysis over lake and tail says what the log alone says."""
    place, sql = place_of(project), "SELECT seq, id, kind, reader, visit FROM events ORDER BY seq"
    retain(place, RETENTION, now=NOW)
    with Newsroom.open(project, clock=lambda: NOW) as newsroom:
        newsroom.log.append(acts("later", NOW), received_at=NOW)
        together = newsroom.analysis.rows(sql)
        assert newsroom.analysis.through > 0
    assert export(place.log, place.log.parent / "lake", views=place.views).unchanged >= 1
    export(place.log, project / "anew")
    rows = duckdb.sql(f"SELECT seq, id, kind, reader, visit FROM '{project}/anew/**/events-*.parquet' ORDER BY seq")
    assert [tuple(row.values()) for row in together] == rows.fetchall()


def test_what_is_kept_for_good_is_left_alone(project):
    """Without a time nothing is done, and the server's night has no such job."""
    done = retain(place_of(project), RetentionConfig(), now=NOW)
    assert (done.past.nameless, done.before, done.lake) == (0, {}, 0)
    assert retention_document(done)["schema"] == "embellie/retention/1"
    assert nightly(read_config(project)) == [["reader", "erase", "--pending"]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7d", "2026-06-08"), ("2 weeks", "2026-06-01"), ("13 months", "2025-05-15"), ("1 year", "2025-06-15")],
)
def test_durations_are_those_of_the_calendar(value, expected):
    """Days, weeks, months and years."""
    assert before(value, NOW, at="x").date().isoformat() == expected


@pytest.mark.parametrize("value", ["13 moons", "", "0 days", "-1 d", "9999 years"])
def test_what_is_no_duration_is_refused_with_the_key(value):
    """And says what to write."""
    with pytest.raises(ConfigError, match=r"retention\.none.*keep"):
        limits(RetentionConfig(none=value), NOW)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_scorecard_of_that_time_says_that_readers_are_missing(language):
    """One that began since, or where nothing is taken out, says nothing."""
    variants = tuple(Variant(name=name, weight=1.0, scenario=name, release="r") for name in ("a", "b"))
    test = Experiment(experiment="first-light", placement="p", control="a", variants=variants, salt="s", started_at=OLD)
    assert "2026-06-08" in lost_units_line(RETENTION, test, NOW, language=language)
    later = Experiment(
        experiment="first-light", placement="p", control="a", variants=variants, salt="s", started_at=NOW
    )
    assert lost_units_line(RETENTION, later, NOW, language=language) == ""
    assert lost_units_line(RetentionConfig(), test, NOW, language=language) == ""
