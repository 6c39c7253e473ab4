"""SQL in DuckDB's dialect means the same on every engine, or is refused."""

import math
from datetime import date, datetime

import duckdb
import pytest

from embellie.store.translating import NotPortable, translate

SOURCE = (("source", '"source"'),)

REFUSED = [
    "SELECT arg_max(a, b) FROM source",
    "SELECT a / b FROM source",
    "SELECT a // b FROM source",
    "SELECT hash(a) FROM source",
    "SELECT * EXCLUDE (a) FROM source",
    "SELECT a, count(*) FROM source GROUP BY ALL",
    "SELECT a FROM source WHERE a LIKE 'x%'",
    "SELECT max(a) OVER () FROM source",
    "SELECT a FROM source QUALIFY row_number() OVER (ORDER BY a) = 1",
    "SELECT DISTINCT ON (a) b FROM source",
    "SELECT count(DISTINCT (a, b)) FROM source",
    "SELECT sum(DISTINCT a) FROM source",
    "SELECT date_diff('hour', a, b) FROM source",
    "SELECT ? FROM source",
    "SELECT TIMESTAMP 'infinity'",
    "SELECT round(a) FROM source",
    "SELECT json_extract_string(body, '$.x') FROM source",
    "SELECT first(a) FROM source",
    "SELECT list(a) FROM source",
    "SELECT unnest(a) FROM source",
    "SELECT unnest([1, 2]) AS a FROM source",
    "SELECT favg(a) FROM source",
    "SELECT approx_quantile(a, 0.5) FROM source",
    "SELECT quantile_disc(a, 0.5) FROM source",
    "SELECT median(a) FROM source",
    "SELECT CAST(a AS INTEGER) FROM source",
    "SELECT CAST(a AS TIMESTAMPTZ) FROM source",
    "SELECT TRY_CAST(a AS BIGINT) FROM source",
    "SELECT now()",
    "SELECT a FROM source SEMI JOIN source AS other USING (a)",
    "SELECT a FROM source LIMIT 3 OFFSET 4",
    "WITH RECURSIVE x AS (SELECT 1) SELECT * FROM x",
    "SELECT a FROM source TABLESAMPLE 10%",
    "SELECT 1; SELECT 2",
    "DROP TABLE source",
    "DELETE FROM source",
    "SELECT a FROM elsewhere",
    "SELECT a FROM 'file.parquet'",
    "SELECT FROM WHERE",
]


@pytest.mark.parametrize("sql", REFUSED)
@pytest.mark.parametrize("dialect", ["postgres", "spark"])
def test_what_is_not_known_is_refused(sql, dialect):
    """Nothing is translated that is not in the table of what means the same everywhere."""
    with pytest.raises(NotPortable) as caught:
        translate(sql, dialect, relations=SOURCE)
    assert caught.value.hint


def test_no_exact_quantile_becomes_an_approximate_one():
    """Spark's `percentile` is exact; `PERCENTILE_APPROX` is what a translator writes by itself."""
    sql = translate("SELECT quantile_cont(a, 0.9) AS q FROM source", "spark", relations=SOURCE).sql
    assert "APPROX" not in sql.upper()
    assert "PERCENTILE(`a`, 0.9)" in sql


def test_names_are_quoted_so_that_at_and_release_are_names():
    """Every name stands in quotes; one without quotes counts as lower case."""
    sql = translate('SELECT "at", Release FROM source', "postgres", relations=SOURCE).sql
    assert sql == 'SELECT "at", "release" FROM "source" AS "source"'


def test_parameters_are_numbered_once_each():
    """A parameter named twice is sent once; its value never becomes part of the SQL."""
    found = translate("SELECT a FROM source WHERE b >= $low AND c >= $low AND d = $name", "postgres", relations=SOURCE)
    assert sorted(found.parameters) == ["low", "name"]
    low, name = (found.parameters.index(word) + 1 for word in ("low", "name"))
    assert f'"b" >= ${low} AND "c" >= ${low} AND "d" = ${name}' in found.sql


