"""Faults of a running server: what was lost, and how long it hurt.

A real `embellie serve` answers a steady load: slates, and posts of ten events by clients that behave as the widget does: what
was refused or cut off is sent again, with the same ids, until it is acknowledged. A fault is injected at a known moment and
taken away at another. Afterwards the log is read: is every acknowledged event in it, once?

Beside that: how long nobody got a good answer, how long after the fault the server was as before (95 % of what was asked is
answered, p99 at most twice what it was), memory, and what `/readyz` said. Servers that end are started again at once, as
systemd would.

    .venv/bin/python benchmarks/faults.py [--only kill,disk-full] [--kills 100] [--workers 2] [--out FILE]

Needs the development environment. `disk-full` mounts a small tmpfs where it may (root), and else limits the size of files;
the clock is moved by a library of thirty lines (a C compiler); `postgres-restart` and `racing-postgres` need PostgreSQL installed;
`model-*` need LightGBM. What is missing is said, and left out.
"""

import argparse
import asyncio
import http.client
import json
import math
import os
import platform
import random
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from embellie import __version__  # noqa: E402
from embellie.app.keys import FILE as KEYS_FILE  # noqa: E402
from embellie.app.keys import Keys  # noqa: E402
from embellie.app.newsroom import Newsroom  # noqa: E402
from embellie.domain.article import Article  # noqa: E402
from embellie.domain.event import new_id  # noqa: E402
from embellie.domain.experiment import Exposure  # noqa: E402
from embellie.store.log_place import log_place, open_log  # noqa: E402

SITE, PLACEMENT, DATA = "gazette", "article-bottom", "data"
SLATE_PATIENCE, POST_PATIENCE = 3.0, 15.0
"""How long a page waits for a slate, and a sender for an answer."""

PER_POST = 10
BIN = 0.5

CONFIG = """
data = "data"
[sites.gazette]
allow_private = true
feed_minutes = 1
feeds = [FEEDS]
[sites.gazette.placements.article-bottom]
slots = 4
[storage]
log = "LOG"
[scenarios.heuristic]
policy = "POLICY"
settings = SETTINGS
[scenarios.status_quo]
policy = "status_quo"
"""
EXPERIMENT = """[experiments.first-light]
variants = { status_quo = 1, heuristic = 3 }
"""

POLICY = '''
import os, time
from embellie.recommend.built_in import build_policy, builder_of

class Faulty:
    """Ranks as `popular`, until the file says otherwise."""
    name = "faulty"
    signals = getattr(builder_of("popular"), "signals", ())

    def __init__(self):
        self._inner = build_policy("popular")

    def __call__(self, request, view):
        said = told()
        if said == "raise":
            raise ValueError("told to")
        began = time.monotonic()
        while said.startswith("sleep") and time.monotonic() - began < float(said.split()[1]):
            time.sleep(0.05)
            if said.endswith("inf"):
                said = told()
        return self._inner(request, view)

def told():
    try:
        with open(os.environ["FAULTY_POLICY"]) as file:
            return file.read()
    except OSError:
        return ""
'''


# the load


@dataclass
class Answer:
    """One request: when it was due and when it was over, on one clock, and how it ended; 0 broken, -1 no answer in time."""

    due: float
    end: float
    status: int


