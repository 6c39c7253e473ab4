"""From a lake of many events to a scorecard: seconds, CPU and peak memory, above a raw scan of the same files.

The lake is made straight in DuckDB in the lake's own layout: 28 days of one site, half of the readers in each variant from day 7
on, visits per reader heavy-tailed; pages are served, their slates seen and sometimes clicked, articles read, and now and then something
is bought; half of the visits begin on a page without the placement, and some last over midnight. Then, each in a process of its
own: the floor (each row's reader, visit, article and kind read once), keeping visits ready, a scorecard of three metrics with its
pre-period from visits and from events alone (the same sums, or it fails), and both again after one more day has come.

    python benchmarks/lake.py [--events 1000000] [--readers 0] [--folder DIR] [--out FILE.json]
"""

import argparse
import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import duckdb

from embellie import __version__
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.metric import Metric
from embellie.measure.aggregates import Aggregates
from embellie.measure.from_log import read_aggregates
from embellie.measure.visit_rows import visits_view
from embellie.store.analysis import Analysis
from embellie.store.engine import engine
from embellie.store.lake import keep_ready, write_events
from embellie.store.lake_manifest import Manifest, Partition, folder_of, read_manifest, write_manifest
from embellie.store.log_records import Tail

SITE, DAYS, STARTS = "gazette", 28, 7
FIRST = date(2026, 3, 1)
EVENTS_PER_VISIT = 8.8
METRICS = (
    Metric(metric="articles_per_visit", numerator="reads", denominator="visits"),
    Metric(metric="reads_per_reader", numerator="reads"),
    Metric(metric="click_through", numerator="clicks", denominator="impressions"),
)
EXPERIMENT = Experiment(
    experiment="first-light",
    placement="under-article",
    control="status_quo",
    variants=(
        Variant(name="status_quo", weight=0.5, scenario="status_quo", release="r-1"),
        Variant(name="heuristic", weight=0.5, scenario="heuristic", release="r-2"),
    ),
    salt="s",
    pre_days=7,
)

# Visits are drawn, and a visit's reader by a power of a uniform number: the most faithful come a thousand times.
VISITS = """
CREATE OR REPLACE TABLE visits AS
SELECT number, floor({readers} * pow(random(), 1.5))::BIGINT AS who,
       TIMESTAMP '{day}' + to_seconds(random() * 86400) AS start,
       least(12, 1 + floor(-ln(1 - random()) * 1.35))::INTEGER AS pages
FROM range({visits}) AS made(number)
"""
NAMED_VISITS = """
CREATE OR REPLACE TABLE named AS
SELECT *, uuid_of('reader' || who) AS reader, uuid_of('{day}-' || number) AS visit, who % 2 AS side FROM visits
"""
UUID_OF = """
CREATE MACRO uuid_of(text) AS (
  SELECT concat_ws('-', h[1:8], h[9:12], '4' || h[14:16], '8' || h[18:20], h[21:32]) FROM (SELECT md5(text) AS h)
)
"""
PAGES = """
CREATE OR REPLACE TABLE pages AS
SELECT reader, visit, side, page, start + to_seconds(page * 90) AS moment, substr(uuid()::VARCHAR, 1, 36) AS slate_id,
       'article-' || lpad(floor(pow(random(), 3) * 4000)::INT::VARCHAR, 6, '0') AS article, random() AS chance,
       page = 0 AND hash(visit) % 2 = 0 AS home
FROM (SELECT *, unnest(range(pages)) AS page FROM named)
"""
# reader, visit, moment, kind, article, experiment, variant, release, placement, slate_id, position, engaged_seconds, goal, amount, currency
ACTS = """
SELECT reader, visit, moment, 'served' AS kind, article, '{experiment}' AS experiment, side, slate_id,
       NULL::INTEGER AS place, NULL::DOUBLE AS seconds, '' AS goal, NULL::DOUBLE AS amount FROM pages
UNION ALL
SELECT reader, visit, moment + to_seconds(5 + place), 'impression', 'article-' || lpad((hash(slate_id, place) % 4000)::VARCHAR, 6, '0'), '', side,
       slate_id, place, NULL, '', NULL FROM (SELECT *, unnest(range(1, 4)) AS place FROM pages WHERE chance < 0.9)
UNION ALL
SELECT reader, visit, moment + to_seconds(30), 'click', 'article-' || lpad((hash(slate_id, 1) % 4000)::VARCHAR, 6, '0'), '', side, slate_id, 1, NULL, '', NULL
FROM pages WHERE chance < 0.06 + 0.01 * side
UNION ALL
SELECT reader, visit, moment + to_seconds(60), 'read', article, '', side, '', NULL, round(-ln(1 - chance) * 40, 1), '', NULL
FROM pages WHERE chance < 0.8 + 0.02 * side
UNION ALL
SELECT reader, visit, moment + to_seconds(70), 'conversion', '', '', side, '', NULL, NULL, 'subscription', 12.5
FROM pages WHERE chance < 0.0005
UNION ALL
SELECT reader, '', moment, 'exposure', '', '{experiment}', side, '', NULL, NULL, '', NULL
FROM (SELECT reader, side, min(moment) AS moment FROM pages WHERE {running} AND NOT home GROUP BY reader, side) ANTI JOIN exposed USING (reader)
"""
# What happens after midnight belongs to the next day's file.
TODAY = "CREATE OR REPLACE TABLE acts AS SELECT * FROM made WHERE moment < TIMESTAMP '{day}' + INTERVAL 1 DAY UNION ALL BY NAME FROM carried"
CARRIED = "CREATE OR REPLACE TABLE carried AS SELECT * FROM made WHERE moment >= TIMESTAMP '{day}' + INTERVAL 1 DAY"
EVENTS = """
SELECT {first} + row_number() OVER () AS seq, uuid()::VARCHAR AS id, '{site}' AS site, kind, moment AS "at", moment AS received_at,
       'measurement' AS consent, reader, visit, article, experiment,
       CASE WHEN experiment = '' THEN '' WHEN side = 0 THEN 'status_quo' ELSE 'heuristic' END AS variant,
       CASE WHEN kind <> 'served' THEN '' WHEN side = 0 THEN 'r-1' ELSE 'r-2' END AS "release",
       CASE WHEN kind = 'served' THEN 'under-article' ELSE '' END AS placement, slate_id, place AS position,
       seconds AS engaged_seconds, goal, amount, CASE WHEN amount IS NULL THEN '' ELSE 'EUR' END AS currency, '' AS bot,
       CASE kind
       WHEN 'served' THEN concat('{{"slate_id":"', slate_id, '","placement":"under-article","reader":"', reader, '","visit":"', visit, '","article":"',
         article, '","variant":"', side, '","items":[{{"article":"a1","position":1,"propensity":0.2,"reason":"popular","score":1.5}}]}}')
       WHEN 'read' THEN concat('{{"article":"', article, '","reader":"', reader, '","visit":"', visit, '","engaged_seconds":', seconds, '}}')
       ELSE concat('{{"slate_id":"', slate_id, '","article":"', article, '","position":', place, ',"reader":"', reader, '","visit":"', visit, '"}}')
       END AS body
FROM acts
"""


