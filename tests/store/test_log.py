"""The log in SQLite: what is beyond the contract of every log."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embellie.domain.article import Article
from embellie.domain.errors import Busy, Conflict, EmbellieError, EventError, InputError
from embellie.domain.event import Event, fact_id
from embellie.domain.evidence import Evidence
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Read
from embellie.domain.slate import Slate, SlateItem
from embellie.ports import Rejected
from embellie.store.log import FILE, SqliteLog
from embellie.store.log_file import explain
from embellie.store.wire import event_from_wire
from embellie.testing.event_log_contract import NOON, a_click, a_read


@pytest.fixture
def log(tmp_path):
    with SqliteLog(tmp_path / FILE) as opened:
        yield opened


def bad(payload: str = "{}", *, site: str = "gazette", reason: str = "Bad.") -> Rejected:
    return Rejected(index=0, payload=payload, reason=reason, at="$", site=site)


def mended(quarantined):
    return event_from_wire(json.loads(quarantined.payload))


def test_tail_gives_parallel_columns(log):
    """Times are whole microseconds, bodies JSON text, an exposure's reader its unit, the absent an empty text."""
    exposure = Exposure(experiment="first", unit="r9", variant="heuristic")
    article = Article(article="a1", title="Ça va ?")
    log.append(
        [
            a_read(1),
            Event(id="x", site="gazette", at=NOON, body=exposure),
            Event(id="y", site="gazette", at=NOON, body=article),
        ],
        received_at=NOON,
    )
    tail = log.tail(0)
    assert (tail.kind, tail.reader, tail.article) == (
        ["read", "exposure", "article"],
        ["r1", "r9", ""],
        ["a1", "", "a1"],
    )
    assert tail.at[1] == tail.received_at[0] == 1_772_366_400_000_000
    assert json.loads(tail.body[2])["title"] == "Ça va ?"
    assert [len(log.tail(tail.seq[0], limit=1)), len(log.tail(tail.seq[-1]))] == [1, 0]


def test_every_page_of_a_long_log_is_read(log):
    """Scan pages through without losing or repeating an event, for all kinds and for some."""
    log.append([a_read(number) if number % 3 else a_click(number) for number in range(9_000)], received_at=NOON)
    sequence = [seq for seq, _ in log.scan()]
    assert sequence == list(range(1, 9_001))
    assert sum(1 for _ in log.scan(kinds=["click"])) == 3_000
    assert [seq for seq, _ in log.scan(kinds=["click", "read", "article"])] == sequence


def test_times_keep_every_microsecond(log):
    """Before 1970, far away or in another zone, a time comes back as the same instant in UTC."""
    paris = datetime.fromisoformat("2026-03-01T13:00:00.123456+01:00")
    times = [paris, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)]
    log.append([replace(a_read(n), at=at) for n, at in enumerate(times)], received_at=paris)
    assert [event.at for _, event in log.scan()] == times
    assert not log.verify()


def test_a_conflict_is_linked_to_the_id_it_claimed(log):
    """The refused event is found in quarantine whole, under the id, with what differed."""
    log.append([a_read(1)], received_at=NOON)
    log.append([a_read(1, article="forged")], received_at=NOON)
    (one,) = log.quarantined()
    assert (one.site, one.id, one.at, "`article`" in one.reason) == ("gazette", "e1", "$.id", True)
    assert mended(one).body == a_read(1, article="forged").body


@pytest.mark.parametrize("change", [{"at": NOON - timedelta(days=1)}, {"consent": "none"}, {"body": a_click(1).body}])
def test_the_header_is_part_of_what_an_event_tells(log, change):
    """A client's id names one sending: another time, consent or kind under it is no retry."""
    log.append([a_read(1)], received_at=NOON)
    receipt = log.append([replace(a_read(1), **change)], received_at=NOON)
    assert (receipt.duplicates, len(receipt.quarantined)) == (0, 1)