class Wire:
    """Kept-alive connections to one address."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, raw: bytes, *, patience: float) -> tuple[int, bytes]:
        """Send a request; a kept connection that the server had closed is replaced once, as browsers do."""
        try:
            async with asyncio.timeout(patience):
                while self._idle:
                    line = self._idle.pop()
                    with suppress(OSError, asyncio.IncompleteReadError, ValueError):
                        return await self._over(line, raw)
                    line[1].close()
                return await self._over(await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20), raw)
        except TimeoutError:
            return -1, b""
        except (OSError, asyncio.IncompleteReadError, ValueError):
            return 0, b""

    async def _over(self, line: tuple[asyncio.StreamReader, asyncio.StreamWriter], raw: bytes) -> tuple[int, bytes]:
        reader, writer = line
        done = False
        try:
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            done = True
            self._idle.append(line)
            return int(head[9:12]), body
        finally:
            if not done:
                writer.close()


class Load:
    """A steady load on one server, or on several in turn."""

    def __init__(
        self, ports: Sequence[int], key: str, *, slates: float, posts: float, same_to_all: bool = False
    ) -> None:
        self.wires = [Wire(port) for port in ports]
        self.key, self.rates, self.same_to_all = key, (slates, posts), same_to_all
        self.slates: list[Answer] = []
        self.posts: list[Answer] = []
        self.acknowledged: dict[str, int] = {}
        self.shown: set[str] = set()
        self.put_aside = self.tries = 0
        self.refusals: Counter[str] = Counter()
        self.stopping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._rng = random.Random(11)

    async def run(self) -> None:
        """Ask at a steady rate until told to stop, then wait until everything is acknowledged."""
        await asyncio.gather(self._steady(self.rates[0], self._slate), self._steady(self.rates[1], self._post))
        deadline = time.monotonic() + 60
        while self._tasks and time.monotonic() < deadline:
            await asyncio.wait(self._tasks, timeout=1)
        for task in self._tasks:
            task.cancel()

    async def _steady(self, rate: float, one: Callable[[float], Awaitable[None]]) -> None:
        due = time.monotonic()
        while not self.stopping:
            due += 1 / rate
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            task = asyncio.ensure_future(one(due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _wire(self) -> Wire:
        return self._rng.choice(self.wires)

    async def _slate(self, due: float) -> None:
        reader = f"r{self._rng.randrange(5_000)}"
        raw = (
            f"GET /v1/slate?key={self.key}&placement={PLACEMENT}&reader={reader}&article=a{self._rng.randrange(2_000)}"
            " HTTP/1.1\r\nhost: localhost\r\n\r\n"
        ).encode()
        for wire in self.wires if self.same_to_all else [self._wire()]:
            status, body = await wire.ask(raw, patience=SLATE_PATIENCE)
            self.slates.append(Answer(due, time.monotonic(), status))
            if status == 200:
                self.shown.add(json.loads(body)["slate_id"])
            elif status > 0:
                self.refusals[f"slate {status} {_code(body)}"] += 1

    async def _post(self, due: float) -> None:
        now = datetime.now(UTC)
        events = [
            {
                "id": new_id(now, os.urandom(10)),
                "kind": "read",
                "at": now.isoformat(),
                "article": f"a{self._rng.randrange(2_000)}",
                "reader": f"r{self._rng.randrange(5_000)}",
                "consent": "measurement",
                "engaged_seconds": 12.0,
            }
            for _ in range(PER_POST)
        ]
        if self.same_to_all:
            await asyncio.gather(*(self._send(wire, events, due) for wire in self.wires))
        else:
            await self._send(self._wire(), events, due)

    async def _send(self, wire: Wire, events: list[dict[str, Any]], due: float) -> None:
        pause = 0.5
        while True:
            body = json.dumps({"sent_at": datetime.now(UTC).isoformat(), "events": events}).encode()
            head = f"POST /v1/events?key={self.key} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
            status, said = await wire.ask(head.encode() + body, patience=POST_PATIENCE)
            self.tries += 1
            if status == 202:
                break
            if status > 0:
                self.refusals[f"post {status} {_code(said)}"] += 1
            await asyncio.sleep(pause * self._rng.uniform(0.75, 1.25))
            pause = min(2 * pause, 4.0)
        receipt = json.loads(said)
        self.posts.append(Answer(due, time.monotonic(), status))
        aside = {one["index"] for one in receipt["quarantined"]}
        self.put_aside += len(aside)
        for index, event in enumerate(events):
            if index not in aside:
                self.acknowledged[event["id"]] = self.acknowledged.get(event["id"], 0) + 1


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "?"


# the server


class Server:
    """`embellie serve` as a process, started again at once when it ends, as systemd would."""

    def __init__(self, folder: Path, *, workers: int = 0, env: dict[str, str] | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.command = [
            sys.executable,
            "-m",
            "embellie",
            "serve",
            str(folder),
            "--port",
            str(self.port),
            "--posts-per-second",
            "0",
        ]
        if workers:
            self.command += ["--workers", str(workers)]
        self.env = os.environ | {
            "PYTHONPATH": f"{ROOT / 'src'}:{folder / 'plugins'}", "FAULTY_POLICY": str(folder / "policy.txt"),
        } | (env or {})  # fmt: skip
        self.starts: list[float] = []
        """Seconds from each start until it answered."""
        self.readyz: list[tuple[float, str]] = []
        self.memory: list[tuple[float, float]] = []
        self._ending = threading.Event()
        self._start()
        try:
            self.wait_ready()
        except BaseException:
            self.process.kill()
            raise
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._supervise, self._watch)]
        for thread in self._threads:
            thread.start()

    def _start(self) -> None:
        self.began = time.monotonic()
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.env, stdout=log, stderr=log, cwd=self.folder)

    def wait_ready(self, seconds: float = 60) -> float:
        """Wait until it answers; tell how long that took since its start."""
        while time.monotonic() - self.began < seconds:
            if self._get("/healthz")[0] == 200:
                self.starts.append(time.monotonic() - self.began)
                return self.starts[-1]
            time.sleep(0.02)
        tail = (self.folder / "server.log").read_text()[-2000:]
        raise RuntimeError(f"The server does not start:\n{tail}")

    def _get(self, path: str, patience: float = 3.0) -> tuple[int, bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patience)
        try:
            line.request("GET", path)
            answer = line.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            line.close()

    def call(self, method: str, path: str, token: str, body: object = None) -> tuple[int, Any]:
        """Make one call with a token."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = None if body is None else json.dumps(body)
        line.request(method, path, sent, {"authorization": f"Bearer {token}", "content-type": "application/json"})
        answer = line.getresponse()
        said = json.loads(answer.read())
        line.close()
        return answer.status, said

    def _supervise(self) -> None:
        while not self._ending.is_set():
            if self.process.poll() is not None and not self._ending.wait(0.05):
                self._start()
            time.sleep(0.01)

    def _watch(self) -> None:
        while not self._ending.wait(0.25):
            status, body = self._get("/readyz")
            said = "no answer"
            if status == 200:
                codes = sorted({one["code"] for one in json.loads(body)["concerns"]})
                said = f"degraded: {', '.join(codes)}" if codes else "ready"
            elif status:
                said = f"{status} {_code(body)}"
            self.readyz.append((time.monotonic(), said))
            self.memory.append((time.monotonic(), resident(self.process.pid)))

    def kill(self) -> None:
        """`kill -9`."""
        self.process.send_signal(signal.SIGKILL)

    def stop(self) -> None:
        """Stop it for good."""
        self._ending.set()
        for thread in self._threads:
            thread.join(10)
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def resident(pid: int) -> float:
    """Tell the resident memory of a process and its children, in MB."""
    found = 0.0
    for one in (pid, *children(pid)):
        with suppress(OSError, IndexError, ValueError):
            found += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    return found


