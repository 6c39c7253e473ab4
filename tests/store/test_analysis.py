"""SQL over the log, kept up to date as it grows."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Erasure, Read
from embellie.store.analysis import Analysis
from embellie.store.log import SqliteLog

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


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
