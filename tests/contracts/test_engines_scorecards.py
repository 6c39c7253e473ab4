"""Scorecards from the log and of tables: the same on every engine."""

import dataclasses
import io
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pytest

from embellie import measure_table
from embellie.domain.experiment import Experiment, Variant
from embellie.domain.metric import Metric
from embellie.measure.from_log import read_aggregates
from embellie.measure.visit_rows import visits_view
from embellie.store.analysis import fetch
from embellie.store.engine import engine
from embellie.store.engine_choice import open_engine
from embellie.store.event_columns import DEFINED, NAMED
from embellie.store.lake import keep_ready
from embellie.store.lake_manifest import Manifest, Partition, folder_of, write_manifest

ENGINES = ["on_postgres", "on_spark", "on_sail"]
LOGS = [*ENGINES, "on_spark_with_visits", "on_sail_with_visits"]
VIEW = visits_view(5.0)
METRICS = (
    Metric(metric="articles_per_visit", numerator="reads", denominator="visits"),
    Metric(metric="readers_who_bought", numerator="conversions", goal="subscription", form="share"),
    Metric(metric="revenue", numerator="amount", cap=0.99),
    Metric(metric="attention", numerator="engaged_seconds"),
    Metric(metric="long_reads", numerator="engaged_seconds", form="quantile", quantile=0.9),
    Metric(metric="back", numerator="visits", form="retention", days=(2, 5)),
)
EXPERIMENT = Experiment(
    experiment="first-light", placement="below", control="control", salt="s", pre_days=3,
    variants=(
        Variant(name="control", weight=0.5, scenario="status_quo", release="r-1"),
        Variant(name="treatment", weight=0.5, scenario="heuristic", release="r-2"),
    ),
)  # fmt: skip

EVENTS = """
INSERT INTO events BY NAME
SELECT row_number() OVER (ORDER BY number) AS seq, 'e' || number AS id, 'gazette' AS site, kind,
       TIMESTAMP '2026-03-24 00:00:00' + to_microseconds((number * 7919 % 1036800) * 1000000 + number % 1000) AS "at",
       TIMESTAMP '2026-03-24 00:00:00' AS received_at, CASE WHEN who % 3 = 0 THEN 'none' ELSE 'profiling' END AS consent,
       'r' || who AS reader, CASE WHEN kind = 'exposure' THEN '' ELSE 'v' || who || '-' || (number % 5) END AS visit,
       'a' || (number % 40) AS article, CASE WHEN kind = 'exposure' THEN 'first-light' ELSE '' END AS experiment,
       CASE WHEN kind <> 'exposure' THEN '' WHEN number % 211 = 0 THEN 'stranger' WHEN who % 2 = 0 THEN 'control' ELSE 'treatment' END AS variant,
       '' AS "release", '' AS placement, '' AS slate_id, NULL::INTEGER AS position,
       CASE WHEN kind = 'read' THEN (number * 31 % 9000) / 100.0 + 0.004 END AS engaged_seconds,
       CASE WHEN kind = 'conversion' THEN 'subscription' ELSE '' END AS goal,
       CASE WHEN kind = 'conversion' THEN (number % 997) * 0.07 END AS amount,
       CASE WHEN kind = 'conversion' THEN 'EUR' ELSE '' END AS currency,
       CASE WHEN kind = 'exposure' AND who % 50 = 0 THEN 'declared' ELSE '' END AS bot, '{}' AS body
FROM (
  SELECT number, (number * number + number // 7) % 700 AS who,
         CASE WHEN number % 10 < 3 THEN 'served' WHEN number % 10 < 8 THEN 'read' WHEN number % 10 = 8 THEN 'exposure' ELSE 'conversion' END AS kind
  FROM range(20000) AS made(number)
)
"""


class InMemory:
    """The log's events in DuckDB."""

    def __init__(self):
        self.connection = engine()
        self.connection.execute(f"CREATE TABLE events ({DEFINED})")
        self.connection.execute(EVENTS)

    ready, elsewhere = (), False

    def rows(self, sql, parameters=None):
        return fetch(self.connection, sql, parameters)


@pytest.fixture(scope="module")
def log():
    return InMemory()


