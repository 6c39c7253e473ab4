"""Warm start: seconds until the first slate from the whole log and from the state file, and what writing it costs readers.

    python benchmarks/warm_start.py [--articles 50000] [--readers 1000000] [--reads 3] [--folder DIR] [--out FILE]

A log is made directly: every reader is exposed, is served once and reads some recent articles. The state keeps every signal
that a built-in policy looks at. Each start is a process of its own, timed from before Python begins to the first slate;
its CPU seconds are those of that process alone, for a machine that others use too.
`--folder` keeps the log there, and takes it from there if there is one.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from embellie.app.newsroom import Newsroom
from embellie.app.warm_start import keep
from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Read
from embellie.domain.slate import Slate, SlateItem, SlateRequest
from embellie.recommend.built_in import POLICIES
from embellie.store.log_file import open_log_file
from embellie.store.log_writing import _INSERT, prepare

SITE, START = "gazette", datetime(2026, 1, 1, tzinfo=UTC)
NOT_SCENARIOS = {"status_quo", "diverse", "interleaved", "exploring", "factors"}
CONFIG = "[sites.gazette]\n[experiments.first]\n[scenarios.status_quo]\npolicy = 'status_quo'\n" + "".join(
    f"[scenarios.{'heuristic' if name == 'affinity' else name}]\npolicy = '{name}'\n"
    for name in POLICIES
    if name not in NOT_SCENARIOS
)
SYLLABLES = ("ta", "mo", "ri", "ver", "len", "sor", "bel", "dan", "mur", "to", "gas", "pon", "lic", "fre", "cu")
WORDS = [a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES]
SHARES = [1 / (10 + rank) for rank in range(len(WORDS))]  # Zipf, as words are in a language


def articles(count):
    rng = random.Random(4)
    for i in range(count):
        at = START + timedelta(minutes=i)
        text = [" ".join(rng.choices(WORDS, SHARES, k=k)) for k in (7, 25)]
        body = Article(
            article=f"article-{i:06}", title=text[0], summary=text[1], url=f"https://gazette.example/{i}",
            section=f"section-{i % 12}", language="fr", tags=(f"tag{i % 300}",), published_at=at,
        )  # fmt: skip
        yield Event(id=f"a{i}", site=SITE, at=at, body=body)


def visits(first, readers, reads, count):
    """What readers do: an exposure, a slate, and some reads in visits of three."""
    rng = random.Random(first)
    for i in range(first, first + readers):
        at = START + timedelta(minutes=count, microseconds=(i - first) * 300_000)
        reader = f"reader-{i:012x}"
        near = [f"article-{max(0, count - 1 - int(rng.expovariate(1 / 2000))):06}" for _ in range(max(4, reads))]
        head = {"site": SITE, "at": at, "consent": "profiling"}
        yield Event(id=f"e{i}", body=Exposure(experiment="first", unit=reader, variant="heuristic"), **head)
        items = tuple(
            SlateItem(article=one, position=n, propensity=1.0, reason="popular")
            for n, one in enumerate(near[:4], start=1)
        )
        slate = Slate(
            slate_id=f"s{i}", placement="article-bottom", reader=reader, visit=f"visit-{i}-0", article=near[0],
            variant="heuristic", release="heuristic-1", policy="affinity", experiment="first", items=items,
        )  # fmt: skip
        yield Event(id=f"s{i}", body=slate, **head)
        for n in range(reads):
            body = Read(article=near[n], reader=reader, visit=f"visit-{i}-{n // 3}", engaged_seconds=30.0)
            yield Event(id=f"r{i}-{n}", body=body, **head)


def put(log, events, at):
    """Write straight into the file: the log's own way in would keep a ledger that nobody looks at here."""
    connection, batch, done = open_log_file(log), [], 0
    connection.execute("BEGIN")
    for event in events:
        batch.append(event)
        if len(batch) == 10_000:
            connection.executemany(_INSERT, prepare(batch, received_at=at, rejected=()).rows)
            done, batch = done + len(batch), []
    connection.executemany(_INSERT, prepare(batch, received_at=at, rejected=()).rows)
    connection.execute("COMMIT")
    connection.close()
    return done + len(batch)


def request(number, count):
    now = START + timedelta(minutes=count, hours=90)
    return SlateRequest(
        site=SITE, placement="article-bottom", n=4, now=now, article=f"article-{count - 1 - number % 500:06}",
        reader=f"reader-{number * 7919 % 1_000_000:012x}", visit=f"w{number}", consent="profiling",
    )  # fmt: skip


