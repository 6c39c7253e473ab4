"""What traces cost: CPU of a slate with and without them, in one process, in turns.

    python benchmarks/tracing.py --out tracing.json

Off, there is no layer to pay for; on, every request makes two spans, which a collector would get in the background.
"""

import argparse
import asyncio
import json
import platform
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from embellie.app.newsroom import Newsroom
from embellie.domain.article import Article
from embellie.web.server import create_app, open_keys

CONFIG = "[sites.gazette]\n[experiments.first-light]\n"


async def slates(app, path: str, query: bytes, count: int) -> float:
    """CPU seconds of so many slates."""

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message

    began = time.process_time()
    for _ in range(count):
        scope = {
            "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query, "headers": [],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "scheme": "http", "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        await app(scope, receive, send)
    return time.process_time() - began


def measure(rounds: int, count: int) -> dict[str, object]:
    """Compare in turns: the median of the ratios of each round."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    from embellie.web.tracing import open_tracer

    class Nowhere(SpanExporter):
        def export(self, spans):
            return SpanExportResult.SUCCESS

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "embellie.toml").write_text(CONFIG)
        with Newsroom.open(Path(folder), threads=1) as newsroom:
            now = datetime.now(UTC)
            articles = [Article(article=f"a{i}", section=f"s{i % 8}", published_at=now) for i in range(2000)]
            newsroom.publish("gazette", articles).result()
            keys = open_keys(newsroom)
            query = f"key={keys.public['gazette']}&placement=article-bottom".encode()
            off = create_app(newsroom, keys=keys, posts_per_second=0)
            on = create_app(newsroom, keys=keys, posts_per_second=0, tracer=open_tracer(exporter=Nowhere()))
            plain, ratios = [], []
            for _ in range(rounds):
                one = asyncio.run(slates(off, "/v1/slate", query, count))
                other = asyncio.run(slates(on, "/v1/slate", query, count))
                plain.append(1e6 * one / count)
                ratios.append(other / one)
    return {
        "off_us": statistics.median(plain), "on_over_off": statistics.median(ratios), "low": min(ratios),
        "high": max(ratios), "rounds": rounds, "slates": count, "python": platform.python_version(),
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slates", type=int, default=1500)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    try:
        found = measure(given.rounds, given.slates)
    except ImportError:
        sys.exit("OpenTelemetry is not installed: see requirements/operate.txt.")
    print(f"slate, traces off   {found['off_us']:8.0f} µs CPU")
    print(f"traces on over off  {found['on_over_off']:8.2f}    ({found['low']:.2f} to {found['high']:.2f})")
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