def test_a_post_that_took_longer_the_second_time_is_a_duplicate(log):
    """What the server reckons a time to be may differ by what the way took: still the same event, at the time kept first."""
    log.append([a_read(1)], received_at=NOON)
    receipt = log.append([replace(a_read(1), at=a_read(1).at + timedelta(seconds=40))], received_at=NOON)
    assert (receipt.duplicates, len(receipt.quarantined)) == (1, 0)
    assert [event.at for _, event in log.scan()] == [a_read(1).at]


def test_a_fact_told_again_later_is_a_duplicate(log):
    """An id made from the fact itself (UUIDv5) may be told again at another time; another fact may not."""
    event = replace(a_read(1), id=fact_id("gazette", "order", "42"))
    log.append([event], received_at=NOON)
    again = log.append([replace(event, at=NOON + timedelta(days=1), consent="none")], received_at=NOON)
    other = log.append([replace(event, body=a_read(2).body)], received_at=NOON)
    assert (again.duplicates, len(other.quarantined)) == (1, 1)


def test_the_order_of_keys_makes_no_difference(log):
    """Two payloads that say the same in another order are the same event."""

    def served(features):
        body = Slate(
            slate_id="s",
            placement="p",
            reader="",
            visit="",
            article="",
            variant="v",
            release="r",
            policy="latest",
            features=features,
        )
        return Event(id="1", site="gazette", at=NOON, body=body)

    log.append([served({"a": 1.0, "b": 2.0})], received_at=NOON)
    assert log.append([served({"b": 2.0, "a": 1.0})], received_at=NOON).duplicates == 1


@pytest.mark.parametrize(
    "body",
    [
        Read(article="a", engaged_seconds=float("nan")),
        Read(article="\ud800"),
        Slate(
            slate_id="s",
            placement="p",
            reader="",
            visit="",
            article="",
            variant="v",
            release="r",
            policy="latest",
            items=(SlateItem(article="a", position=1, propensity=float("inf"), reason=""),),
        ),
    ],
)
def test_what_could_not_be_read_back_never_enters(log, body):
    """An event that JSON cannot carry is quarantined alone; the log stays readable."""
    receipt = log.append([a_read(1), Event(id="x", site="gazette", at=NOON, body=body), a_read(2)], received_at=NOON)
    assert [event.id for _, event in log.scan()] == ["e1", "e2"]
    assert [each.index for each in receipt.quarantined] == [1]
    assert len(log.quarantined()) == 1
    assert not log.verify()


def test_a_raw_payload_of_any_bytes_is_kept(log):
    """Lone surrogates, NUL and nonsense do not stop the batch; they are kept readable."""
    log.append([a_read(1)], received_at=NOON, rejected=[bad('{"id": "\ud800\x00"'), bad("[" * 5_000, site="\udfff")])
    assert [one.payload[:8] for one in log.quarantined()] == ['{"id": "', "[[[[[[[["]
    assert not log.verify()


def test_quarantine_is_listed_by_site_and_from_the_newest(log):
    """One sees the newest few, still oldest first, of one site or of all."""
    log.append([], received_at=NOON, rejected=[bad(reason=str(n), site="ab"[n % 2]) for n in range(6)])
    assert [one.reason for one in log.quarantined(newest=2)] == ["4", "5"]
    assert [one.reason for one in log.quarantined(site="a", limit=2)] == ["0", "2"]
    assert (log.quarantine_size(), log.quarantine_size(site="b")) == (6, 3)


def test_replay_accepts_what_is_now_good(log):
    """It keeps the time it was first received, leaves quarantine, and the ledger moves one from one side to the other."""
    good = '{"id": "e1", "site": "gazette", "kind": "read", "at": "2026-03-01T12:00:01Z", "article": "a1"}'
    log.append([a_read(2)], received_at=NOON, rejected=[bad(good), bad("not json at all")])

    def careful(one):
        try:
            return mended(one)
        except ValueError:
            raise EventError("Still bad.") from None

    first = log.replay(careful)
    (row,) = log.ledger()
    second = log.replay(careful)
    assert ([event.id for event in first.accepted], first.duplicates, first.still_quarantined) == (["e1"], 0, 1)
    assert (row.received, row.accepted, row.duplicates, row.quarantined) == (3, 2, 0, 1)
    assert (second.accepted, second.still_quarantined) == ((), 1)
    assert [event.received_at for _, event in log.scan()] == [NOON, NOON]
    assert not log.verify()