READ_SECONDS = 5.0
VIEWS = (visits_view(READ_SECONDS),)


class MadeLog:
    """Stands for the log that such a lake would have come from: it has its last event, and nothing since."""

    def __init__(self, lake: Path) -> None:
        self.lake = lake

    def tail(self, after: int, limit: int) -> Tail:
        made = read_manifest(self.lake)
        if made is None or after >= made.through:
            return Tail(*([] for _ in range(11)))
        last = [[made.through], [made.last_id], [made.last_site]]
        return Tail(*last, *([""] for _ in range(8)))


def make_lake(folder: Path, events: int, readers: int, days: Sequence[int], *, seed: float = 0.25) -> None:
    """Write days of a lake; those already there stay."""
    held = read_manifest(folder)
    partitions = list(held.partitions) if held else []
    through = held.through if held else 0
    visits = round(events / DAYS / EVENTS_PER_VISIT)
    (folder / "spill").mkdir(parents=True, exist_ok=True)
    made = engine(memory="1500MiB", spill=folder / "spill")
    made.execute(f"SELECT setseed({seed})")
    made.execute(UUID_OF)
    made.execute("CREATE TABLE exposed (reader VARCHAR)")
    if partitions:
        files = str(folder / "*" / "*" / "*.parquet")
        made.execute(f"INSERT INTO exposed SELECT reader FROM read_parquet('{files}') WHERE kind = 'exposure'")
    for number in days:
        day = FIRST + timedelta(days=number)
        running = "true" if number >= STARTS else "false"
        made.execute(VISITS.format(readers=readers, visits=visits, day=day))
        made.execute(NAMED_VISITS.format(day=day))
        made.execute(PAGES)
        made.execute(
            "CREATE OR REPLACE TABLE made AS " + ACTS.format(experiment=EXPERIMENT.experiment, running=running)
        )
        made.execute("UPDATE made SET experiment = '' WHERE NOT " + running)
        made.execute("INSERT INTO exposed SELECT reader FROM made WHERE kind = 'exposure'")
        made.execute("CREATE TABLE IF NOT EXISTS carried AS SELECT * FROM made LIMIT 0")
        made.execute(TODAY.format(day=day))
        made.execute(CARRIED.format(day=day))
        name = f"{folder_of(SITE, day)}/events-1.parquet"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        written = write_events(made, EVENTS.format(first=through, site=SITE), folder / name)
        through += written
        size = (folder / name).stat().st_size
        partitions.append(Partition(site=SITE, day=day, events=written, file=name, bytes=size))
    manifest = Manifest(
        through=through,
        last_id="last",
        last_site=SITE,
        generation=held.generation + 1 if held else 1,
        partitions=tuple(partitions),
        views=held.views if held else (),
    )
    made.close()
    shutil.rmtree(folder / "spill", ignore_errors=True)
    write_manifest(folder, manifest)


