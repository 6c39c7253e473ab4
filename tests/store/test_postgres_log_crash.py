"""What the log in PostgreSQL acknowledged survives its writers, killed at any moment, and the server, restarted under load."""

import multiprocessing
import os
import random
import signal
import threading
import time
from hashlib import blake2s

import pytest

from embellie.domain.errors import EmbellieError
from embellie.store.postgres_log import PostgresLog
from embellie.testing.event_log_contract import NOON, a_read

PROCESSES = multiprocessing.get_context("forkserver")
"""Starts writers as processes of their own, from one that has loaded what they need: a kill costs no second of imports."""

PROCESSES.set_forkserver_preload(["psycopg", __name__])


def write_until_killed(url, schema, first, saying):
    """Write batches, several at once, and say what was acknowledged, a line for each, until killed."""
    log = PostgresLog(url, schema=schema)

    def tell(future):
        ids = [event.id for event in future.result().accepted]
        os.write(saying.fileno(), (" ".join(ids) + "\n").encode())

    while True:
        futures = []
        for _ in range(5):
            futures.append(log.submit([a_read(first + n) for n in range(7)], received_at=NOON))
            futures[-1].add_done_callback(tell)
            first += 7
        futures[-1].result()


@pytest.fixture
def schema(tmp_path):
    return f"crash_{blake2s(str(tmp_path).encode(), digest_size=8).hexdigest()}"


class Writer:
    """A process that writes, and what it says."""

    def __init__(self, url, schema, first):
        reading, saying = PROCESSES.Pipe(duplex=False)
        self._process = PROCESSES.Process(target=write_until_killed, args=(url, schema, first, saying), daemon=True)
        self._process.start()
        saying.close()
        self._reading = reading
        self._told = os.fdopen(os.dup(reading.fileno()), "rb")

    def first_told(self):
        """Wait until it writes; give the ids it acknowledged first."""
        return self._told.readline().decode().split()

    def told_until_killed(self):
        """Kill it; give the ids it acknowledged until then."""
        self._process.kill()
        rest = self._told.read()
        self._told.close()
        self._reading.close()
        self._process.join()
        assert self._process.exitcode == -signal.SIGKILL
        # A line cut short by the kill was not told.
        return rest.rpartition(b"\n")[0].decode().split()


def kill_rounds(url, schema, *, rounds, at_once, chance):
    """Start several writers, kill them one after the other while a follower reads on; see what is there."""
    told: set[str] = set()
    followed: list[tuple[int, str]] = []
    with PostgresLog(url, schema=schema) as log:
        for turn in range(rounds):
            running = [Writer(url, schema, (turn * at_once + place) * 1_000_000) for place in range(at_once)]
            for one in running:
                told |= set(one.first_told())
            for one in running:
                until = time.monotonic() + chance.uniform(0.0, 0.3)
                while time.monotonic() < until:
                    followed += [(seq, event.id) for seq, event in log.scan(after=followed[-1][0] if followed else 0)]
                told |= set(one.told_until_killed())
        # Whoever was killed holds nothing up: the log goes on at once.
        log.append([a_read(-1)], received_at=NOON)
        followed += [(seq, event.id) for seq, event in log.scan(after=followed[-1][0])]
        kept = [(seq, event.id) for seq, event in log.scan()]
        assert followed == kept
        assert [seq for seq, _ in kept] == list(range(1, len(kept) + 1))
        assert len({name for _, name in kept}) == len(kept)
        assert told <= {name for _, name in kept}
        assert not log.verify()
    assert len(told) > rounds * at_once * 7


@pytest.mark.engines
def test_what_was_acknowledged_survives_kill_9(postgres_url, schema):
    """Three processes write at once and are killed at random moments: all acknowledged is there, once, and in one order."""
    kill_rounds(postgres_url, schema, rounds=2, at_once=3, chance=random.Random())


@pytest.mark.engines
@pytest.mark.slow
def test_what_was_acknowledged_survives_many_kills(postgres_url, schema):
    """The same, a hundred kills."""
    kill_rounds(postgres_url, schema, rounds=34, at_once=3, chance=random.Random())


def write_steadily(log, first, stop, told, failed):
    """Append until stopped; note what was accepted, and what was refused: that is sent again, as senders do."""
    number = first
    while not stop.is_set():
        events = [a_read(number), a_read(number + 1)]
        number += 2
        while True:
            try:
                receipt = log.append(events, received_at=NOON)
            except EmbellieError as error:
                failed.append(error)
                time.sleep(0.05)
                continue
            told.append(([event.id for event in receipt.accepted], receipt.duplicates))
            break


