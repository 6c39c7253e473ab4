"""How long it takes until a click has changed the slates that readers are shown, on the server it was sent to and on the others.

Real servers share one log: one on a file, several on a file, one with several workers on a file, several in PostgreSQL
(`--postgres URL`). A reader's click on the first article of their slate is posted to one process, and every process is asked for the reader's slate until that article,
now read, has gone from it. From the moment the click is sent to the moment the changed slate is here.

    python benchmarks/click_to_slate.py [--clicks 200] [--servers 3] [--workers 2] [--postgres URL] [--out FILE]
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from embellie import __version__
from embellie.app.newsroom import Newsroom
from embellie.domain.article import Article

SOURCE = Path(__file__).parents[1] / "src"
CONFIG = """
[server]
auth = false
[sites.gazette]
[sites.gazette.placements.article-bottom]
slots = 4
section_cap = 0
[scenarios.heuristic]
policy = "affinity"
"""
SECTIONS = ("city", "world", "sport", "culture", "money")
GIVE_UP_SECONDS = 10.0
BETWEEN_SECONDS = 0.002


class Server:
    """A real server, and a door to each process that answers for it."""

    def __init__(self, folder: Path, workers: int) -> None:
        command = [sys.executable, "-m", "embellie", "serve", str(folder), "--port", "0", "--posts-per-second", "0"]
        self.process = subprocess.Popen(
            [*command, "--workers", str(workers)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
        )
        said = []
        for line in self.process.stderr:
            said.append(line)
            if line.startswith("Stop with"):
                break
        text = "".join(said)
        found = re.search(r"at (http://\S+)", text)
        if not found:
            raise SystemExit(text)
        doors: dict[int, Door] = {}
        while len(doors) < workers:  # a kept-alive connection stays with the worker that took it
            client = httpx.Client(
                base_url=found[1], params={"key": re.search(r"pk_[\w-]+", text)[0], "site": "gazette"}, timeout=10
            )
            process = client.send(httpx.Request("GET", f"{found[1]}/healthz")).json()["process"]
            if process in doors:
                client.close()
            else:
                doors[process] = Door(client)
        self.doors = list(doors.values())

    def stop(self) -> None:
        for door in self.doors:
            door.client.close()
        self.process.terminate()
        self.process.wait(20)
        self.process.stderr.close()


class Door:
    """A connection to one process that answers."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def slate(self, reader: str) -> list[str]:
        asked = {"placement": "article-bottom", "reader": reader, "visit": reader, "consent": "profiling"}
        answer = self.client.get("/v1/slate", params=asked)
        answer.raise_for_status()
        return [item["article"] for item in answer.json()["items"]]

    def click(self, reader: str, article: str) -> None:
        event = {
            "id": f"click-{reader}", "kind": "click", "at": datetime.now(UTC).isoformat(), "slate_id": "s", "article": article,
            "position": 1, "reader": reader, "visit": reader, "consent": "profiling",
        }  # fmt: skip
        answer = self.client.post("/v1/events", json={"events": [event]})
        if answer.status_code != 202 or answer.json()["accepted"] != 1:
            raise SystemExit(answer.text)


def seconds_until(door: Door, reader: str, read: str, sent: float) -> float:
    """Ask until the reader's slate is without what they have read."""
    while read in door.slate(reader):
        if time.perf_counter() - sent > GIVE_UP_SECONDS:
            raise SystemExit(f"The slate of {reader} did not change.")
        time.sleep(BETWEEN_SECONDS)
    return time.perf_counter() - sent


def measured(folder: Path, storage: str, servers: int, workers: int, clicks: int) -> dict:
    (folder / "embellie.toml").write_text(CONFIG + storage)
    now = datetime.now(UTC)
    with Newsroom.open(folder) as newsroom:
        articles = [
            Article(
                article=f"{section}-{n}", title=f"{section} {n}", section=section,
                published_at=now - timedelta(minutes=10 + n),
            )
            for section in SECTIONS for n in range(8)
        ]  # fmt: skip
        newsroom.publish("gazette", articles).result()
    running = [Server(folder, workers) for _ in range(servers)]
    doors = [door for server in running for door in server.doors]
    same: list[float] = []
    elsewhere: list[float] = []
    try:
        with ThreadPoolExecutor(len(doors)) as pool:
            for number in range(clicks):
                reader, target = f"reader-{number}", doors[number % len(doors)]
                read = target.slate(reader)[0]
                sent = time.perf_counter()
                target.click(reader, read)
                found = list(pool.map(lambda one: seconds_until(one, reader, read, sent), doors))  # noqa: B023
                for one, seconds in zip(doors, found, strict=True):
                    (same if one is target else elsewhere).append(seconds)
    finally:
        for one in running:
            one.stop()
    return {"servers": servers, "workers": workers, "same": told(same), "elsewhere": told(elsewhere)}


def told(seconds: list[float]) -> dict:
    if not seconds:
        return {}
    hundredths = statistics.quantiles(seconds, n=100, method="inclusive")
    return {
        "n": len(seconds), "p50": round(hundredths[49], 4), "p99": round(hundredths[98], 4), "most": round(max(seconds), 4)
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=200)
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--postgres", default="", metavar="URL", help="A database; the schemas are dropped afterwards.")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cases = {
        "one": ("", 1, 1),
        "several servers": ("", options.servers, 1),
        "several workers": ("", 1, options.workers),
    }
    schemas = [f"embellie_clicks_{os.getpid()}_{n}" for n in range(2)] if options.postgres else []
    if schemas:
        one, other = (f'[storage]\nlog = "{options.postgres}"\nschema = "{schema}"\n' for schema in schemas)
        cases["servers, PostgreSQL"] = (one, options.servers, 1)
        cases["workers, PostgreSQL"] = (other, 1, options.workers)
    found = {}
    for name, (storage, servers, workers) in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            found[name] = measured(Path(folder), storage, servers, workers, options.clicks)
        for where in ("same", "elsewhere"):
            if one := found[name][where]:
                print(
                    f"{name:<20} {servers * workers} processes, {where:<10}"
                    f" p50 {one['p50'] * 1000:6.0f} ms  p99 {one['p99'] * 1000:6.0f} ms  most {one['most'] * 1000:6.0f} ms"
                )
    if schemas:
        import psycopg

        with psycopg.connect(options.postgres, autocommit=True) as connection:
            for schema in schemas:
                connection.execute(f"DROP SCHEMA {schema} CASCADE")
    document = {
        "schema": "embellie/benchmark-click-to-slate/1",
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": {"embellie": __version__, "python": platform.python_version()},
        "unit": "seconds from the click sent to the changed slate received",
        "found": found,
    }
    text = json.dumps(document, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
