"""A log brought from a file to PostgreSQL, and back, is the same log: numbers, times, ledger, quarantine, erasures."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from hashlib import blake2s

import pytest

from embellie.domain.errors import Conflict, InputError
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.ports import Rejected
from embellie.store.lake import export
from embellie.store.lake_manifest import read_manifest
from embellie.store.log import FILE
from embellie.store.log_place import PostgresPlace, holds_log, open_log
from embellie.store.log_transfer import transfer_log
from embellie.testing.event_log_contract import NOON, a_click, a_read


class Places:
    """Places for logs, files or schemas, by name."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url

    def __call__(self, kind, name):
        if kind == "file":
            return self.folder / name / FILE
        return PostgresPlace(self.url, f"{name}_{blake2s(str(self.folder).encode(), digest_size=8).hexdigest()}")


KINDS = [
    ("file", "file"),
    *(pytest.param(*kinds, marks=pytest.mark.engines) for kinds in (("file", "pg"), ("pg", "file"), ("pg", "pg"))),
]


@pytest.fixture
def places(request, tmp_path):
    needs = request.node.get_closest_marker("engines")
    return Places(tmp_path, request.getfixturevalue("postgres_url") if needs else "")


def fill(place):
    """Write what a log of some days holds, an erasure and late arrivals among it; the last event is gone."""
    bad = Rejected(index=0, payload='{"kind": "sneeze", "é": 1}', reason="Unknown kind.", at="$.kind", site="gazette")
    with open_log(place) as log:
        for day in range(3):
            events = [a_read(100 * day + number) for number in range(40)] + [a_click(day), a_read(1)]
            log.append(events, received_at=NOON + timedelta(days=day), rejected=[bad] * (day + 1))
        log.append([a_read(7, article="another")], received_at=NOON)
        log.append([a_read(900, site="herald")], received_at=NOON - timedelta(days=30))
        log.erase("gazette", "r1", now=NOON)
        log.append([a_read(1), a_read(903)], received_at=NOON + timedelta(days=4))
        log.erase("herald", "r0", now=NOON)
        log.append([Event(id="x", site="gazette", at=NOON, body=Read(article="a", reader="last"))], received_at=NOON)
        log.erase("gazette", "last", now=NOON)


def told(place):
    """All that a log tells."""
    with open_log(place) as log:
        return (
            list(log.scan()),
            log.quarantined(),
            list(log.ledger()),
            list(log.verify()),
            log.tail(0),
            {
                (site, reader): log.marks.known(site, reader)
                for site in ("gazette", "herald")
                for reader in ("r0", "r1")
            },
        )


@pytest.mark.parametrize(("from_kind", "to_kind"), KINDS)
def test_what_is_brought_over_is_the_same_log(places, from_kind, to_kind):
    """All that one can ask of it, and of each table its rows; the marks are made with the same key."""
    source, target = places(from_kind, "source"), places(to_kind, "target")
    fill(source)
    progress = []
    done = transfer_log(source, target, progress=lambda *each: progress.append(each))
    assert told(target) == told(source)
    assert told(target)[3] == []
    assert done.rows["quarantine"] == 7
    assert done.last == done.rows["events"] + done.rows["erased"] or done.last > done.rows["events"]
    assert progress[-1][0] == progress[-1][1] == 2 * sum(done.rows.values())


@pytest.mark.parametrize(("from_kind", "to_kind"), KINDS)
def test_it_goes_on_as_the_former_one_would(places, from_kind, to_kind):
    """No number is given twice, what is known is a duplicate, who is erased is refused, and the lake is its own."""
    source, target = places(from_kind, "source"), places(to_kind, "target")
    fill(source)
    lake = places.folder / "lake"
    export(source, lake)
    transfer_log(source, target)
    taken = read_manifest(lake).through
    with open_log(target) as log:
        bad = Rejected(index=0, payload="{}", reason="Bad.", site="gazette")
        receipt = log.append([a_read(2), a_read(5_001), a_read(5_002)], received_at=NOON, rejected=[bad])
        assert (receipt.duplicates, receipt.refused, [each.id for each in receipt.accepted]) == (1, 1, ["e5002"])
        assert log.last() > taken
        assert log.quarantined()[-1].number == 8
        assert not log.verify()
    done = export(target, lake)
    assert (done.through, len(done.written)) == (log_last(target), 1)