def roll_up(folder: Path) -> dict:
    """Keep ready what is not yet, as an export does once the events are in their place."""
    held = read_manifest(folder)
    write_manifest(folder, keep_ready(folder, held, VIEWS, generation=held.generation + 1))
    return {}


def floor(lake: Path) -> dict:
    """Read each row's reader, visit, article and kind once, and add up what they are long."""
    (row,) = analysis_of(lake).rows(
        "SELECT count(*) AS n, sum(strlen(reader)) AS a, sum(strlen(visit)) AS b, sum(strlen(article)) AS c,"
        ' sum(strlen(kind)) AS d, max("at") AS e FROM events'
    )
    return {"events": row["n"]}


def score(lake: Path) -> dict:
    """Sum up the experiment."""
    found = read_aggregates(analysis_of(lake), EXPERIMENT, METRICS, read_seconds=READ_SECONDS, site=SITE)
    return {"digest": digest(found), "units": {variant: moments.n for variant, moments in found.moments.items()}}


def analysis_of(lake: Path) -> Analysis:
    """Open it as the server and the command line do."""
    return Analysis(MadeLog(lake), lake=lake, views=VIEWS, memory="1500MiB", spill=lake / "spill")


def score_events(lake: Path) -> dict:
    """Sum up the experiment from its events alone, as where nothing lies ready."""
    analysis = Analysis(MadeLog(lake), lake=lake, memory="1500MiB", spill=lake / "spill")
    found = read_aggregates(analysis, EXPERIMENT, METRICS, read_seconds=READ_SECONDS, site=SITE)
    return {"digest": digest(found)}


def digest(found: Aggregates) -> str:
    """Tell sums from others by their last digit."""
    return hashlib.sha256(repr(sorted(found.moments.items())).encode()).hexdigest()[:16]


MEASURED: dict[str, Callable[[Path], dict]] = {
    "floor": floor,
    "roll_up": roll_up,
    "score": score,
    "score_events": score_events,
}


def one(what: str, lake: Path) -> dict:
    """Run one measure in this process and say what it took, the imports apart."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    said = MEASURED[what](lake)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    return said | {
        "seconds": round(wall, 3),
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 3),
        "peak_mib": round(after.ru_maxrss / 1024),
        "imports_mib": round(before.ru_maxrss / 1024),
    }


def aside(what: str, lake: Path) -> dict:
    """Run one measure in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", what, "--folder", str(lake)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def measure_all(events: int, readers: int, lake: Path) -> dict:
    began = time.perf_counter()
    make_lake(lake, events, readers, range(DAYS - 1))
    making = time.perf_counter() - began
    found = {what: aside(what, lake) for what in ("floor", "roll_up", "score", "score_events")}
    make_lake(lake, events, readers, [DAYS - 1], seed=0.5)
    found |= {f"{what}_a_day_later": aside(what, lake) for what in ("roll_up", "score")}
    if found["score"]["digest"] != found["score_events"]["digest"]:
        raise SystemExit("The sums of visits are not those of events.")
    made = read_manifest(lake)
    return {
        "schema": "embellie/benchmark-lake/1",
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": {"embellie": __version__, "python": platform.python_version(), "duckdb": duckdb.__version__},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "events": made.events,
        "readers": readers,
        "gigabytes": round(sum(each.bytes for each in made.partitions) / 1e9, 3),
        "made_in_seconds": round(making, 1),
        "measured": found,
    }


def show(found: dict) -> None:
    print(f"{found['events']:,} events of {found['readers']:,} readers, {found['gigabytes']} GB")
    print(f"{'':>18}  {'seconds':>8}  {'CPU s':>8}  {'peak MiB':>8}")
    for name, row in found["measured"].items():
        print(f"{name:>18}  {row['seconds']:>8}  {row['cpu_seconds']:>8}  {row['peak_mib']:>8}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--readers", type=int, default=0, help="events / 80 by default")
    parser.add_argument("--folder", type=Path, help="where the lake is made, and stays; a temporary folder by default")
    parser.add_argument("--one", choices=MEASURED, help="measure this alone, on the lake in --folder")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options.folder)))
        return
    readers = options.readers or max(1_000, options.events // 80)
    if options.folder:
        found = measure_all(options.events, readers, options.folder)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = measure_all(options.events, readers, Path(folder))
    show(found)
    text = json.dumps(found, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
