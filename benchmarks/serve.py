"""Slates and events a second of one server over a large catalogue, beside a bare endpoint that returns the same bytes; and where the time goes.

The server runs on one core, the load on another. The bare endpoint reads the same requests and returns the same bytes
without doing anything; the difference is what embellie itself costs. First as fast as it goes, over kept-alive
connections; then slates at a steady rate, each timed from when it was due, so that a stall counts for all who wait in it. `CPU µs`
is what the server's process, all its threads, spends on a call: that can be compared even where others use the machine.

At the end, where a slate's time goes, module by module: the server looks a thousand times a CPU second at what its loop is doing.
`--profile FILE` writes what it saw as folded stacks, of which a flame graph is drawn (speedscope.app, flamegraph.pl).

    .venv/bin/python benchmarks/serve.py [--articles 50000] [--seconds 10] [--rates 500,1000] [--out FILE] [--profile FILE]
    .venv/bin/python benchmarks/serve.py --policy ranker --rates 300
"""

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import uvicorn
import uvloop
from starlette.routing import Route

from embellie.app.newsroom import Newsroom
from embellie.domain.article import Article
from embellie.domain.event import new_id
from embellie.web.interpreter import spare_readers
from embellie.web.metrics_text import resident_bytes
from embellie.web.server import create_app, open_keys

CONFIG = """
[sites.gazette]
[scenarios.heuristic]
policy = "POLICY"
settings = SETTINGS
[scenarios.status_quo]
policy = "status_quo"
[experiments.first-light]
variants = { status_quo = 1, heuristic = 1000 }
"""
SECTIONS = 20
READERS = 20_000
READS = 200_000
BATCH = 10


class Bare:
    """Reads a request and returns fixed bytes."""

    def __init__(self, status: int, body: bytes) -> None:
        self.returns(status, body)

    def returns(self, status: int, body: bytes) -> None:
        self.start = {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())],
        }
        self.body = {"type": "http.response.body", "body": body}

    async def __call__(self, scope, receive, send):
        while scope["method"] == "POST" and (await receive()).get("more_body"):
            pass
        await self.answer(send)

    async def answer(self, send):
        await send(self.start)
        await send(self.body)


def fill(newsroom: Newsroom, articles: int) -> None:
    """Publish articles, the newest minutes old, and let readers read, the newest most."""
    now, rng = datetime.now(UTC), random.Random(3)
    words = [f"w{number}" for number in range(20_000)]
    catalogue = [
        Article(
            article=f"a{number}", url=f"https://gazette.example/{number}", title=" ".join(rng.choices(words, k=9)),
            section=f"section {number % SECTIONS}", published_at=now - timedelta(minutes=7 * number),
        )
        for number in range(articles)
    ]  # fmt: skip
    for first in range(0, articles, 1000):
        newsroom.publish("gazette", catalogue[first : first + 1000]).result()
    read = []
    for number in range(READS):
        at = now - timedelta(hours=72.0 * rng.random())
        read.append(
            {
                "id": new_id(at, rng.randbytes(10)), "site": "gazette", "kind": "read", "at": at.isoformat(), "consent": "profiling",
                "article": f"a{page(rng, articles)}", "reader": f"r{rng.randrange(READERS)}", "visit": f"v{number // 3}",
                "engaged_seconds": 30.0,
            }
        )  # fmt: skip
    for first in range(0, READS, 5000):
        receipt = newsroom.receive(read[first : first + 5000], site="gazette", public=False).result()
        if receipt.quarantined:
            raise SystemExit(f"The readers of the benchmark read nothing: {receipt.quarantined[0].reason}")


def page(rng: random.Random, articles: int) -> int:
    """Draw the article someone is on: a new one, mostly."""
    return min(int(rng.expovariate(1 / 300)), articles - 1)


def fitted(folder: Path) -> str:
    """Fit a ranker to lists drawn by chance, put it among the models, and return its address: as fast, as any other."""
    from embellie.app.kept_models import models_of
    from embellie.recommend.features import names_of
    from embellie.recommend.learning import TrainingSet
    from embellie.recommend.ranker_trees import fit_trees

    rng, lists, length = np.random.default_rng(5), 2000, 8
    features = rng.normal(size=(lists * length, len(names_of()))).astype(np.float32)
    labels = (features[:, 0] + features[:, 3] * features[:, 5] + rng.normal(size=len(features)) > 1.5).astype(np.int64)
    training = TrainingSet(
        features=features,
        labels=labels,
        positions=np.tile(np.arange(1, length + 1), lists),
        propensities=np.ones(len(features), np.float32),
        weights=np.ones(len(features), np.float32),
        groups=np.full(lists, length),
        at=np.arange(lists),
        feature_names=names_of(),
    )
    store = models_of(folder / "embellie-data", "gazette")
    return store.keep(fit_trees(training, seed=1).dump(), {}, state="accepted", now=datetime.now(UTC)).model


