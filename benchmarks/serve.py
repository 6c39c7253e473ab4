"""How many slates and events a second one server answers on loopback, beside a bare endpoint of the same server.

The server runs in a process of its own, the load in this one, so both share the machine. The bare endpoint reads the
same request and returns the same bytes without doing anything; the difference is what embellie itself costs.

    .venv/bin/python benchmarks/serve.py [--seconds 5] [--connections 32] [--out FILE]
"""

import argparse
import asyncio
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from starlette.routing import Route

from embellie.app.newsroom import Newsroom
from embellie.domain.article import Article
from embellie.web.metrics_text import resident_bytes
from embellie.web.server import SWITCH_SECONDS, create_app, open_keys

CONFIG = """
[sites.gazette]
[scenarios.heuristic]
policy = "affinity"
[scenarios.status_quo]
policy = "status_quo"
[experiments.first-light]
variants = { status_quo = 1, heuristic = 1000 }
"""
SECTIONS = ("city", "world", "sport", "culture", "money")
BATCH = 10


class Bare:
    """Reads a request and returns fixed bytes."""

    def __init__(self, status: int, body: bytes) -> None:
        self.start = {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        }
        self.body = {"type": "http.response.body", "body": body}

    async def __call__(self, scope, receive, send):
        while scope["method"] == "POST" and (await receive()).get("more_body"):
            pass
        await send(self.start)
        await send(self.body)


def serve(folder: Path) -> None:
    """Run the server until killed; says its port and key on standard output."""
    (folder / "embellie.toml").write_text(CONFIG)
    newsroom = Newsroom.open(folder)
    now = datetime.now(UTC)
    articles = [
        Article(
            article=f"a{number}", url=f"https://gazette.example/{number}", title=f"Article number {number} of the day",
            section=SECTIONS[number % 5], published_at=now - timedelta(minutes=number),
        )
        for number in range(500)
    ]  # fmt: skip
    newsroom.publish("gazette", articles).result()
    keys = open_keys(newsroom)
    app = create_app(newsroom, keys=keys, posts_per_second=0)
    slate = json.dumps({"schema": "embellie/slate/1", "filler": "x" * 900}).encode()
    receipt = b'{"schema":"embellie/receipt/1","accepted":10,"duplicates":0,"quarantined":[]}'
    app.router.routes.insert(0, Route("/bare/slate", Bare(200, slate), methods=["GET"]))
    app.router.routes.insert(0, Route("/bare/events", Bare(202, receipt), methods=["POST"]))

    async def memory(scope, receive, send):
        await Bare(200, json.dumps(resident_bytes()).encode())(scope, receive, send)

    app.router.routes.insert(0, Route("/bare/memory", type("Memory", (), {"__call__": staticmethod(memory)})()))
    sys.setswitchinterval(SWITCH_SECONDS)
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen(2048)
    print(json.dumps({"port": taken.getsockname()[1], "key": keys.public["gazette"]}), flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off", ws="none")
    uvicorn.Server(config).run(sockets=[taken])


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def batch(rng: random.Random) -> bytes:
    at = datetime.now(UTC).isoformat()
    events = [
        {
            "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "kind": "read", "at": at, "consent": "measurement",
            "article": f"a{rng.randrange(500)}", "reader": f"r{rng.randrange(5000)}", "visit": "v", "engaged_seconds": 12.0,
        }
        for _ in range(BATCH)
    ]  # fmt: skip
    return json.dumps({"events": events}).encode()


async def exchange(reader, writer, request: bytes) -> tuple[int, bytes]:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length)


async def load(port: int, make, *, seconds: float, connections: int, wanted: int) -> dict[str, float]:
    """Ask over kept-alive connections, each as soon as it was answered; seconds per call are wall time."""
    took: list[float] = []
    rng = random.Random(7)
    until = time.perf_counter() + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            request = make(rng)
            started = time.perf_counter()
            status, body = await exchange(reader, writer, request)
            took.append(time.perf_counter() - started)
            if status != wanted:
                raise SystemExit(f"{status}: {body[:300]!r}")
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    elapsed = time.perf_counter() - started
    cuts = statistics.quantiles(took, n=100)
    return {"calls_per_second": len(took) / elapsed, "p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3}


async def measure(port: int, key: str, *, seconds: float, connections: int) -> dict[str, dict[str, float]]:
    stock = [post(f"/v1/events?key={key}", batch(random.Random(n))) for n in range(2)]
    bare = [request.replace(f"/v1/events?key={key}".encode(), b"/bare/events") for request in stock]
    slate = f"/v1/slate?key={key}&placement=article-bottom&visit=v&article="
    calls = {
        "bare slate": (lambda _: get("/bare/slate"), 200),
        "slate": (lambda rng: get(f"{slate}a{rng.randrange(500)}&reader=r{rng.randrange(5000)}"), 200),
        "bare events": (lambda _: bare[0], 202),
        "events": (lambda rng: post(f"/v1/events?key={key}", batch(rng)), 202),
    }
    found = {}
    for name, (make, wanted) in calls.items():
        await load(port, make, seconds=0.5, connections=4, wanted=wanted)
        found[name] = await load(port, make, seconds=seconds, connections=connections, wanted=wanted)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        found[name]["rss_mib"] = json.loads((await exchange(reader, writer, get("/bare/memory")))[1]) / 2**20
        writer.close()
    found["slate, one at a time"] = await load(port, calls["slate"][0], seconds=seconds / 2, connections=1, wanted=200)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--out", type=Path, help="write the figures there")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--serve", folder]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            said = json.loads(server.stdout.readline())
            found = asyncio.run(
                measure(said["port"], said["key"], seconds=asked.seconds, connections=asked.connections)
            )
        finally:
            server.terminate()
            server.wait(20)
    print(f"{'call':24}{'calls/s':>10}{'p50 ms':>10}{'p99 ms':>10}{'RSS MiB':>10}")
    for name, row in found.items():
        memory = f"{row['rss_mib']:10.0f}" if "rss_mib" in row else ""
        print(f"{name:24}{row['calls_per_second']:10.0f}{row['p50_ms']:10.2f}{row['p99_ms']:10.2f}{memory}")
    print(f"\nevents/s: {found['events']['calls_per_second'] * BATCH:.0f} in batches of {BATCH}, durable when answered")
    document = {
        "schema": "embellie/benchmark-serve/1",
        "batch": BATCH,
        "connections": asked.connections,
        "calls": found,
    }
    print(json.dumps(document))
    if asked.out:
        asked.out.write_text(json.dumps(document, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