def test_a_list_is_taken_apart_into_rows():
    """What DuckDB calls `unnest` Spark calls `explode`: a row per element, none for nothing."""
    assert "EXPLODE(`a`) AS `b`" in translate("SELECT unnest(a) AS b FROM source", "spark", relations=SOURCE).sql


def test_what_is_materialised_is_computed_once_on_spark():
    """A common table of chance is not computed again for each that reads it; one that is not asked to be kept stays as it is."""
    kept = translate("WITH x AS MATERIALIZED (SELECT a FROM source) SELECT a FROM x", "spark", relations=SOURCE).sql
    assert "WHERE RAND() >= 0" in kept
    assert "RAND" not in translate("WITH x AS (SELECT a FROM source) SELECT a FROM x", "spark", relations=SOURCE).sql


def test_a_cte_hides_a_table_of_its_name():
    """A common table expression called `events` is not replaced by the engine's table."""
    sql = translate(
        "WITH events AS (SELECT 1 AS a) SELECT a FROM events", "spark", relations=(("events", "`lake`"),)
    ).sql
    assert "lake" not in sql


FIXTURE = """
CREATE TABLE source AS SELECT * FROM (VALUES
  (1, 10, 1.5, 'a', ' 1.5 ', true, TIMESTAMP '2026-03-28 23:59:59', TIMESTAMP '2026-03-29 00:00:01', 'x''y'),
  (2, 20, -2.25, 'b', '1e5', false, TIMESTAMP '2026-03-29 01:30:00', TIMESTAMP '2026-03-29 03:30:00', 'back\\slash'),
  (3, 20, 1e300, 'b', 'nope', true, TIMESTAMP '2026-10-25 02:30:00.123456', TIMESTAMP '2026-11-25 01:00:00', 'é%s $1 :n'),
  (4, -7, 'Infinity', 'a', '1.0d', NULL, TIMESTAMP '1999-12-31 23:59:59.999999', NULL, '`'),
  (5, NULL, 'NaN', 'B', 'inf', false, NULL, TIMESTAMP '2026-01-01 00:00:00', '"'),
  (6, 3, NULL, 'a', '1e999', true, TIMESTAMP '2026-01-01 00:00:00', TIMESTAMP '2026-01-08 00:00:00', '€'),
  (7, 0, 0.0, 'c', NULL, false, TIMESTAMP '2026-01-01 00:00:00', TIMESTAMP '2026-01-02 00:00:00', ''),
  (8, 9, 2.5, 'c', '0x10', true, TIMESTAMP '2026-01-01 12:00:00', TIMESTAMP '2026-01-02 11:59:59', '?')
) AS v(id, whole, real, kind, word, flag, "at", later, said)
"""