def children(pid: int) -> list[int]:
    """List the processes that a process has started."""
    try:
        return [int(one) for file in Path(f"/proc/{pid}/task").glob("*/children") for one in file.read_text().split()]
    except OSError:
        return []


def free_port() -> int:
    """Find a port nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


# the installation


@dataclass
class Ground:
    """An installation with a catalogue and some reading; each fault gets a copy."""

    folder: Path
    key: str
    token: str
    articles: int = 2_000


def prepared(folder: Path, *, log: str = "") -> Ground:
    """Make an installation."""
    folder.mkdir(parents=True)
    plugin = folder / "plugins"
    (plugin / "faulty_policy-1.0.dist-info").mkdir(parents=True)
    (plugin / "faulty_policy.py").write_text(POLICY)
    (plugin / "faulty_policy-1.0.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: faulty-policy\nVersion: 1.0\n"
    )
    (plugin / "faulty_policy-1.0.dist-info/entry_points.txt").write_text(
        "[embellie.policies]\nfaulty = faulty_policy:Faulty\n"
    )
    configure(folder, log=log, experiment="")  # it begins with the releases of the fault's own configuration
    ground = Ground(folder, key="", token="")
    rng, now = random.Random(3), datetime.now(UTC)
    with Newsroom.open(folder) as newsroom:
        for start in range(0, ground.articles, 500):
            newsroom.publish(SITE, [
                Article(
                    article=f"a{n}", title=f"Article {n} of the day", url=f"https://gazette.example/a{n}",
                    section=f"s{n % 12}", published_at=now - timedelta(minutes=3 * n),
                )
                for n in range(start, start + 500)
            ]).result()  # fmt: skip
        for _ in range(40):
            reads = [
                {
                    "id": new_id(now, rng.randbytes(10)), "site": SITE, "kind": "read", "at": now.isoformat(),
                    "article": f"a{int(ground.articles * rng.random() ** 3)}", "reader": f"r{rng.randrange(5_000)}",
                    "consent": "measurement",
                }
                for _ in range(500)
            ]  # fmt: skip
            newsroom.receive(reads, site=SITE, public=True).result()
        keys = Keys(newsroom.data / KEYS_FILE, sites=newsroom.sites)
        ground.key, ground.token = keys.public[SITE], keys.issue("admin", name="first-admin")
    return ground


def configure(
    folder: Path,
    *,
    policy: str = "affinity",
    settings: str = "{}",
    log: str = "",
    feeds: str = "",
    experiment: str = EXPERIMENT,
) -> None:
    """Write `embellie.toml`."""
    text = (
        CONFIG.replace("POLICY", policy).replace("SETTINGS", settings).replace("LOG", log).replace("FEEDS", feeds)
        + experiment
    )
    (folder / "embellie.toml").write_text(text)


# a fault


def leave(_: "Rig") -> None:
    """Do nothing."""


def usual(_: "Rig") -> dict[str, str]:
    """Change nothing of the server's environment."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is done to a server, for how long, and what the installation needs for it."""

    name: str
    what: str
    seconds: float
    inject: Callable[["Rig"], None]
    remove: Callable[["Rig"], None] = leave
    before: Callable[["Rig"], None] = leave
    needs: Callable[[], str] = lambda: ""
    config: dict[str, str] = field(default_factory=dict)
    env: Callable[["Rig"], dict[str, str]] = usual
    postgres: bool = False
    calm: float = 8.0
    """Seconds watched after the fault."""


class Rig:
    """One fault's installation, server and load."""

    def __init__(self, fault: Fault, ground: Ground, options: argparse.Namespace, postgres: Any) -> None:
        self.fault, self.options, self.postgres = fault, options, postgres
        self.folder = ground.folder.with_name(fault.name)
        shutil.copytree(ground.folder, self.folder)
        self.key, self.token = ground.key, ground.token
        self.data = self.folder / DATA
        self.log = postgres.url if fault.postgres else ""
        self.kept: dict[str, Any] = {}
        configure(self.folder, log=self.log, **fault.config)
        fault.before(self)
        self.server = Server(self.folder, workers=options.workers, env=fault.env(self))

    def say(self, text: str) -> None:
        """Tell the policy what to do."""
        part = self.folder / "policy.part"
        part.write_text(text)
        part.replace(self.folder / "policy.txt")


async def suffered(rig: Rig) -> dict[str, Any]:
    """Run the load with the fault in its middle, then read the log."""
    fault, options = rig.fault, rig.options
    load = Load([rig.server.port], rig.key, slates=options.slates, posts=options.posts)
    running = asyncio.ensure_future(load.run())
    await asyncio.sleep(options.settle)
    start = time.monotonic()
    await asyncio.sleep(options.baseline)
    injected = time.monotonic()
    await asyncio.to_thread(fault.inject, rig)
    await asyncio.sleep(max(0.0, fault.seconds - (time.monotonic() - injected)))
    await asyncio.to_thread(fault.remove, rig)
    removed = time.monotonic()
    await asyncio.sleep(fault.calm)
    end = time.monotonic()
    load.stopping = True
    await running
    await asyncio.to_thread(rig.server.stop)
    return report(rig, load, start=start, injected=injected, removed=removed, end=end)