def test_replay_of_what_came_meanwhile_is_a_duplicate(log):
    """A mended event already sent again in the right form is counted once, at its earliest arrival."""
    later = NOON + timedelta(hours=2)
    raw = '{"id": "e1", "site": "gazette", "kind": "read", "at": "2026-03-01T12:00:01Z", "article": "a1"}'
    log.append([], received_at=NOON, rejected=[bad(raw)])
    log.append([mended(log.quarantined()[0])], received_at=later)
    done = log.replay(mended)
    assert (done.accepted, done.duplicates, done.still_quarantined) == ((), 1, 0)
    assert [event.received_at for _, event in log.scan()] == [NOON]
    assert [(row.received, row.accepted, row.duplicates) for row in log.ledger()] == [(1, 1, 0), (1, 0, 1)]
    assert not log.verify()


def test_replay_of_a_conflict_stays(log):
    """Another fact under a taken id does not enter by the back door."""
    log.append([a_read(1), a_read(1, article="forged")], received_at=NOON)
    assert log.replay(mended).still_quarantined == 1
    assert [event.body for _, event in log.scan()] == [a_read(1).body]
    assert not log.verify()


def test_verify_finds_what_is_missing(log):
    """An event taken out behind the log's back shows as an imbalance of its site and hour."""
    log.append([a_read(1), a_read(2)], received_at=NOON, rejected=[bad()])
    with sqlite3.connect(log.path) as other:
        other.execute("DELETE FROM events WHERE id = 'e1'")
        other.execute("DELETE FROM quarantine")
    other.close()
    assert [(each.what, each.ledger, each.found) for each in log.verify()] == [
        ("accepted", 2, 1),
        ("quarantined", 1, 0),
    ]


