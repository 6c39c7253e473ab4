"""Events a second that one server takes in, durably, against the floor: the same rows straight into the bare database.

The server is the real command, `embellie serve`, held to one core; the load comes from another. Each post is answered once its
events are on disk. The floor writes rows prepared beforehand to one table with its unique index by `executemany`, WAL and
synchronous FULL, on the server's core: "as posted" commits each post by itself, "grouped" as many rows at once as the log may. Server and floor take
turns. Beside the events a second stand the core's microseconds an event, which other programs on the machine disturb less.

The events are what the widget sends: impressions, clicks and reads with UUIDv7 ids; `--ids 4` for ids in no order of time.

With `--soak SECONDS` instead: posts of ten at a steady `--rate` (events a second) and `--slates` a second beside them, each timed from when
it was due; the server's memory is sampled, and its slope after the first third told with an interval. A state keeps the 300 latest articles
of each of 500,000 readers, and 100,000 visits, so memory grows until these are full. In the soak visits go on for ever, and readers come from a
pool so small (`--readers`) that their histories are full after some minutes too; what a new reader costs is told apart.

    python benchmarks/ingest.py [--seconds 5] [--rounds 5] [--ids 7] [--out FILE.json]
    python benchmarks/ingest.py --soak 1200 --rate 20000 [--slates 100] [--out FILE.json]
"""

import argparse
import asyncio
import json
import os
import platform
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import uvloop

SOURCE = Path(__file__).parents[1] / "src"
sys.path.insert(0, str(SOURCE))
SOURCES = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])

from embellie import __version__  # noqa: E402
from embellie.app.intake import Sender, take_in  # noqa: E402
from embellie.domain.moment import iso  # noqa: E402
from embellie.store.log_rows import prepare  # noqa: E402