def report(rig: Rig, load: Load, *, start: float, injected: float, removed: float, end: float) -> dict[str, Any]:
    """Put together what was seen and what the log holds."""
    kept = in_log(rig.folder, rig.log)
    slates = [one for one in load.slates if start <= one.due < end]
    good = [one for one in slates if one.status == 200]
    memory = rig.server.memory
    return {
        "fault": rig.fault.name,
        "what": rig.fault.what,
        "seconds": round(removed - injected, 1),
        "events": accounted(load, kept),
        "slates": {
            "asked": len(slates),
            "answered": len(good),
            "by_fallback": len(kept["fallback"] & load.shown),
            "refused": sum(one.status > 0 and one.status != 200 for one in slates),
            "failed": sum(one.status <= 0 for one in slates),
            "not_in_the_log": len(load.shown - kept["served"]),
        },
        "longest_pause": {
            "slates": pause_of(load.slates, injected, end),
            "posts": pause_of(load.posts, injected, end),
        },
        "slates_normal_after": normal_after(load.slates, start, injected, removed, end, load.rates[0]),
        "posts_normal_after": normal_after(load.posts, start, injected, removed, end, load.rates[1]),
        "answered_before": share_answered(load.slates, start, injected),
        "p99_ms": {"before": p99(load.slates, start, injected), "during": p99(load.slates, injected, removed)},
        "memory_mb": {
            "before": top(memory, start, injected), "most": top(memory, injected, end), "after": top(memory, end - 2, end),
        },
        "readyz": timeline(rig.server.readyz, injected),
        "refusals": dict(load.refusals),
        "events_by_hour_of_arrival": dict(sorted(kept["hours"].items())),
        "starts": [round(one, 2) for one in rig.server.starts],
        "messages": messages(rig.folder),
    }  # fmt: skip


def in_log(folder: Path, log: str) -> dict[str, Any]:
    """Read what the log holds: how often each event, the slates served, the exposures."""
    events: Counter[str] = Counter()
    served: set[str] = set()
    fallback: set[str] = set()
    exposures: Counter[tuple[str, str]] = Counter()
    hours: Counter[str] = Counter()
    with open_log(log_place(folder / DATA, log, "embellie")) as opened:
        for _, event in opened.scan():
            events[event.id] += 1
            hours[f"{event.received_at:%Y-%m-%dT%H}"] += 1
            if event.kind == "served":
                served.add(event.id)
                if getattr(event.body, "fallback", ""):
                    fallback.add(event.id)
            elif isinstance(event.body, Exposure):
                exposures[event.body.experiment, event.body.unit] += 1
        unbalanced = len(opened.verify())
    return {
        "events": events,
        "served": served,
        "fallback": fallback,
        "exposures": exposures,
        "hours": hours,
        "unbalanced": unbalanced,
    }


def accounted(load: Load, kept: dict[str, Any]) -> dict[str, int]:
    """Compare what was acknowledged with what is kept."""
    events: Counter[str] = kept["events"]
    return {
        "acknowledged": len(load.acknowledged),
        "found": sum(one in events for one in load.acknowledged),
        "lost": sum(one not in events for one in load.acknowledged),
        "twice": sum(count > 1 for count in events.values()),
        "put_aside": load.put_aside,
        "posts": len(load.posts),
        "tries": load.tries,
        "ledger_unbalanced": kept["unbalanced"],
    }


def pause_of(answers: Sequence[Answer], since: float, until: float) -> float:
    """Tell the longest time in which nobody got a good answer."""
    ends = sorted(one.end for one in answers if one.status in (200, 202) and since - 1 <= one.end <= until)
    marks = [since, *(end for end in ends if end > since), until]
    return round(max(b - a for a, b in pairwise(marks)), 2)


def share_answered(answers: Sequence[Answer], since: float, until: float) -> float:
    """Tell the share of slates that were answered; below 1 before the fault, the machine was too busy to measure on."""
    own = [one.status == 200 for one in answers if since <= one.due < until]
    return round(sum(own) / len(own), 3) if own else 0.0


def p99(answers: Sequence[Answer], since: float, until: float) -> float:
    """Tell the 99th percentile of good answers' time from when they were due, in ms."""
    took = sorted(one.end - one.due for one in answers if one.status in (200, 202) and since <= one.due < until)
    return round(1e3 * took[math.ceil(0.99 * len(took)) - 1], 1) if took else math.inf


def normal_after(
    answers: Sequence[Answer], start: float, injected: float, removed: float, end: float, rate: float
) -> float | None:
    """Tell after how many seconds three bins in a row are as before: 95 % answered well, p99 at most twice what it was.

    None when that was not reached. What was due in a bin counts in it, so that what waited long is seen where it was asked.
    """
    allowed = max(2 * p99(answers, start, injected), 50.0)
    bins = int((end - removed) / BIN)
    well = []
    for number in range(bins):
        since = removed + number * BIN
        own = [one for one in answers if one.status in (200, 202) and since <= one.due < since + BIN]
        quick = bool(own) and p99(own, since, since + BIN) <= allowed
        well.append(len(own) >= 0.95 * rate * BIN - 1 and quick)
    for number in range(bins - 2):
        if all(well[number : number + 3]):
            return number * BIN
    return None


