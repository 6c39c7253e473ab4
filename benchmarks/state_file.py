"""The state file: seconds to write and to restore, and its size. Prints a table, and writes JSON when asked.

    python benchmarks/state_file.py [--articles 50000] [--readers 1000000] [--reads 5] [--out FILE]

Every reader has a few reads of recent articles in visits of two or three; the state keeps every signal that the
built-in policies look at. The restore is timed in a process of its own; seconds are CPU time.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.signals import signals_of
from embellie.recommend.state import Bounds, State
from embellie.store.state_file import read_state, write_state

START = datetime(2026, 1, 1, tzinfo=UTC)
SITE = "gazette"


def empty():
    return State(signals=signals_of(map(build_policy, POLICIES)), bounds=Bounds(readers=1_000_000))


def folded(articles, readers, reads):
    rng = random.Random(4)
    state = empty()
    for i in range(articles):
        at = START + timedelta(minutes=i)
        body = Article(
            article=f"article-{i:06}", title=f"The title of article {i}", url=f"https://gazette.example/{i}",
            summary="A summary of about a hundred signs, as papers write them for their feeds, more or less." * 2,
            section=f"section-{i % 12}", language="fr", tags=("one", "two"), published_at=at,
        )  # fmt: skip
        state.apply(Event(id=f"a{i}", site=SITE, at=at, body=body))
    site, at = state.kept(SITE), micros(START + timedelta(minutes=articles))
    for reader in range(readers):
        for i in range(reads):
            at += 100_000
            name = f"article-{max(0, articles - 1 - int(rng.expovariate(1 / 2000))):06}"
            visit = f"visit-{reader}-{i // 3}"
            site.open(name, at, reader=f"reader-{reader:012x}", visit=visit, read=True, profiling=True)
    return state


def restored(path):
    """Restore in this process: seconds to read, seconds to take up, peak memory."""
    began = time.process_time()
    snapshot, _ = read_state(path)
    read = time.process_time()
    empty().restore(snapshot)
    done = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"read_seconds": read - began, "restore_seconds": done - read, "peak_mb": peak}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--articles", type=int, default=50_000)
    parser.add_argument("--readers", type=int, default=1_000_000)
    parser.add_argument("--reads", type=int, default=5, help="reads of each reader")
    parser.add_argument("--out", type=Path, help="write the figures there, as JSON")
    parser.add_argument("--restore", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.restore:
        print(json.dumps(restored(asked.restore)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        began = time.process_time()
        state = folded(asked.articles, asked.readers, asked.reads)
        fold = time.process_time()
        snapshot = state.snapshot()
        taken = time.process_time()
        write_state(path, snapshot, sequence=1)
        row = {
            "fold_seconds": fold - began,
            "snapshot_seconds": taken - fold,
            "write_seconds": time.process_time() - taken,
        }
        row["file_mb"] = path.stat().st_size / 1e6
        command = [sys.executable, __file__, "--restore", str(path)]
        row |= json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{asked.articles:,} articles, {asked.readers:,} readers of {asked.reads} reads")
    for name, value in row.items():
        print(f"{name:18} {value:10,.2f}")
    if asked.out:
        document = {
            "schema": "embellie/benchmark-state-file/1",
            "articles": asked.articles,
            "readers": asked.readers,
        } | row
        asked.out.write_text(json.dumps(document, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
