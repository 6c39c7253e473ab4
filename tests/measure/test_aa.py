"""A/A by re-randomising: right figures pass, planted faults are caught."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from embellie.app.re_randomised_words import re_randomised_sentences
from embellie.app.re_randomising import Units, re_randomise, re_randomised_document
from embellie.app.re_randomising_units import re_randomise_table
from embellie.domain.errors import EmbellieError, InputError, TableError
from embellie.domain.metric import Metric
from embellie.measure.aggregates import needs_of
from embellie.measure.from_log import prior_covariates
from embellie.measure.log_query import LogQuery
from embellie.measure.log_sums import bounds_sql, opening_sql, persons_sql
from embellie.measure.re_randomising_query import as_exposed
from embellie.measure.table_query import TableSpec
from embellie.stats.calibration import uniformity_p
from embellie.store.translating import translate

READER = TableSpec(unit="reader", variant="")


def write(file, columns):
    rows = zip(*columns.values(), strict=True)
    file.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    """2,000 readers: revenue that few pay, what they paid before, visits; and the same revenue with one whale."""
    rng = np.random.default_rng(1)
    n = 2000
    revenue = (rng.random(n) < 0.2) * rng.lognormal(0, 1, n)
    whale = revenue.copy()
    whale[7] = 1e6
    columns = {
        "reader": [f"r{place:04d}" for place in range(n)],
        "revenue": revenue,
        "whale": whale,
        "before": 0.8 * revenue + (rng.random(n) < 0.2) * rng.lognormal(0, 1, n),
        "visits": 1 + rng.poisson(2.0, n),
    }
    return write(tmp_path_factory.mktemp("aa") / "readers.csv", columns)


@pytest.fixture(scope="module")
def requests(tmp_path_factory):
    """Requests of 1,500 readers who differ in how often they come and click."""
    rng = np.random.default_rng(2)
    rate, count = rng.gamma(0.5, 0.06, 1500), 1 + rng.poisson(rng.lognormal(1, 1.2, 1500))
    reader = np.repeat(np.arange(1500), count)
    columns = {
        "request": range(len(reader)),
        "reader": reader,
        "clicked": (rng.random(len(reader)) < rate[reader]).astype(int),
    }
    return write(tmp_path_factory.mktemp("aa") / "requests.csv", columns)


def states(found):
    return {(row.metric, row.adjusted): row.state for row in found.rows}


def test_right_figures_pass(readers):
    """Means, ratios, shares, capped and adjusted ones: wrong in 5 %, p uniform, error as claimed."""
    metrics = ["revenue", "revenue/visits", "share(revenue)", "capped(revenue, 99%)"]
    found = re_randomise_table(readers, spec=READER, metrics=metrics, covariates={"revenue": "before"}, runs=400)
    assert found.passed
    assert (found.units, found.groups, found.runs) == (2000, 2000, 400)
    assert set(states(found)) == {(metric, False) for metric in metrics} | {("revenue", True)}
    for row in found.rows:
        assert sum(row.histogram) == 400
        assert row.coverage[0] == pytest.approx(1 - row.error_rate[0])
        assert 0.9 < row.se_ratio < 1.1
        assert row.uniformity > 0.001


def test_quantiles_are_wrong_about_as_often_as_they_say():
    """Order statistics of 10,000 units a side: near 5 %."""
    metric = Metric(metric="m", numerator="y", form="quantile", quantile=0.9)
    values = np.random.default_rng(2).lognormal(0, 1, (20_000, 1))
    (row,) = re_randomise(Units(needs=needs_of([metric]), values=values), [metric], runs=300).rows
    assert row.state == "fine"
    assert 0.85 < row.se_ratio < 1.2


def test_the_same_seed_gives_the_same_figures(readers):
    """And another seed others."""
    first, again, other = (
        re_randomise_table(readers, spec=READER, metrics=["revenue"], runs=100, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again
    assert first.rows != other.rows


def test_requests_given_as_units_are_caught(requests):
    """Readers are assigned, requests are counted: far more than 5 % are called different, the error is claimed too small."""
    spec = TableSpec(unit="request", variant="")
    found = re_randomise_table(requests, spec=spec, metrics=["clicked"], assigned="reader", runs=300)
    (row,) = found.rows
    assert not found.passed
    assert row.state == "too_sure"
    assert row.error_rate[0] > 0.12
    assert row.se_ratio < 0.8
    assert row.uniformity < 0.01
    assert found.groups == 1500


def test_the_same_rows_per_reader_pass(requests):
    """What is assigned is the unit: nothing is wrong."""
    assert re_randomise_table(requests, spec=READER, metrics=["clicked"], runs=300).passed


def test_one_whale_is_caught(readers):
    """One reader outweighs all: the test never speaks, its p-values are all alike."""
    found = re_randomise_table(readers, spec=READER, metrics=["revenue", "whale"], runs=300)
    assert states(found) == {("revenue", False): "fine", ("whale", False): "too_careful"}
    assert not found.passed
    whale = found.rows[1]
    assert whale.error_rate[0] == 0
    assert whale.uniformity < 1e-9


def test_uneven_shares_are_assigned_as_asked(readers):
    """A tenth in the treatment: a light tail stands it."""
    assert re_randomise_table(readers, spec=READER, metrics=["visits"], runs=300, seed=1, share=0.1).passed


def test_the_order_of_rows_does_not_matter(tmp_path, readers):
    """Units are taken in order of their names."""
    lines = Path(readers).read_text(encoding="utf-8").split("\n")
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([lines[0], *reversed(lines[1:])]), encoding="utf-8")
    one, other = (
        re_randomise_table(str(file), spec=READER, metrics=["revenue"], runs=100) for file in (readers, turned)
    )
    assert one == other


def test_a_metric_without_spread_says_why(tmp_path):
    """Every unit alike: a reason, no rate; and the whole does not pass."""
    file = write(tmp_path / "same.csv", {"reader": range(300), "same": [1] * 300})
    found = re_randomise_table(file, spec=READER, metrics=["same"], runs=100)
    assert not found.passed
    assert found.missing["same"].code == "same_value"
    assert re_randomised_document(found)["metrics"][0]["metric"] == "same"


def test_too_few_units_are_refused(tmp_path):
    """From 200 on something can be said."""
    file = write(tmp_path / "few.csv", {"reader": range(50), "x": range(50)})
    with pytest.raises(InputError, match="only 50 units"):
        re_randomise_table(file, spec=READER, metrics=["x"])


@pytest.mark.parametrize(
    ("columns", "metrics", "assigned", "says"),
    [
        ({"reader": range(300), "x": ["a"] * 300}, ["x"], "", "not a number"),
        ({"reader": range(300), "x": range(300)}, ["y"], "", "`y`"),
        ({"reader": [1] * 300, "team": range(300), "x": range(300)}, ["x"], "team", "more than one `team`"),
    ],
)
def test_wrong_tables_are_told(tmp_path, columns, metrics, assigned, says):
    """As for a scorecard: which column, and what to do."""
    with pytest.raises((TableError, EmbellieError), match=says):
        re_randomise_table(write(tmp_path / "wrong.csv", columns), spec=READER, metrics=metrics, assigned=assigned)


def test_capped_values_are_cut_where_all_units_say():
    """The cap is that of all units together, whichever side they fall on: a heavy one counts as the others do."""
    metric = Metric(metric="m", numerator="y", cap=0.9)
    values = np.r_[np.ones(399), 1e9].reshape(-1, 1) * np.tile([1.0, 0.0], 200).reshape(-1, 1)
    values[-1] = 1e9
    found = re_randomise(Units(needs=needs_of([metric]), values=values), [metric], runs=200)
    assert found.rows[0].state == "fine"
    assert 0.9 < found.rows[0].se_ratio < 1.1


def test_sentences_in_both_languages(readers):
    """What was found, the histogram and the verdict, in words of the language."""
    found = re_randomise_table(readers, spec=READER, metrics=["whale"], runs=300)
    english, french = ("\n".join(re_randomised_sentences(found, language)) for language in ("en", "fr"))
    assert "too careful" in english
    assert "trop prudente" in french
    assert "Not to be trusted" in english
    assert "Pas fiable" in french
    assert "█" in english


def test_uniformity_sees_what_is_not_uniform():
    """Uniform draws are rarely called otherwise; squares of them always."""
    rng = np.random.default_rng(4)
    p_values = [uniformity_p(rng.random(300).tolist()) for _ in range(300)]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert uniformity_p((rng.random(300) ** 2).tolist()) < 1e-6


@pytest.mark.parametrize("dialect", ["postgres", "spark"])
def test_what_the_log_is_asked_is_known_on_every_engine(dialect):
    """The queries for persons, with and without an experiment, can be translated."""
    metrics = [
        Metric(metric="a", numerator="reads", denominator="visits"),
        Metric(metric="b", numerator="amount", cap=0.9),
    ]
    query = LogQuery(needs=needs_of(metrics, prior_covariates(metrics)), pre_days=14, site=True)
    asked = [persons_sql(query), opening_sql(site=True), bounds_sql(site=True, parts=3)]
    for sql in [*asked, *(as_exposed(one, site=True) for one in asked)]:
        translated = translate(sql, dialect, relations=(("events", "events"),))
        assert "history" not in sql or "history" in translated.sql
        assert set(translated.parameters) <= {"experiment", "site", "since", "until", "begin", "read_seconds"}


def test_the_command_exits_1_when_a_rate_is_off(readers, requests):
    """One JSON document, `embellie/aa/1`; exit 0 for what passes, 1 for what does not, 2 for a wrong call."""

    def aa(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "embellie", "measure", "aa", *arguments], capture_output=True, text=True, check=False
        )

    fine = aa("table", readers, "--unit", "reader", "--metric", "revenue", "--runs", "200", "--json")
    document = json.loads(fine.stdout)
    assert (fine.returncode, document["schema"], document["passed"]) == (0, "embellie/aa/1", True)
    asked = ["table", requests, "--unit", "request", "--assigned", "reader", "--metric", "clicked", "--runs", "200"]
    off = aa(*asked, "--lang", "fr")
    assert off.returncode == 1
    assert "trop sûre" in off.stdout
    assert aa("table", readers, "--unit", "reader").returncode == 2