QUERIES = {
    "quantiles": "SELECT kind, quantile_cont(whole, 0.9) AS q, quantile_cont(whole, 0.25) FILTER (WHERE id > 2) AS r FROM source GROUP BY kind",
    "quantile by parameter": "SELECT quantile_cont(whole, $share) AS q FROM source",
    "filter": "SELECT count(*) FILTER (WHERE flag) AS n, count(DISTINCT kind) FILTER (WHERE id > 1) AS k FROM source",
    "isfinite": "SELECT id, isfinite(real) AS f FROM source",
    "try_cast": "SELECT id, TRY_CAST(trim(word) AS DOUBLE) AS x FROM source",
    "division": "SELECT id, whole / 4 AS a, whole // 4 AS b, whole % 4 AS c, mod(whole, 4) AS d, whole / nullif(whole, 0) AS e FROM source",
    "division by parameter": "SELECT id, whole / $share AS a FROM source",
    "booleans": "SELECT min(flag) AS a, max(flag) AS b, sum(CAST(flag AS DOUBLE)) AS c, bool_and(flag) AS d, bool_or(flag) AS e FROM source",
    "moments": "SELECT kind, avg(whole) AS m, var_samp(whole) AS v, covar_samp(whole, id) AS c, sum(whole) AS s FROM source GROUP BY kind",
    "moments of one": "SELECT var_samp(whole) AS v, covar_samp(whole, whole) AS c, sum(whole) AS s FROM source WHERE id = 1",
    "moments of none": "SELECT count(*) AS n, avg(whole) AS m, sum(whole) AS s FROM source WHERE id > 99",
    "order of text": "SELECT min(kind) AS a, max(kind) AS b FROM source",
    "dates": "SELECT id, date_diff('day', \"at\", later) AS d, CAST(\"at\" AS DATE) AS e, CAST(CAST(\"at\" AS DATE) AS VARCHAR) AS f FROM source",
    "times": "SELECT id, \"at\" + INTERVAL '7' DAY AS a, \"at\" - INTERVAL 3 HOUR AS b, \"at\" + to_days(2) AS c FROM source",
    "a time as text": "SELECT id, CAST(\"at\" AS VARCHAR) AS t FROM source",
    "a time of the night when clocks change": "SELECT id FROM source WHERE \"at\" >= TIMESTAMP '2026-03-29 01:00:00' AND later < $until",
    "parameters": "SELECT id FROM source WHERE said = $said OR said = $other",
    "literals": "SELECT 'it''s \\ `' AS a, '%s $x :y ?' AS b, true AS c, NULL AS d, 1.5 AS e, -3 AS f",
    "coalesce and friends": "SELECT id, coalesce(whole, 0) AS a, nullif(whole, 20) AS b, least(whole, id) AS c, greatest(whole, id) AS d FROM source",
    "functions": "SELECT id, abs(whole) AS a, floor(whole + 0.5) AS b, sqrt(abs(whole)) AS c, exp(0.0) AS d, ln(id) AS e FROM source",
    "casts": "SELECT id, CAST(floor(whole * 2.5 + 0.5) AS BIGINT) AS a, CAST(CASE WHEN flag THEN 1 ELSE 0 END AS BIGINT) AS b, CAST(id AS VARCHAR) AS c, CAST(flag AS VARCHAR) AS d FROM source",
    "decimals": "SELECT sum(CAST(whole AS DECIMAL(18, 0)) * CAST(whole AS DECIMAL(18, 0))) AS s, sum(CAST(id AS BIGINT) * 4000000000) AS t FROM source",
    "comparisons": "SELECT id FROM source WHERE kind IN ('a', 'c') AND NOT (id BETWEEN 2 AND 4) AND kind <> '' AND real IS NOT NULL",
    "missing values": "SELECT id, flag IS NOT DISTINCT FROM NULL AS a, flag IS DISTINCT FROM true AS b, word IS NULL AS c FROM source",
    "case": "SELECT id, CASE kind WHEN 'a' THEN 1 WHEN 'b' THEN 2 ELSE 3 END AS a, CASE WHEN id > 3 THEN 'late' END AS b FROM source",
    "concatenation": "SELECT id, kind || '-' || word AS a FROM source",
    "order and limit": "SELECT id, whole FROM source ORDER BY whole DESC, id LIMIT 3",
    "nulls come last": "SELECT id FROM source ORDER BY whole, id",
    "ranks": "SELECT id, row_number() OVER (PARTITION BY kind ORDER BY id DESC) AS r, ntile(3) OVER (ORDER BY id) AS t FROM source",
    "ctes, joins, unions": """
        WITH a AS MATERIALIZED (SELECT kind, count(*) AS n FROM source GROUP BY kind), b AS (SELECT kind, n FROM a WHERE n > 1)
        SELECT kind, b.n AS n, (SELECT max(n) FROM a) AS most FROM a LEFT JOIN b USING (kind)
        UNION ALL SELECT 'all', count(*), NULL FROM source WHERE EXISTS (SELECT 1 FROM b)""",
    "distinct": "SELECT DISTINCT kind FROM source",
    "having": "SELECT kind, count(*) AS n FROM source GROUP BY kind HAVING count(*) > 1",
    "values": "SELECT v.name, count(source.id) AS n FROM (VALUES ('a', 1), ('z', 2)) AS v(name, place) LEFT JOIN source ON source.kind = v.name GROUP BY v.name",
    "rows in the order they come": "SELECT row, cell FROM (SELECT row_number() OVER () AS row, word AS cell, TRY_CAST(word AS DOUBLE) AS number, * FROM source) WHERE cell IS NOT NULL AND number IS NULL ORDER BY row LIMIT 1",
    "booleans as numbers": "SELECT sum(CAST(CAST(flag AS INTEGER) AS DOUBLE)) AS s, count(DISTINCT CAST(flag AS VARCHAR)) AS n FROM source",
    "what is not finite": "SELECT count(CASE WHEN real - real <> 0 THEN 1 END) AS n, count(CASE WHEN real - real = 0 THEN 1 END) AS k FROM source",
    "a subquery": "SELECT n, count(*) AS times FROM (SELECT kind, count(*) AS n FROM source GROUP BY kind) AS counted GROUP BY n",
}  # fmt: skip
"""Each construct of the table, with something in it that engines do differently by themselves."""