def top(seen: Sequence[tuple[float, float]], since: float, until: float) -> float:
    """Tell the largest figure of a time."""
    return round(max((one for at, one in seen if since <= at <= until), default=0.0), 0)


def timeline(said: Sequence[tuple[float, str]], injected: float) -> list[str]:
    """Write down each change of what `/readyz` said, in seconds from the fault."""
    found, last = [], ""
    for at, one in said:
        if one != last:
            if at > injected or not found:
                found.append(f"{one}" if at <= injected else f"{at - injected:.1f} s: {one}")
            last = one
    return found[:20]


def messages(folder: Path) -> list[str]:
    """Return the server's own words, each kind once."""
    lines = (folder / "server.log").read_text(errors="replace").splitlines()
    told = [one for one in lines if re.search(r"fail|could not|cannot|No answer|hang|Policy|died|Worker|worker", one)]
    return list(dict.fromkeys(re.sub(r"\d+", "n", one)[:160] for one in told))[:6]


# the faults


def fill_disk(rig: Rig) -> None:
    """Fill the small disk that the data lie on; where no disk could be mounted, let no file of the server grow."""
    if not rig.kept.get("mounted"):
        size = max(one.stat().st_size for one in rig.data.glob("log.sqlite*"))
        resource.prlimit(rig.server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return
    with suppress(OSError), (rig.data / "filler").open("wb") as file:
        while True:
            file.write(bytes(65_536))
            file.flush()


def free_disk(rig: Rig) -> None:
    """Give the room back."""
    if rig.kept.get("mounted"):
        (rig.data / "filler").unlink()
    else:
        resource.prlimit(
            rig.server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )


def small_disk(rig: Rig) -> None:
    """Put the data on a disk of their own, with room for a while."""
    aside = rig.data.with_name("data-before")
    rig.data.rename(aside)
    rig.data.mkdir()
    size = sum(one.stat().st_size for one in aside.rglob("*") if one.is_file()) // 2**20 + 96
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", rig.data], capture_output=True, check=False
    )
    rig.kept["mounted"] = mounted.returncode == 0
    shutil.copytree(aside, rig.data, dirs_exist_ok=True)


def lock_log(rig: Rig) -> None:
    """Hold the log as another process would that writes and does not end."""
    rig.kept["lock"] = sqlite3.connect(
        rig.data / "log.sqlite", timeout=30, isolation_level=None, check_same_thread=False
    )
    rig.kept["lock"].execute("BEGIN EXCLUSIVE")


def unlock_log(rig: Rig) -> None:
    """Let it go."""
    rig.kept["lock"].execute("ROLLBACK")
    rig.kept["lock"].close()


class BadFeeds:
    """A feed that takes the connection and says nothing, and one that says a byte a second."""

    def __init__(self) -> None:
        self._listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        self.ports = [one.getsockname()[1] for one in self._listening]
        self.asked = [0, 0]
        for number, one in enumerate(self._listening):
            threading.Thread(target=self._serve, args=(number, one), daemon=True).start()

    def _serve(self, number: int, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                line, _ = listening.accept()
                self.asked[number] += 1
                threading.Thread(target=self._drip if number else self._hang, args=(line,), daemon=True).start()

    def _hang(self, line: socket.socket) -> None:
        with suppress(OSError):
            while line.recv(65_536):
                pass

    def _drip(self, line: socket.socket) -> None:
        with suppress(OSError):
            line.recv(65_536)
            line.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/rss+xml\r\ncontent-length: 100000\r\n\r\n")
            while True:
                line.sendall(b"<")
                time.sleep(1)


def hang_feeds(rig: Rig) -> None:
    """Name two bad feeds; a server asks a feed that it does not know as soon as it looks."""
    feeds = rig.kept["feeds"] = BadFeeds()
    addresses = ", ".join(f'"http://127.0.0.1:{port}/feed.xml"' for port in feeds.ports)
    configure(rig.folder, log=rig.log, feeds=addresses)


def due_feeds(rig: Rig) -> None:
    """Make the server forget when it asked: they are due at its next look."""
    (rig.data / "feeds.json").unlink(missing_ok=True)


def with_model(rig: Rig) -> None:
    """Train a small model and serve it."""
    import numpy as np

    from embellie.app.kept_models import models_of
    from embellie.recommend.features import names_of
    from embellie.recommend.learning import TrainingSet
    from embellie.recommend.ranker_trees import fit_trees

    rng, lists, long, names = np.random.default_rng(1), 200, 5, names_of()
    labels = np.tile(np.array([1, 0, 0, 0, 0]), lists)
    model = fit_trees(TrainingSet(
        features=rng.normal(size=(lists * long, len(names))).astype(np.float32), labels=labels,
        positions=np.tile(np.arange(1, long + 1), lists), propensities=np.ones(lists * long, np.float32),
        weights=np.ones(lists * long, np.float32), groups=np.full(lists, long),
        at=np.arange(lists) + 1_700_000_000_000_000, feature_names=names,
    ), seed=1, trees=20)  # fmt: skip
    run = models_of(rig.data, SITE).keep(model.dump(), {}, state="accepted", now=datetime.now(UTC))
    rig.kept["model"] = next((rig.data / "models").rglob(f"{run.model}.model"))
    configure(rig.folder, log=rig.log, policy="ranker", settings=f'{{ model = "{run.model}" }}')


def spoil_model(rig: Rig) -> None:
    """Flip a bit in the middle of the model's file."""
    rig.kept["whole"] = whole = rig.kept["model"].read_bytes()
    middle = len(whole) // 2
    rig.kept["model"].write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])