def test_too_much_waiting_is_refused_with_a_hint(tmp_path):
    """When the disk cannot follow, the sender is told to come back; what was refused leaves no trace."""
    with SqliteLog(tmp_path / FILE, limit=3, busy_seconds=30) as log:
        other = sqlite3.connect(log.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        futures = []
        with pytest.raises(Busy, match="Retry after 1 second"):
            futures.extend(log.submit([a_read(number)], received_at=NOON) for number in range(100))
        other.execute("ROLLBACK")
        other.close()
        assert all(len(future.result().accepted) == 1 for future in futures)
        assert sum(1 for _ in log.scan()) == len(futures) < 100


def test_a_lock_that_stays_is_an_error_and_the_log_lives_on(tmp_path):
    """Another process that holds the file too long fails the batch clearly; the next one goes through."""
    with SqliteLog(tmp_path / FILE, busy_seconds=0.05) as log:
        other = sqlite3.connect(log.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="Another process"):
            log.append([a_read(1)], received_at=NOON)
        other.execute("ROLLBACK")
        other.close()
        assert len(log.append([a_read(1)], received_at=NOON).accepted) == 1


def test_a_closed_log_says_so(tmp_path):
    """Writing to or reading from a closed log is a clear error."""
    log = SqliteLog(tmp_path / FILE)
    log.close()
    with pytest.raises(Conflict, match="closed"):
        log.append([a_read(1)], received_at=NOON)
    with pytest.raises(Conflict, match="closed"):
        log.last()


def test_a_log_is_closed_in_the_middle_of_nobodys_query(tmp_path):
    """Whoever reads when the server stops gets an answer or a clear error; the process ends in order."""

    def read(log):
        with contextlib.suppress(Conflict):
            while True:
                log.ledger()

    for _ in range(50):
        log = SqliteLog(tmp_path / FILE)
        readers = [threading.Thread(target=read, args=(log,)) for _ in range(4)]
        for one in readers:
            one.start()
        log.close()
        for one in readers:
            one.join()


def test_a_file_that_is_no_log_is_refused_and_untouched(tmp_path):
    """A text, or another program's database: the error says so and the file stays as it was."""
    text = tmp_path / "notes.sqlite"
    text.write_text("These are notes. " * 100)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    for path, says in ((text, "not a log"), (other, "not an embellie log")):
        before = path.read_bytes()
        with pytest.raises(InputError, match=says):
            SqliteLog(path)
        assert path.read_bytes() == before


def test_a_newer_log_asks_for_an_upgrade(tmp_path):
    """A log of a later version is not touched."""
    SqliteLog(tmp_path / FILE).close()
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(InputError, match="newer embellie"):
        SqliteLog(tmp_path / FILE)


def test_a_path_that_cannot_be_is_explained(tmp_path):
    """A folder in the place of the file, or a file in the place of the folder."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / FILE):
        with pytest.raises(InputError, match="cannot be opened or written"):
            SqliteLog(path)


@pytest.fixture
def read_only():
    """A folder nobody may write to, seen as an ordinary account would see it."""
    folder = Path(tempfile.mkdtemp())
    SqliteLog(folder / FILE).close()
    (folder / FILE).chmod(0o444)
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="This system knows no accounts of this kind.")
def test_a_read_only_folder_is_explained(read_only):
    """No log can be made there, and the one there cannot be written: the error says what the account needs."""
    for path in (read_only / FILE, read_only / "new.sqlite", read_only / "data" / FILE):
        with pytest.raises(InputError, match="Give a folder that this account may write to"):
            SqliteLog(path)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("attempt to write a readonly database", "log_unwritable"),
        ("unable to open database file", "log_unwritable"),
        ("database is locked", "log_locked"),
        ("database or disk is full", "disk_full"),
        ("file is not a database", "log_unreadable"),
        ("database disk image is malformed", "log_unreadable"),
    ],
)
def test_each_trouble_has_its_remedy(said, code):
    """What SQLite says becomes a message with a hint and a stable code."""
    error = explain(sqlite3.OperationalError(said), Path("data/log.sqlite"))
    assert isinstance(error, EmbellieError)
    assert (error.code, bool(error.hint), error.at) == (code, True, "data/log.sqlite")


def test_a_study_without_its_own_time_is_put_aside_whole(log):
    """The payload of a refused study keeps the time of the event."""

    def study(estimate):
        body = Evidence(measures="interest", estimate=estimate, se=0.1)
        return Event(id="s1", site="gazette", at=NOON, body=body)

    log.append([study(1.0), study(2.0)], received_at=NOON)
    assert json.loads(log.quarantined()[0].payload)["at"] == "2026-03-01T12:00:00Z"


def test_many_threads_write_and_read(log):
    """Batches from eight threads, some the same, and readers meanwhile: each event once, in one order."""
    seen: list[int] = []

    def work(first):
        for number in range(first, first + 60, 3):
            log.append([a_read(each) for each in range(number, number + 3)], received_at=NOON)
            seen.append(sum(1 for _ in log.scan()))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 160, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(event.id[1:]) for _, event in log.scan()) == list(range(200))
    (row,) = log.ledger()
    assert (row.received, row.accepted, row.duplicates) == (480, 200, 280)
    assert max(seen) == 200


def test_a_thread_that_ended_holds_no_connection(log):
    """Many short-lived threads that read leave nothing open behind them."""
    log.append([a_read(1)], received_at=NOON)
    for _ in range(20):
        thread = threading.Thread(target=log.last)
        thread.start()
        thread.join()
    assert len(log._readers) == 0


WRITER = """
import sys
from embellie.store.log import SqliteLog
from embellie.testing.event_log_contract import NOON, a_read
first = int(sys.argv[2])
with SqliteLog(sys.argv[1]) as log:
    for number in range(first, first + 150):
        log.append([a_read(number)], received_at=NOON)
"""


def test_two_processes_take_turns(log):
    """Another process writing to the same file, some of it the same, corrupts nothing and loses nothing."""
    other = subprocess.Popen([sys.executable, "-c", WRITER, str(log.path), "100"])
    for number in range(150):
        log.append([a_read(number)], received_at=NOON)
    assert other.wait(30) == 0
    assert sorted(int(event.id[1:]) for _, event in log.scan()) == list(range(250))
    (row,) = log.ledger()
    assert (row.received, row.accepted, row.duplicates) == (300, 250, 50)
    assert not log.verify()