PARAMETERS = {"share": 0.35, "until": datetime(2026, 3, 29, 3, 30, 1), "said": "back\\slash", "other": "x'y"}  # noqa: DTZ001 -- UTC, naive


@pytest.fixture(scope="session")
def duck():
    connection = duckdb.connect()
    connection.execute(FIXTURE)
    return connection


@pytest.fixture(scope="session")
def on_postgres(postgres_url):
    import psycopg

    from embellie.store.postgres_engine import PostgresTable

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            FIXTURE.replace("CREATE TABLE source AS SELECT *", "CREATE TABLE constructs AS SELECT id, whole, real::float8 AS real, "
                            'kind COLLATE "en-x-icu" AS kind, word, flag, "at", later, said')
        )  # fmt: skip
    table = PostgresTable(postgres_url, "constructs")
    yield table
    table.close()


@pytest.fixture(scope="session")
def parquet(duck, tmp_path_factory):
    path = tmp_path_factory.mktemp("constructs") / "constructs.parquet"
    duck.execute(f"COPY source TO '{path}' (FORMAT parquet)")
    return path


@pytest.fixture(scope="session")
def on_spark(spark_url, parquet):
    from embellie.store.spark_engine import SparkTable

    table = SparkTable(spark_url, str(parquet))
    yield table
    table.close()


@pytest.fixture(scope="session")
def on_sail(sail_url, parquet):
    from embellie.store.spark_engine import SparkTable

    table = SparkTable(sail_url, str(parquet))
    yield table
    table.close()


@pytest.mark.engines
@pytest.mark.parametrize("engine", ["on_postgres", "on_spark", "on_sail"])
@pytest.mark.parametrize("name", QUERIES)
def test_a_construct_means_the_same(request, duck, engine, name):
    """Each construct gives the rows that DuckDB gives, value by value."""
    table, sql = request.getfixturevalue(engine), QUERIES[name]
    used = {key: value for key, value in PARAMETERS.items() if f"${key}" in sql}
    result = duck.execute(sql, used) if used else duck.execute(sql)
    names = [column[0] for column in result.description]
    expected = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    found = table.rows(sql, PARAMETERS)
    assert len(found) == len(expected)
    if "ORDER BY whole" not in sql:
        found, expected = sorted(found, key=repr_of), sorted(expected, key=repr_of)
    for one, other in zip(found, expected, strict=True):
        assert list(one) == list(other)
        for key in one:
            assert same(one[key], other[key]), (key, one, other)


def repr_of(row):
    return [
        f"{float(value):025.9f}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
        for value in row.values()
    ]


def same(one, other):
    """Whether two engines' values are one: of numbers to twelve digits; dates may come as times."""
    if one is None or other is None or isinstance(one, bool | str | date):
        return one == other and type(one) is type(other)
    if math.isnan(other):
        return math.isnan(one)
    return one == other or math.isclose(one, other, rel_tol=1e-12)
