"""How fast the log keeps events, durably, against the floor: the bare database on the same disk in the same run.

The floor writes rows prepared beforehand, one transaction per batch, one table with its unique index: no decoding, no de-duplication, no
ledger, nobody waiting. In SQLite by `executemany`, WAL and synchronous FULL; in PostgreSQL by COPY. "one by one" appends and waits;
"together" submits all and waits at the end, as many senders at once would; "together" writes fewer, larger transactions than the
floor, so "floor, grouped" writes as many rows at once as the log may.

With `--postgres URL` the log in PostgreSQL is measured the same way, in a schema that is dropped afterwards.

    python benchmarks/log.py [--events 20000] [--rounds 5] [--postgres URL] [--out FILE.json]
"""

import argparse
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from embellie import __version__
from embellie.domain.errors import Busy
from embellie.domain.event import Event
from embellie.store.log_place import LogPlace, PostgresPlace, open_log
from embellie.store.log_rows import prepare
from embellie.testing.event_log_contract import NOON, a_read

BATCHES = (1, 10, 100)
GROUP = 5_000
SCHEMA = "embellie_benchmark"
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


def grouped(path: Path, events: Sequence[Event], _: int) -> float:
    return floor(path, events, GROUP)


def one_by_one(path: LogPlace, events: Sequence[Event], size: int) -> float:
    batches = cut(events, size)
    with open_log(path) as log:
        began = time.perf_counter()
        for batch in batches:
            log.append(batch, received_at=NOON)
        return len(events) / (time.perf_counter() - began)


def together(path: LogPlace, events: Sequence[Event], size: int) -> float:
    batches = cut(events, size)
    with open_log(path) as log:
        began = time.perf_counter()
        futures = []
        for batch in batches:
            while True:
                try:
                    futures.append(log.submit(batch, received_at=NOON))
                except Busy:  # as senders do: later
                    time.sleep(0.005)
                else:
                    break
        for future in futures:
            future.result()
        return len(events) / (time.perf_counter() - began)


def again(path: LogPlace, events: Sequence[Event], size: int) -> float:
    """Send everything a second time: nothing but duplicates."""
    batches = cut(events, size)
    with open_log(path) as log:
        log.append(events, received_at=NOON)
        began = time.perf_counter()
        futures = [log.submit(batch, received_at=NOON) for batch in batches]
        for future in futures:
            future.result()
        return len(events) / (time.perf_counter() - began)


def scan(path: LogPlace, events: Sequence[Event]) -> float:
    with open_log(path) as log:
        log.append(events, received_at=NOON)
        began = time.perf_counter()
        found = sum(1 for _ in log.scan())
        return found / (time.perf_counter() - began)


def tail(path: LogPlace, events: Sequence[Event]) -> float:
    with open_log(path) as log:
        log.append(events, received_at=NOON)
        began, after = time.perf_counter(), 0
        while stretch := log.tail(after):
            after = stretch.seq[-1]
        return after / (time.perf_counter() - began)


def postgres_floor(place: PostgresPlace, events: Sequence[Event], size: int) -> float:
    import psycopg

    rows = prepare(events, received_at=NOON, rejected=()).rows
    with psycopg.connect(place.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {SCHEMA}; SET search_path = {SCHEMA}")
        connection.execute(
            "CREATE TABLE events (seq BIGINT PRIMARY KEY, site TEXT, id TEXT, kind TEXT, at BIGINT, received_at BIGINT,"
            " consent TEXT, schema INTEGER, reader TEXT, visit TEXT, article TEXT, body TEXT)"
        )
        connection.execute('CREATE UNIQUE INDEX ON events (site COLLATE "C", id COLLATE "C")')
        batches, seq = cut(rows, size), 0
        began = time.perf_counter()
        for batch in batches:
            with connection.cursor() as cursor, cursor.copy("COPY events FROM STDIN") as copying:
                for row in batch:
                    seq += 1
                    copying.write_row((seq, *row))
        return len(rows) / (time.perf_counter() - began)


def postgres_grouped(place: PostgresPlace, events: Sequence[Event], _: int) -> float:
    return postgres_floor(place, events, GROUP)


def two_servers(place: PostgresPlace, events: Sequence[Event], size: int) -> float:
    """Two logs on one database, in threads of this process, each with half of the events."""
    halves = (events[: len(events) // 2], events[len(events) // 2 :])
    open_log(place).close()
    began = time.perf_counter()
    writing = [threading.Thread(target=together, args=(place, half, size)) for half in halves]
    for thread in writing:
        thread.start()
    for thread in writing:
        thread.join()
    return len(events) / (time.perf_counter() - began)


@contextmanager
def a_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "log.sqlite"


def in_postgres(url: str) -> Callable[[], AbstractContextManager[PostgresPlace]]:
    import psycopg

    @contextmanager
    def place() -> Iterator[PostgresPlace]:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            yield PostgresPlace(url, SCHEMA)
            connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")

    return place


def medians(place: Callable, measures: dict[str, Callable[..., float]], rounds: int, *arguments: object) -> dict:
    """Take turns, so that whatever else the machine does meanwhile falls on all of them alike."""
    figures: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            with place() as where:
                figures[name].append(measure(where, *arguments))
    return {name: round(statistics.median(each)) for name, each in figures.items()}


def measured(place: Callable, measures: dict[str, Callable[..., float]], count: int, rounds: int) -> dict:
    events = [a_read(number) for number in range(count)]
    writing = []
    for size in BATCHES:
        # Few flushes per second: a small batch needs fewer events to be told.
        some = events[: max(count // 10, 1_000)] if size == 1 else events
        writing.append({"batch": size} | medians(place, measures, rounds, some, size))
    return {"writing": writing, "reading": medians(place, {"scan": scan, "tail": tail}, rounds, events)}


def measure_all(count: int, rounds: int, postgres: str) -> dict:
    measures = {"floor": floor, "grouped": grouped, "one_by_one": one_by_one, "together": together, "duplicates": again}
    found = {
        "schema": "embellie/benchmark-log/2",
        "machine": {"system": platform.platform(), "cores": os.cpu_count(), "folder": tempfile.gettempdir()},
        "versions": {"embellie": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version},
        "rounds": rounds,
        "unit": "events/s, median",
        "sqlite": measured(a_file, measures, count, rounds),
    }
    if postgres:
        import psycopg

        with psycopg.connect(postgres) as connection:
            found["versions"]["postgres"] = connection.info.parameter_status("server_version")
            found["machine"]["fsync"] = connection.execute("SHOW fsync").fetchone()[0]
        measures |= {"floor": postgres_floor, "grouped": postgres_grouped, "two_servers": two_servers}
        found["postgres"] = measured(in_postgres(postgres), measures, count, rounds)
    return found


def show(found: dict) -> None:
    for name in ("sqlite", "postgres"):
        if name not in found:
            continue
        rows = found[name]["writing"]
        print(f"{name}: events/s, durable")
        print("  ".join(f"{heading.replace('_', ' '):>11}" for heading in rows[0]))
        for row in rows:
            print("  ".join(f"{value:>11,}" for value in row.values()))
        print(f"scan {found[name]['reading']['scan']:,} events/s, tail {found[name]['reading']['tail']:,} events/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--postgres", default="", metavar="URL")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = measure_all(options.events, options.rounds, options.postgres)
    show(found)
    text = json.dumps(found, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
