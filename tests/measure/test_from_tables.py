"""Scorecards of tables: against an oracle, and every wrong table with its message."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.app.measuring import TableSpec
from embellie.app.measuring_tables import table_document, table_scorecard
from embellie.cli.main import cli
from embellie.domain.errors import EmbellieError, InputError, TableError
from embellie.domain.scorecard import UnavailableEffect
from embellie.measure.aggregates import needs_of
from embellie.measure.from_table import read_table
from embellie.measure.table_query import parse_metric
from embellie.store.tables import open_table

BY_USER = TableSpec(unit="user", variant="variant")


def people(n=4000, *, seed=1, shift=0.0, scale=1.0):
    """A row per user: skewed revenue that follows the revenue before, sessions and orders."""
    rng = np.random.default_rng(seed)
    variant = rng.integers(0, 2, n)
    before = rng.lognormal(0, 1, n)
    sessions = 1 + rng.poisson(3, n)
    return {
        "user": np.arange(n),
        "variant": variant,
        "sessions": sessions,
        "orders": rng.binomial(sessions, 0.2 + 0.02 * variant),
        "before": before,
        "revenue": shift + scale * (0.7 * before + rng.lognormal(0, 1, n) + 0.1 * variant),
        "platform": np.array(["web", "app", "mail"], dtype=object)[rng.integers(0, 3, n)],
    }


def write(path, columns):
    """Write columns as Parquet or CSV, by the file's ending."""
    with duckdb.connect() as connection:
        connection.register("columns", columns)
        connection.execute(f"COPY (SELECT * FROM columns) TO '{path}'")
    return str(path)