def disturbed(log, other, disturb, *, seconds):
    """Let four threads write to two logs while something is done to the server; see that nothing was lost or doubled."""
    stop, told, failed = threading.Event(), [], []
    writing = [
        threading.Thread(target=write_steadily, args=(one, 1_000_000 * place, stop, told, failed))
        for place, one in enumerate((log, log, other, other))
    ]
    for thread in writing:
        thread.start()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.2)
        disturb()
    stop.set()
    for thread in writing:
        thread.join()
    kept = [event.id for _, event in log.scan()]
    heard, reached = [], 0
    while reached < log.last():
        events, reached = log.following(after=reached, limit=1_000)
        heard += [event.id for event in events]
    accepted = [name for names, _ in told for name in names]
    assert len(kept) == len(set(kept))
    assert set(accepted) <= set(kept)
    assert len(accepted) == len(set(accepted))
    assert not log.verify()
    assert heard == kept
    return len(kept), failed


@pytest.mark.engines
def test_connections_that_are_cut_lose_and_double_nothing(postgres_url, schema):
    """Cut again and again, also in the middle of a commit: what is queued is written, each event once, and told once."""
    import psycopg

    with (
        psycopg.connect(postgres_url, autocommit=True) as admin,
        PostgresLog(postgres_url, schema=schema) as log,
        PostgresLog(postgres_url, schema=schema) as other,
    ):

        def cut():
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'embellie log'"
            )

        written, failed = disturbed(log, other, cut, seconds=3)
    assert written > 20
    assert failed == []


@pytest.mark.engines
def test_a_commit_whose_answer_was_lost_is_found_out(postgres_url, schema, monkeypatch):
    """The line is cut right after the commit: the receipt still says what was accepted, and nothing is written twice."""
    from embellie.store import postgres_log

    finish, cuts = postgres_log.finish, []

    def finish_and_lose_the_answer(connection, *rest):
        finish(connection, *rest)
        if len(cuts) < 2:
            cuts.append(1)
            connection.close()
            raise postgres_log.driver().OperationalError("the connection is lost")

    monkeypatch.setattr(postgres_log, "finish", finish_and_lose_the_answer)
    with PostgresLog(postgres_url, schema=schema) as log:
        receipts = [log.append([a_read(number)], received_at=NOON) for number in range(3)]
        assert [(len(one.accepted), one.duplicates) for one in receipts] == [(1, 0)] * 3
        assert [(one.after, one.upto) for one in receipts] == [(0, 1), (1, 2), (2, 3)]
        (row,) = log.ledger()
        assert (row.received, row.accepted, row.duplicates) == (3, 3, 0)


@pytest.mark.engines
def test_a_commit_that_did_not_happen_is_made_again(postgres_url, schema, monkeypatch):
    """The line is cut before the commit arrives: another server may take the numbers meanwhile; all is told apart."""
    from embellie.store import postgres_log

    finish, cuts = postgres_log.finish, []
    with PostgresLog(postgres_url, schema=schema) as log, PostgresLog(postgres_url, schema=schema) as other:

        def lose_the_line(connection, *rest):
            if not cuts:
                cuts.append(1)
                connection.close()
                other.append([a_read(100)], received_at=NOON)
                raise postgres_log.driver().OperationalError("the connection is lost")
            finish(connection, *rest)

        monkeypatch.setattr(postgres_log, "finish", lose_the_line)
        receipt = log.append([a_read(1)], received_at=NOON)
        assert (len(receipt.accepted), receipt.after, receipt.upto) == (1, 1, 2)
        assert [event.id for _, event in log.scan()] == ["e100", "e1"]
        assert not log.verify()


@pytest.mark.engines
class TestRestart:
    """A server of its own, which can be restarted."""

    def test_a_server_restarted_under_load_loses_nothing(self, postgres_server, schema):
        """Stopped at once, twice, without a word to anyone: what was queued waits for it, and senders notice a pause."""
        url = postgres_server.url
        with (
            PostgresLog(url, schema=schema, retry_seconds=60) as log,
            PostgresLog(url, schema=schema, retry_seconds=60) as other,
        ):
            written, failed = disturbed(log, other, postgres_server.restart, seconds=2)
        assert written > 20
        assert failed == []

    def test_a_server_that_stays_away_is_told_and_comes_back(self, postgres_server, schema):
        """Senders are told to come back; afterwards the log goes on, and reads too."""
        with PostgresLog(postgres_server.url, schema=schema, retry_seconds=0.3) as log:
            log.append([a_read(1)], received_at=NOON)
            assert log.last() == 1
            postgres_server.stop()
            with pytest.raises(EmbellieError) as told:
                log.append([a_read(2)], received_at=NOON)
            assert (told.value.status, told.value.code) == (503, "log_unreachable")
            with pytest.raises(EmbellieError) as told:
                log.last()
            assert told.value.status == 503
            postgres_server.start()
            assert len(log.append([a_read(2)], received_at=NOON).accepted) == 1
            assert [event.id for _, event in log.scan()] == ["e1", "e2"]
            assert not log.verify()