def started(folder, count, *, keep_after):
    """Open the project in this process; answer one reader; then write the state file from what was folded, if that is asked."""
    newsroom = Newsroom.open(folder)
    newsroom.slate(request(3, count))
    seconds, start, cpu = time.time() - float(os.environ["BEGAN"]), newsroom.started, time.process_time()
    status = Path("/proc/self/status").read_text() if Path("/proc/self/status").exists() else ""
    rss = next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    state = newsroom._live.state.site(SITE)  # noqa: SLF001 -- to say what was measured
    began = time.process_time()
    if keep_after:
        live = newsroom._live  # noqa: SLF001
        keep(
            newsroom.state_file,
            newsroom.log,
            state=live.state,
            exposed=live.exposed,
            sequence=start.sequence,
            sites=live.sites,
        )
    written = time.process_time() - began
    newsroom.close()
    return {
        "first_slate_seconds": seconds, "cpu_seconds": cpu, "written_cpu_seconds": written, "fold_seconds": start.seconds, "events_folded": start.folded, "taken": start.taken,
        "refused": start.refused, "rss_mb": rss, "peak_mb": peak, "histories": len(state.histories),
        "signals": [kind.name for kind in state.signals],
    }  # fmt: skip


def start(folder, count, *more):
    command = [sys.executable, __file__, "--start", str(folder), "--articles", str(count), *more]
    env = os.environ | {"BEGAN": repr(time.time())}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    return json.loads(done.stdout.splitlines()[-1])


def fold(folder):
    """Write the state file as the server has it written, aside."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    command = ["nice", "-n", "10", sys.executable, "-m", "embellie", "log", "fold", "--project", str(folder), "--json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": cpu,
        "events": said["folded"],
        "bytes": said["bytes"],
    }


def slates(newsroom, count, rate, until):
    """Ask for slates at a steady rate; milliseconds from when each was due to its answer."""
    taken, number, began = [], 0, time.perf_counter()
    while not until(time.perf_counter() - began):
        due = began + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        newsroom.slate(request(number * 31 + 11, count))
        taken.append(1000 * (time.perf_counter() - due))
        number += 1
    return taken


def percentiles(taken):
    found = sorted(taken)
    return {"slates": len(found)} | {f"p{p}": found[min(len(found) - 1, int(len(found) * p / 100))] for p in (50, 99)}


def meanwhile(folder, count, rate):
    """What slates take quietly, and while the state file is written."""
    with Newsroom.open(folder) as newsroom:
        slates(newsroom, count, rate, lambda passed: passed > 3)
        quiet = slates(newsroom, count, rate, lambda passed: passed > 15)
        done = []
        thread = threading.Thread(target=lambda: done.append(fold(folder)))
        thread.start()
        busy = slates(newsroom, count, rate, lambda _: not thread.is_alive())
        quiet += slates(newsroom, count, rate, lambda passed: passed > 5)
    return {"quiet": percentiles(quiet), "while_written": percentiles(busy), "writing": done[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--articles", type=int, default=50_000)
    parser.add_argument("--readers", type=int, default=1_000_000)
    parser.add_argument("--reads", type=int, default=3, help="reads of each reader")
    parser.add_argument("--tail", type=int, default=10_000, help="readers who come after the state file was written")
    parser.add_argument("--rate", type=float, default=50.0, help="slates a second while the file is written")
    parser.add_argument("--no-cold", action="store_true", help="leave out the start without a state file")
    parser.add_argument("--folder", type=Path, help="keep the log there")
    parser.add_argument("--out", type=Path, help="write the figures there, as JSON")
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--keep-after", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.start:
        print(json.dumps(started(asked.start, asked.articles, keep_after=asked.keep_after)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        log, row = folder / "embellie-data" / "log.sqlite", {}
        now = START + timedelta(minutes=asked.articles, hours=85)
        if not log.exists():
            (folder / "embellie.toml").write_text(CONFIG)
            began = time.perf_counter()
            row["events"] = put(log, articles(asked.articles), now)
            row["events"] += put(log, visits(0, asked.readers, asked.reads, asked.articles), now)
            print(
                f"{row['events']:,} events made in {time.perf_counter() - began:.0f} s, {log.stat().st_size:,} bytes",
                flush=True,
            )
        if not asked.no_cold:
            (folder / "embellie-data" / "state.bin").unlink(missing_ok=True)
            row["cold"] = start(folder, asked.articles, "--keep-after")
            print("cold", row["cold"], flush=True)
        row["warm"] = start(folder, asked.articles)
        print("warm", row["warm"], flush=True)
        fresh = int(time.time()) * 100_000  # others than the last time, when the folder is kept
        put(log, visits(fresh, asked.tail, asked.reads, asked.articles), now)
        row["warm_with_tail"] = start(folder, asked.articles)
        print("warm with tail", row["warm_with_tail"], flush=True)
        row["meanwhile"] = meanwhile(folder, asked.articles, asked.rate)
        print("meanwhile", row["meanwhile"], flush=True)
    if "cold" in row:
        row["ratio"] = row["cold"]["first_slate_seconds"] / row["warm_with_tail"]["first_slate_seconds"]
        print(f"warm starts {row['ratio']:.0f} times sooner")
    if asked.out:
        document = {"schema": "embellie/benchmark-warm-start/1", "articles": asked.articles, "readers": asked.readers}
        asked.out.write_text(json.dumps(document | row, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
