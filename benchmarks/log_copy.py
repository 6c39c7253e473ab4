"""How fast a log moves from its file to PostgreSQL and back, and how long a backup of it takes.

    python benchmarks/log_copy.py --postgres postgresql://user@host/database [--events 300000] [--out FILE]

Rows a second by the wall clock, and by the processor of this process; the database works beside it.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from embellie.app.backing_up import back_up
from embellie.app.log_keeping import Place
from embellie.domain.event import Event, new_id
from embellie.domain.reading import Read
from embellie.store.log import SqliteLog
from embellie.store.log_place import PostgresPlace
from embellie.store.log_transfer import transfer_log

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fill(file: Path, events: int) -> None:
    """Write a log of reads, as pages send them."""
    with SqliteLog(file) as log:
        for start in range(0, events, 2_000):
            batch = []
            for number in range(start, min(start + 2_000, events)):
                at = NOON + timedelta(seconds=number)
                body = Read(
                    article=f"article-{number % 997}",
                    reader=new_id(NOON, (number % 20_000).to_bytes(10, "big")),
                    visit=new_id(NOON, (number % 60_000).to_bytes(10, "big")),
                    engaged_seconds=number % 90 + 0.5,
                )
                batch.append(Event(id=new_id(at, number.to_bytes(10, "big")), site="gazette", at=at, body=body))
            log.append(batch, received_at=NOON + timedelta(seconds=start))


def timed(do: Callable[[], Any], rows: int) -> dict[str, float]:
    """Do it once, and tell how fast it was."""
    wall, cpu = time.perf_counter(), time.process_time()
    do()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"seconds": wall, "cpu_seconds": cpu, "rows_per_second": rows / wall}


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", required=True, metavar="URL")
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    schema = f"copied_{int(time.time())}"
    there = PostgresPlace(given.postgres, schema)
    with tempfile.TemporaryDirectory() as folder:
        file, back = Path(folder) / "a" / "log.sqlite", Path(folder) / "b" / "log.sqlite"
        fill(file, given.events)
        data = Path(folder) / "data"
        data.mkdir()
        found = {
            "file to PostgreSQL": timed(lambda: transfer_log(file, there), given.events),
            "PostgreSQL to file": timed(lambda: transfer_log(there, back), given.events),
            "file to file": timed(lambda: transfer_log(file, Path(folder) / "c" / "log.sqlite"), given.events),
            "backup of PostgreSQL": timed(
                lambda: back_up(Place(log=there, data=data), Path(folder) / "b.tar", now=NOON), given.events
            ),
            "backup of a file": timed(lambda: back_up(Place(log=file), Path(folder) / "f.tar", now=NOON), given.events),
        }
        size = file.stat().st_size
    import psycopg

    with psycopg.connect(given.postgres, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema} CASCADE")
        server = connection.info.server_version
    print(
        f"{given.events:,} events, {size / 1e6:,.0f} MB as a file; PostgreSQL {server // 10_000}, {platform.platform()}"
    )
    for name, each in found.items():
        print(
            f"{name:22} {each['seconds']:7.1f} s  {each['cpu_seconds']:7.1f} s cpu  {each['rows_per_second']:>10,.0f}/s"
        )
    if given.out:
        given.out.write_text(json.dumps({"events": given.events, "bytes": size, "server": server, **found}, indent=1))


if __name__ == "__main__":
    main()
