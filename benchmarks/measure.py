"""How long a scorecard takes: of a table of millions of readers, beside a bare scan and other libraries; and from a log.

Run `python benchmarks/measure.py [--units 1000000 5000000] [--peers PYTHON …] [--events 1000000] [--out FILE]`. Four figures:
a mean, a ratio, and both adjusted for the time before. Each comes from a fresh process: wall seconds, CPU seconds (all
threads, imports included), peak memory, and that memory over what the imports alone take. `--peers` names interpreters that
have other libraries; how to make them is said in `measure_peers.py`.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

from measure_peers import PEERS, WANTED, memory

FLOOR_SQL = """
SELECT variant, count(*), avg(revenue), avg(before), avg(orders), avg(sessions), avg(orders_before), avg(sessions_before),
  var_samp(revenue), var_samp(before), covar_samp(revenue, before), var_samp(orders), var_samp(sessions),
  covar_samp(orders, sessions), var_samp(orders_before), var_samp(sessions_before),
  covar_samp(orders_before, sessions_before), covar_samp(orders, orders_before), covar_samp(orders, sessions_before),
  covar_samp(sessions, orders_before), covar_samp(sessions, sessions_before)
FROM '{file}' GROUP BY variant
"""

METRICS = ["revenue", "orders/sessions"]
COVARIATES = {"revenue": "before", "orders/sessions": "orders_before/sessions_before"}


def write_people(file: Path, n: int) -> None:
    """Zero-inflated log-normal revenue, orders and sessions, each with its past; a number and a name for each reader."""
    rng = np.random.default_rng(1)
    variant = rng.integers(0, 2, n, dtype=np.int32)
    taste = rng.gamma(2.0, 0.5, n)
    before = rng.lognormal(0, 1, n) * (rng.random(n) < 0.3)
    sessions, sessions_before = (1 + rng.poisson(2.0 * taste) for _ in range(2))
    people = {
        "reader": np.arange(n),
        "variant": variant,
        "sessions": sessions,
        "orders": rng.binomial(sessions, 0.1 + 0.0015 * variant),
        "revenue": (0.3 * before + rng.lognormal(0, 1, n)) * (rng.random(n) < 0.3 + 0.003 * variant),
        "before": before,
        "sessions_before": sessions_before,
        "orders_before": rng.binomial(sessions_before, 0.1),
    }
    with duckdb.connect() as connection:
        connection.register("people", people)
        connection.execute(f"COPY (SELECT *, md5(CAST(reader AS VARCHAR)) AS name FROM people) TO '{file}'")


def write_twice(people: Path, file: Path) -> None:
    """Cut every reader into two rows."""
    columns = ["sessions", "orders", "revenue", "before", "sessions_before", "orders_before"]
    half = ", ".join(f"{name} / 2 AS {name}" for name in columns)
    duckdb.sql(f"COPY (SELECT reader, variant, {half} FROM '{people}', range(2)) TO '{file}'")


def run_floor(file: str) -> dict[str, float]:
    before = memory()
    started = time.perf_counter()
    duckdb.connect().execute(FLOOR_SQL.format(file=file)).fetchall()
    return {"compute": time.perf_counter() - started, "rss_before": before}


def run_table(file: str, *, unit: str = "reader", adjusted: bool = True, looking: str = "none") -> dict[str, float]:
    from embellie.app.measuring import TableSpec, parse_looking
    from embellie.app.measuring_tables import table_scorecard

    before = memory()
    started = time.perf_counter()
    table_scorecard(
        file,
        spec=TableSpec(unit=unit, variant="variant"),
        metrics=METRICS,
        covariates=COVARIATES if adjusted else {},
        looking=parse_looking(looking),
    )
    return {"compute": time.perf_counter() - started, "rss_before": before}


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
    tasks = {
        "bare scan": lambda: run_floor(file),
        "four figures": lambda: run_table(file),
        "mean and ratio": lambda: run_table(file, adjusted=False),
        "always": lambda: run_table(file, looking="always"),
        "names": lambda: run_table(file, unit="name"),
        "log": lambda: run_log(events),
    }
    figures = tasks[task]()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return figures | {"cpu": used.ru_utime + used.ru_stime, "rss_mib": memory()}


def measured(command: list[str], repeats: int) -> dict[str, float]:
    """Run a command in a fresh process, several times; the run of median CPU."""
    runs = []
    for _ in range(repeats):
        started = time.perf_counter()
        found = json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL).splitlines()[-1])
        runs.append(found | {"wall": time.perf_counter() - started})
    return sorted(runs, key=lambda run: run["cpu"])[len(runs) // 2]


def peers_of(interpreters: list[str]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Find which interpreter has which of the other libraries, and in which versions."""
    script = str(Path(__file__).with_name("measure_peers.py"))
    versions = {each: json.loads(subprocess.check_output([each, script, "list"])) for each in interpreters}
    found = {
        name: next((each for each in interpreters if package in versions[each]), "")
        for name, (package, _) in PEERS.items()
    }
    return {name: each for name, each in found.items() if each}, versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="*", default=[1_000_000, 5_000_000])
    parser.add_argument(
        "--peers", nargs="*", default=[], metavar="PYTHON", help="interpreters that have other libraries"
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="0 leaves the log out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the figures there")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--file", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        print(json.dumps(child(arguments.task, arguments.file, arguments.events)))
        return
    peers, versions = peers_of(arguments.peers)
    here = [sys.executable, __file__, "--task"]
    tables: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for units in arguments.units:
            parquet, csv, twice = (Path(folder) / f"{units}.{kind}" for kind in ("parquet", "csv", "twice.parquet"))
            write_people(parquet, units)
            write_twice(parquet, twice)
            commands = {
                "bare scan": [*here, "bare scan", "--file", str(parquet)],
                "embellie, four figures": [*here, "four figures", "--file", str(parquet)],
                "  without adjustment": [*here, "mean and ratio", "--file", str(parquet)],
                "  valid at every look": [*here, "always", "--file", str(parquet)],
                "  readers known by name": [*here, "names", "--file", str(parquet)],
                "  two rows per reader": [*here, "four figures", "--file", str(twice)],
            }
            if units <= 1_000_000:
                duckdb.sql(f"COPY (SELECT * FROM '{parquet}') TO '{csv}'")
                commands["  from CSV"] = [*here, "four figures", "--file", str(csv)]
            script = str(Path(__file__).with_name("measure_peers.py"))
            commands |= {name: [each, script, "run", name, str(parquet)] for name, each in peers.items()}
            tables[str(units)] = {}
            for name, command in commands.items():
                try:
                    tables[str(units)][name] = measured(command, arguments.repeats)
                except subprocess.CalledProcessError:
                    print(f"{name}: failed on {units:,} readers")
            show(f"{units:,} readers", tables[str(units)])
        log = (
            measured([*here, "log", "--events", str(arguments.events)], arguments.repeats) if arguments.events else None
        )
    if log:
        print(
            f"Three metrics from a log of {arguments.events:,} events: {log['compute']:.2f} s, read in {log['refresh']:.2f} s"
        )
    missing = [name for name in WANTED if not any(name in found for found in versions.values())]
    for interpreter, found in versions.items():
        print(f"{interpreter}: " + ", ".join(f"{name} {version}" for name, version in found.items()))
    if missing:
        print("Not compared, for no interpreter named has them: " + ", ".join(missing))
    document = {
        "python": platform.python_version(),
        "duckdb": duckdb.__version__,
        "numpy": np.__version__,
        "peers": versions,
        "readers": tables,
        "log": log,
    }
    if arguments.out:
        arguments.out.write_text(json.dumps(document, indent=2), encoding="utf-8")


def show(title: str, rows: dict[str, dict[str, float]]) -> None:
    columns = ["wall s", "CPU s", "compute s", "peak MiB", "over imports", "figures"]
    print(f"\n{title:34}" + "".join(f"{column:>14}" for column in columns))
    for name, row in rows.items():
        over = row["rss_mib"] - row["rss_before"] if "figures" not in row else float("nan")
        figures = len(row["figures"]) if "figures" in row else 4
        cells = [f"{row[key]:.2f}" for key in ("wall", "cpu", "compute")]
        cells += [f"{row['rss_mib']:.0f}", f"{over:.0f}".replace("nan", "-"), str(figures)]
        print(f"{name:34}" + "".join(f"{cell:>14}" for cell in cells))


if __name__ == "__main__":
    main()