class Looking:
    """Looks at what the main thread is doing, a thousand times a second of this process's CPU time."""

    SECONDS = 0.001

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._process = self._loop = 0.0

    def start(self) -> None:
        self.seen.clear()
        self._process, self._loop = time.process_time(), time.thread_time()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, self.SECONDS, self.SECONDS)

    def stop(self) -> dict[str, object]:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        spent = {"process": time.process_time() - self._process, "loop": time.thread_time() - self._loop}
        return spent | {"stacks": dict(self.seen.most_common(5000))}

    def _look(self, _: int, frame) -> None:
        stack = []
        while frame is not None:
            code = frame.f_code
            stack.append(f"{place_of(code.co_filename)}:{code.co_name}")
            frame = frame.f_back
        self.seen[";".join(reversed(stack))] += 1


def place_of(file: str) -> str:
    """Name a module as a reader of the code would: `recommend/leading`, `numpy`, `uvicorn`."""
    for mark in ("/embellie/", "/site-packages/"):
        if mark in file:
            inside = file.rpartition(mark)[2].removesuffix(".py")
            return inside if mark == "/embellie/" else f"({inside.partition('/')[0]})"
    return "(python)"


def serve(folder: Path, *, articles: int, policy: str) -> None:
    """Run the server until killed; says its port and key on standard output."""
    settings = f'{{ model = "{fitted(folder)}" }}' if policy == "ranker" else "{}"
    (folder / "embellie.toml").write_text(CONFIG.replace("POLICY", policy).replace("SETTINGS", settings))
    newsroom = Newsroom.open(folder)
    fill(newsroom, articles)
    keys = open_keys(newsroom)
    app = create_app(newsroom, keys=keys, posts_per_second=0)
    receipt = b'{"schema":"embellie/receipt/1","accepted":10,"duplicates":0,"quarantined":[]}'
    slate = Bare(200, b"{}")
    app.router.routes.insert(0, Route("/bare/slate", slate, methods=["GET"]))
    app.router.routes.insert(0, Route("/bare/events", Bare(202, receipt), methods=["POST"]))

    looking = Looking()

    async def usage(scope, receive, send):
        said = {"rss": resident_bytes(), "cpu": time.process_time()}
        await Bare(200, json.dumps(said).encode())(scope, receive, send)

    async def look(scope, receive, send):
        said = looking.stop() if scope["path"].endswith("/stop") else looking.start()
        await Bare(200, json.dumps(said).encode())(scope, receive, send)

    async def same(_, receive, send):
        """Take the bytes that the bare endpoint is to return."""
        slate.returns(200, (await receive())["body"])
        await Bare(200, b"").answer(send)

    for path, answer in {
        "/bare/usage": usage, "/bare/look/start": look, "/bare/look/stop": look, "/bare/same": same,
    }.items():  # fmt: skip
        app.router.routes.insert(
            0, Route(path, type("Own", (), {"__call__": staticmethod(answer)})(), methods=["GET", "POST"])
        )
    spare_readers()
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


def batch(rng: random.Random, articles: int) -> bytes:
    at = datetime.now(UTC).isoformat()
    events = [
        {
            "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)), "kind": "read", "at": at, "consent": "measurement",
            "article": f"a{page(rng, articles)}", "reader": f"r{rng.randrange(READERS)}", "visit": f"v{rng.randrange(READERS)}",
            "engaged_seconds": 12.0,
        }
        for _ in range(BATCH)
    ]  # fmt: skip
    return json.dumps({"events": events}).encode()


class Line(asyncio.Protocol):
    """One kept-alive connection, asked one thing at a time."""

    def __init__(self) -> None:
        self._data = b""
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport) -> None:
        self._transport = transport

    def ask(self, request: bytes) -> "asyncio.Future[bytes]":
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._data += data
        head = self._data.find(b"\r\n\r\n")
        if head < 0:
            return
        told = self._data[:head].lower()
        length = int(told[told.index(b"content-length: ") + 16 :].split(b"\r\n", 1)[0])
        if len(self._data) >= head + 4 + length:
            answer, self._data = self._data[: head + 4 + length], b""
            self._answer.set_result(answer)

    def close(self) -> None:
        self._transport.close()


