"""The log in PostgreSQL: what is beyond the contract of every log."""

import json
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from hashlib import blake2s

import pytest
from tests.store.test_log import bad, mended

from embellie.domain.errors import Busy, Conflict, EmbellieError, EngineError, InputError
from embellie.domain.event import Event, fact_id
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Erasure, Read
from embellie.store.analysis import Analysis
from embellie.store.lake import export
from embellie.store.log_place import PostgresPlace, holds_log, log_place, open_log
from embellie.store.postgres_line import hidden, without_password
from embellie.store.postgres_log import PostgresLog
from embellie.store.postgres_log_writing import KEY_BYTES
from embellie.testing.event_log_contract import NOON, a_click, a_read

SECRET = "s3cr3t"


def test_a_password_is_never_shown():
    """Not in what a driver says, nor where a URL is shown; whichever way it is given."""
    for url in (f"postgresql://ana:{SECRET}@db/news", f"postgresql://ana@db/news?sslmode=require&password={SECRET}"):
        assert SECRET not in without_password(url)
        assert SECRET not in hidden(f"cannot connect with {SECRET} as told in {url}", url)
        assert SECRET not in repr(log_place(None, url, "embellie")) + str(log_place(None, url, "embellie"))
    assert without_password("postgresql://ana@db/news") == "postgresql://ana@db/news"


def test_a_place_that_keeps_no_log_is_refused(tmp_path):
    """No other database does, and a path is no URL; nothing is the file in the data folder."""
    for url in ("mysql://db/news", "log.sqlite"):
        with pytest.raises(InputError, match="postgresql://user@host/database"):
            log_place(tmp_path, url, "embellie")
    assert log_place(tmp_path, "", "embellie") == tmp_path / "log.sqlite"