def text_file(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def arms(columns, *names):
    return [[columns[name][columns["variant"] == side].astype(np.longdouble) for name in names] for side in (0, 1)]


def first(found):
    return found.card.effects[0]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_mean_agrees_with_the_oracle(tmp_path, ending):
    """Effect and standard error to 1e-9, from Parquet and from CSV."""
    columns = people()
    row = first(table_scorecard(write(tmp_path / f"t.{ending}", columns), spec=BY_USER, metrics=["revenue"]))
    (control,), (treatment,) = arms(columns, "revenue")
    se = np.sqrt(control.var(ddof=1) / len(control) + treatment.var(ddof=1) / len(treatment))
    assert row.effect == pytest.approx(float(treatment.mean() - control.mean()), rel=1e-9)
    assert row.se == pytest.approx(float(se), rel=1e-9)


def test_a_ratio_and_an_adjusted_mean_agree_with_the_oracle(tmp_path):
    """Effect and standard error to 1e-9; the adjusted row follows the unadjusted one and is narrower."""
    columns = people()
    found = table_scorecard(
        write(tmp_path / "t.parquet", columns),
        spec=BY_USER,
        metrics=["orders/sessions", "revenue"],
        covariates={"revenue": "before"},
    )
    ratio, raw, adjusted = found.card.effects
    value, variance = 0.0, 0.0
    for sign, (y, z) in zip((-1, 1), arms(columns, "orders", "sessions"), strict=True):
        phi = (y - y.mean() / z.mean() * z) / z.mean()
        value, variance = value + sign * y.mean() / z.mean(), variance + phi.var(ddof=1) / len(y)
    assert (ratio.effect, ratio.se) == pytest.approx((float(value), float(np.sqrt(variance))), rel=1e-9)

    groups = arms(columns, "revenue", "before")
    centred = [[column - column.mean() for column in group] for group in groups]
    theta = sum((y * x).sum() / (len(y) - 1) for y, x in centred) / sum(x.var(ddof=1) for _, x in centred)
    left = [y - theta * x for y, x in groups]
    se = np.sqrt(sum(arm.var(ddof=1) / len(arm) for arm in left))
    assert (raw.adjusted, adjusted.adjusted) == (False, True)
    assert (adjusted.effect, adjusted.se) == pytest.approx(
        (float(left[1].mean() - left[0].mean()), float(se)), rel=1e-9
    )
    assert adjusted.se < raw.se


@pytest.mark.parametrize("shift", [1e5, 1e7, 1e8])
def test_a_large_mean_costs_no_digits(tmp_path, shift):
    """Shifting by up to 1e8 standard deviations leaves effect and standard error as they were."""
    plain = first(table_scorecard(write(tmp_path / "a.parquet", people()), spec=BY_USER, metrics=["revenue"]))
    columns = people(shift=shift, scale=1.0)
    shifted = first(table_scorecard(write(tmp_path / "b.parquet", columns), spec=BY_USER, metrics=["revenue"]))
    assert shifted.se == pytest.approx(plain.se, rel=1e-6)
    assert shifted.effect == pytest.approx(plain.effect, abs=1e-3 * plain.se)


def test_many_rows_in_any_order_and_number_of_threads_agree_with_the_oracle(tmp_path):
    """Over 100,000 units, arms 10 standard deviations apart, 20 repeats: no run differs from the oracle beyond 1e-9."""
    rng = np.random.default_rng(4)
    n = 120_000
    variant = rng.integers(0, 2, n)
    columns = {"user": rng.permutation(n), "variant": variant, "y": rng.normal(10.0 * variant + 20, 1.0)}
    columns["z"] = columns["y"] + rng.normal(100, 1, n)
    file = write(tmp_path / "t.parquet", columns)
    (y0, z0), (y1, z1) = arms(columns, "y", "z")
    expected, variance = float(y1.mean() / z1.mean() - y0.mean() / z0.mean()), 0.0
    for y, z in ((y0, z0), (y1, z1)):
        phi = (y - y.mean() / z.mean() * z) / z.mean()
        variance += phi.var(ddof=1) / len(y)
    for _ in range(20):
        row = first(table_scorecard(file, spec=BY_USER, metrics=["y/z"]))
        assert (row.effect, row.se) == pytest.approx((expected, float(np.sqrt(variance))), rel=1e-9)


@pytest.mark.parametrize("rows", [1, 2])
def test_arms_far_apart_and_far_from_zero_cost_no_digits(tmp_path, rows):
    """At mean/sd of 1e7, with arms 10 standard deviations apart, effect and standard error hold to 1e-9; units once or twice."""
    rng = np.random.default_rng(5)
    n = 20_000
    variant = np.repeat(rng.integers(0, 2, n), rows)
    columns = {"user": np.repeat(np.arange(n), rows), "variant": variant}
    columns["y"] = rng.normal(1e7 + 10.0 * variant, 1.0)
    row = first(table_scorecard(write(tmp_path / "t.parquet", columns), spec=BY_USER, metrics=["y"]))
    sums = columns["y"].reshape(n, rows).astype(np.longdouble).sum(axis=1)
    control, treatment = (sums[columns["variant"][::rows] == side] for side in (0, 1))
    se = np.sqrt(control.var(ddof=1) / len(control) + treatment.var(ddof=1) / len(treatment))
    assert row.effect == pytest.approx(float(treatment.mean() - control.mean()), rel=1e-9)
    assert row.se == pytest.approx(float(se), rel=1e-9)


@pytest.mark.parametrize("rows", [1, 3])
def test_forms_of_a_column_agree_with_the_oracle(tmp_path, rows):
    """Shares, capped means and capped ratios to 1e-9 of numpy over units, in one row each or several; refunds are capped too."""
    rng = np.random.default_rng(6)
    n = 3000
    unit = np.repeat(np.arange(n), rows)
    columns = {
        "user": unit,
        "variant": (unit % 2),
        "y": rng.standard_t(3, n * rows).round(3) * (rng.random(n * rows) < 0.5),
    }
    columns["z"] = 1.0 + rng.poisson(2, n * rows)
    found = table_scorecard(
        write(tmp_path / "t.parquet", columns),
        spec=BY_USER,
        metrics=["share(y)", "capped(y, 99%)", "capped(y,99%)/z", "y"],
    )
    y, z = (np.bincount(unit, weights=columns[name]) for name in ("y", "z"))
    high, low = np.quantile(y[y > 0], 0.99), np.quantile(y[y < 0], 0.01)
    cut = np.clip(y, low, high)
    assert cut.min() > y.min()
    side = np.arange(n) % 2 == 1

    def apart(values, over=None):
        over = np.ones(n) if over is None else over
        means = [values[arm].mean() / over[arm].mean() for arm in (~side, side)]
        phi = [
            (values[arm] - mean * over[arm]) / over[arm].mean() for arm, mean in zip((~side, side), means, strict=True)
        ]
        return means[1] - means[0], np.sqrt(sum(each.var(ddof=1) / len(each) for each in phi))

    expected = [apart((y > 0).astype(float)), apart(cut), apart(cut, z), apart(y)]
    for row, figures in zip(found.card.effects, expected, strict=True):
        assert (row.effect, row.se) == pytest.approx(figures, rel=1e-9)


@pytest.mark.parametrize("spec", [BY_USER, TableSpec(unit="user", variant="variant", segment="platform")])
def test_quantiles_are_read_with_the_order_statistics_beside_them(tmp_path, spec):
    """Each is numpy's of the variant's units, with those 1.96 standard errors of its rank away."""
    columns = people()
    needs = needs_of([parse_metric("p90(revenue)", tuple(columns))])
    with closing(open_table(write(tmp_path / "t.parquet", columns))) as table:
        found = read_table(table, spec, needs)
    parts = {"": np.full(4000, True)} | {name: columns["platform"] == name for name in found if name}
    for part, aggregates in found.items():
        for side in (0, 1):
            values = columns["revenue"][parts[part] & (columns["variant"] == side)]
            reach = 1.959963984540054 * np.sqrt(0.9 * 0.1 / len(values))
            sample = aggregates.quantiles[str(side), "revenue", 0.9]
            expected = np.quantile(values, [0.9 - reach, 0.9, 0.9 + reach])
            assert (sample.low, sample.value, sample.high) == pytest.approx(expected, rel=1e-12)
            assert sample.n == len(values)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_however_rows_are_cut_and_ordered_the_sums_are_the_same(data):
    """Rows in any order, a unit's figures in one row or several, any kind of unit: the same aggregates."""
    n = data.draw(st.integers(6, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    order = data.draw(st.permutations(range(n)))
    kind = data.draw(st.sampled_from(["number", "far number", "text"]))
    named = {
        "number": np.arange(n) - 3,
        "far number": np.arange(n) * 10**15,
        "text": np.array([f"u{place}" for place in range(n)], dtype=object),
    }[kind]
    variant, y = np.arange(n) % 2, rng.normal(5, 1, n).round(4)
    parts = data.draw(st.integers(1, 3))
    once = {"user": named, "variant": variant, "y": y, "z": 1.0 + np.arange(n) % 3}
    cut = {"user": np.repeat(named[order], parts), "variant": np.repeat(variant[order], parts)}
    for name in ("y", "z"):
        cut[name] = np.repeat(once[name][order] / parts, parts)
    needs = needs_of([parse_metric(text, tuple(once)) for text in ("y/z", "share(y)")])
    with TemporaryDirectory() as folder:
        found = []
        for name, columns in (("once", once), ("cut", cut)):
            with closing(open_table(write(Path(folder) / f"{name}.parquet", columns))) as table:
                found.append(read_table(table, BY_USER, needs)[""].moments)
    for side in ("0", "1"):
        one, other = (moments[side] for moments in found)
        assert one.n == other.n
        assert dict(one.means) == pytest.approx(dict(other.means), rel=1e-9)
        assert dict(one.covariances) == pytest.approx(dict(other.covariances), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("kind", ["BIGINT", "VARCHAR", "DOUBLE"])
def test_a_unit_that_stands_twice_is_found(tmp_path, kind):
    """Whatever units are called, far apart or close together; without a repeat, nothing has to be summed per unit."""
    for name, units in (
        ("near", "range(5000)"),
        ("far", "range(0, 5000015000, 1000003)"),
        ("near_twice", "(SELECT range % 4999 AS range FROM range(5000))"),
        ("far_twice", "(SELECT 7919000003 * (range % 4999) AS range FROM range(5000))"),
    ):
        file = tmp_path / f"{name}.parquet"
        duckdb.sql(f"COPY (SELECT CAST(t.range AS {kind}) AS unit FROM {units} AS t) TO '{file}'")
        with closing(open_table(str(file))) as table:
            assert table.units_repeat("unit", "", {}) == name.endswith("twice")
            assert not table.units_repeat("unit", "WHERE CAST(unit AS VARCHAR) = $w0", {"w0": "7919000003"})


def test_hashes_are_sorted_a_part_at_a_time(tmp_path, monkeypatch):
    """Cut into parts, so that memory is bounded, the answer is the same."""
    monkeypatch.setattr("embellie.store.tables._HASHES", 100)
    for name, different in (("once", 5000), ("twice", 4999)):
        file = tmp_path / f"{name}.parquet"
        duckdb.sql(f"COPY (SELECT 'u' || range % {different} AS unit FROM range(5000)) TO '{file}'")
        with closing(open_table(str(file))) as table:
            assert table.units_repeat("unit", "", {}) == (name == "twice")


def test_several_rows_of_a_unit_are_summed_first(tmp_path):
    """Cut into pieces, the same people give the same scorecard."""
    columns = people(500)
    twice = {name: np.concatenate([column, column]) for name, column in columns.items()}
    for name in ("revenue", "orders", "sessions"):
        twice[name] = np.concatenate([columns[name] - 2, np.full(500, 2.0)])
    found = [
        table_scorecard(
            write(tmp_path / f"{name}.parquet", table), spec=BY_USER, metrics=["revenue", "orders/sessions"]
        )
        for name, table in (("once", columns), ("twice", twice))
    ]
    assert found[0].card.units == found[1].card.units
    for one, other in zip(found[0].card.effects, found[1].card.effects, strict=True):
        assert (one.effect, one.se) == pytest.approx((other.effect, other.se), rel=1e-9)


def test_a_unit_in_two_variants_is_left_out_and_counted(tmp_path):
    """It belongs to neither side, and the document says how many there were."""
    file = text_file(
        tmp_path / "t.csv", "user,variant,y\n" + "".join(f"{i},{i % 2},{i}\n" for i in range(20)) + "0,1,5\n"
    )
    document = table_document(table_scorecard(file, spec=BY_USER, metrics=["y"]))
    assert document["excluded"] == {"two_variants": 1}
    assert document["variants"] == {"0": {"units": 9}, "1": {"units": 10}}


def test_segments_have_a_scorecard_each(tmp_path):
    """Their units add up to all; each equals the scorecard of its own rows."""
    file = write(tmp_path / "t.parquet", people())
    cut = TableSpec(unit="user", variant="variant", segment="platform")
    found = table_scorecard(file, spec=cut, metrics=["revenue"])
    assert [name for name, _ in found.segments] == ["app", "mail", "web"]
    assert sum(card.units["0"] for _, card in found.segments) == found.card.units["0"]
    alone = table_scorecard(
        file, spec=TableSpec(unit="user", variant="variant", where={"platform": "mail"}), metrics=["revenue"]
    )
    assert found.segments[1][1].effects[0].effect == pytest.approx(alone.card.effects[0].effect, rel=1e-12)
    assert table_document(found)["segments"][0]["segment"] == "app"


def test_rows_that_count_units_are_yes_or_no_values(tmp_path):
    """150 of 3,052 is the same as 3,052 rows of zero or one."""
    counted = text_file(tmp_path / "c.csv", "arm,seen,did\nA,300,30\nB,200,30\nA,100,14\n")
    rows = [("A", k < 44) for k in range(400)] + [("B", k < 30) for k in range(200)]
    each = text_file(
        tmp_path / "e.csv", "u,arm,did\n" + "".join(f"{i},{arm},{int(did)}\n" for i, (arm, did) in enumerate(rows))
    )
    one = table_scorecard(counted, spec=TableSpec(trials="seen", variant="arm"), metrics=["did"])
    other = table_scorecard(each, spec=TableSpec(unit="u", variant="arm"), metrics=["did"])
    assert (first(one).effect, first(one).se) == pytest.approx((first(other).effect, first(other).se), rel=1e-9)
    assert one.card.units == {"A": 400, "B": 200}


def test_a_table_of_a_database(tmp_path):
    """SQLite and DuckDB tables give what the file gives; another database is refused with what to do."""
    columns = people(300)
    file = write(tmp_path / "t.parquet", columns)
    expected = table_scorecard(file, spec=BY_USER, metrics=["revenue"]).card.effects
    with duckdb.connect(str(tmp_path / "d.duckdb")) as connection:
        connection.execute(f"CREATE TABLE people AS SELECT * FROM '{file}'")
    with sqlite3.connect(tmp_path / "s.db") as outside:
        outside.execute("CREATE TABLE people (user, variant, revenue)")
        rows = zip(*(columns[name].tolist() for name in ("user", "variant", "revenue")), strict=True)
        outside.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    outside.close()
    for url in (f"duckdb:///{tmp_path}/d.duckdb::people", f"sqlite:///{tmp_path}/s.db::people"):
        (row,) = table_scorecard(url, spec=BY_USER, metrics=["revenue"]).card.effects
        assert (row.effect, row.se) == pytest.approx((expected[0].effect, expected[0].se), rel=1e-9)
    with pytest.raises(TableError, match="`mysql` is no database this version reads"):
        table_scorecard("mysql://host/db::people", spec=BY_USER, metrics=["revenue"])


GOOD = "user,variant,y\n" + "".join(f"{i},{i % 2},{i}\n" for i in range(20))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("y", "why", 1), r"t\.csv: Unknown column `y`. (Did you mean `why`\? )?Available: user, variant, why"),
        (GOOD.replace("7,1,7", "7,1,seven"), "Column `y` holds `seven` in row 8, not a number"),
        (GOOD.replace("7,1,7", '7,1,"3,2"'), "Column `y` holds `3,2` in row 8, not a number"),
        (GOOD.replace("7,1,7", "7,1,nan"), r"Column `y` is infinite or not a number \(NaN\) in 1 row"),
        (GOOD.replace("7,1,7", "7,1,inf"), r"Column `y` is infinite or not a number \(NaN\) in 1 row"),
        (GOOD.replace("7,1,7", "7,1,1e200"), "Column `y` holds numbers too large"),
        (GOOD.replace("7,1,7", "7,1,"), "Column `y` is empty in 1 row. If empty means nothing happened"),
        (GOOD.replace("7,1,7", ",1,7"), "Column `user` is empty in 1 row"),
        (GOOD.replace("7,1,7", "7,,7"), "Column `variant` is empty in 1 row"),
        ("user,variant,y\n", "`t.csv` has no row to analyse"),
        ("", "`t.csv` is empty"),
        ("user,variant,y\n" + "".join(f"{i},{i},1\n" for i in range(200)), "Column `variant` has more than 100 variants"),
        ("user,variant,y\n1,A,3\n2,A,4\n", "Column `variant` has one variant only: `A`"),
        ("user,variant,y\n1,A,3\n1,B,4\n", "No unit is left: each is in two variants"),
        (GOOD.replace("7,1,7", "7,1,seven") + "0,0,1\n", "Column `y` holds `seven` in row 8, not a number"),
        (GOOD.replace("7,1,7", "7,1,nan") + "0,0,1\n", r"Column `y` is infinite or not a number \(NaN\) in 1 row"),
        (GOOD.replace(",", ";").replace("7;1;7", "7;1;7,5"), "Column `y` holds `7,5` in row 8, not a number. Write numbers with a point"),
        (GOOD.replace(",", "^"), r"There is one column only, `user\^variant\^y`: separate columns by a comma"),
        (GOOD.replace("7,1,7", "7,1,7,9"), "some row has more or fewer cells than the first"),
        (GOOD.split("\n", 1)[1], "The first line must name the columns; it holds `0`, `0`, `0`"),
        (GOOD.replace("y\n", "y,y\n", 1).replace("1,7\n", "1,7,3\n"), "one column only"),
        ("user,variant,y,y\n" + "".join(f"{i},{i % 2},{i},1\n" for i in range(20)), "Two columns are called `y`"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_used_says_why(tmp_path, text, message):
    """Column, row, value, and what to do."""
    with pytest.raises(TableError, match=message):
        table_scorecard(text_file(tmp_path / "t.csv", text), spec=BY_USER, metrics=["y"])


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    """Nor does a table of semicolons, tabs or bars need to be told."""
    plain = first(table_scorecard(text_file(tmp_path / "p.csv", GOOD), spec=BY_USER, metrics=["y"]))
    marked = tmp_path / "m.csv"
    marked.write_text(GOOD, encoding="utf-8-sig")
    others = [text_file(tmp_path / f"{ord(mark)}.csv", GOOD.replace(",", mark)) for mark in ";\t|"]
    for file in (str(marked), *others):
        assert first(table_scorecard(file, spec=BY_USER, metrics=["y"])) == plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y/", "is no metric"),
        ("mean(y)", "is no metric"),
        ("share(y)/variant", "only means can be divided or capped"),
        ("median(y, 9%)", "only means can be divided or capped"),
        ("y/capped(y)", "is no metric"),
        ("capped(y)/capped(y)", "only what is above the line is capped"),
        ("capped(y, most)", "`most` in .* is no share of units"),
        ("p100(y)", "is no share of units"),
        ("share(why)", "Unknown column `why`"),
    ],
)
def test_a_metric_that_cannot_be_read_says_why(tmp_path, text, message):
    """With how metrics are written."""
    with pytest.raises(EmbellieError, match=message):
        table_scorecard(text_file(tmp_path / "t.csv", GOOD), spec=BY_USER, metrics=[text])


def test_a_column_named_like_a_form_is_that_column(tmp_path):
    """What a table has comes before what a word means."""
    named = text_file(tmp_path / "t.csv", GOOD.replace("y", "median(y)", 1))
    plain = first(table_scorecard(text_file(tmp_path / "p.csv", GOOD), spec=BY_USER, metrics=["y"]))
    assert first(table_scorecard(named, spec=BY_USER, metrics=["median(y)"])).effect == plain.effect


def test_a_quantile_takes_no_covariate(tmp_path):
    """It is said, not ignored."""
    for covariates in ({"median(y)": "user"}, {"y": "median(user)"}):
        with pytest.raises(InputError, match="quantile"):
            table_scorecard(
                text_file(tmp_path / "t.csv", GOOD), spec=BY_USER, metrics=["y", "median(y)"], covariates=covariates
            )


def test_an_empty_cell_may_mean_zero_when_one_says_so(tmp_path):
    """`--missing zero` reads an empty cell as 0, and still refuses text."""
    zero = TableSpec(unit="user", variant="variant", missing="zero")
    empty = text_file(tmp_path / "a.csv", GOOD.replace("7,1,7", "7,1,"))
    nought = text_file(tmp_path / "b.csv", GOOD.replace("7,1,7", "7,1,0"))
    one, other = (first(table_scorecard(file, spec=zero, metrics=["y"])) for file in (empty, nought))
    assert (one.effect, one.se) == pytest.approx((other.effect, other.se), rel=1e-12)
    with pytest.raises(TableError, match="holds `seven`"):
        table_scorecard(text_file(tmp_path / "c.csv", GOOD.replace("7,1,7", "7,1,seven")), spec=zero, metrics=["y"])


def test_files_that_cannot_be_read_say_why(tmp_path):
    """Absent, of another kind, or broken."""
    broken = tmp_path / "t.parquet"
    broken.write_bytes(b"not parquet at all")
    whole = Path(write(tmp_path / "whole.parquet", people())).read_bytes()
    latin, half, spoilt = (tmp_path / name for name in ("latin.csv", "half.parquet", "spoilt.parquet"))
    latin.write_bytes(GOOD.replace("7,1,7", "7,1,é").encode("latin-1"))
    half.write_bytes(whole[: len(whole) // 2])
    spoilt.write_bytes(whole[:1000] + bytes(len(whole) // 2) + whole[1000 + len(whole) // 2 :])
    for file, message in (
        ("absent.csv", "No file `absent.csv`"),
        (text_file(tmp_path / "t.xlsx", "x"), "neither CSV nor Parquet"),
        (str(broken), "Cannot read"),
        (f"sqlite:///{tmp_path}/none.db::t", "No file"),
        (f"sqlite:///{tmp_path}/none.db", "names no table. Write `sqlite:///.*none.db::table`"),
        (str(tmp_path), "is a folder. Name the file in it"),
        (str(latin), "Cannot read .*: its text is not UTF-8"),
        (str(half), "Cannot read .*: Invalid Input Error: No magic bytes found at end"),
        (str(spoilt), "Cannot read `spoilt.parquet`: "),
    ):
        with pytest.raises(TableError, match=message):
            table_scorecard(file, spec=BY_USER, metrics=["revenue" if file == str(spoilt) else "y"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"control": "2"}, "Unknown variant `2`"),
        ({"weights": {"0": 1.0, "1": 1.0, "2": 1.0}}, "Variant `2` has a weight, but no unit"),
        ({"weights": {"0": 1.0}}, "Variant `1` has 10 units, but no weight"),
        ({"covariates": {"z": "y"}}, "Unknown metric `z`"),
        ({"spec": TableSpec(variant="variant")}, "Say what a unit is"),
        ({"spec": TableSpec(variant="variant", trials="y"), "metrics": ["y/user"]}, "With `--trials`"),
        ({"spec": TableSpec(variant="variant", trials="y", segment="user")}, "cannot be cut into segments"),
        ({"spec": TableSpec(variant="user", trials="variant")}, "`y` is not a count of `variant`"),
    ],
)
def test_a_call_that_contradicts_the_table_says_why(tmp_path, more, message):
    """The error names the value and what there is."""
    call = {"spec": BY_USER, "metrics": ["y"]} | more
    with pytest.raises(EmbellieError, match=message):
        table_scorecard(text_file(tmp_path / "t.csv", GOOD), **call)


def test_a_denominator_of_zeros_is_unavailable(tmp_path):
    """Nothing is divided by zero: reason and remedy instead."""
    file = text_file(tmp_path / "t.csv", "user,variant,y,z\n" + "".join(f"{i},{i % 2},{i},0\n" for i in range(20)))
    row = first(table_scorecard(file, spec=BY_USER, metrics=["y/z"]))
    assert isinstance(row, UnavailableEffect)
    assert "`0` has no z" in row.because.reason


def test_a_ratio_that_is_the_same_for_everybody_has_no_interval(tmp_path):
    """What rounding leaves over is no variance: reason and remedy, not an interval of 1e-9."""
    rows = "".join(f"{i},{i % 2},{0.3 * (i + 1)},{0.1 * (i + 1)}\n" for i in range(50))
    file = text_file(tmp_path / "t.csv", "user,variant,y,z\n" + rows)
    row = first(table_scorecard(file, spec=BY_USER, metrics=["y/z"]))
    assert isinstance(row, UnavailableEffect)
    assert row.because.reason == "Every user has the same value."


def run(*arguments):
    return CliRunner().invoke(cli, ["measure", *arguments], standalone_mode=False, catch_exceptions=False)


def test_several_covariates_of_a_metric_give_one_adjusted_row(tmp_path):
    """Both together, by the slopes of the sides' summed covariances, to 1e-9 of numpy; narrower than with one of them."""
    columns = people()
    columns["age"] = columns["revenue"] * 0.3 + np.random.default_rng(9).normal(0, 1, len(columns["user"]))
    file = write(tmp_path / "t.parquet", columns)
    options = ("--unit", "user", "--variant", "variant", "--metric", "revenue", "--json")
    both = run("table", file, *options, "--covariate", "revenue=before", "--covariate", "revenue=age")
    one = run("table", file, *options, "--covariate", "revenue=before")
    raw, adjusted = json.loads(both.stdout)["effects"]
    y, x = [], []
    for side in (0, 1):
        chosen = columns["variant"] == side
        y.append(columns["revenue"][chosen])
        x.append(np.stack([columns["before"][chosen], columns["age"][chosen]]))
    spread = sum(np.cov(each) for each in x)
    shared = sum(np.cov(np.vstack([values, each]))[0, 1:] for values, each in zip(y, x, strict=True))
    left = [values - np.linalg.solve(spread, shared) @ each for values, each in zip(y, x, strict=True)]
    se = np.sqrt(sum(each.var(ddof=1) / len(each) for each in left))
    assert (adjusted["effect"], adjusted["se"]) == pytest.approx((left[1].mean() - left[0].mean(), se), rel=1e-9)
    assert adjusted["adjusted"]
    assert adjusted["se"] < json.loads(one.stdout)["effects"][1]["se"] < raw["se"]


def test_the_command_compares_forms_of_a_column(tmp_path):
    """Shares, quantiles and capped means have a row each, under the name they were asked by."""
    asked = ["share(orders)", "median(revenue)", "p90(revenue)", "capped(revenue)/sessions"]
    file = write(tmp_path / "t.parquet", people())
    found = run("table", file, "--unit", "user", "--variant", "variant", "--metric", *asked, "--json")
    rows = json.loads(found.stdout)["effects"]
    assert [row["metric"] for row in rows] == asked
    assert all(row["interval"]["low"] < row["effect"] < row["interval"]["high"] for row in rows)


def test_the_command_prints_one_document(tmp_path):
    """With `--json` standard output is the contract's document; the chosen control is said on standard error."""
    file = write(tmp_path / "t.parquet", people())
    result = run("table", file, "--unit", "user", "--variant", "variant", "--metric", "orders/sessions", "revenue",
                 "--covariate", "revenue=before", "--sequential", "always", "--json")  # fmt: skip
    document = json.loads(result.stdout)
    assert document["schema"] == "embellie/scorecard/1"
    assert [(row["metric"], row["adjusted"]) for row in document["effects"]] == [
        ("orders/sessions", False), ("revenue", False), ("revenue", True),
    ]  # fmt: skip
    assert document["effects"][0]["interval"]["kind"] == "always"
    assert set(document["srm"]) == {"p_value", "log_e", "alarm"}
    assert "Control: `0`" in result.stderr


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_command_speaks_and_draws(tmp_path, language):
    """Without `--json`: a sentence per metric, and a line per interval; never a chance to win."""
    file = write(tmp_path / "t.parquet", people())
    said = run(
        "table", file, "--unit", "user", "--variant", "variant", "--metric", "revenue", "--lang", language
    ).stdout
    assert "95" in said
    assert "●" in said
    assert "win" not in said


def test_planned_looks_widen_the_interval_less_than_any_look(tmp_path):
    """At the planned end: fixed < five planned looks < always; a plan needs its size."""
    file = write(tmp_path / "t.parquet", people())

    def width(*arguments):
        result = run(
            "table", file, "--unit", "user", "--variant", "variant", "--metric", "revenue", "--json", *arguments
        )
        interval = json.loads(result.stdout)["effects"][0]["interval"]
        return interval["high"] - interval["low"]

    planned = ("--planned", "4000")
    assert width() < width("--sequential", "group:5", *planned) < width("--sequential", "always", *planned)
    with pytest.raises(InputError, match="needs the planned number of units"):
        width("--sequential", "group:5")
    with pytest.raises(InputError, match="no plan of looks"):
        width("--sequential", "daily")


def test_the_split_is_checked_by_hand(capsys):
    """`measure srm` prints the object and exits 1 when the split is broken."""
    document = json.loads(run("srm", "3052", "3033", "3092", "3018", "--json").stdout)
    assert document["p_value"] == pytest.approx(0.799, abs=5e-4)
    assert document["alarm"] is False
    broken = CliRunner().invoke(cli, ["measure", "srm", "821588", "815482", "--weights", "1:1", "--json"])
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["log_e"] == pytest.approx(8.765972283203155, abs=1e-9)
    with pytest.raises(InputError, match="does not give 2 weights"):
        run("srm", "1", "2", "--weights", "1:2:3")
    assert run("srm", "3052", "3033", "--lang", "fr").stdout.startswith("La répartition est celle prévue : p = 0,808")
    assert "Personne" in run("srm", "0", "0", "--lang", "fr").stdout


def test_an_experiment_is_planned():
    """Size, duration and smallest effects; a relative effect and a weekly or daily traffic are understood."""
    document = json.loads(run("plan", "--baseline", "0.05", "--effect", "5%", "--traffic", "7000/day", "--json").stdout)
    assert document["rule_of_thumb"] == 121_600
    assert document["units_per_variant"] == 119_303
    assert document["weeks"] == pytest.approx(2 * 119_303 / 49_000)
    assert document["smallest_effects"][0]["units_per_variant"] == 24_500
    adjusted = json.loads(run("plan", "--baseline", "0.05", "--effect", "5%", "--correlation", "0.6", "--json").stdout)
    assert adjusted["units_per_variant"] == pytest.approx(0.64 * 119_303, abs=1)
    with pytest.raises(InputError, match="standard deviation is missing"):
        run("plan", "--baseline", "3", "--effect", "5%")
    with pytest.raises(InputError, match="Nothing to plan with"):
        run("plan", "--baseline", "0.05")