def with_short_model(rig: Rig) -> None:
    """Serve a model whose file was cut off before the start."""
    with_model(rig)
    rig.kept["whole"] = rig.kept["model"].read_bytes()
    rig.kept["model"].write_bytes(rig.kept["whole"][:-2_000])


def mend_model(rig: Rig) -> None:
    """Put the right bytes back."""
    rig.kept["model"].write_bytes(rig.kept["whole"])


CLOCK = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t *moved;
__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("CLOCK_MOVED"), O_RDONLY);
  moved = mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
  close(file);
}
int clock_gettime(clockid_t which, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, which, now);
  if (which == CLOCK_REALTIME && moved) now->tv_sec += *moved;
  return failed;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  now->tv_sec = at.tv_sec;
  now->tv_usec = at.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *told) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  if (told) *told = at.tv_sec;
  return at.tv_sec;
}
"""
"""Moves the wall clock of one process by the seconds in a file; the monotonic clock is left alone."""


def clock_env(rig: Rig) -> dict[str, str]:
    """Run the server with a wall clock that a file moves. (libfaketime makes threads wait for the wrong time, and is slow.)"""
    source, library = rig.folder / "clock.c", rig.folder / "clock.so"
    source.write_text(CLOCK)
    subprocess.run([compiler(), "-shared", "-fPIC", "-O2", "-o", library, source], check=True)
    rig.kept["clock"] = rig.folder / "clock.bin"
    rig.kept["clock"].write_bytes(bytes(8))
    return {"LD_PRELOAD": str(library), "CLOCK_MOVED": str(rig.kept["clock"])}


def move_clock(rig: Rig, seconds: int) -> None:
    """Move it at once."""
    with rig.kept["clock"].open("r+b") as file:
        file.write(seconds.to_bytes(8, sys.byteorder, signed=True))


def compiler() -> str:
    """Find a C compiler; `""` when there is none."""
    return shutil.which("cc") or shutil.which("gcc") or ""


def moved(offset: int) -> dict[str, Any]:
    """Describe a clock that is wrong by so many seconds for a while."""
    return {
        "inject": lambda rig: move_clock(rig, offset),
        "remove": lambda rig: move_clock(rig, 0),
        "env": clock_env,
        "needs": lambda: "" if compiler() else "there is no C compiler to make the clock with",
    }


def restart_postgres(rig: Rig) -> None:
    """Stop PostgreSQL at once, without ceremony, and start it three seconds later."""
    rig.postgres.stop()
    time.sleep(3)
    rig.postgres.start()


def no_lightgbm() -> str:
    """Tell why there can be no model."""
    try:
        import lightgbm  # noqa: F401
    except ImportError:
        return "LightGBM is not installed"
    return ""


FAULTS = (
    Fault(name="disk-full", what="the data's disk is full for 12 s", seconds=12, before=small_disk, inject=fill_disk, remove=free_disk, calm=15),
    Fault(name="log-locked", what="another process holds the log for 20 s", seconds=20, inject=lock_log, remove=unlock_log, calm=15),
    Fault(name="postgres-restart", what="PostgreSQL crashes and starts again after 3 s", seconds=4, inject=restart_postgres, postgres=True, calm=15),
    Fault(name="feed-hanging", what="a feed says nothing, another a byte a second, for 50 s", seconds=50, before=hang_feeds, inject=due_feeds),
    Fault(name="model-corrupt", what="a bit of the served model's file flips for 10 s", seconds=10, before=with_model, inject=spoil_model, remove=mend_model, needs=no_lightgbm),
    Fault(name="model-short", what="the model's file is cut off at the start, whole again after 5 s", seconds=5, before=with_short_model, inject=leave, remove=mend_model, needs=no_lightgbm),
    Fault(name="policy-raising", what="the policy raises at each call for 10 s", seconds=10, config={"policy": "faulty"}, inject=lambda rig: rig.say("raise"), remove=lambda rig: rig.say(""), calm=40),
    Fault(name="policy-sleeping", what="the policy sleeps 2 s at each call for 40 s", seconds=40, config={"policy": "faulty"}, inject=lambda rig: rig.say("sleep 2"), remove=lambda rig: rig.say(""), calm=12),
    Fault(name="policy-hanging", what="the policy does not return for 25 s", seconds=25, config={"policy": "faulty"}, inject=lambda rig: rig.say("sleep inf"), remove=lambda rig: rig.say(""), calm=30),
    Fault(name="clock-hour-ahead", what="the clock jumps an hour ahead for 10 s, then back", seconds=10, **moved(3600)),
    Fault(name="clock-hour-back", what="the clock jumps an hour back for 10 s, then ahead", seconds=10, **moved(-3600)),
    Fault(name="clock-day-ahead", what="the clock jumps a day ahead for 10 s, then back", seconds=10, **moved(86_400)),
)  # fmt: skip


# killed a hundred times, and two that race


async def killed(rig: Rig, kills: int) -> dict[str, Any]:
    """Kill the server at random moments, again and again; it is started again at once."""
    server, rng = rig.server, random.Random(5)
    load = Load([server.port], rig.key, slates=rig.options.slates, posts=rig.options.posts)
    running = asyncio.ensure_future(load.run())
    await asyncio.sleep(rig.options.settle)
    start = time.monotonic()
    await asyncio.sleep(rig.options.baseline)
    injected, slates, posts, began = time.monotonic(), [], [], []
    for number in range(kills):
        await asyncio.sleep(rng.uniform(0.1, 1.5))
        at, old = time.monotonic(), server.process.pid
        server.kill()
        while server.process.pid == old:
            await asyncio.sleep(0.01)
        began.append(await asyncio.to_thread(server.wait_ready))
        while not any(one.status == 202 and one.end > at + began[-1] for one in load.posts[-50:]):
            await asyncio.sleep(0.01)
        slates.append(pause_of(load.slates[-5_000:], at, time.monotonic()))
        posts.append(pause_of(load.posts[-5_000:], at, time.monotonic()))
        progress(
            f"kill {number + 1} of {kills}: {began[-1]:.1f} s to start, {len(load.acknowledged):,} events acknowledged"
        )
    removed = time.monotonic()
    await asyncio.sleep(8)
    end = time.monotonic()
    load.stopping = True
    await running
    await asyncio.to_thread(server.stop)
    found = report(rig, load, start=start, injected=injected, removed=removed, end=end)
    return found | {
        "kills": kills, "slate_pause_median": median(slates), "post_pause_median": median(posts),
        "start_median": median(began), "start_longest": round(max(began), 2), "starts": [],
    }  # fmt: skip


def median(values: Sequence[float]) -> float:
    """Tell the middle one."""
    return round(sorted(values)[len(values) // 2], 2) if values else math.nan


async def raced(rig: Rig) -> dict[str, Any]:
    """Let two servers on one log get the same events, the same readers, and two releases to start at the same moment."""
    second = Server(rig.folder, workers=rig.options.workers)
    both = [rig.server, second]
    load = Load(
        [one.port for one in both],
        rig.key,
        slates=rig.options.slates / 2,
        posts=rig.options.posts / 2,
        same_to_all=True,
    )
    running = asyncio.ensure_future(load.run())
    await asyncio.sleep(rig.options.settle)
    start = time.monotonic()
    await asyncio.sleep(rig.options.baseline)
    injected = time.monotonic()
    told = [
        one.call("POST", "/v1/releases", rig.token, {"policy": name})
        for one, name in zip(both, ("latest", "popular"), strict=True)
    ]
    await asyncio.sleep(1)
    orders = [{"placement": PLACEMENT, "release": said["release"], "steps": [0.1, 1.0]} for _, said in told]
    started = await asyncio.gather(
        *(
            asyncio.to_thread(one.call, "POST", "/v1/rollouts", rig.token, order)
            for one, order in zip(both, orders, strict=True)
        )
    )
    await asyncio.sleep(3)
    seen = [one.call("GET", "/v1/rollouts", rig.token)[1]["rollouts"] for one in both]
    removed = time.monotonic()
    await asyncio.sleep(6)
    end = time.monotonic()
    load.stopping = True
    await running
    for one in both:
        await asyncio.to_thread(one.stop)
    found = report(rig, load, start=start, injected=injected, removed=removed, end=end)
    kept = in_log(rig.folder, rig.log)
    return found | {
        "exposures": len(kept["exposures"]),
        "exposed_twice": sum(count > 1 for count in kept["exposures"].values()),
        "rollouts_told": [status for status, _ in started],
        "rollouts_agree": seen[0] == seen[1],
        "rollouts_open": [sum(one["state"] in ("running", "held") for one in each) for each in seen],
    }


# the run


def progress(text: str) -> None:
    """Say how far it is, on standard error."""
    sys.stderr.write(f"\r\033[K{text}" if sys.stderr.isatty() else f"{text}\n")
    sys.stderr.flush()


def one_run(fault: Fault, ground: Ground, options: argparse.Namespace, postgres: Any) -> dict[str, Any]:
    """Let one fault happen."""
    rig = None
    try:
        rig = Rig(fault, ground, options, postgres)
        if fault.name == "kill":
            return asyncio.run(killed(rig, options.kills))
        if fault.name.startswith("racing"):
            return asyncio.run(raced(rig))
        return asyncio.run(suffered(rig))
    finally:
        folder = ground.folder.with_name(fault.name)
        if rig is not None:
            rig.server.stop()
            if rig.kept.get("mounted"):
                subprocess.run(["umount", "-l", rig.data], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def row(found: dict[str, Any]) -> str:
    """Write one line of the table."""
    events, slates, pause = found["events"], found["slates"], found["longest_pause"]

    def after(value: float | None) -> str:
        return "not seen" if value is None else f"{value:.1f} s"

    return (
        f"{found['fault']:<18}{events['acknowledged']:>9,}{events['lost']:>6}{events['twice']:>6}"
        f"{slates['asked']:>8,}{slates['by_fallback']:>9,}{slates['refused']:>8,}{slates['failed']:>7,}{slates['not_in_the_log']:>8,}"
        f"{pause['slates']:>9.2f}{pause['posts']:>9.2f}{after(found['slates_normal_after']):>10}{after(found['posts_normal_after']):>10}"
        f"{found['memory_mb']['before']:>6.0f}{found['memory_mb']['most']:>6.0f}"
    )


HEAD = (
    f"{'fault':<18}{'acked':>9}{'lost':>6}{'twice':>6}{'slates':>8}{'fallback':>9}{'refused':>8}{'failed':>7}{'unlogged':>9}"
    f"{'pause s':>8}{'pause p':>9}{'normal s':>10}{'normal p':>10}{'MB':>6}{'most':>6}"
)


def main() -> int:
    """Run the faults, and print what each did."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is stopped then, too
    options, chosen = asked_for()
    began = time.monotonic()
    found = list(run_all(chosen, options, began))
    told(found, options, time.monotonic() - began)
    return int(any(one["events"]["lost"] or one["events"]["twice"] for one in found))