def test_a_missing_extra_is_named(monkeypatch):
    """Without the driver, the message says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(EngineError, match=r"pip install 'embellie\[postgres\]'"):
        open_log(PostgresPlace("postgresql://localhost/news", "embellie"))


@pytest.mark.engines
def test_a_server_that_is_not_there_is_told(monkeypatch):
    """Where it was looked for, and what to check; never the password."""
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:1/news") as told:
        open_log(PostgresPlace(f"postgresql://ana:{SECRET}@127.0.0.1:1/news", "embellie"))
    assert SECRET not in str(told.value)


@pytest.fixture
def schema(tmp_path):
    return f"log_{blake2s(str(tmp_path).encode(), digest_size=8).hexdigest()}"


@pytest.fixture
def place(postgres_url, schema):
    return PostgresPlace(postgres_url, schema)


@pytest.fixture
def log(place):
    with open_log(place) as opened:
        yield opened


@pytest.fixture
def admin(postgres_url):
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.mark.engines
class TestWriting:
    """What becomes of events."""

    def test_tail_gives_parallel_columns(self, log):
        """As SQLite's does: whole microseconds, an exposure's reader its unit, the absent an empty text."""
        exposure = Exposure(experiment="first", unit="r9", variant="heuristic")
        log.append([a_read(1), Event(id="x", site="gazette", at=NOON, body=exposure)], received_at=NOON)
        tail = log.tail(0)
        assert (tail.seq, tail.kind, tail.reader, tail.article) == (
            [1, 2],
            ["read", "exposure"],
            ["r1", "r9"],
            ["a1", ""],
        )
        assert tail.at[1] == tail.received_at[0] == 1_772_366_400_000_000
        assert [len(log.tail(1, limit=1)), len(log.tail(2))] == [1, 0]

    def test_every_page_of_a_long_log_is_read(self, log):
        """Scan pages through without losing or repeating an event, for all kinds and for some."""
        log.append([a_read(number) if number % 3 else a_click(number) for number in range(9_000)], received_at=NOON)
        sequence = [seq for seq, _ in log.scan()]
        assert sequence == list(range(1, 9_001))
        assert sum(1 for _ in log.scan(kinds=["click"])) == 3_000
        assert [seq for seq, _ in log.scan(kinds=["click", "read", "article"])] == sequence

    def test_what_it_cannot_hold_is_put_aside_alone(self, log):
        """NUL in a name, a name beyond the index: quarantined, and the batch and the group around it are kept."""
        bodies = [Read(article="a\0b"), Read(article="a", reader="r\0"), Read(article="a")]
        events = [Event(id=f"n{place}", site="gazette", at=NOON, body=body) for place, body in enumerate(bodies)]
        long = replace(a_read(1), id="é" * KEY_BYTES)
        receipt = log.append([a_read(2), *events, long], received_at=NOON)
        assert [event.id for event in receipt.accepted] == ["e2", "n2"]
        assert sorted(each.index for each in receipt.quarantined) == [1, 2, 4]
        assert log.quarantine_size() == 3
        assert not log.verify()

    def test_a_raw_payload_of_any_bytes_is_kept(self, log):
        """Lone surrogates, NUL and nonsense do not stop the batch; they are kept readable."""
        rejected = [bad('{"id": "\ud800\x00"'), bad("[" * 5_000, site="\udfff"), bad(site="a\0b")]
        log.append([a_read(1)], received_at=NOON, rejected=rejected)
        assert [one.payload[:8] for one in log.quarantined()] == ['{"id": "', "[[[[[[[[", "{}"]
        assert not log.verify()

    def test_a_conflict_is_linked_to_the_id_it_claimed(self, log):
        """Within a batch or across batches; a fact told again later is a duplicate."""
        fact = replace(a_read(3), id=fact_id("gazette", "order", "42"))
        log.append([a_read(1), a_read(1, article="forged"), fact], received_at=NOON)
        receipt = log.append(
            [a_read(1, article="again"), replace(fact, at=NOON + timedelta(days=1), consent="none")], received_at=NOON
        )
        assert (receipt.duplicates, len(receipt.quarantined)) == (1, 1)
        assert [(one.id, "`article`" in one.reason) for one in log.quarantined()] == [("e1", True)] * 2
        assert mended(log.quarantined()[1]).body == a_read(1, article="again").body
        assert not log.verify()

    def test_the_earliest_arrival_of_a_group_is_kept(self, log):
        """Told twice in one commit or in two, in any order."""
        later, latest = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
        futures = [log.submit([a_read(1)], received_at=at) for at in (latest, NOON, later)]
        log.append([a_read(2)], received_at=latest)
        futures.append(log.submit([a_read(2)], received_at=later))
        assert sum(one.result().duplicates for one in futures) == 3
        assert [event.received_at for _, event in log.scan()] == [NOON, later]
        assert not log.verify()

    def test_replay_accepts_what_is_now_good(self, log):
        """It keeps the time it was first received, leaves quarantine, and the ledger moves one from one side to the other."""
        good = '{"id": "e1", "site": "gazette", "kind": "read", "at": "2026-03-01T12:00:01Z", "article": "a1"}'
        log.append([a_read(2), a_read(2, article="x")], received_at=NOON, rejected=[bad(good), bad("not json at all")])

        def careful(one):
            try:
                return mended(one)
            except ValueError:
                raise EmbellieError("Still bad.") from None

        first = log.replay(careful)
        (row,) = log.ledger()
        second = log.replay(careful)
        assert ([event.id for event in first.accepted], first.duplicates, first.still_quarantined) == (["e1"], 0, 2)
        assert (row.received, row.accepted, row.duplicates, row.quarantined) == (4, 2, 0, 2)
        assert (second.accepted, second.still_quarantined) == ((), 2)
        assert [event.received_at for _, event in log.scan()] == [NOON, NOON]
        assert not log.verify()

    def test_verify_finds_what_is_missing(self, log, admin, schema):
        """An event taken out behind the log's back shows as an imbalance of its site and hour."""
        log.append([a_read(1), a_read(2)], received_at=NOON, rejected=[bad()])
        admin.execute(f"DELETE FROM {schema}.events WHERE id = 'e1'")
        admin.execute(f"DELETE FROM {schema}.quarantine")
        assert [(each.what, each.ledger, each.found) for each in log.verify()] == [
            ("accepted", 2, 1),
            ("quarantined", 1, 0),
        ]

    def test_quarantine_is_listed_by_site_and_from_the_newest(self, log):
        """One sees the newest few, still oldest first, of one site or of all."""
        log.append([], received_at=NOON, rejected=[bad(reason=str(n), site="ab"[n % 2]) for n in range(6)])
        assert [one.reason for one in log.quarantined(newest=2)] == ["4", "5"]
        assert [one.reason for one in log.quarantined(site="a", limit=2)] == ["0", "2"]
        assert (log.quarantine_size(), log.quarantine_size(site="b")) == (6, 3)


