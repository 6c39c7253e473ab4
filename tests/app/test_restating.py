"""Late events change figures of days that were over; it is said which, by how much, and what was known before."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from embellie.app.measuring import Looking
from embellie.app.newsroom import Newsroom
from embellie.app.restating import KnownAt, late_days
from embellie.cli.main import cli
from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Read

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
CLOSE = MONDAY + timedelta(days=1, hours=1)
NOW = MONDAY + timedelta(days=5)
CONFIG = """
[sites.gazette]
[experiments.first-light]
pre_days = 0
"""


def read(number, reader, *, at):
    body = Read(article=f"a{number}", reader=reader, visit=f"v-{reader}-{number % 3}", engaged_seconds=30.0)
    return Event(id=f"{reader}-{number}", site="gazette", at=at, body=body, consent="measurement")


@pytest.fixture
def project(tmp_path):
    """Forty readers exposed on Monday; their reads arrived at once, ten readers' on Thursday, from phones that were offline."""
    (tmp_path / "embellie.toml").write_text(CONFIG)
    with Newsroom.open(tmp_path, clock=lambda: MONDAY, threads=0) as newsroom:
        for number in range(40):
            reader, variant = f"r{number:02}", "heuristic" if number % 2 else "status_quo"
            at = MONDAY + timedelta(hours=9, minutes=number)
            met = Exposure(experiment="first-light", unit=reader, variant=variant)
            newsroom.log.append(
                [Event(id=f"x{number}", site="gazette", at=at, body=met, consent="measurement")],
                received_at=at + timedelta(seconds=2),
            )
            count = 3 + number % 4 + (2 if variant == "heuristic" else 0)
            reads = [read(one, reader, at=at + timedelta(minutes=one)) for one in range(count)]
            newsroom.log.append(reads[:2], received_at=at + timedelta(minutes=30))
            late = variant == "heuristic" and number < 20
            arrived = MONDAY + timedelta(days=3, hours=10, minutes=number) if late else at + timedelta(minutes=31)
            newsroom.log.append(reads[2:], received_at=arrived)
    return tmp_path


def measured(project, *options):
    asked = ["measure", "first-light", "--sequential", "none", "--project", str(project), *options]
    return CliRunner().invoke(cli, asked, catch_exceptions=False)


def document(project, *options):
    return json.loads(measured(project, *options, "--json").stdout)


def primary(found):
    rows = [row for row in found["effects"] if row["metric"] == "reads_per_reader" and not row["adjusted"]]
    return rows[0]["variant_value"]


def test_the_scorecard_says_that_days_were_restated(project):
    """How many events, of which day, and when the last one came; in both languages the same figures."""
    late = document(project)["restated"]
    (day,) = late["days"]
    assert (late["events"], day["events"], day["day"]) == (late["events"], late["events"], "2026-03-02")
    assert late["events"] == sum(3 + n % 4 for n in range(1, 20, 2))
    assert day["last_received_at"] == "2026-03-05T10:19:00Z"
    english, french = (measured(project, "--lang", language).stdout for language in ("en", "fr"))
    for said in (english, french):
        assert f"{late['events']}, " in said
        assert "2026-03-05 10:19" in said
    assert "Restated: " in english
    assert "Chiffres révisés" in french


def test_the_series_says_it_too(project):
    """Day by day, where a reader would see last week's line move."""
    assert document(project, "--days")["restated"]["events"] == document(project)["restated"]["events"]
    assert "Restated: " in measured(project, "--days").stdout


def test_what_was_known_then_can_be_computed_now(tmp_path, project):
    """To the last digit: the scorecard of a log that never got the late events."""
    then = document(project, "--as-known-at", CLOSE.isoformat())
    elsewhere = tmp_path / "punctual"
    elsewhere.mkdir()
    (elsewhere / "embellie.toml").write_text(CONFIG)
    with (
        Newsroom.open(project, threads=0) as whole,
        Newsroom.open(elsewhere, clock=lambda: MONDAY, threads=0) as punctual,
    ):
        for _, event in whole.log.scan():
            if event.received_at <= CLOSE:
                punctual.log.append([event], received_at=event.received_at)
    same = document(elsewhere, "--as-known-at", CLOSE.isoformat())
    for one in (then, same):
        one.pop("restated")
    assert then == same


