"""A scorecard over a lake in a bucket beside the same over a folder: with nothing at hand, and with all copies there.

S3's API is served by moto on this machine, so this tells what the way through objects costs, not what a network does; `--url` takes a real bucket
(an empty prefix of its own; keys and address from the environment). The lake is that of `benchmarks/lake.py`. Each measure runs in a process of its own,
in turns; CPU seconds are those of the process. The same sums, or it fails. Last, the bucket is cut off: what a scorecard then takes.

    python benchmarks/object_lake.py [--events 1000000] [--turns 3] [--url s3://bucket/empty-prefix] [--out FILE.json]
"""

import argparse
import json
import logging
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import duckdb

from embellie import __version__
from embellie.measure.from_log import read_aggregates
from embellie.store.analysis import Analysis
from embellie.store.lake_manifest import MANIFEST, read_manifest
from embellie.store.object_bucket import open_bucket
from embellie.store.object_lake import open_object_lake
from lake import DAYS, EXPERIMENT, METRICS, READ_SECONDS, SITE, VIEWS, MadeLog, digest, make_lake, roll_up

CASES = ("folder", "cold", "warm", "cut_off")


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def served():
    """Serve S3's API here, with one bucket, and lead the environment to it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
    import boto3

    boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="bench")
    try:
        yield "s3://bench/lake"
    finally:
        server.stop()


def upload(folder: Path, url: str) -> float:
    """Put a folder's lake in a bucket; returns the seconds."""
    began, bucket = time.perf_counter(), open_bucket(url)
    for path in sorted(folder.glob("site=*/day=*/*.parquet")):
        bucket.upload(path.relative_to(folder).as_posix(), path)
    bucket.replace(MANIFEST, (folder / MANIFEST).read_bytes(), former=bucket.tag(MANIFEST))
    return time.perf_counter() - began


def score(case: str, folder: Path, url: str, copies: Path) -> dict:
    """Sum up the experiment in this process, and say what it took, the imports apart."""
    lake = folder if case == "folder" else open_object_lake(url, copies, clock=now)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    analysis = Analysis(MadeLog(folder), lake=lake, views=VIEWS, memory="1500MiB", spill=folder / "spill")
    found = read_aggregates(analysis, EXPERIMENT, METRICS, read_seconds=READ_SECONDS, site=SITE)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    analysis.close()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    brought = sum(path.stat().st_size for path in copies.glob("site=*/day=*/*.parquet"))
    return {"seconds": wall, "cpu_seconds": cpu, "copies_mb": brought / 1e6, "digest": digest(found)}


def aside(case: str, folder: Path, url: str, copies: Path) -> dict:
    """Run one in a process of its own; cut off, nobody is at the address."""
    environment = dict(os.environ) | ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"} if case == "cut_off" else {})
    command = [sys.executable, __file__, "--one", case, "--folder", str(folder), "--url", url, "--copies", str(copies)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def measure(events: int, turns: int, url: str, folder: Path) -> dict:
    lake, copies = folder / "lake", folder / "copies"
    make_lake(lake, events, max(1_000, events // 80), range(DAYS))
    roll_up(lake)
    uploaded = upload(lake, url)
    rows: dict[str, list[dict]] = {case: [] for case in CASES}
    for _ in range(turns):
        shutil.rmtree(copies, ignore_errors=True)
        for case in CASES:  # cold fills the copies, warm and cut off use them
            rows[case].append(aside(case, lake, url, copies))
    if len({row["digest"] for found in rows.values() for row in found}) > 1:
        raise SystemExit("The sums are not the same.")
    made = read_manifest(lake)
    middle = {
        case: {
            name: round(statistics.median(row[name] for row in found), 3)
            for name in ("seconds", "cpu_seconds", "copies_mb")
        }
        for case, found in rows.items()
    }
    for row in middle.values():
        row["cpu_times_folder"] = round(row["cpu_seconds"] / middle["folder"]["cpu_seconds"], 2)
    return {
        "schema": "embellie/benchmark-object-lake/1",
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": {"embellie": __version__, "python": platform.python_version(), "duckdb": duckdb.__version__},
        "at": now().isoformat(timespec="seconds"),
        "events": made.events,
        "megabytes": round(sum(each.bytes + sum(one.bytes for one in each.views) for each in made.partitions) / 1e6, 1),
        "uploaded_in_seconds": round(uploaded, 2),
        "turns": turns,
        "measured": middle,
    }


def show(found: dict) -> None:
    print(f"{found['events']:,} events, {found['megabytes']} MB, uploaded in {found['uploaded_in_seconds']} s")
    print(f"{'':>8}  {'seconds':>8}  {'CPU s':>8}  {'× folder':>8}  {'MB here':>8}")
    for name, row in found["measured"].items():
        cells = (row["seconds"], row["cpu_seconds"], row["cpu_times_folder"], row["copies_mb"])
        print(f"{name:>8}  " + "  ".join(f"{cell:>8}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--url", default="", help="an empty prefix of a real bucket; by default one is served here")
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--copies", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(score(options.one, options.folder, options.url, options.copies)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if options.url:
            found = measure(options.events, options.turns, options.url, Path(folder))
        else:
            with served() as url:
                found = measure(options.events, options.turns, url, Path(folder))
    show(found)
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
