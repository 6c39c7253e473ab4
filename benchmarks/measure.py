"""How long a scorecard takes: of a table of a million readers, beside a bare scan; and from a log of a million events.

Run `python benchmarks/measure.py [--units 1000000] [--events 1000000] [--out FILE]`. Each figure comes from a fresh process:
wall seconds, CPU seconds (children and threads included) and peak memory, imports included.
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

FLOOR_SQL = """
SELECT variant, count(*), favg(revenue), favg(orders), favg(sessions), favg(before), var_samp(revenue), var_samp(orders),
  var_samp(sessions), covar_samp(orders, sessions), var_samp(before), covar_samp(revenue, before)
FROM '{file}' GROUP BY variant
"""


def write_people(file: Path, n: int) -> None:
    """Zero-inflated log-normal revenue, orders and sessions, and revenue before."""
    rng = np.random.default_rng(1)
    variant = rng.integers(0, 2, n, dtype=np.int32)
    before = rng.lognormal(0, 1, n) * (rng.random(n) < 0.3)
    sessions = 1 + rng.poisson(2.0, n)
    people = {
        "reader": np.arange(n),
        "variant": variant,
        "sessions": sessions,
        "orders": rng.binomial(sessions, 0.1 + 0.0015 * variant),
        "revenue": (0.3 * before + rng.lognormal(0, 1, n)) * (rng.random(n) < 0.3 + 0.003 * variant),
        "before": before,
    }
    with duckdb.connect() as connection:
        connection.register("people", people)
        connection.execute(f"COPY (SELECT * FROM people) TO '{file}'")


def run_floor(file: str) -> dict[str, float]:
    started = time.perf_counter()
    duckdb.connect().execute(FLOOR_SQL.format(file=file)).fetchall()
    return {"compute": time.perf_counter() - started}


def run_table(file: str, *, adjusted: bool, looking: str = "none") -> dict[str, float]:
    from embellie.app.measuring import TableSpec, parse_looking
    from embellie.app.measuring_tables import table_scorecard

    started = time.perf_counter()
    table_scorecard(
        file,
        spec=TableSpec(unit="reader", variant="variant"),
        metrics=["revenue", "orders/sessions"],
        covariates={"revenue": "before"} if adjusted else {},
        looking=parse_looking(looking),
    )
    return {"compute": time.perf_counter() - started}


class ListedLog:
    """A log of a site's year in memory, served in batches as the real one serves them."""

    def __init__(self, events: int) -> None:
        rng = np.random.default_rng(2)
        readers = max(1, events // 20)
        names = [f"reader-{number:07d}" for number in range(readers)]
        reader = rng.integers(0, readers, events)
        kinds = np.array(["served", "impression", "read", "read", "click"], dtype=object)
        kind = kinds[rng.integers(0, len(kinds), events)]
        self.columns = {
            "kind": ["exposure"] * readers + kind.tolist(),
            "reader": names + [names[number] for number in reader],
            "visit": [""] * readers + [f"v{number}" for number in rng.integers(0, events // 4, events)],
            "article": [""] * readers + [f"a{number}" for number in rng.integers(0, 5000, events)],
            "body": [
                json.dumps(
                    {"experiment": "first-light", "unit": name, "variant": ("status_quo", "heuristic")[place % 2]}
                )
                for place, name in enumerate(names)
            ]
            + [f'{{"article":"a1","engaged_seconds":{seconds:.1f}}}' for seconds in rng.exponential(40, events)],
        }
        total = readers + events
        self.columns |= {
            "seq": list(range(1, total + 1)),
            "id": [f"0190-{number:012d}" for number in range(total)],
            "site": ["gazette"] * total,
            "at": [number * 1000 for number in range(total)],
            "received_at": [number * 1000 for number in range(total)],
            "consent": ["profiling"] * total,
        }

    def tail(self, after: int, limit: int) -> object:
        return type("Batch", (), {name: column[after : after + limit] for name, column in self.columns.items()})


def run_log(events: int) -> dict[str, float]:
    from embellie.app.measuring import scorecard
    from embellie.domain.experiment import Experiment, Variant
    from embellie.domain.metric import Metric
    from embellie.store.analysis import Analysis

    variants = tuple(Variant(name=name, weight=1, scenario=name, release=name) for name in ("status_quo", "heuristic"))
    experiment = Experiment(
        experiment="first-light", placement="bottom", control="status_quo", variants=variants, salt="s"
    )
    metrics = [
        Metric(metric="articles_per_visit", numerator="reads", denominator="visits"),
        Metric(metric="reads_per_reader", numerator="reads"),
        Metric(metric="click_through", numerator="clicks", denominator="impressions", proxy=True),
    ]
    log = ListedLog(events)
    analysis = Analysis(log)
    started = time.perf_counter()
    analysis.refresh()
    refreshed = time.perf_counter() - started
    laps = []
    for _ in range(3):
        started = time.perf_counter()
        scorecard(analysis, experiment, metrics, read_seconds=10)
        laps.append(time.perf_counter() - started)
    return {"refresh": refreshed, "compute": sorted(laps)[1]}


def child(task: str, file: str, events: int) -> dict[str, float]:
    """Run one task here, and measure this process."""
    started = time.perf_counter()
    tasks = {
        "bare scan": lambda: run_floor(file),
        "table": lambda: run_table(file, adjusted=False),
        "table, adjusted": lambda: run_table(file, adjusted=True),
        "table, adjusted, always": lambda: run_table(file, adjusted=True, looking="always"),
        "log": lambda: run_log(events),
    }
    figures = tasks[task]()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return figures | {
        "wall": time.perf_counter() - started,
        "cpu": used.ru_utime + used.ru_stime,
        "rss_mib": used.ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the figures there")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--file", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        print(json.dumps(child(arguments.task, arguments.file, arguments.events)))
        return
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        parquet, csv = Path(folder) / "people.parquet", Path(folder) / "people.csv"
        write_people(parquet, arguments.units)
        duckdb.sql(f"COPY (SELECT * FROM '{parquet}') TO '{csv}'")
        for name, task, file in (
            ("bare scan, Parquet", "bare scan", parquet),
            ("mean + ratio, Parquet", "table", parquet),
            ("mean + ratio + adjusted, Parquet", "table, adjusted", parquet),
            ("the same, valid at every look", "table, adjusted, always", parquet),
            ("mean + ratio, CSV", "table", csv),
            ("three metrics from the log", "log", ""),
        ):
            command = [sys.executable, __file__, "--task", task, "--file", str(file)]
            command += ["--events", str(arguments.events)]
            runs = [json.loads(subprocess.check_output(command)) for _ in range(arguments.repeats)]
            rows[name] = sorted(runs, key=lambda run: run["cpu"])[len(runs) // 2]
    document = {"units": arguments.units, "events": arguments.events, "rows": rows}
    if arguments.out:
        arguments.out.write_text(json.dumps(document, indent=2), encoding="utf-8")
    print(f"{'':36}{'wall s':>8}{'CPU s':>8}{'compute s':>11}{'RSS MiB':>9}")
    for name, row in rows.items():
        print(f"{name:36}{row['wall']:8.2f}{row['cpu']:8.2f}{row['compute']:11.2f}{row['rss_mib']:9.0f}")
    print(
        f"Reading {arguments.events:,} events into the analysis: {rows['three metrics from the log']['refresh']:.2f} s"
    )


if __name__ == "__main__":
    main()
