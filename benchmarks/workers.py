"""What several workers on one port cost and give: slates a second, and slates a second of CPU, by one and by several.

Two servers over the same articles and reads, one with one worker and one with several, are loaded in turn, over kept-alive
connections, with slates alone and with slates while reads are posted. CPU is that of the processes that answer, so figures hold
also where the load shares their cores; calls a second need as many cores as there are workers, and one for the load.

    python benchmarks/workers.py [--workers 2] [--articles 5000] [--seconds 6] [--rounds 3] [--out FILE]
"""

import argparse
import asyncio
import json
import os
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from embellie import __version__
from embellie.app.newsroom import Newsroom
from serve import CONFIG, READERS, as_fast_as_it_goes, batch, fill, get, page, post

SOURCE = Path(__file__).parents[1] / "src"
CONNECTIONS = 16


class Server:
    """A real server, and the processes that answer for it."""

    def __init__(self, folder: Path, workers: int) -> None:
        command = [sys.executable, "-m", "embellie", "serve", str(folder), "--port", "0", "--posts-per-second", "0"]
        self.process = subprocess.Popen(
            [*command, "--workers", str(workers)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
        )
        said = ""
        for line in self.process.stderr:
            said += line
            if line.startswith("Stop with"):
                break
        found = re.search(r"at (http://\S+)", said)
        if not found:
            raise SystemExit(said)
        self.port, self.key = int(found[1].rpartition(":")[2]), re.search(r"pk_[\w-]+", said)[0]
        self.processes: set[int] = set()
        while len(self.processes) < workers:
            self.processes.add(httpx.get(f"{found[1]}/healthz").json()["process"])

    def cpu_seconds(self) -> dict[int, float]:
        ticks = os.sysconf("SC_CLK_TCK")
        found = {}
        for process in self.processes:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            found[process] = (int(fields[11]) + int(fields[12])) / ticks
        return found

    def resident(self) -> float:
        pages = [int(Path(f"/proc/{process}/statm").read_text().split()[1]) for process in self.processes]
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.process.stderr.close()


async def loaded(server: Server, articles: int, seconds: float, *, posting: bool) -> dict[str, float]:
    """Ask for slates as fast as they come, while reads are posted if so wanted."""

    def a_slate(rng: random.Random) -> bytes:
        path = f"/v1/slate?key={server.key}&placement=article-bottom&consent=profiling&visit=v{rng.randrange(10**6)}"
        return get(f"{path}&article=a{page(rng, articles)}&reader=r{rng.randrange(READERS)}")

    salt = random.Random()

    def some_reads(_: random.Random) -> bytes:
        return post(f"/v1/events?key={server.key}", batch(salt, articles))

    before, began = server.cpu_seconds(), time.perf_counter()
    asking = [as_fast_as_it_goes(server.port, a_slate, seconds=seconds, connections=CONNECTIONS, wanted=200)]
    if posting:
        asking.append(as_fast_as_it_goes(server.port, some_reads, seconds=seconds, connections=4, wanted=202))
    answered = await asyncio.gather(*asking)
    lasted = time.perf_counter() - began
    spent = [after - before[process] for process, after in server.cpu_seconds().items()]
    slates = answered[0]["calls_per_second"] * lasted
    return {
        "slates_per_second": slates / lasted,
        "slates_per_cpu_second": slates / sum(spent),
        "events_per_second": 10 * answered[1]["calls_per_second"] if posting else 0.0,
        "p99_ms": answered[0]["p99_ms"],
        "busiest_share": max(spent) / sum(spent),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--articles", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        first = Path(place) / "one"
        first.mkdir()
        (first / "embellie.toml").write_text(CONFIG.replace("POLICY", "affinity").replace("SETTINGS", "{}"))
        with Newsroom.open(first) as newsroom:
            fill(newsroom, options.articles)
        shutil.copytree(first, Path(place) / "several")
        servers = {1: Server(first, 1), options.workers: Server(Path(place) / "several", options.workers)}
        try:
            for posting in (False, True):
                rounds: dict[int, list[dict[str, float]]] = {count: [] for count in servers}
                for _ in range(options.rounds):
                    for count, server in servers.items():
                        rounds[count].append(
                            asyncio.run(loaded(server, options.articles, options.seconds, posting=posting))
                        )
                for count, each in rounds.items():
                    name = f"{count} worker{'s' if count > 1 else ''}, {'slates and reads' if posting else 'slates'}"
                    medians = {key: statistics.median(one[key] for one in each) for key in each[0]}
                    found[name] = medians | {"resident_bytes": servers[count].resident()}
                    print(
                        f"{name:<30} {medians['slates_per_second']:6.0f} slates/s {medians['slates_per_cpu_second']:6.0f} per CPU s"
                        f" {medians['events_per_second']:7.0f} events/s p99 {medians['p99_ms']:6.1f} ms busiest {medians['busiest_share']:4.0%}"
                        f" {found[name]['resident_bytes'] / 1e6:5.0f} MB"
                    )
        finally:
            for server in servers.values():
                server.stop()
    document = {
        "schema": "embellie/benchmark-workers/1",
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": {"embellie": __version__, "python": platform.python_version()},
        "articles": options.articles,
        "found": found,
    }
    text = json.dumps(document, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
