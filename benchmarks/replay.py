"""Replaying: clicks a second, memory and milliseconds per slate of `recommend evaluate`, policy by policy. Prints a table.

    python benchmarks/replay.py [--clicks 30000] [--sample 2000] [--policy NAME…] [--out FILE]
    python benchmarks/replay.py --clicks 3000000          the real run: 300,000 readers, 45,000 articles

The newspaper is synthetic: articles appear evenly over four weeks and fade with a half-life of 12 h, a tenth of them
with a tail of weeks; readers come back by a heavy-tailed law, like some sections, and open two articles a visit on
average, each after the first by its section or by what is popular. Each policy is evaluated in a process of its own,
by the public functions, from a Parquet file that is read anew; targets are sampled, so the clicks a second are those
of reading and folding every click and ranking for the targets said. Milliseconds per slate are CPU time.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

from embellie.app.recommending import Source, policy_of, protocol_of, read_source
from embellie.recommend.evaluation import evaluate

START = 1_767_225_600
SPAN = 28 * 86_400
SECTIONS = 12
POLICIES = ("popular", "affinity", "trending", "evergreen", "covisitation", "sessions")


def clicks_of(clicks, *, seed=5):
    """Draw the log: columns of reader, visit, article and time (s), and each article's time and section."""
    rng = np.random.default_rng(seed)
    readers, articles = max(50, clicks // 10), max(200, int(45_000 * min(1.0, clicks / 3e6) ** 0.5))
    born = np.sort(rng.uniform(0.0, SPAN, articles))
    section = rng.integers(0, SECTIONS, articles)
    appeal = rng.lognormal(0.0, 1.3, articles)
    lasting = rng.random(articles) < 0.1
    taste = rng.integers(0, SECTIONS, readers)
    lengths = rng.geometric(0.5, int(clicks * 0.55) + 10)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), clicks)) + 1]
    day = np.array([1, 1, 1, 1, 1, 2, 5, 8, 8, 7, 6, 6, 8, 7, 6, 6, 6, 7, 8, 8, 8, 7, 5, 2], float)
    hour = rng.choice(24, len(lengths), p=day / day.sum())
    starts = np.sort(rng.integers(0, 28, len(lengths)) * 86_400 + hour * 3600 + rng.uniform(0, 3600, len(lengths)))
    who = np.minimum((readers * rng.random(len(lengths)) ** 2.5).astype(np.int64), readers - 1)
    visit = np.repeat(np.arange(len(lengths)), lengths)[:clicks]
    step = (np.arange(len(visit)) - np.repeat(np.cumsum(lengths) - lengths, lengths)[:clicks]).astype(np.int64)
    at = starts[visit] + 90.0 * step + rng.uniform(0, 60, len(visit))
    wanted = np.where(rng.random(len(visit)) < 0.6, taste[who[visit]], -1)
    chosen = np.zeros(len(visit), np.int64)
    # Every quarter of an hour the odds are drawn anew: appeal, faded by age.
    quarter = (at // 900).astype(np.int64)
    order = np.argsort(quarter, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(quarter[order])) + 1):
        known = max(3, int(np.searchsorted(born, at[group].min())))
        recent = np.arange(max(0, known - 8000), known)
        age = (at[group[0]] - born[recent]) / 3600
        odds = appeal[recent] * np.where(lasting[recent], 0.08 * 2.0 ** (-age / 240), 2.0 ** (-age / 12)) + 1e-12
        for theme in range(-1, SECTIONS):
            places = group[wanted[group] == theme]
            if not len(places):
                continue
            liked = np.cumsum(odds if theme < 0 else odds * np.where(section[recent] == theme, 1.0, 1e-9))
            drawn = np.searchsorted(liked, rng.random(len(places)) * liked[-1])
            chosen[places] = recent[np.minimum(drawn, len(recent) - 1)]
    return {"reader": who[visit], "visit": visit, "article": chosen, "at": START + at}, born, section


def write(folder, clicks):
    """Write the log as Parquet and the catalogue as JSON lines."""
    columns, born, section = clicks_of(clicks)
    log, catalogue = folder / "clicks.parquet", folder / "catalogue.jsonl"
    connection = duckdb.connect()
    connection.register("clicks", columns)
    connection.execute(
        "COPY (SELECT 'reader-' || reader AS reader, 'visit-' || visit AS visit, 'article-' || article AS article,"
        f' CAST("at" * 1000 AS BIGINT) AS "at" FROM clicks) TO \'{log}\' (FORMAT parquet)'
    )
    with catalogue.open("w") as file:
        for number, (time_, desk) in enumerate(zip(born, section, strict=True)):
            at = np.datetime64(int(START + time_), "s")
            article = {"article": f"article-{number}", "section": f"section-{desk}", "published_at": f"{at}Z"}
            file.write(json.dumps(article) + "\n")
    return log, catalogue


def measured(log, catalogue, policy, sample):
    """Evaluate one policy; its figures and the peak memory of this process."""
    source = Source(log=log, reader="reader", visit="visit", article="article", at="at", unit="ms", catalogue=catalogue)
    built = policy_of(policy)
    began, began_cpu = time.perf_counter(), time.process_time()
    log, _, _ = read_source(source)
    # Slates are timed in CPU time: on a shared machine the clock on the wall tells of others.
    evaluation = evaluate(log, {policy: built}, protocol=protocol_of(sample=sample), timer=time.process_time)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    result = evaluation.policies[policy]
    return {
        "policy": policy,
        "clicks": evaluation.clicks,
        "readers": evaluation.readers,
        "articles": evaluation.articles,
        "targets": len(evaluation.targets),
        "seconds": seconds,
        "clicks_per_second": evaluation.clicks / seconds,
        "clicks_per_cpu_second": evaluation.clicks / cpu_seconds,
        "fold_per_second": evaluation.clicks / result.fit_seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "p50_ms": result.p50_ms,
        "p99_ms": result.p99_ms,
        "hr": getattr(result.hr, "value", None),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clicks", type=int, default=30_000)
    parser.add_argument("--sample", type=int, default=2_000, help="targets ranked, drawn at random; 0 for all")
    parser.add_argument("--policy", action="append", help="may be given several times")
    parser.add_argument("--out", type=Path, help="write the figures there, as JSON")
    parser.add_argument("--one", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(*asked.one, asked.policy[0], asked.sample)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), asked.clicks)
        print(
            f"{'policy':14} {'clicks':>9} {'articles':>8} {'targets':>8} {'clicks/s':>9} {'per CPU s':>9} {'peak MB':>8}"
            f" {'p50 ms':>7} {'p99 ms':>7} {'HR@20':>6}"
        )
        for policy in asked.policy or POLICIES:
            command = [sys.executable, __file__, "--one", *map(str, files), "--policy", policy]
            done = subprocess.run([*command, "--sample", str(asked.sample)], check=True, capture_output=True, text=True)
            row = json.loads(done.stdout)
            rows.append(row)
            print(
                f"{policy:14} {row['clicks']:9,} {row['articles']:8,} {row['targets']:8,} {row['clicks_per_second']:9,.0f}"
                f" {row['clicks_per_cpu_second']:9,.0f} {row['peak_mb']:8,.0f} {row['p50_ms']:7.2f} {row['p99_ms']:7.2f}"
                f" {row['hr']:6.3f}",
                flush=True,
            )
    if asked.out:
        document = {"schema": "embellie/benchmark-replay/1", "policies": rows}
        asked.out.write_text(json.dumps(document, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