@pytest.fixture(scope="module")
def lake(log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lake")
    partitions = []
    for number in range(12):
        day = date(2026, 3, 24) + timedelta(days=number)
        file = f"{folder_of('gazette', day)}/events-1.parquet"
        (folder / file).parent.mkdir(parents=True)
        log.connection.execute(
            f"COPY (SELECT {NAMED} FROM events WHERE CAST(\"at\" AS DATE) = '{day}') TO '{folder / file}'"
        )
        partitions.append(Partition(site="gazette", day=day, events=1, file=file, bytes=(folder / file).stat().st_size))
    manifest = Manifest(through=20_000, last_id="e", last_site="gazette", generation=1, partitions=tuple(partitions))
    write_manifest(folder, keep_ready(folder, manifest, (VIEW,), generation=1))
    return folder


@pytest.fixture(scope="module")
def on_postgres(log, postgres_url):
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres_url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA analytics")
        cursor.execute(f"CREATE TABLE analytics.log ({DEFINED.replace('DOUBLE', 'DOUBLE PRECISION')})")
        text = io.StringIO()
        for row in log.connection.execute(f"SELECT {NAMED} FROM events").fetchall():
            text.write("\t".join("\\N" if value is None else str(value) for value in row) + "\n")
        with cursor.copy(f"COPY analytics.log ({NAMED}) FROM STDIN") as copy:
            copy.write(text.getvalue())
        cursor.execute("ANALYZE analytics.log")
    reader = open_engine(postgres_url, lake="analytics.log")
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def on_spark(lake, spark_url):
    reader = open_engine(spark_url, lake=str(lake))
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def on_sail(lake, sail_url):
    reader = open_engine(sail_url, lake=str(lake))
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def on_spark_with_visits(lake, spark_url):
    reader = open_engine(spark_url, lake=str(lake), views=[VIEW])
    assert reader.ready == (VIEW,)
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def on_sail_with_visits(lake, sail_url):
    reader = open_engine(sail_url, lake=str(lake), views=[VIEW])
    assert reader.ready == (VIEW,)
    yield reader
    reader.close()


@pytest.mark.engines
@pytest.mark.parametrize("name", LOGS)
def test_a_scorecard_from_the_log_is_identical(request, log, name):
    """Sums of whole numbers: every mean, variance, cap, exclusion and slice is the same to the last bit."""
    asked = {
        "read_seconds": 5.0, "site": "gazette", "until": datetime(2026, 4, 3, 12, 30, tzinfo=UTC), "part": 700,
        "dimensions": ("consent", "day", "bot", "returning", "since"),
    }  # fmt: skip
    expected = read_aggregates(log, EXPERIMENT, METRICS, **asked)
    found = read_aggregates(request.getfixturevalue(name), EXPERIMENT, METRICS, **asked)
    assert found.excluded == expected.excluded
    assert found.excluded["two_variants"] > 0
    assert found.excluded["bots"] > 0
    assert found.caps == expected.caps
    assert found.moments == expected.moments
    assert min(moments.n for moments in found.moments.values()) > 100
    assert set(found.slices) == set(expected.slices)
    for key, moments in expected.slices.items():
        assert found.slices[key] == moments, key
    assert set(found.quantiles) == set(expected.quantiles)
    for key, sample in expected.quantiles.items():
        assert found.quantiles[key].n == sample.n
        for word in ("value", "low", "high"):
            assert getattr(found.quantiles[key], word) == pytest.approx(getattr(sample, word), rel=1e-12), key


@pytest.fixture(scope="module")
def sold(tmp_path_factory):
    random = np.random.default_rng(8)
    units = np.arange(9_000) % 7_000
    folder = tmp_path_factory.mktemp("sold")
    connection = duckdb.connect()
    connection.register(
        "given",
        {
            "Reader": units, "arm": np.array(["A", "B"], dtype=object)[units % 2], "treated": units % 2 == 1,
            "revenue": np.round(random.exponential(3.0, 9_000), 2), "sessions": random.poisson(2, 9_000) + 1,
            "before": random.exponential(size=9_000), "bought": random.random(9_000) < 0.3,
            "typed": np.array([f" {value:.3f}" for value in random.normal(size=9_000)], dtype=object),
            "place": np.array(["north", "south"], dtype=object)[units % 5 % 2],
        },
    )  # fmt: skip
    connection.execute("CREATE TABLE sold AS SELECT * FROM given")
    connection.execute(f"COPY sold TO '{folder}/sold.parquet'")
    return folder / "sold.parquet", connection.execute("SELECT * FROM sold").fetchall()


@pytest.fixture(scope="module")
def sources(request, sold, postgres_url, spark_url, sail_url):
    psycopg = pytest.importorskip("psycopg")
    path, rows = sold
    with psycopg.connect(postgres_url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(
            'CREATE TABLE sold ("Reader" bigint, arm text, treated boolean, revenue numeric, sessions int, before float8, bought boolean, typed text, place varchar(9))'
        )
        with cursor.copy("COPY sold FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    return {
        "on_postgres": f"{postgres_url}::sold",
        "on_spark": f"{spark_url}::{path}",
        "on_sail": f"{sail_url}::{path}",
    }


METRICS_OF_TABLES = [
    "revenue",
    "revenue/sessions",
    "share(bought)",
    "bought",
    "typed",
    "p90(revenue)",
    "capped(revenue, 99%)",
]


@pytest.mark.engines
@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("variant", ["arm", "treated"])
def test_a_scorecard_of_a_table_is_the_same(sources, sold, name, variant):
    """Means, ratios, shares, text, quantiles, caps, covariates, segments, several rows per unit: all to nine digits."""
    asked = {
        "unit": "Reader", "variant": variant, "metrics": METRICS_OF_TABLES, "covariates": {"revenue": "before"}, "segment": "place",
        "where": {"place": "north"},
    }  # fmt: skip
    expected, found = measure_table(sold[0], **asked), measure_table(sources[name], **asked)
    assert found.card.units == expected.card.units
    assert found.card.excluded == expected.card.excluded
    assert [name for name, _ in found.segments] == [name for name, _ in expected.segments]
    for one, other in zip(found.card.effects, expected.card.effects, strict=True):
        close(dataclasses.asdict(one), dataclasses.asdict(other), where=one.metric)


def close(one, other, *, where):
    """Compare two records, their numbers to nine digits."""
    if isinstance(other, dict):
        assert set(one) == set(other), where
        for key in other:
            close(one[key], other[key], where=f"{where}.{key}")
    elif isinstance(other, list | tuple):
        assert len(one) == len(other), where
        for place, (left, right) in enumerate(zip(one, other, strict=True)):
            close(left, right, where=f"{where}[{place}]")
    elif isinstance(other, float):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-10), where
    else:
        assert one == other, where


@pytest.mark.engines
@pytest.mark.parametrize("name", ENGINES)
def test_a_wrong_cell_is_told_wherever_the_table_is(sources, name):
    """Text where a number is expected: the cell is shown, as from a file."""
    with pytest.raises(Exception, match="holds `A` in row"):
        measure_table(sources[name], unit="Reader", variant="place", metrics=["arm"])