@pytest.mark.engines
class TestOpening:
    """What is found there."""

    def test_servers_that_start_together_make_one_log(self, place):
        """Of six that find nothing, one creates the tables; all write."""
        opened, failed = [], []

        def start(number):
            try:
                opened.append(open_log(place))
                opened[-1].append([a_read(number)], received_at=NOON)
            except EmbellieError as error:
                failed.append(error)

        starting = [threading.Thread(target=start, args=(number,)) for number in range(6)]
        assert not holds_log(place)
        for thread in starting:
            thread.start()
        for thread in starting:
            thread.join()
        kept = [seq for seq, _ in opened[0].scan()]
        for one in opened:
            one.close()
        assert (failed, kept, holds_log(place)) == ([], [1, 2, 3, 4, 5, 6], True)

    def test_a_newer_log_asks_for_an_upgrade(self, place, admin, schema):
        """A log of a later version is not touched."""
        open_log(place).close()
        admin.execute(f"UPDATE {schema}.log SET version = 99")
        with pytest.raises(InputError, match="newer embellie"):
            open_log(place)

    @pytest.mark.parametrize("table", ["log (a int)", "events (a int)"])
    def test_another_programs_tables_are_left_alone(self, place, admin, schema, table):
        """The error says so, and names a way out."""
        admin.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.{table}")
        with pytest.raises(InputError, match="another schema"):
            open_log(place)
        assert admin.execute(f"SELECT count(*) FROM {schema}.{table.split()[0]}").fetchone() == (0,)

    def test_a_user_without_the_right_is_told(self, postgres_url, admin, schema):
        """One who may not create, one who may not write."""
        admin.execute(f"DROP ROLE IF EXISTS visitor_{schema}; CREATE ROLE visitor_{schema} LOGIN")
        url = postgres_url.replace("tester:not-told", f"visitor_{schema}")
        with pytest.raises(EngineError, match="Grant it CREATE"):
            PostgresLog(url, schema=schema)
        PostgresLog(postgres_url, schema=schema).close()
        admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO visitor_{schema}")
        admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO visitor_{schema}")
        with PostgresLog(url, schema=schema) as log, pytest.raises(EngineError, match="does not let this user"):
            log.append([a_read(1)], received_at=NOON)

    def test_a_database_of_another_encoding_is_refused(self, postgres_url, admin, schema):
        """Not every name could be kept in it."""
        admin.execute(f"CREATE DATABASE {schema} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        with pytest.raises(InputError, match="UTF8"):
            PostgresLog(postgres_url.replace("/tests", f"/{schema}"), schema=schema)
        admin.execute(f"DROP DATABASE {schema}")

    def test_a_database_that_does_not_wait_for_its_disk_is_made_to(self, postgres_url, admin, schema):
        """What is acknowledged is durable, whatever the database's habit."""
        admin.execute(f"CREATE DATABASE {schema}")
        admin.execute(f"ALTER DATABASE {schema} SET synchronous_commit = off")
        with PostgresLog(postgres_url.replace("/tests", f"/{schema}")) as log:
            assert log._writer.execute("SHOW synchronous_commit").fetchone() == ("on",)
        admin.execute(f"DROP DATABASE {schema}")

    def test_a_closed_log_says_so(self, place):
        """Writing to or reading from a closed log is a clear error."""
        log = open_log(place)
        log.last()
        log.close()
        with pytest.raises(Conflict, match="closed"):
            log.append([a_read(1)], received_at=NOON)
        with pytest.raises(Conflict, match="closed"):
            log.last()

    def test_too_much_waiting_is_refused_with_a_hint(self, place, admin, schema):
        """While another server has its turn for too long, the sender is told to come back; what was taken in is kept."""
        with PostgresLog(place.url, schema=schema, limit=3) as log:
            futures = []
            with admin.transaction():
                admin.execute(f"SELECT last FROM {schema}.log FOR UPDATE")
                with pytest.raises(Busy, match="Retry after 1 second"):
                    futures.extend(log.submit([a_read(number)], received_at=NOON) for number in range(100))
            assert all(len(future.result().accepted) == 1 for future in futures)
            assert sum(1 for _ in log.scan()) == len(futures) < 100


def summed(analysis):
    sql = "SELECT kind, count(*) AS n, count(DISTINCT reader) AS readers, min(seq) AS least FROM events GROUP BY kind ORDER BY kind"
    return analysis.rows(sql)


@pytest.mark.engines
class TestLake:
    """What moves into the lake, and what is read beside it."""

    def test_analyses_read_the_lake_and_what_came_since(self, log, place, tmp_path):
        """Each event once, wherever it lies, while the log grows and moves; what the erased did is hidden."""
        lake = tmp_path / "lake"
        analysis = Analysis(log, lake=lake)
        log.append([a_read(number) for number in range(200)], received_at=NOON)
        before = summed(analysis)
        done = export(place, lake)
        assert (done.events, analysis.refresh(), analysis.through, summed(analysis)) == (200, 200, 200, before)
        log.append([a_click(number) for number in range(10)], received_at=NOON + timedelta(hours=1))
        assert [(row["kind"], row["n"]) for row in summed(analysis)] == [("click", 10), ("read", 200)]
        log.append([Event(id="gone", site="gazette", at=NOON, body=Erasure(reader="r1"))], received_at=NOON)
        assert {row["kind"]: row["n"] for row in summed(analysis)} == {"click": 8, "erasure": 1, "read": 160}
        done = export(place, lake)
        assert (done.events, done.through) == (169, 211)
        assert {row["kind"]: row["n"] for row in summed(analysis)} == {"click": 8, "erasure": 1, "read": 160}
        analysis.close()

    def test_two_servers_compact_each_event_once(self, log, place, tmp_path):
        """They take turns; the second finds the work done. What is too recent waits."""
        lake, found = tmp_path / "lake", []
        log.append([a_read(number) for number in range(500)], received_at=NOON)
        log.append([a_click(1)], received_at=NOON + timedelta(hours=1))

        def compact():
            found.append(export(place, lake, before=NOON + timedelta(hours=1)))

        compacting = [threading.Thread(target=compact) for _ in range(2)]
        for thread in compacting:
            thread.start()
        for thread in compacting:
            thread.join()
        assert sorted((len(one.written), one.events, one.too_recent) for one in found) == [(0, 500, 1), (1, 500, 1)]

    def test_another_logs_lake_is_refused(self, log, place, postgres_url, tmp_path, schema):
        """A lake is of one log."""
        log.append([a_read(1)], received_at=NOON)
        export(place, tmp_path / "lake")
        with PostgresLog(postgres_url, schema=f"{schema}_b") as other:
            other.append([a_read(2)], received_at=NOON)
        with pytest.raises(InputError, match="another log"):
            export(PostgresPlace(postgres_url, f"{schema}_b"), tmp_path / "lake")

    def test_no_log_is_told(self, place, tmp_path):
        """Nothing is created by looking."""
        with pytest.raises(InputError, match="No log here yet"):
            export(place, tmp_path / "lake")
        assert not holds_log(place)
        assert json.dumps(str(place)).count("not-told") == 0
