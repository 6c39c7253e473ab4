"""An acknowledged event survives the process, killed at any moment, and a file cut short."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from embellie.store.log import FILE, SqliteLog
from embellie.testing.event_log_contract import NOON, a_read

WRITER = """
import os, sys
from embellie.store.log import SqliteLog
from embellie.testing.event_log_contract import NOON, a_read
log, first = SqliteLog(sys.argv[1]), int(sys.argv[2])

def tell(future):
    ids = [event.id for event in future.result().accepted]
    os.write(1, (" ".join(ids) + "\\n").encode())

while True:
    futures = []
    for _ in range(5):
        futures.append(log.submit([a_read(first + n) for n in range(7)], received_at=NOON))
        futures[-1].add_done_callback(tell)
        first += 7
    futures[-1].result()
"""


def killed_while_writing(path: Path, first: int, seconds: float) -> list[str]:
    """Start a writer, kill it after a while of writing, return the ids it was told are durable."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(first)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    head = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    # A line cut short by the kill was not told.
    return b"".join((head, rest)).rpartition(b"\n")[0].decode().split()


def kill_rounds(path: Path, rounds: int, chance: random.Random) -> None:
    told: set[str] = set()
    for turn in range(rounds):
        told |= set(killed_while_writing(path, turn * 1_000_000, chance.uniform(0.0, 0.25)))
        with SqliteLog(path) as log:
            kept = [event.id for _, event in log.scan()]
            assert told <= set(kept), f"round {turn}: lost {sorted(told - set(kept))[:5]}"
            assert len(kept) == len(set(kept))
            assert not log.verify()
    assert len(told) > rounds * 7


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    """Killed at a random moment five times: every acknowledged event is there and the ledger balances."""
    kill_rounds(tmp_path / FILE, 5, random.Random())


@pytest.mark.slow
def test_what_was_acknowledged_survives_many_kills(tmp_path):
    """The same, forty times."""
    kill_rounds(tmp_path / FILE, 40, random.Random())


def test_a_tail_cut_short_loses_whole_batches_only(tmp_path):
    """With the end of its write-ahead file torn off anywhere, the log opens, holds a prefix of batches, and balances."""
    path, chance = tmp_path / FILE, random.Random(7)
    log = SqliteLog(path)
    for number in range(0, 120, 4):
        log.append([a_read(each) for each in range(number, number + 4)], received_at=NOON)
    whole = (tmp_path / f"{FILE}-wal").read_bytes()
    for turn in range(8):
        torn = tmp_path / f"torn{turn}.sqlite"
        shutil.copy(path, torn)
        torn.with_name(torn.name + "-wal").write_bytes(whole[: chance.randrange(len(whole) // 2, len(whole))])
        with SqliteLog(torn) as again:
            kept = [int(event.id[1:]) for _, event in again.scan()]
            assert kept == list(range(len(kept)))
            assert len(kept) % 4 == 0
            assert not again.verify()
            assert len(again.append([a_read(10_000)], received_at=NOON).accepted) == 1
    log.close()
