"""Recommending: milliseconds per slate, events folded per second, memory. Prints a table, and writes JSON when asked.

    python benchmarks/recommend.py [--quick] [--out FILE]

A slate is what the server makes: policy, then editorial rules with a section cap of 2. The newspaper is synthetic:
reads fall off exponentially with the age of an article; every reader asked for has a history of twenty reads.
"""

import argparse
import json
import random
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.reading import Read
from embellie.domain.site import Placement
from embellie.domain.slate import SlateRequest
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.editorial import apply_rules
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State

START = datetime(2026, 1, 1, tzinfo=UTC)
PLACEMENT = Placement(placement="bottom", section_cap=2)
READERS = 500


def published(articles):
    for i in range(articles):
        at = START + timedelta(minutes=5 * i)
        body = Article(
            article=f"article-{i:06}", title=f"The title of article {i}", url=f"https://gazette.example/{i}",
            section=f"section-{i % 12}", language="fr", published_at=at,
        )  # fmt: skip
        yield Event(id=f"a{i}", site="gazette", at=at, body=body)


def reads(articles, count, rng):
    end = START + timedelta(minutes=5 * articles)
    for i in range(count):
        at = end + timedelta(seconds=i)
        article = max(0, articles - 1 - int(rng.expovariate(1 / 200)))
        body = Read(article=f"article-{article:06}", reader=f"r{i % READERS}", visit=f"v{i // 3}")
        yield Event(id=f"r{i}", site="gazette", at=at, consent="profiling", body=body)


def slates(state, policy, articles, times, now):
    taken = []
    for i in range(times):
        request = SlateRequest(
            site="gazette", placement="bottom", n=4, now=now, article=f"article-{articles - 1 - i % 50:06}",
            reader=f"r{i % READERS}", consent="profiling",
        )  # fmt: skip
        began = time.perf_counter()
        slate = apply_rules(policy(request, state), request=request, state=state, rules=(), placement=PLACEMENT)
        taken.append((time.perf_counter() - began) * 1000)
        assert policy.name == "status_quo" or len(slate) == 4
    return np.percentile(taken, [50, 99])


def speed(sizes, times):
    rows = []
    for articles in sizes:
        rng = random.Random(articles)
        events = list(reads(articles, 20 * READERS, rng))
        state = State(signals=signals_of(map(build_policy, POLICIES))).fold(published(articles))
        began = time.perf_counter()
        state.fold(events)
        fold = len(events) / (time.perf_counter() - began)
        for name in POLICIES:
            p50, p99 = slates(state, build_policy(name), articles, times, events[-1].at)
            rows.append({"articles": articles, "policy": name, "p50_ms": p50, "p99_ms": p99, "fold_per_second": fold})
    return rows


def memory(articles, readers):
    """Bytes per 100,000 articles (with their texts), and per 100,000 readers of twenty articles each."""
    rng = random.Random(1)
    tracemalloc.start()
    state = State().fold(published(articles))
    with_articles = tracemalloc.get_traced_memory()[0]
    for reader in range(readers):
        for i in range(20):
            body = Read(article=f"article-{rng.randrange(articles):06}", reader=f"reader-{reader}")
            at = START + timedelta(minutes=5 * articles, seconds=reader * 20 + i)
            state.apply(Event(id="r", site="gazette", at=at, consent="profiling", body=body))
    with_readers = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return {
        "per_100k_articles_mb": with_articles / articles * 1e5 / 1e6,
        "per_100k_readers_mb": (with_readers - with_articles) / readers * 1e5 / 1e6,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, help="write the figures there")
    asked = parser.parse_args()
    sizes, times = ((1_000, 10_000), 100) if asked.quick else ((1_000, 10_000, 50_000), 1_000)
    rows = speed(sizes, times)
    print(f"{'articles':>9} {'policy':14} {'p50 ms':>8} {'p99 ms':>8} {'events folded/s':>16}")
    for row in rows:
        print(
            f"{row['articles']:9} {row['policy']:14} {row['p50_ms']:8.3f} {row['p99_ms']:8.3f} {row['fold_per_second']:16,.0f}"
        )
    used = memory(20_000, 2_000 if asked.quick else 10_000)
    print(
        f"\n100,000 articles: {used['per_100k_articles_mb']:.0f} MB; 100,000 readers of 20 articles: {used['per_100k_readers_mb']:.0f} MB"
    )
    if asked.out:
        document = {"schema": "embellie/benchmark-recommend/1", "slates": rows, "memory": used}
        asked.out.write_text(json.dumps(document, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
