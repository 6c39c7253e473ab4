"""An erased reader is gone from every file of the data folder, whatever was killed on the way, and the proof is told."""

import shutil
import sqlite3
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embellie.app import erasing
from embellie.app.erasing import erase_pending, erase_reader, erasure_document
from embellie.app.forgetting import erase_marked, erased_document
from embellie.app.log_keeping import ledger_document, place_of
from embellie.app.newsroom import Newsroom
from embellie.app.reader_data import reader_document
from embellie.domain.errors import InputError
from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, ConsentChange, Conversion, Erasure, Impression, Read
from embellie.domain.slate import Slate, SlateRequest
from embellie.ports import Rejected
from embellie.store.lake import export
from embellie.store.leftovers import find_leftovers
from embellie.store.log import FILE, SqliteLog
from embellie.store.state_file import write_state

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=40)
MINE = "6f1c2f4e-9d2b-4f0a-8a35-0c1d7e5b9a11"
CONFIG = 'data = "data"\n[sites.gazette]\n[experiments.first-light]\n'


def an_id(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(map(str, parts))))


def acts(reader: str, count: int, *, site: str = "gazette") -> list[Event]:
    """What one reader did over a month, of every kind there is."""
    said = []
    for number in range(count):
        at, visit = NOON + timedelta(minutes=4 * number), an_id("visit", reader, number // 20)
        own = {"reader": reader, "visit": visit}
        kinds = (
            Read(article=f"a{number % 7}", engaged_seconds=30.0, **own),
            Click(slate_id="s", article=f"a{number % 7}", position=1, **own),
            Impression(slate_id="s", article="a1", position=1, **own),
            Slate(slate_id="s", placement="bottom", article="a1", variant="ml", release="r", policy="p", **own),
            ConsentChange(reader=reader, state="profiling"),
            Conversion(goal="subscription", **own),
            Read(article="a3", visit=visit),
        )
        said.append(
            Event(
                id=an_id(reader, site, number), site=site, at=at, body=kinds[number % len(kinds)], consent="profiling"
            )
        )
    body = Exposure(experiment="first-light", unit=reader, variant="heuristic")
    return [*said, Event(id=an_id("exposure", reader, site), site=site, at=NOON, body=body)]


def bad(reader: str) -> Rejected:
    payload = f'{{"kind": "read", "reader": "{reader}", "engaged_seconds": "long"}}'
    return Rejected(index=0, payload=payload, reason=f"Expected a number, for {reader}.", site="gazette")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A reader of 300 events among others, compacted; a bad one put aside; a snapshot; and some events since."""
    (tmp_path / "embellie.toml").write_text(CONFIG)
    fill(tmp_path, count=300)
    return tmp_path


def fill(folder: Path, *, count: int) -> None:
    data = folder / "data"
    place = place_of(folder)
    with SqliteLog(data / FILE) as log:
        mine = acts(MINE, count + 20)
        log.append([mine[-1], *mine[:count]], received_at=NOON)
        log.append([event for number in range(8) for event in acts(an_id("other", number), 60)], received_at=NOON)
        log.append([], received_at=NOON, rejected=[bad(MINE), bad(an_id("other", 1))])
        export(place.log, data / "lake", views=place.views)
        log.append(mine[count:-1], received_at=NOON + timedelta(hours=1))
    write_state(data / "state", {"readers": [MINE]}, sequence=1)


def left_in(data: Path, count: int = 320) -> list:
    visits = [an_id("visit", MINE, number // 20) for number in range(0, count, 20)]
    ids = [an_id(MINE, "gazette", number) for number in range(count)]
    return find_leftovers(data, [MINE, *visits, *ids])


def erase(folder: Path, reader: str = MINE, **more):
    return erase_reader(place_of(folder), reader, now=LATER, **more)


def others(folder: Path) -> list[Event]:
    with SqliteLog(folder / "data" / FILE) as log:
        return [event for _, event in log.scan() if event.kind != "erasure"]


def test_the_reader_is_gone_from_every_file_and_others_are_not(project):
    """Log, quarantine, lake, snapshot: counted before and after, then all bytes searched. No other event is touched."""
    stay = [event for event in others(project) if event.id not in {one.id for one in acts(MINE, 320)}]
    assert left_in(project / "data")
    report = erase(project)
    (one,) = report.sites
    assert (one.before.log, one.before.quarantine, one.before.lake) == (321, 1, 301)
    assert (one.after.log, one.after.quarantine, one.after.lake) == (0, 0, 0)
    assert (report.gone, report.left, report.states_removed) == (True, (), 1)
    assert one.experiments == (("first-light", "heuristic"),)
    assert left_in(project / "data") == []
    assert others(project) == stay


def test_the_ledger_still_tells_all_that_was_received(project):
    """What is no longer there stands in a column of its own, and the log counted anew agrees."""
    before = ledger_document(place_of(project))["total"]
    erase(project)
    after = ledger_document(place_of(project), verify=True)
    assert after["imbalances"] == []
    assert after["total"]["erased"] == 321 + 1 + 1  # the request itself goes as well
    assert after["total"]["received"] == before["received"] + 2  # the request, and the mark
    assert after["total"]["quarantined"] == before["quarantined"]


def test_the_scorecard_loses_the_one_unit_that_was_told(project):
    """Only the reader's variant counts one unit less; what others did counts as before."""
    with Newsroom.open(project, clock=lambda: LATER) as newsroom:
        before = newsroom.analysis.rows(_UNITS)
        report = erase(project, log=newsroom.log)
        after = newsroom.analysis.rows(_UNITS)
    assert report.sites[0].experiments == (("first-light", "heuristic"),)
    assert [row["units"] for row in before] == [9]
    assert [row["units"] for row in after] == [8]
    assert after[0]["reads"] == before[0]["reads"] - sum(
        one.kind == "read" and one.body.reader == MINE for one in acts(MINE, 320)
    )


_UNITS = """
SELECT (SELECT count(DISTINCT reader) FROM events WHERE kind = 'exposure') AS units,
       (SELECT count(*) FROM events WHERE kind = 'read' AND reader <> '') AS reads
"""


@pytest.mark.parametrize("beside", [False, True])
def test_a_running_server_forgets_at_once_and_refuses_what_comes_later(project, beside):
    """Its state, its exposures and its analyses know the reader no more; late events are counted and not kept.

    Whether the server itself erases, or a command beside it.
    """
    with Newsroom.open(project, clock=lambda: LATER) as newsroom:
        live = newsroom._live
        request = SlateRequest(
            site="gazette", placement="article-bottom", n=4, now=LATER, reader=MINE, visit="v", consent="profiling"
        )
        newsroom.slate(request)
        newsroom.log.submit([], received_at=LATER).result()
        assert MINE in live.state.site("gazette").readers()
        report = erase(project, log=None if beside else newsroom.log)
        last = newsroom.log.last()
        wait_until(lambda: live._followed >= last)
        assert MINE not in live.state.site("gazette").readers()
        assert not [one for one in live.exposed if one[2] == MINE]
        slate = newsroom.slate(request)
        receipt = newsroom.log.append(acts(MINE, 320)[:5], received_at=LATER)
        counted = newsroom.analysis.rows(f"SELECT count(*) AS n FROM events WHERE reader = '{MINE}'")
    assert (slate.reader, slate.variant) == ("", "")
    assert (receipt.accepted, receipt.refused) == ((), 5)
    assert counted == [{"n": 0}]
    assert report.gone
    assert left_in(project / "data") == []


def wait_until(holds, *, tries: int = 200) -> None:
    for _ in range(tries):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail("It never came.")


class Killed(BaseException):
    """The process is no more."""


STEPS = ("append", "erase_from_lake", "erase", "remove_states", "_leftovers")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_step_it_finishes_when_called_again(project, monkeypatch, step, when):
    """And so does the server's job, which only knows that it was asked for."""

    def dying(act):
        def stand_in(*arguments, **named):
            if when == "after":
                act(*arguments, **named)
            raise Killed

        return stand_in

    where = SqliteLog if step in ("append", "erase") else erasing
    with monkeypatch.context() as patches, suppress(Killed):
        patches.setattr(where, step, dying(getattr(where, step)))
        erase(project)
    by_job = shutil.copytree(project, project.parent / f"{project.name}-job")
    report = erase(project)
    assert (report.gone, left_in(project / "data")) == (True, [])
    if not (step == "append" and when == "before"):
        erase_pending(place_of(by_job), now=LATER)
        with SqliteLog(by_job / "data" / FILE) as log:
            assert log.traces("gazette", MINE).events == 0


def test_erasing_again_changes_nothing(project):
    """The second report counts nothing, before or after, and the log is as long as it was."""
    erase(project)
    with SqliteLog(project / "data" / FILE) as log:
        last = log.last()
    again = erase(project)
    with SqliteLog(project / "data" / FILE) as log:
        assert log.last() == last
    assert (again.sites[0].before.total, again.sites[0].after.total, again.gone) == (0, 0, True)


def test_it_is_told_when_something_is_left(project):
    """A file that nobody knows of and that names the reader is found, and the erasure is not called done."""
    (project / "data" / "notes.txt").write_text(f"asked about {MINE} on Monday")
    report = erase(project)
    assert not report.gone
    assert [(one.file, one.count) for one in report.left] == [("notes.txt", 1)]
    assert erasure_document(report)["gone"] is False


def test_an_id_that_is_a_part_of_another_is_not_mistaken_for_it(tmp_path):
    """`reader-1` goes, `reader-12` stays and is no leftover, in the log and in the lake."""
    (tmp_path / "embellie.toml").write_text(CONFIG)
    with SqliteLog(tmp_path / "data" / FILE) as log:
        log.append([*acts("reader-1", 30), *acts("reader-12", 30)], received_at=NOON, rejected=[bad("reader-12")])
        export(log.path, tmp_path / "data" / "lake")
    report = erase(tmp_path, "reader-1")
    assert (report.gone, report.sites[0].after.total) == (True, 0)
    assert {event.body.reader for event in others(tmp_path) if event.kind == "read"} - {""} == {"reader-12"}
    with SqliteLog(tmp_path / "data" / FILE) as log:
        assert log.quarantine_size() == 1


def test_one_site_alone_can_be_named(project):
    """The same id on another site stays, and it is said that it does."""
    with SqliteLog(project / "data" / FILE) as log:
        log.append(acts(MINE, 5, site="herald"), received_at=NOON)
    report = erase(project, site="gazette")
    assert (report.kept_on, [one.site for one in report.sites]) == (("herald",), ["gazette"])
    whole = erase(project)
    assert (whole.kept_on, whole.gone, left_in(project / "data")) == ((), True, [])


def test_a_lake_that_ends_on_the_erased_reader_stays_a_lake(project):
    """It ends on the last event before; the next export goes on from there and gives the same rows as one made anew."""
    place, lake = place_of(project), project / "data" / "lake"
    export(place.log, lake, views=place.views)
    erase(project)
    done = export(place.log, lake, views=place.views)
    anew = export(place.log, project / "anew", views=place.views)
    assert done.events == anew.events
    assert done.through == anew.through


def test_export_gives_all_that_is_kept(project):
    """Every event that names the reader or is of their visits, and what was put aside; nothing after an erasure."""
    place = place_of(project)
    document = reader_document(place, MINE, now=LATER)
    assert sorted(one["id"] for one in document["events"]) == sorted(one.id for one in acts(MINE, 320))
    assert len(document["put_aside"]) == 1
    erase(project)
    empty = reader_document(place, MINE, now=LATER)
    assert (empty["events"], empty["put_aside"]) == ([], [])


def test_the_mark_names_nobody_and_erases_again_what_a_backup_brings_back(project):
    """Without the key a mark is a random word; with it, whoever was erased is erased from a restored log."""
    backup = project.parent / f"{project.name}-backup.sqlite"
    with sqlite3.connect(backup) as copy, sqlite3.connect(project / "data" / FILE) as log:
        log.backup(copy)
    erase(project)
    listed = erased_document(place_of(project))["erased"]
    assert [(one["site"], len(one["mark"])) for one in listed] == [("gazette", 64)]
    assert (project / "data" / "erasure.key").stat().st_mode & 0o077 == 0
    for name in (FILE, f"{FILE}-wal", f"{FILE}-shm"):
        (project / "data" / name).unlink(missing_ok=True)
    shutil.rmtree(project / "data" / "lake")
    shutil.copy(backup, project / "data" / FILE)
    (report,) = erase_marked(place_of(project), [(one["site"], one["mark"]) for one in listed], now=LATER)
    assert (report.sites[0].before.log, report.gone, left_in(project / "data")) == (321, True, [])


@pytest.mark.parametrize("reader", [""])
def test_nobody_cannot_be_erased(project, reader):
    """An empty id would mean everyone without a name."""
    with pytest.raises(InputError, match="No reader is named"):
        erase(project, reader)


def test_an_erasure_event_is_finished_by_the_job(project):
    """What a page's back end asked for by an event is done like the command does it."""
    with SqliteLog(project / "data" / FILE) as log:
        log.append([Event(id="ask", site="gazette", at=LATER, body=Erasure(reader=MINE))], received_at=LATER)
    (report,) = erase_pending(place_of(project), now=LATER)
    assert (report.gone, left_in(project / "data")) == (True, [])
    assert erase_pending(place_of(project), now=LATER) == []


@pytest.mark.slow
def test_ten_thousand_events_of_one_reader_are_gone(tmp_path):
    """What issue 6 asks to be shown, whole: 10,000 events over a month, compacted, with a snapshot and a quarantine."""
    (tmp_path / "embellie.toml").write_text(CONFIG)
    fill(tmp_path, count=10_000)
    report = erase(tmp_path)
    assert report.sites[0].before.log == 10_021
    assert (report.gone, left_in(tmp_path / "data", 10_020)) == (True, [])