def checked(answer: bytes, wanted: int) -> bytes:
    if int(answer[9:12]) != wanted:
        raise SystemExit(answer[:500].decode())
    return answer[answer.index(b"\r\n\r\n") + 4 :]


async def lines(port: int, count: int) -> list[Line]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Line, "127.0.0.1", port))[1] for _ in range(count)]


def told(took: list[float], seconds: float) -> dict[str, float]:
    cuts = statistics.quantiles(took, n=1000)
    named = {"p50_ms": cuts[499], "p99_ms": cuts[989], "p999_ms": cuts[998], "most_ms": max(took)}
    return {"calls_per_second": len(took) / seconds, "calls": len(took)} | {
        name: 1e3 * value for name, value in named.items()
    }


async def as_fast_as_it_goes(port: int, make, *, seconds: float, connections: int, wanted: int) -> dict[str, float]:
    """Ask over kept-alive connections, each again as soon as it was answered."""
    took: list[float] = []
    rng = random.Random(7)
    started = time.perf_counter()

    async def one(line: Line) -> None:
        while (asked := time.perf_counter()) < started + seconds:
            checked(await line.ask(make(rng)), wanted)
            took.append(time.perf_counter() - asked)
        line.close()

    await asyncio.gather(*map(one, await lines(port, connections)))
    return told(took, time.perf_counter() - started)


async def at_a_rate(
    port: int, make, *, rate: float, seconds: float, wanted: int, connections: int = 64
) -> dict[str, float]:
    """Ask at random moments, `rate` a second on average, whoever is still waiting; time runs from when a request was due."""
    rng, took = random.Random(11), []
    free: asyncio.Queue[Line] = asyncio.Queue()
    for line in await lines(port, connections):
        free.put_nowait(line)
    waiting: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    began = due = loop.time() + 0.1

    async def one(due: float, request: bytes) -> None:
        line = await free.get()  # in turn: were all who wait woken for each line, a load once late would never catch up
        checked(await line.ask(request), wanted)
        took.append(loop.time() - due)
        free.put_nowait(line)

    while due < began + seconds:
        request = make(rng)
        if (ahead := due - loop.time()) > 0:
            await asyncio.sleep(ahead)
        task = asyncio.create_task(one(due, request))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
        due += rng.expovariate(rate)
    await asyncio.gather(*waiting)
    while not free.empty():
        free.get_nowait().close()
    return told(took, loop.time() - began)


async def asked_for(port: int, path: str):
    """Ask the server about itself."""
    (line,) = await lines(port, 1)
    said = json.loads(checked(await line.ask(get(path)), 200))
    line.close()
    return said


async def measure(port: int, key: str, asked: argparse.Namespace) -> tuple[dict[str, dict[str, float]], dict]:
    articles, seconds = asked.articles, asked.seconds
    own = f"/v1/slate?key={key}&placement=article-bottom&consent=profiling&visit=v"

    def a_slate(rng: random.Random) -> bytes:
        return get(f"{own}{rng.randrange(10**6)}&article=a{page(rng, articles)}&reader=r{rng.randrange(READERS)}")

    def a_shared_slate(rng: random.Random) -> bytes:
        return get(f"/v1/slate?key={key}&placement=article-bottom&article=a{page(rng, articles)}")

    def some_events(rng: random.Random) -> bytes:
        return post(f"/v1/events?key={key}", batch(rng, articles))

    bare = post("/bare/events", batch(random.Random(1), articles))
    (line,) = await lines(port, 1)
    for number in range(50):
        real = checked(await line.ask(a_slate(random.Random(number))), 200)
    checked(await line.ask(post("/bare/same", real)), 200)
    calls = {
        "bare slate": (lambda _: get("/bare/slate"), 200),
        "slate": (a_slate, 200),
        "slate that names nobody": (a_shared_slate, 200),
        "bare events": (lambda _: bare, 202),
        "events": (some_events, 202),
    }
    found: dict[str, dict[str, float]] = {}

    async def note(name: str, measuring) -> None:
        before = await asked_for(port, "/bare/usage")
        figures = await measuring
        after = await asked_for(port, "/bare/usage")
        cpu = 1e6 * (after["cpu"] - before["cpu"]) / figures.pop("calls")
        found[name] = figures | {"cpu_us": cpu, "rss_mib": after["rss"] / 2**20}
        print(row(name, found[name]), flush=True)

    heads = ("calls/s", "CPU µs", "p50 ms", "p99 ms", "p99.9 ms", "most ms", "RSS MiB")
    print(f"{'call':34}" + "".join(f"{head:>10}" for head in heads))
    for name, (make, wanted) in calls.items():
        await as_fast_as_it_goes(port, make, seconds=0.5, connections=4, wanted=wanted)
        await note(
            name,
            as_fast_as_it_goes(port, make, seconds=seconds, connections=asked.connections, wanted=wanted),
        )
    for rate in [float(rate) for rate in asked.rates.split(",") if rate]:
        await note(f"slate, {rate:g}/s", at_a_rate(port, a_slate, rate=rate, seconds=2 * seconds, wanted=200))

        async def mixed(rate: float = rate) -> dict[str, float]:
            slates = at_a_rate(port, a_slate, rate=rate, seconds=2 * seconds, wanted=200)
            reads = at_a_rate(port, some_events, rate=rate / BATCH, seconds=2 * seconds, wanted=202)
            return (await asyncio.gather(slates, reads))[0]

        await note(f"slate, {rate:g}/s and {rate:g} reads/s", mixed())
    await asked_for(port, "/bare/look/start")
    figures = await as_fast_as_it_goes(port, a_slate, seconds=seconds, connections=asked.connections, wanted=200)
    return found, await asked_for(port, "/bare/look/stop") | {"calls": figures["calls"]}


