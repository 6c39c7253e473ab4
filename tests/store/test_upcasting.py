"""Events of an older version are read as this version writes them, whatever reads them; the log itself is not rewritten."""

import json
import sqlite3
from dataclasses import replace

import duckdb
import pytest

from embellie.domain.errors import EventError
from embellie.store import upcasting
from embellie.store.analysis import Analysis
from embellie.store.lake import export
from embellie.store.log import FILE, SqliteLog
from embellie.store.upcasting import schema_of, upcast
from embellie.store.wire import event_from_wire, event_to_wire
from embellie.testing.event_log_contract import NOON, a_read


def seconds_became_engaged(body):
    """As if version 2 had named what version 1 called `seconds`."""
    return {name.replace("seconds", "engaged_seconds"): value for name, value in body.items()}


@pytest.fixture
def new_version(monkeypatch):
    """As if this program wrote reads in version 2."""
    monkeypatch.setitem(upcasting.UPCASTS, ("read", 1), seconds_became_engaged)


@pytest.fixture
def old_log(tmp_path):
    """A log in which version 1 wrote a read of 42 seconds, then this version one more."""
    with SqliteLog(tmp_path / FILE) as log:
        log.append([a_read(1)], received_at=NOON)
        with sqlite3.connect(tmp_path / FILE) as connection:
            (text,) = connection.execute("SELECT body FROM events").fetchone()
            body = json.loads(text)
            del body["engaged_seconds"]
            connection.execute("UPDATE events SET body = ?, schema = 1", [json.dumps(body | {"seconds": 42.0})])
        connection.close()
        yield log


@pytest.fixture
def both(new_version, old_log):
    """The same, opened by the program of version 2, which wrote a read of 7 seconds."""
    read = a_read(6)
    old_log.append([replace(read, body=replace(read.body, engaged_seconds=7.0))], received_at=NOON)
    return old_log


def raw(log):
    connection = sqlite3.connect(log.path)
    try:
        return connection.execute("SELECT id, schema, body FROM events ORDER BY seq").fetchall()
    finally:
        connection.close()


def test_folds_read_old_and_new_alike(both):
    """`scan` and `of_reader`, by which folds and a reader's export read, give one shape."""
    for events in (both.scan(), both.of_reader("gazette", "r1")):
        assert [(one.id, one.schema, one.body.engaged_seconds) for _, one in events] == [
            ("e1", 2, 42.0),
            ("e6", 2, 7.0),
        ]


def test_what_is_in_the_log_stays_as_it_was_written(both):
    """Nothing is migrated; the new event carries the new version."""
    list(both.scan())
    (_, first, old), (_, second, new) = raw(both)
    assert (first, json.loads(old)["seconds"], second, json.loads(new)["engaged_seconds"]) == (1, 42.0, 2, 7.0)


def test_analysis_counts_old_and_new_alike(both, tmp_path):
    """SQL over the log, straight from it."""
    analysis = Analysis(both)
    assert analysis.rows("SELECT sum(engaged_seconds) AS s FROM events") == [{"s": 49.0}]
    analysis.close()


def test_the_lake_holds_them_alike_and_analysis_over_it_too(both, tmp_path):
    """Whoever reads the Parquet files meets one shape."""
    export(both.path, tmp_path / "lake")
    found = duckdb.sql(f"SELECT engaged_seconds, body FROM read_parquet('{tmp_path}/lake/**/*.parquet') ORDER BY seq")
    (old, old_body), (new, _) = found.fetchall()
    assert (old, new, json.loads(old_body)["engaged_seconds"]) == (42.0, 7.0, 42.0)
    analysis = Analysis(both, lake=tmp_path / "lake")
    assert analysis.rows("SELECT sum(engaged_seconds) AS s FROM events") == [{"s": 49.0}]
    analysis.close()


def test_an_old_event_told_again_by_the_new_version_is_the_same_event(both):
    """A duplicate, not another event under its id."""
    again = a_read(1)
    receipt = both.append([replace(again, body=replace(again.body, engaged_seconds=42.0))], received_at=NOON)
    assert (len(receipt.accepted), receipt.duplicates, receipt.quarantined) == (0, 1, ())


def test_a_page_with_the_old_widget_is_understood(new_version):
    """An event that names no version, or the first, is of the first."""
    wire = event_to_wire(a_read(2))
    for name in ("engaged_seconds", "schema", "received_at"):
        wire.pop(name, None)
    for sent in ({**wire, "seconds": 42.0}, {**wire, "seconds": 42.0, "schema": 1}):
        event = event_from_wire(sent)
        assert (event.schema, event.body.engaged_seconds) == (2, 42.0)
    assert event_from_wire(event_to_wire(event)) == event


def test_steps_are_taken_one_after_another(new_version, monkeypatch):
    """From 1 to 2, from 2 to 3; a missing step is said."""
    monkeypatch.setitem(upcasting.UPCASTS, ("read", 2), lambda body: {**body, "third": True})
    assert schema_of("read") == 3
    assert upcast("read", 1, {"seconds": 1.0}) == {"engaged_seconds": 1.0, "third": True}
    assert upcast("read", 3, {"third": False}) == {"third": False}
    monkeypatch.delitem(upcasting.UPCASTS, ("read", 1))
    with pytest.raises(EventError, match="version 1"):
        upcast("read", 1, {})


def test_what_a_newer_version_wrote_is_refused_not_half_understood(old_log):
    """Folds, analysis, and an event that is sent: each says to upgrade."""
    with sqlite3.connect(old_log.path) as connection:
        connection.execute("UPDATE events SET schema = 2")
    connection.close()
    with pytest.raises(EventError, match="version 2") as refused:
        list(old_log.scan())
    assert refused.value.at == "event 1 of the log"
    with pytest.raises(EventError, match="upgrade"):
        old_log.tail(0)
    wire = event_to_wire(a_read(2)) | {"schema": 2}
    del wire["received_at"]
    with pytest.raises(EventError, match="version 2"):
        event_from_wire(wire)


def test_whoever_adds_a_step_also_writes_derived_files_anew():
    """The lake and the state file hold bodies as a version read them: their own versions go up with the first step."""
    from embellie.store import lake_manifest

    if upcasting.UPCASTS:
        assert lake_manifest._SCHEMA != "embellie/lake/1", "raise it, so that lakes are written anew"
