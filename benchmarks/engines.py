"""One scorecard over one lake on DuckDB, Spark and Sail: what each step takes, in one run on one machine.

The lake is that of `benchmarks/lake.py`. For each engine, a server of its own: to connect; to scan (one column of every row);
to shuffle (rows brought together by reader); the scorecard of three metrics with its pre-period, from visits that lie ready, first and once more. Spark runs as a cluster of one
and of two worker processes with a core and a GiB each (`local-cluster[n,1,1024]`), so the second shows what a second core brings.
All must give the same sums, to the last bit.

    python benchmarks/engines.py [--events 1000000] [--folder DIR] [--only duckdb,spark-1,spark-2,sail] [--out FILE.json]

Needs `.venv-spark` (make .venv-spark/.ready), Java 17, and what requirements/engines.txt installs.
"""

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import lake as lakes
from embellie import __version__
from embellie.measure.from_log import read_aggregates
from embellie.store.engine_choice import open_engine
from embellie.store.lake_manifest import read_manifest

ROOT = Path(__file__).parents[1]

SCAN = "SELECT count(*) AS n, max(reader) AS last FROM events"
SHUFFLE = "SELECT count(*) AS readers FROM (SELECT reader, count(*) AS n FROM events GROUP BY reader) AS by_reader WHERE n > 0"
ENGINES = ("duckdb", "spark-1", "spark-2", "sail")


class Timed:
    """A reader that remembers how long each query took."""

    def __init__(self, reader: object) -> None:
        self.reader, self.seconds, self.ready, self.elsewhere = reader, [], reader.ready, reader.elsewhere

    def rows(self, sql, parameters=None):
        began = time.perf_counter()
        found = self.reader.rows(sql, parameters)
        self.seconds.append(round(time.perf_counter() - began, 3))
        return found


def measure(reader: object, connect: float, start: float) -> dict:
    """Run the steps on one engine."""
    timed = Timed(reader)
    (scanned,) = timed.rows(SCAN)
    timed.rows(SCAN)
    timed.rows(SHUFFLE)
    scan_cold, scan, shuffle = timed.seconds
    runs, found = [], None
    for _ in range(2):
        timed.seconds = []
        began = time.perf_counter()
        found = read_aggregates(
            timed, lakes.EXPERIMENT, lakes.METRICS, read_seconds=lakes.READ_SECONDS, site=lakes.SITE
        )
        runs.append((round(time.perf_counter() - began, 3), timed.seconds))
    sums = {
        variant: [moments.n, *(moments.mean(name).hex() for name in ("reads", "visits", "clicks"))]
        for variant, moments in found.moments.items()
    }
    return {
        "events": scanned["n"],
        "server_seconds": round(start, 2),
        "connect_seconds": round(connect, 3),
        "first_scan_seconds": scan_cold,
        "scan_seconds": scan,
        "shuffle_seconds": shuffle,
        "first_scorecard_seconds": runs[0][0],
        "scorecard_seconds": runs[1][0],
        "queries": runs[1][1],
        "sums": sums,
    }


def on_duckdb(lake: Path) -> dict:
    began = time.perf_counter()
    reader = lakes.analysis_of(lake)
    return measure(reader, time.perf_counter() - began, 0.0)


def on_server(server, lake: Path) -> dict:
    began = time.perf_counter()
    with server as url:
        start = time.perf_counter() - began
        began = time.perf_counter()
        reader = open_engine(url, lake=str(lake.resolve()), views=lakes.VIEWS)
        found = measure(reader, time.perf_counter() - began, start)
        reader.close()
        return found


@contextmanager
def spark(workers: int) -> Iterator[str]:
    """Start a Spark Connect server over a cluster of worker processes."""
    home = next((ROOT / ".venv-spark").glob("lib/python*/site-packages/pyspark"))
    port = free_port()
    settings = {
        "spark.connect.grpc.binding.port": port, "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": 4 * workers,
        "spark.executor.memory": "1g", "spark.sql.warehouse.dir": "/tmp/embellie-warehouse",
    }  # fmt: skip
    confs = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    command = [
        str(home / "bin/spark-submit"), "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
        "--master", f"local-cluster[{workers},1,1024]", "--driver-memory", "1g", *confs, "spark-internal",
    ]  # fmt: skip
    with running(command, port, os.environ | {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}) as url:
        yield url


@contextmanager
def sail() -> Iterator[str]:
    """Start Sail."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "sail"), "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
    with running(command, port, dict(os.environ)) as url:
        yield url


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str]) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        log = (Path(folder) / "log").open("wb")
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            for _ in range(1200):
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]} ended: {(Path(folder) / 'log').read_text()[-2000:]}")
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"sc://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()
            log.close()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def versions() -> dict[str, str]:
    import duckdb
    import pysail
    import pyspark

    home = next((ROOT / ".venv-spark").glob("lib/python*/site-packages/pyspark-*.dist-info"), Path("pyspark-none"))
    return {
        "embellie": __version__, "python": platform.python_version(), "duckdb": duckdb.__version__,
        "spark": home.name.removeprefix("pyspark-").removesuffix(".dist-info"), "spark_client": pyspark.__version__,
        "sail": getattr(pysail, "__version__", ""),
    }  # fmt: skip


def measure_all(events: int, lake: Path, only: list[str]) -> dict:
    if read_manifest(lake) is None:
        lakes.make_lake(lake, events, max(1_000, events // 80), range(lakes.DAYS))
        lakes.roll_up(lake)
    found = {}
    for name in only:
        if name == "duckdb":
            found[name] = on_duckdb(lake)
        else:
            found[name] = on_server(sail() if name == "sail" else spark(int(name[-1])), lake)
        print(f"{name}: {found[name]['scorecard_seconds']} s", file=sys.stderr)
    sums = [one.pop("sums") for one in found.values()]
    return {
        "schema": "embellie/benchmark-engines/1",
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": versions(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "gigabytes": round(sum(each.bytes for each in read_manifest(lake).partitions) / 1e9, 3),
        "same_sums": all(one == sums[0] for one in sums),
        "measured": found,
    }


def show(found: dict) -> None:
    first = next(iter(found["measured"].values()))
    same = "the same sums everywhere" if found["same_sums"] else "THE SUMS DIFFER"
    print(f"{first['events']:,} events, {found['gigabytes']} GB, {same}")
    names = ("server", "connect", "first_scan", "scan", "shuffle", "first_scorecard", "scorecard")
    print(" ".join([f"{'':>8}", *(f"{name.replace('_', ' '):>16}" for name in names)]))
    for engine, row in found["measured"].items():
        print(" ".join([f"{engine:>8}", *(f"{row[f'{name}_seconds']:>16}" for name in names)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="a lake of benchmarks/lake.py, made here if absent")
    parser.add_argument("--only", default=",".join(ENGINES))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    only = options.only.split(",")
    if options.folder:
        found = measure_all(options.events, options.folder, only)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = measure_all(options.events, Path(folder), only)
    show(found)
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
