"""Batches written at once come to the same as one after the other."""

import contextlib
import tempfile
import threading
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.domain.errors import Busy
from embellie.ports import Rejected
from embellie.store.log import FILE, SqliteLog
from embellie.store.log_file import open_log_file
from embellie.store.log_rows import prepare
from embellie.store.log_writing import write
from embellie.testing.event_log_contract import NOON, a_read

events = st.builds(a_read, st.integers(0, 40), article=st.sampled_from(["", "", "", "other"]))
batches = st.lists(
    st.tuples(st.lists(events, max_size=14), st.integers(0, 1), st.integers(-2, 2)), min_size=1, max_size=8
)
TABLES = (
    "SELECT seq, site, id, kind, at, received_at, consent, reader, visit, article, body FROM events ORDER BY seq",
    "SELECT site, id, received_at, reason, path, payload FROM quarantine ORDER BY 1, 2, 3, 4, 5, 6",
    "SELECT * FROM ledger ORDER BY 1, 2",
)


def written(path, groups):
    """Write groups, a transaction each; return the receipts and the tables."""
    connection = open_log_file(path)
    try:
        receipts = [receipt for group in groups for receipt in write(connection, group)]
        return receipts, [connection.execute(sql).fetchall() for sql in TABLES]
    finally:
        connection.close()


@settings(max_examples=60, deadline=None)
@given(batches)
def test_a_group_comes_to_the_same_as_one_by_one(sent):
    """Duplicates, conflicts and what could not be read, wherever they stand in the group."""
    bad = Rejected(index=99, payload="{", reason="Bad.", site="gazette")
    prepared = [
        prepare(good, received_at=NOON + timedelta(hours=hours), rejected=[bad] * count) for good, count, hours in sent
    ]
    with tempfile.TemporaryDirectory() as folder:
        together = written(Path(folder) / "together.sqlite", [prepared])
        apart = written(Path(folder) / "apart.sqlite", [[batch] for batch in prepared])
    assert together == apart


def test_a_long_batch_is_written_in_its_order():
    """More rows than one statement takes, and what is left over."""
    batch = prepare([a_read(number) for number in range(473)], received_at=NOON, rejected=())
    with tempfile.TemporaryDirectory() as folder:
        _, (rows, _, ledger) = written(Path(folder) / "log.sqlite", [[batch]])
    assert [row[1:3] for row in rows] == [row[:2] for row in batch.rows]
    assert [row[2:] for row in ledger] == [(473, 473, 0, 0)]


def test_what_is_refused_when_too_much_waits_is_told_and_what_was_taken_is_kept(tmp_path):
    """Senders faster than the disk are told to come again; what was acknowledged is in the log, each once."""
    with SqliteLog(tmp_path / FILE, limit=50) as log:
        taken, refused = [], 0
        with log._writing:  # the disk stands still
            for number in range(300):
                try:
                    taken.append((number, log.submit([a_read(number)], received_at=NOON)))
                except Busy:
                    refused += 1
        assert refused
        assert all(len(future.result(10).accepted) == 1 for _, future in taken)
        assert [event.id for _, event in log.scan()] == [a_read(number).id for number, _ in taken]
        assert not log.verify()


def test_many_small_posts_at_once_are_all_answered(tmp_path):
    """The writer is not woken for each, and forgets none: not the last one either."""
    with SqliteLog(tmp_path / FILE) as log:
        answered = []

        def send(first: int) -> None:
            for number in range(first, first + 40):
                with contextlib.suppress(TimeoutError):
                    answered.append(log.submit([a_read(number)], received_at=NOON).result(20))
                    answered.append(log.submit([], received_at=NOON).result(20))

        threads = [threading.Thread(target=send, args=(100 * number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answered) == 8 * 40 * 2
        assert log.last() == 8 * 40