def test_how_far_late_events_moved_the_main_effect_is_told(project):
    """Then and now, of the same time, with the difference; in both languages."""
    found = document(project, "--as-known-at", CLOSE.isoformat())
    late = found["restated"]
    (moved,) = late["moved"]
    now = document(project)
    row = next(one for one in now["effects"] if one["metric"] == moved["metric"] and not one["adjusted"])
    assert late["known_at"] == "2026-03-03T01:00:00Z"
    assert moved["now"]["effect"] == pytest.approx(row["effect"])
    assert moved["by"] == pytest.approx(moved["now"]["effect"] - moved["then"]["effect"])
    assert moved["by"] > 0
    assert primary(now) > primary(found)
    english, french = (
        measured(project, "--as-known-at", CLOSE.isoformat(), "--lang", language).stdout for language in ("en", "fr")
    )
    assert "As known at 2026-03-03 01:00 UTC." in english
    assert "Tel que connu le 2026-03-03 01:00 UTC." in french
    assert "then" in english
    assert "alors" in french


def test_after_everything_arrived_nothing_is_restated(project):
    """As known now is what is known."""
    late = document(project, "--as-known-at", NOW.isoformat())["restated"]
    assert (late["events"], late["moved"][0]["by"]) == (0, 0.0)
    assert "Nothing of before arrived since." in measured(project, "--as-known-at", NOW.isoformat()).stdout


def test_an_hour_after_midnight_is_not_late(project):
    """What the last minutes of a day did may still be on its way."""
    at = MONDAY + timedelta(hours=23, minutes=59)
    with Newsroom.open(project, threads=0) as newsroom:
        (_, test) = newsroom.placed("first-light")
        before = late_days(newsroom.analysis, test, site="gazette")
        newsroom.log.append([read(90, "r00", at=at)], received_at=at + timedelta(minutes=60))
        assert late_days(newsroom.analysis, test, site="gazette") == before
        newsroom.log.append([read(91, "r00", at=at)], received_at=at + timedelta(minutes=61))
        assert late_days(newsroom.analysis, test, site="gazette")[0].events == before[0].events + 1


def test_the_whole_query_is_over_what_was_known():
    """Every mention of the events, also in joins; not of a column or of another table."""
    asked = []

    class Reader:
        elsewhere, ready = False, ("a view",)

        def rows(self, sql, parameters):
            asked.append((sql, parameters))
            return []

    known = KnownAt(Reader(), CLOSE)
    known.rows('SELECT events."at" FROM events JOIN events AS e ON 1 = 1, visits', {"site": "g"})
    ((sql, parameters),) = asked
    assert sql.count("received_at <= $known_at") == 2
    assert sql.startswith('SELECT events."at" FROM (SELECT')
    assert parameters == {"site": "g", "known_at": CLOSE.replace(tzinfo=None)}
    assert known.ready == ()


@pytest.mark.parametrize(("seconds", "restated"), [(900.0, False), (0.0, True)])
def test_a_running_server_restates_what_is_over(project, monkeypatch, seconds, restated):
    """A past point of the history is told again as it was for some time, then computed with what arrived since."""
    monkeypatch.setattr("embellie.app.observing.PAST_SECONDS", seconds)
    monkeypatch.setattr("embellie.app.observing.watched", lambda _: Looking(kind="fixed"))
    with Newsroom.open(project, clock=lambda: NOW, threads=0) as newsroom:
        before = newsroom.scorecard_history("first-light")[-2]
        late = [read(90 + number, "r01", at=MONDAY + timedelta(hours=12)) for number in range(9)]
        newsroom.log.append(late, received_at=NOW)
        after = newsroom.scorecard_history("first-light")[-2]
        assert (after != before) is restated
        assert newsroom.restated("first-light").events > len(late)
