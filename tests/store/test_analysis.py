"""SQL over the log, kept up to date as it grows."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.money import Money
from embellie.domain.reading import Click, Conversion, Erasure, Read
from embellie.domain.slate import Slate
from embellie.store.analysis import Analysis
from embellie.store.event_columns import EVENT_COLUMNS
from embellie.store.lake import export
from embellie.store.log import SqliteLog

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


COUNT = "SELECT count(*) AS n, count(DISTINCT id) AS ids FROM events"


@pytest.fixture
def log(tmp_path):
    log = SqliteLog(tmp_path / "log.db")
    yield log
    log.close()


def events(*bodies, first=0):
    return [
        Event(id=f"e{first + place}", site="gazette", at=START + timedelta(seconds=first + place), body=body)
        for place, body in enumerate(bodies)
    ]


def test_the_columns_are_those_of_the_log(log):
    """Header fields, the reader of a kind (the unit of an exposure), and the body as JSON; times without zone are UTC."""
    exposure = Exposure(experiment="x", unit="r1", variant="b")
    read = Read(article="a1", reader="r1", visit="v1", engaged_seconds=12.5)
    log.append(events(exposure, read), received_at=START + timedelta(minutes=1))
    first, second = Analysis(log).rows("SELECT * FROM events ORDER BY seq")
    assert (first["kind"], first["reader"], first["visit"]) == ("exposure", "r1", "")
    assert (second["article"], second["visit"], second["site"]) == ("a1", "v1", "gazette")
    assert second["at"].replace(tzinfo=UTC) == START + timedelta(seconds=1)
    assert second["received_at"].replace(tzinfo=UTC) == START + timedelta(minutes=1)
    (row,) = Analysis(log).rows(
        "SELECT CAST(json_extract_string(body, '$.engaged_seconds') AS DOUBLE) AS seconds FROM events WHERE kind = $kind",
        {"kind": "read", "unused": 1},
    )
    assert row == {"seconds": 12.5}


def test_each_field_that_is_counted_has_a_column_of_its_own(log):
    """Fields of the body stand as typed columns: empty or null where a kind has none, money as a number with its currency."""
    slate = Slate(
        slate_id="s1", placement="under", reader="r1", visit="v1", article="", variant="b", release="l1", policy="p",
        experiment="x",
    )  # fmt: skip
    paid = Conversion(goal="subscription", reader="r1", amount=Money(amount=Decimal("12.50"), currency="EUR"))
    bodies = (
        slate,
        Click(slate_id="s1", article="a", position=3, reader="r1"),
        Read(article="a", reader="r1", engaged_seconds=12.5),
        paid,
        Exposure(experiment="x", unit="r1", variant="b", bot="user_agent"),
        Conversion(goal="registration", reader="r1"),
    )
    log.append(events(*bodies), received_at=START)
    analysis = Analysis(log)
    found = analysis.rows('SELECT * EXCLUDE (seq, id, site, "at", received_at, consent, body) FROM events ORDER BY seq')
    texts = ("reader", "visit", "article", "experiment", "variant", "release", "placement", "slate_id", "goal")
    nothing = dict.fromkeys((*texts, "currency", "bot"), "") | dict.fromkeys(("position", "engaged_seconds", "amount"))
    one = {"reader": "r1"}
    assert found == [
        nothing | one | {"kind": "served", "visit": "v1", "experiment": "x", "variant": "b", "release": "l1",
                         "placement": "under", "slate_id": "s1"},
        nothing | one | {"kind": "click", "article": "a", "slate_id": "s1", "position": 3},
        nothing | one | {"kind": "read", "article": "a", "engaged_seconds": 12.5},
        nothing | one | {"kind": "conversion", "goal": "subscription", "amount": 12.5, "currency": "EUR"},
        nothing | one | {"kind": "exposure", "experiment": "x", "variant": "b", "bot": "user_agent"},
        nothing | one | {"kind": "conversion", "goal": "registration"},
    ]  # fmt: skip
    types = analysis.rows("DESCRIBE events")
    assert {row["column_name"]: row["column_type"] for row in types} == EVENT_COLUMNS


def test_each_question_sees_all_that_came_before_it(log):
    """New events are read before the query; none twice."""
    analysis = Analysis(log)
    for round_ in range(3):
        log.append(events(Read(article="a", reader="r"), first=round_), received_at=START)
        assert analysis.rows("SELECT count(*) AS n FROM events") == [{"n": round_ + 1}]


def test_an_erased_reader_is_forgotten_here_too(log):
    """What came before the erasure is dropped from memory; another reader stays."""
    analysis = Analysis(log)
    log.append(events(Read(article="a", reader="r1"), Read(article="a", reader="r2")), received_at=START)
    analysis.refresh()
    log.append(events(Erasure(reader="r1"), Read(article="a", reader="r1"), first=2), received_at=START)
    found = analysis.rows("SELECT reader, kind FROM events WHERE kind = 'read' ORDER BY seq")
    assert [row["reader"] for row in found] == ["r2", "r1"]


def test_threads_share_it(log):
    """Many threads ask while events arrive; every answer is a whole number of batches, the last one complete."""
    analysis, seen, failed = Analysis(log), [], []

    def ask():
        try:
            seen.extend(analysis.rows("SELECT count(*) AS n FROM events")[0]["n"] for _ in range(20))
        except Exception as error:  # noqa: BLE001, any failure of a thread must reach the test
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for batch in range(10):
        log.append(events(*[Read(article="a", reader="r")] * 5, first=5 * batch), received_at=START)
    for thread in threads:
        thread.join()
    assert not failed
    assert {n % 5 for n in seen} == {0}
    assert analysis.rows("SELECT count(*) AS n FROM events") == [{"n": 50}]


def reads(*numbers):
    return [event for number in numbers for event in events(Read(article="a", reader=f"r{number}"), first=number)]


def in_memory(analysis):
    return analysis._connection.execute(f"SELECT count(*) FROM {analysis._tail}").fetchone()[0]


def test_what_the_lake_holds_is_read_from_it(log, tmp_path):
    """Lake and tail together are the log, each event once, with the same columns; only the tail is in memory."""
    log.append([*reads(1, 2), *events(Exposure(experiment="x", unit="r1", variant="b"), first=3)], received_at=START)
    export(log.path, tmp_path / "lake")
    log.append(reads(4), received_at=START)
    both, plain = Analysis(log, lake=tmp_path / "lake"), Analysis(log)
    query = "SELECT * FROM events ORDER BY seq"
    assert both.rows(query) == plain.rows(query)
    assert both.rows("DESCRIBE events") == plain.rows("DESCRIBE events")
    assert (in_memory(both), in_memory(plain), both.through) == (1, 4, 3)


def test_a_lake_that_appears_grows_or_goes_is_followed(log, tmp_path):
    """Without a restart: what it covers leaves memory, and comes back when the lake is gone; the answer never changes."""
    lake = tmp_path / "lake"
    analysis = Analysis(log, lake=lake)
    log.append(reads(1, 2), received_at=START)
    assert analysis.rows(COUNT) == [{"n": 2, "ids": 2}]
    export(log.path, lake)
    assert (analysis.rows(COUNT), in_memory(analysis)) == ([{"n": 2, "ids": 2}], 0)
    log.append(reads(3), received_at=START)
    assert (analysis.rows(COUNT), in_memory(analysis)) == ([{"n": 3, "ids": 3}], 1)
    log.append(reads(4, 5), received_at=START)
    export(log.path, lake)
    assert (analysis.rows(COUNT), in_memory(analysis)) == ([{"n": 5, "ids": 5}], 0)
    next(lake.rglob("*.parquet")).unlink()
    assert (analysis.rows(COUNT), in_memory(analysis)) == ([{"n": 5, "ids": 5}], 5)
    export(log.path, lake)
    assert (analysis.rows(COUNT), in_memory(analysis)) == ([{"n": 5, "ids": 5}], 0)


def test_another_logs_lake_is_passed_over(log, tmp_path):
    """A lake whose last event this log does not have says nothing about it."""
    with SqliteLog(tmp_path / "other.db") as other:
        other.append(reads(7, 8), received_at=START)
        export(other.path, tmp_path / "lake")
    log.append(reads(1, 2, 3), received_at=START)
    analysis = Analysis(log, lake=tmp_path / "lake")
    assert (analysis.rows(COUNT), in_memory(analysis)) == ([{"n": 3, "ids": 3}], 3)


def test_an_erased_reader_is_hidden_in_the_lake_too(log, tmp_path):
    """What came before the erasure is hidden at once, wherever it lies; the next export takes it out of the files."""
    lake = tmp_path / "lake"
    log.append(reads(1, 2), received_at=START)
    export(log.path, lake)
    analysis = Analysis(log, lake=lake)
    seen = "SELECT reader, kind FROM events ORDER BY seq"
    assert len(analysis.rows(seen)) == 2
    log.append(events(Erasure(reader="r1"), Read(article="b", reader="r1"), first=9), received_at=START)
    left = [
        {"reader": "r2", "kind": "read"},
        {"reader": "r1", "kind": "erasure"},
        {"reader": "r1", "kind": "read"},
    ]
    assert analysis.rows(seen) == left
    export(log.path, lake)
    assert (analysis.rows(seen), in_memory(analysis)) == (left, 0)
    held = duckdb.sql(f"SELECT reader, kind FROM read_parquet('{lake}/**/*.parquet') ORDER BY seq").fetchall()
    assert held == [("r2", "read"), ("r1", "erasure"), ("r1", "read")]


def test_questions_go_on_while_the_lake_is_written_anew(log, tmp_path):
    """Queries that meet files being replaced answer as well, each with a whole number of batches."""
    lake, seen, failed, stopped = tmp_path / "lake", [], [], threading.Event()
    log.append(reads(*range(10)), received_at=START)
    analysis = Analysis(log, lake=lake)

    def ask():
        try:
            while not stopped.is_set():
                (row,) = analysis.rows(COUNT)
                seen.append((row["n"], row["ids"]))
        except Exception as error:  # noqa: BLE001, any failure of a thread must reach the test
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for batch in range(1, 12):
        log.append(reads(*range(10 * batch, 10 * batch + 10)), received_at=START)
        export(log.path, lake, anew=batch % 3 == 0)
    stopped.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert all(n == ids and n % 10 == 0 for n, ids in seen)
    assert analysis.rows(COUNT) == [{"n": 120, "ids": 120}]