def log_last(place):
    with open_log(place) as log:
        return log.last()


@pytest.mark.parametrize(("from_kind", "to_kind"), KINDS)
def test_a_log_that_is_there_is_not_touched(places, from_kind, to_kind):
    """A target that holds something is refused; an empty one, and one that a former try left, is not."""
    source, target = places(from_kind, "source"), places(to_kind, "target")
    fill(source)
    open_log(target).close()
    first = transfer_log(source, target)
    with pytest.raises(Conflict, match="a log already"):
        transfer_log(source, target)
    assert told(target) == told(source)
    back = places(from_kind, "back")
    assert transfer_log(target, back) == first


@pytest.mark.parametrize(("from_kind", "to_kind"), KINDS)
def test_interrupted_it_leaves_nothing(places, from_kind, to_kind):
    """Stopped in the middle, while writing or while reading back, there is no log; the next try succeeds."""
    source, target = places(from_kind, "source"), places(to_kind, "target")
    fill(source)
    for at in (2, 6):
        calls = []

        def stop(*_, at=at, calls=calls):
            calls.append(1)
            if len(calls) == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            transfer_log(source, target, progress=stop)
        assert not holds_log(target)
    assert transfer_log(source, target).rows["events"]


@pytest.mark.parametrize(("from_kind", "to_kind"), KINDS)
def test_who_writes_meanwhile_is_noticed(places, from_kind, to_kind):
    """An event that came after the copy began would be lost: nothing is kept, unless a moment is all that is asked for."""
    source, target = places(from_kind, "source"), places(to_kind, "target")
    fill(source)

    def write(done, total):
        if done == total:
            with open_log(source) as log:
                log.append([a_read(8_002)], received_at=NOON)

    with pytest.raises(Conflict, match="Stop all servers"):
        transfer_log(source, target, progress=write)
    assert not holds_log(target)
    transfer_log(source, target, still=False, progress=write)
    with open_log(target) as log:
        assert not log.verify()


@pytest.mark.engines
def test_what_postgresql_cannot_hold_is_named(places):
    """A name with NUL, or one beyond the index, in a file's log: the event is named, and nothing is written."""
    for place, odd in enumerate((replace(a_read(2), id="é" * 1_500), replace(a_read(2), body=Read(article="a\0b")))):
        source, target = places("file", f"source{place}"), places("pg", f"target{place}")
        with open_log(source) as log:
            log.append([a_read(1), odd], received_at=NOON)
        with pytest.raises(InputError, match="Event 2 has a name that PostgreSQL cannot hold"):
            transfer_log(source, target)
        assert not holds_log(target)


@pytest.mark.engines
def test_what_was_put_aside_may_hold_anything(places):
    """A payload with NUL is kept, as it is escaped."""
    source, target = places("file", "source"), places("pg", "target")
    with open_log(source) as log:
        log.append([a_read(1)], received_at=NOON, rejected=[Rejected(index=0, payload="a\0b", reason="x", site="s")])
    transfer_log(source, target)
    with open_log(target) as log:
        assert [each.payload for each in log.quarantined()] == ["a\\x00b"]


def test_a_log_damaged_on_its_way_is_noticed(places, monkeypatch):
    """What reads back otherwise than it was written is not kept."""
    source, target = places("file", "source"), places("file", "target")
    fill(source)
    from embellie.store import log_transfer

    finish = log_transfer._File.finish

    def spoil(self, numbers):
        finish(self, numbers)
        self._connection.execute("UPDATE events SET article = 'z' WHERE seq = 3")

    monkeypatch.setattr(log_transfer._File, "finish", spoil)
    with pytest.raises(InputError, match="read back otherwise"):
        transfer_log(source, target)
    assert not target.exists()


def test_another_logs_key_is_not_mixed_in(places):
    """Two keys would tell two kinds of marks."""
    source, target = places("file", "source"), places("file", "target")
    fill(source)
    target.parent.mkdir()
    (target.parent / "erasure.key").write_text("00" * 32)
    with pytest.raises(Conflict, match="key of marks"):
        transfer_log(source, target)
    with sqlite3.connect(source) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchone()[0]
