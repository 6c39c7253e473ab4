"""How fast the log keeps events, durably, against the floor: plain SQLite on the same disk in the same run.

The floor writes rows prepared beforehand with `executemany`, one transaction per batch, WAL and synchronous FULL, one table with its
unique index: no decoding, no de-duplication, no ledger, nobody waiting. "one by one" appends and waits; "together" submits
all and waits at the end, as many senders at once would.

    python benchmarks/log.py [--events 20000] [--rounds 5] [--out FILE.json]
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from embellie import __version__
from embellie.domain.event import Event
from embellie.store.log import SqliteLog
from embellie.store.log_rows import prepare
from embellie.testing.event_log_contract import NOON, a_read

BATCHES = (1, 10, 100)
FLOOR = """
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT, id TEXT, kind TEXT, at INTEGER, received_at INTEGER,
  consent TEXT, schema INTEGER, reader TEXT, visit TEXT, article TEXT, body TEXT);
CREATE UNIQUE INDEX events_by_id ON events (site, id);
"""
COLUMNS = "site, id, kind, at, received_at, consent, schema, reader, visit, article, body"
INSERT = f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def cut(events: Sequence, size: int) -> list[Sequence]:
    return [events[start : start + size] for start in range(0, len(events), size)]


def floor(path: Path, events: Sequence[Event], size: int) -> float:
    rows = prepare(events, received_at=NOON, rejected=()).rows
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(FLOOR)
    batches = cut(rows, size)
    began = time.perf_counter()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, batch)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return len(rows) / seconds


def one_by_one(path: Path, events: Sequence[Event], size: int) -> float:
    batches = cut(events, size)
    with SqliteLog(path) as log:
        began = time.perf_counter()
        for batch in batches:
            log.append(batch, received_at=NOON)
        return len(events) / (time.perf_counter() - began)


def together(path: Path, events: Sequence[Event], size: int) -> float:
    batches = cut(events, size)
    with SqliteLog(path, limit=10_000_000) as log:
        began = time.perf_counter()
        futures = [log.submit(batch, received_at=NOON) for batch in batches]
        for future in futures:
            future.result()
        return len(events) / (time.perf_counter() - began)


def again(path: Path, events: Sequence[Event], size: int) -> float:
    """Send everything a second time: nothing but duplicates."""
    batches = cut(events, size)
    with SqliteLog(path) as log:
        log.append(events, received_at=NOON)
        began = time.perf_counter()
        for batch in batches:
            log.append(batch, received_at=NOON)
        return len(events) / (time.perf_counter() - began)


def scan(path: Path, events: Sequence[Event]) -> float:
    with SqliteLog(path) as log:
        log.append(events, received_at=NOON)
        began = time.perf_counter()
        found = sum(1 for _ in log.scan())
        return found / (time.perf_counter() - began)


def tail(path: Path, events: Sequence[Event]) -> float:
    with SqliteLog(path) as log:
        log.append(events, received_at=NOON)
        began, after = time.perf_counter(), 0
        while stretch := log.tail(after):
            after = stretch.seq[-1]
        return after / (time.perf_counter() - began)


def medians(measures: dict[str, Callable[..., float]], rounds: int, *arguments: object) -> dict[str, int]:
    """Take turns, so that whatever else the machine does meanwhile falls on all of them alike."""
    figures: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            with tempfile.TemporaryDirectory() as folder:
                figures[name].append(measure(Path(folder) / "log.sqlite", *arguments))
    return {name: round(statistics.median(each)) for name, each in figures.items()}


def measure_all(count: int, rounds: int) -> dict:
    events = [a_read(number) for number in range(count)]
    measures = {"floor": floor, "one_by_one": one_by_one, "together": together, "duplicates": again}
    writing = []
    for size in BATCHES:
        # Few flushes per second: a small batch needs fewer events to be told.
        some = events[: max(count // 10, 1_000)] if size == 1 else events
        writing.append({"batch": size} | medians(measures, rounds, some, size))
    return {
        "schema": "embellie/benchmark-log/1",
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), "folder": tempfile.gettempdir()},
        "versions": {"embellie": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version},
        "rounds": rounds,
        "unit": "events/s, median",
        "writing": writing,
        "reading": medians({"scan": scan, "tail": tail}, rounds, events),
    }


def show(found: dict) -> None:
    print(f"{'batch':>6}  {'floor':>10}  {'one by one':>10}  {'together':>10}  {'duplicates':>10}   events/s, durable")
    for row in found["writing"]:
        print("  ".join(f"{value:>{width},}" for value, width in zip(row.values(), (6, 10, 10, 10, 10), strict=True)))
    print(f"scan {found['reading']['scan']:,} events/s, tail {found['reading']['tail']:,} events/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = measure_all(options.events, options.rounds)
    show(found)
    text = json.dumps(found, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