def asked_for() -> tuple[argparse.Namespace, list[Fault]]:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="names of faults, separated by commas")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--slates", type=float, default=100.0, help="slates a second")
    parser.add_argument("--posts", type=float, default=100.0, help="posts of ten events a second")
    parser.add_argument("--workers", type=int, default=0, help="of each server; left to its configuration by default")
    parser.add_argument("--settle", type=float, default=2.0, help="seconds of load before anything is measured")
    parser.add_argument("--baseline", type=float, default=4.0, help="seconds of load before the fault")
    parser.add_argument("--out", default="")
    options = parser.parse_args()
    nothing = {"inject": leave, "seconds": 0.0}
    faults = [
        Fault(name="kill", what=f"the server is killed (SIGKILL) {options.kills} times", **nothing),
        *FAULTS,
        Fault(name="racing", what="two servers on one data folder get the same events, readers and orders", **nothing),
        Fault(name="racing-postgres", what="two servers on one PostgreSQL, the same", postgres=True, **nothing),
    ]
    wanted = [one for one in options.only.split(",") if one]
    unknown = set(wanted) - {one.name for one in faults}
    if unknown:
        parser.error(f"No fault {', '.join(sorted(unknown))}. There are: {', '.join(one.name for one in faults)}.")
    chosen = [one for one in faults if not wanted or one.name in wanted]
    return options, chosen