SIZES = (1, 10, 100)
GROUP = 5_000
ARTICLES = 2_000
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
CONFIG = """
[sites.gazette]
[scenarios.heuristic]
policy = "affinity"
[scenarios.status_quo]
policy = "status_quo"
[experiments.first-light]
variants = { status_quo = 1, heuristic = 1 }
"""
FLOOR = """
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT, id TEXT, kind TEXT, at INTEGER, received_at INTEGER,
  consent TEXT, schema INTEGER, reader TEXT, visit TEXT, article TEXT, body TEXT);
CREATE UNIQUE INDEX events_by_id ON events (site, id);
"""
COLUMNS = "site, id, kind, at, received_at, consent, schema, reader, visit, article, body"
INSERT = f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Posts:
    """Makes posts that differ in what must: ids, times, visits. Half of the events are reads, the others impressions and clicks."""

    def __init__(self, size: int, *, readers: int, ids: int, seed: int = 7) -> None:
        self._rng, self._size, self._ids = random.Random(seed), size, ids
        self._made = 0
        self._shapes = [self._shape(readers) for _ in range(max(20, 4_000 // size))]

    def _shape(self, readers: int) -> str:
        """Write a post with holes: for each event its id, its time and its visit."""
        rng, events = self._rng, []
        for _ in range(self._size):
            kind = rng.choice(("read", "read", "impression", "click"))
            own = (
                {"engaged_seconds": 12.5, "scroll_depth": 0.5} if kind == "read" else {"slate_id": "s1", "position": 2}
            )
            reader, article = f"r{rng.randrange(readers)}", f"a{min(int(rng.expovariate(1 / 300)), ARTICLES - 1)}"
            events.append(
                {"id": "%s", "site": "gazette", "kind": kind, "at": "%s", "consent": rng.choice(("measurement", "profiling"))}
                | {"article": article, "reader": reader, "visit": "v%s"} | own
            )  # fmt: skip
        return json.dumps({"events": events}).replace(": ", ":").replace(", ", ",")

    def next(self) -> bytes:
        now = time.time()
        at, stamp = iso(datetime.fromtimestamp(now, UTC)), f"{int(now * 1000):012x}"
        head, rng = f"{stamp[:8]}-{stamp[8:]}-7", self._rng
        holes: list[object] = []
        for _ in range(self._size):
            self._made += 1
            one = f"{rng.getrandbits(74):019x}"
            if self._ids == 7:
                name = f"{head}{one[:3]}-8{one[3:6]}-{one[6:18]}"
            else:
                name = f"{rng.getrandbits(48):012x}"
                name = f"{name[:8]}-{name[8:]}-4{one[:3]}-8{one[3:6]}-{one[6:18]}"
            holes += [name, at, self._made // 8]
        return (self._shapes[self._made // self._size % len(self._shapes)] % tuple(holes)).encode()


# the server


def pinned(core: int):
    return lambda: os.sched_setaffinity(0, [core])


class Server:
    """`embellie serve` in a process of its own, on one core."""

    def __init__(self, folder: Path, core: int) -> None:
        (folder / "embellie.toml").write_text(CONFIG, encoding="utf-8")
        command = [sys.executable, "-m", "embellie", "serve", str(folder), "--port", "0", "--posts-per-second", "0"]
        self._said = (folder / "said.txt").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            command,
            stderr=self._said,
            env=os.environ | {"PYTHONPATH": SOURCES},
            preexec_fn=pinned(core),  # noqa: PLW1509
        )
        text = ""
        while "Stop with" not in text:
            if self.process.poll() is not None:
                raise SystemExit(text)
            time.sleep(0.1)
            text = (folder / "said.txt").read_text(encoding="utf-8")
        self.port = int(re.search(r"at http://\S+:(\d+)", text)[1])
        self.key, self.token = re.search(r"pk_[\w-]+", text)[0], re.search(r"sk_[\w-]+", text)[0]
        self.log = folder / "embellie-data" / "log.sqlite"

    def ask(self, path: str, **how) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        found = httpx.request(
            how.pop("method", "GET"), f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=60, **how
        )
        found.raise_for_status()
        return found

    def publish(self) -> None:
        now = datetime.now(UTC)
        articles = [
            {
                "article": f"a{number}", "url": f"https://gazette.example/{number}", "title": f"Title {number} of {number % 97}",
                "section": f"section {number % 20}", "published_at": iso(now - timedelta(minutes=7 * number)),
            }
            for number in range(ARTICLES)
        ]  # fmt: skip
        self.ask("/v1/articles", method="POST", json={"articles": articles})

    def cpu(self) -> float:
        """Seconds of the core that the process used so far; without those it started."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self) -> int:
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * PAGE

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self._said.close()


# the load


class Line(asyncio.Protocol):
    """One kept-alive connection, asked one thing at a time."""

    def __init__(self) -> None:
        self._data = b""

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
            answer, self._data = self._data, b""
            self._answer.set_result(answer)

    def connection_lost(self, error) -> None:
        if getattr(self, "_answer", None) is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("The server hung up."))

    def close(self) -> None:
        self._transport.close()


async def lines(port: int, count: int) -> list[Line]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Line, "127.0.0.1", port))[1] for _ in range(count)]


def post(key: str, body: bytes) -> bytes:
    return (
        f"POST /v1/events?key={key} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )


def accepted(answer: bytes) -> int:
    """How many events an answer acknowledges; 0 when it asks to come again later."""
    status = int(answer[9:12])
    if status == 503 and b"retry-after" in answer.lower():
        return 0
    told = json.loads(answer[answer.index(b"\r\n\r\n") + 4 :])
    if status != 202 or told["quarantined"] or told["duplicates"]:
        raise SystemExit(f"{status}: {told}")
    return told["accepted"]


async def as_fast_as_it_goes(server: Server, posts: Posts, *, seconds: float, connections: int) -> dict[str, float]:
    """Post over kept-alive connections, each again as soon as it was answered."""
    took: list[float] = []
    events = 0

    async def one(line: Line) -> None:
        nonlocal events
        while time.perf_counter() < until:
            body = post(server.key, posts.next())
            asked = time.perf_counter()
            answer = await line.ask(body)
            events += accepted(answer)
            took.append(time.perf_counter() - asked)
        line.close()

    open_lines = await lines(server.port, connections)
    cpu, mine, began = server.cpu(), time.process_time(), time.perf_counter()
    until = began + seconds
    await asyncio.gather(*map(one, open_lines))
    passed = time.perf_counter() - began
    return {
        "events": events, "events_per_second": events / passed, "core_us": 1e6 * (server.cpu() - cpu) / events,
        "load_core": (time.process_time() - mine) / passed, "p99_ms": 1e3 * statistics.quantiles(took, n=100)[98],
    }  # fmt: skip


async def at_a_rate(port: int, make, done, *, rate: float, seconds: float, connections: int) -> list[float]:
    """Ask at random moments, `rate` a second on average, whoever is still waiting; time runs from when a request was due."""
    rng, took, waiting = random.Random(11), [], set()
    free: asyncio.Queue[Line] = asyncio.Queue()
    for line in await lines(port, connections):
        free.put_nowait(line)
    loop = asyncio.get_running_loop()
    began = due = loop.time() + 0.1

    async def one(due: float) -> None:
        line = await free.get()  # in turn: were all who wait woken for each line, a load once late would never catch up
        answer = await line.ask(make())
        took.append(loop.time() - due)
        done(answer)
        free.put_nowait(line)

    while due < began + seconds:
        if (ahead := due - loop.time()) > 0:
            await asyncio.sleep(ahead)
        task = asyncio.create_task(one(due))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
        due += rng.expovariate(rate)
    await asyncio.gather(*waiting)
    while not free.empty():
        free.get_nowait().close()
    return took


# the floor


def floor(folder: Path, size: int, count: int, ids: int) -> dict[str, float]:
    """Write as many rows as posts of a size would bring, `size` rows a transaction."""
    posts, now = Posts(min(size, 100), readers=20_000, ids=ids), datetime.now(UTC)
    rows: list[tuple] = []
    while len(rows) < count:
        raw = json.loads(posts.next())["events"]
        events, _ = take_in(raw, sender=Sender(site="gazette", public=True), now=now)
        rows += prepare(events, received_at=now, rejected=()).rows
    path = folder / f"floor-{time.monotonic_ns()}.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(FLOOR)
    cpu, began = time.process_time(), time.perf_counter()
    for start in range(0, len(rows), size):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, rows[start : start + size])
        connection.execute("COMMIT")
    passed, cpu = time.perf_counter() - began, time.process_time() - cpu
    connection.close()
    for one in folder.glob("floor-*"):
        one.unlink()
    return {"events_per_second": len(rows) / passed, "core_us": 1e6 * cpu / len(rows)}


def floor_on(core: int, folder: Path, size: int, count: int, ids: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--floor", str(folder), str(size), str(count), "--ids", str(ids)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, preexec_fn=pinned(core)).stdout)


# how fast


def how_fast(server: Server, folder: Path, asked: argparse.Namespace, core: int) -> dict:
    figures: dict[str, list[dict[str, float]]] = {}
    posts = {
        size: Posts(size, readers=asked.readers, ids=asked.ids, seed=seed) for seed, size in enumerate(asked.sizes)
    }
    for number in range(-1, asked.rounds):
        for size in asked.sizes:
            seconds = asked.seconds if number >= 0 else 1.0
            connections = max(8, asked.connections // max(1, size // 10))
            turn = {f"server, {size} a post": uvloop.run(
                as_fast_as_it_goes(server, posts[size], seconds=seconds, connections=connections)
            )}  # fmt: skip
            turn[f"floor as posted, {size}"] = floor_on(core, folder, size, 2_000 if size == 1 else 20_000, asked.ids)
            if number >= 0:
                for name, found in turn.items():
                    figures.setdefault(name, []).append(found)
        if number >= 0:
            figures.setdefault("floor grouped", []).append(floor_on(core, folder, GROUP, 100_000, asked.ids))
    found = {name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]} for name, rounds in figures.items()}  # fmt: skip
    print(f"{'':28}{'events/s':>10}{'core µs/event':>15}{'of the floor, grouped':>24}{'p99 ms':>9}{'load core':>11}")
    best = found["floor grouped"]
    for name, one in found.items():
        one["of_floor"] = one["events_per_second"] / best["events_per_second"]
        one["core_of_floor"] = one["core_us"] / best["core_us"]
        p99, load = (f"{one['p99_ms']:9.1f}", f"{one['load_core']:11.0%}") if "p99_ms" in one else ("", "")
        print(
            f"{name:28}{one['events_per_second']:10,.0f}{one['core_us']:15.1f}"
            f"{one['of_floor']:13.2f} ({one['core_of_floor']:.1f} × core){p99}{load}"
        )
    return {"rounds": asked.rounds, "seconds": asked.seconds, "ids": asked.ids, "figures": found}


# the soak


async def soak(server: Server, asked: argparse.Namespace) -> dict:
    rng, posts = random.Random(3), Posts(10, readers=asked.readers, ids=asked.ids)
    told = {"acknowledged": 0, "busy": 0, "slates": 0}
    samples: list[dict[str, float]] = []

    def taken(answer: bytes) -> None:
        count = accepted(answer)
        told["acknowledged"] += count
        told["busy"] += not count

    def shown(answer: bytes) -> None:
        if int(answer[9:12]) != 200:
            raise SystemExit(answer[:500].decode())
        told["slates"] += 1

    def a_slate() -> bytes:
        who = f"article=a{rng.randrange(ARTICLES)}&reader=r{rng.randrange(asked.readers)}&visit=s{rng.randrange(10**9)}"
        path = f"/v1/slate?key={server.key}&placement=article-bottom&consent=profiling&{who}"
        return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()

    async def watch() -> None:
        began, cpu = time.monotonic(), server.cpu()
        while True:
            await asyncio.sleep(max(1.0, asked.soak / 240))
            used = server.cpu()
            wal = Path(f"{server.log}-wal")
            now = time.monotonic() - began
            samples.append(
                {
                    "seconds": now, "rss_mib": server.memory() / 2**20, "wal_mib": wal.stat().st_size / 2**20,
                    "log_mib": server.log.stat().st_size / 2**20, "acknowledged": told["acknowledged"],
                    "core": (used - cpu) / (now - (samples[-1]["seconds"] if samples else 0.0)),
                }
            )  # fmt: skip
            cpu = used
            if len(samples) % 20 == 0:
                print("  ".join(f"{key} {value:,.1f}" for key, value in samples[-1].items()), flush=True)

    watching = asyncio.create_task(watch())
    writing = at_a_rate(
        server.port, lambda: post(server.key, posts.next()), taken, rate=asked.rate / 10, seconds=asked.soak, connections=128
    )  # fmt: skip
    asking = at_a_rate(server.port, a_slate, shown, rate=asked.slates, seconds=asked.soak, connections=32)
    posted, slates = await asyncio.gather(writing, asking)
    watching.cancel()
    slope, margin = slope_of(samples[len(samples) // 3 :])
    return told | {
        "seconds": asked.soak, "rate": asked.rate, "readers": asked.readers,
        "slate_ms": quantiles(slates), "post_ms": quantiles(posted),
        "rss_mib_first": samples[0]["rss_mib"], "rss_mib_last": samples[-1]["rss_mib"],
        "rss_mib_most": max(one["rss_mib"] for one in samples),
        "rss_mib_per_hour": {"slope": slope, "low": slope - margin, "high": slope + margin},
        "wal_mib_most": max(one["wal_mib"] for one in samples), "log_mib": samples[-1]["log_mib"],
        "core": statistics.mean(one["core"] for one in samples), "samples": samples,
    }  # fmt: skip


def quantiles(took: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(took, n=1000)
    return {"p50": 1e3 * cuts[499], "p99": 1e3 * cuts[989], "p999": 1e3 * cuts[998], "most": 1e3 * max(took)}


def slope_of(samples: list[dict[str, float]], blocks: int = 12) -> tuple[float, float]:
    """MiB an hour, and half the width of a 95 % interval: least squares over means of blocks, as neighbours are alike."""
    parts = [
        part for part in np.array_split(np.array([(s["seconds"], s["rss_mib"]) for s in samples]), blocks) if len(part)
    ]
    if len(parts) < 4:
        return float("nan"), float("nan")
    x, y = np.array([part.mean(axis=0) for part in parts]).T
    x = x / 3600
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    left = y - y.mean() - slope * (x - x.mean())
    error = float(np.sqrt((left**2).sum() / (len(x) - 2) / ((x - x.mean()) ** 2).sum()))
    return slope, 2.23 * error  # Student's t with 10 degrees of freedom


def reader_bytes(count: int = 200_000) -> float:
    """What a state keeps of one reader more, who has agreed to profiling and reads three articles."""
    from embellie.domain.event import Event
    from embellie.domain.reading import Read
    from embellie.recommend.state import State

    state, now, used = State(), datetime.now(UTC), []
    for turn in range(2):  # in the first, the visits get as many as are kept
        used.append(int(Path("/proc/self/statm").read_text().split()[1]) * PAGE)
        for number in range(3 * count):
            who = f"{turn}-{number // 3:032x}"
            body = Read(article=f"a{number % ARTICLES}", reader=who, visit=f"v{who}")
            state.apply(
                Event(id="", site="gazette", at=now + timedelta(milliseconds=number), body=body, consent="profiling")
            )
    used.append(int(Path("/proc/self/statm").read_text().split()[1]) * PAGE)
    return (used[2] - used[1]) / count


def in_the_log(path: Path) -> int:
    """Count what came by post, after the server has stopped."""
    with sqlite3.connect(path) as connection:
        kinds = "('read', 'impression', 'click')"
        return connection.execute(f"SELECT count(*) FROM events WHERE kind IN {kinds}").fetchone()[0]


def tell(found: dict) -> None:
    slope = found["rss_mib_per_hour"]
    for name in ("slate_ms", "post_ms"):
        print(f"{name[:-3]:8}" + "  ".join(f"{key} {value:.1f} ms" for key, value in found[name].items()))
    print(
        f"memory  {found['rss_mib_first']:.0f} MiB at first, {found['rss_mib_last']:.0f} at last, {found['rss_mib_most']:.0f} at most; "
        f"after the first third {slope['slope']:+.0f} MiB an hour ({slope['low']:+.0f} to {slope['high']:+.0f})"
    )
    print(f"        a reader more: {found['bytes_a_reader']:,.0f} bytes for three articles, of at most 300")
    print(
        f"log     {found['log_mib']:,.0f} MiB, its -wal {found['wal_mib_most']:.0f} MiB at most; core {found['core']:.0%}"
    )
    print(
        f"events  {found['acknowledged']:,} acknowledged, {found['in_the_log']:,} in the log; "
        f"{found['busy']} posts told to come again; {found['slates']:,} slates; ledger {'balances' if found['balanced'] else 'DOES NOT BALANCE'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=lambda said: [int(one) for one in said.split(",")], default=list(SIZES))
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--ids", type=int, choices=(7, 4), default=7, help="which UUIDs")
    parser.add_argument("--readers", type=int, default=0, help="how many there are: 20,000, and 2,000 while soaking")
    parser.add_argument("--soak", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--rate", type=float, default=20_000.0, help="events a second while soaking")
    parser.add_argument("--slates", type=float, default=100.0, help="slates a second while soaking")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--floor", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.readers = asked.readers or (2_000 if asked.soak else 20_000)
    if asked.floor:
        folder, size, count = asked.floor
        print(json.dumps(floor(Path(folder), int(size), int(count), asked.ids)))
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server is stopped too
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder, cores[0])
        os.sched_setaffinity(0, [cores[-1]])
        try:
            server.publish()
            if asked.soak:
                found = uvloop.run(soak(server, asked))
                found["balanced"] = server.ask("/v1/ledger").json()["balanced"]
            else:
                found = how_fast(server, folder, asked, cores[0])
        finally:
            server.stop()
        if asked.soak:
            found |= {"in_the_log": in_the_log(server.log), "bytes_a_reader": reader_bytes()}
            tell(found)
    document = {
        "schema": f"embellie/benchmark-ingest-{'soak' if asked.soak else 'speed'}/1",
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": {"embellie": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version},
    } | found  # fmt: skip
    if asked.out:
        asked.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