def where(seen: dict) -> dict[str, float]:
    """Tell where a slate's time goes: microseconds of CPU by module of ours, the log's writing apart, the most first."""
    counts: Counter[str] = Counter()
    for stack, times in seen["stacks"].items():
        ours = [place for place in stack.split(";") if not place.startswith("(")]
        # What numpy or Python itself does belongs to whoever of us asked for it; the benchmark's own frame is the outermost.
        inside = [place.partition(":")[0] for place in ours if "/" in place.partition(":")[0]]
        counts[inside[-1] if inside else "uvicorn, starlette, the loop"] += times
    scale = 1e6 * seen["loop"] / sum(counts.values()) / seen["calls"]
    found = {name: scale * times for name, times in counts.items()}
    found["other threads: writing the log"] = 1e6 * (seen["process"] - seen["loop"]) / seen["calls"]
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def tell_where(found: dict[str, float]) -> None:
    whole = sum(found.values())
    print(f"\nwhere the {whole:.0f} µs of CPU of a slate go{'':14}{'µs':>8}{'share':>8}")
    shown = {name: value for name, value in found.items() if value >= 0.01 * whole}
    for name, value in (shown | {"everything else": whole - sum(shown.values())}).items():
        print(f"  {name:48}{value:8.1f}{value / whole:8.1%}")


def row(name: str, figures: dict[str, float]) -> str:
    times = "".join(f"{figures[key]:10.2f}" for key in ("p50_ms", "p99_ms", "p999_ms", "most_ms"))
    return f"{name:34}{figures['calls_per_second']:10.0f}{figures['cpu_us']:10.0f}{times}{figures['rss_mib']:10.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=50_000)
    parser.add_argument("--policy", default="affinity", choices=("affinity", "ranker", "popular"))
    parser.add_argument("--rates", default="500,1000", help="slates a second, for the steady rates")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--out", type=Path, help="write the figures there")
    parser.add_argument("--profile", type=Path, help="write the stacks seen there, folded")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
        serve(asked.serve, articles=asked.articles, policy=asked.policy)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            __file__,
            "--serve",
            folder,
            "--articles",
            str(asked.articles),
            "--policy",
            asked.policy,
        ]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])
        try:
            said = json.loads(server.stdout.readline())
            found, seen = uvloop.run(measure(said["port"], said["key"], asked))
        finally:
            server.terminate()
            server.wait(60)
    share = found["slate"]["calls_per_second"] / found["bare slate"]["calls_per_second"]
    shared = found["slate that names nobody"]["calls_per_second"] / found["bare slate"]["calls_per_second"]
    print(f"\nslates: {share:.2f} of the bare endpoint's, {shared:.2f} for who names nobody; ", end="")
    print(f"events/s: {found['events']['calls_per_second'] * BATCH:.0f} in batches of {BATCH}, durable when answered")
    spent = where(seen)
    tell_where(spent)
    if asked.profile:
        asked.profile.write_text("".join(f"{stack} {times}\n" for stack, times in seen["stacks"].items()))
    document = {
        "schema": "embellie/benchmark-serve/3", "python": platform.python_version(), "machine": platform.machine(),
        "policy": asked.policy, "articles": asked.articles, "batch": BATCH, "connections": asked.connections, "calls": found,
        "share_of_bare": share, "microseconds_by_module": spent,
    }  # fmt: skip
    if asked.out:
        asked.out.write_text(json.dumps(document, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