def run_all(chosen: Sequence[Fault], options: argparse.Namespace, began: float) -> Iterator[dict[str, Any]]:
    """Let one fault after the other happen, each to an installation of its own."""
    home, postgres = Path(tempfile.mkdtemp(prefix="embellie-faults-")), None
    try:
        progress("An installation is prepared.")
        grounds = {False: prepared(home / "ground")}
        for number, fault in enumerate(chosen, start=1):
            if missing := fault.needs():
                progress(f"{fault.name} is left out: {missing}.")
                continue
            if fault.postgres and postgres is None:
                postgres = open_postgres(home)
                if postgres is None:
                    progress(f"{fault.name} is left out: PostgreSQL is not installed.")
                    continue
            if fault.postgres:
                # Another fault has written there: a log of its own for each.
                postgres.renew()
                grounds[True] = prepared(home / f"ground-{fault.name}", log=postgres.url)
            progress(f"{number} of {len(chosen)}: {fault.what} ({time.monotonic() - began:.0f} s so far)")
            yield (one := one_run(fault, grounds[fault.postgres], options, postgres))
            progress(row(one).strip())
    finally:
        if postgres is not None:
            postgres.remove()
        shutil.rmtree(home, ignore_errors=True)


def told(found: Sequence[dict[str, Any]], options: argparse.Namespace, seconds: float) -> None:
    """Print the table and what was seen, and write the document."""
    print(
        f"\nembellie {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores,"
    )
    print(
        f"{options.slates:g} slates and {options.posts:g} posts of {PER_POST} events a second; {seconds:.0f} s in all.\n"
    )
    print(HEAD)
    for one in found:
        print(row(one))
    busy = [one["fault"] for one in found if one["answered_before"] < 0.99]
    if busy:
        print(f"\nThe machine was too busy already before the fault; do not trust the times of: {', '.join(busy)}.")
    print("\nWhat the operator saw on /readyz, in seconds from the fault:")
    for one in found:
        print(f"  {one['fault']}: {'; '.join(one['readyz'])}")
        for extra in (
            "kills",
            "start_median",
            "start_longest",
            "slate_pause_median",
            "post_pause_median",
            "exposures",
            "exposed_twice",
            "rollouts_told",
            "rollouts_agree",
            "rollouts_open",
        ):
            if extra in one:
                print(f"    {extra}: {one[extra]}")
    if options.out:
        document = {
            "schema": "embellie/benchmark-faults/1", "version": __version__, "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version, "machine": platform.platform(), "cores": os.cpu_count(),
            "load": {"slates": options.slates, "posts": options.posts, "per_post": PER_POST, "workers": options.workers},
            "faults": found,
        }  # fmt: skip
        Path(options.out).write_text(json.dumps(document, indent=1))


def open_postgres(home: Path) -> Any:
    """Start a PostgreSQL of our own; None when it is not installed."""
    import pytest
    from tests.conftest import PostgresServer

    class Postgres(PostgresServer):
        def renew(self) -> None:
            import psycopg

            with psycopg.connect(self.url.replace("/tests", "/postgres"), autocommit=True) as admin:
                admin.execute("DROP DATABASE IF EXISTS tests WITH (FORCE)")
                admin.execute("CREATE DATABASE tests")

    try:
        server = Postgres(Path("/tmp") / f"{home.name}-postgres")
    except pytest.skip.Exception:
        return None
    server.start()
    return server


if __name__ == "__main__":
    sys.exit(main())
