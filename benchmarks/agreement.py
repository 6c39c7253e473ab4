"""Do scorecards agree with other libraries, and with long-double arithmetic on every single value?

Run `python benchmarks/agreement.py --peers PYTHON … [--units 1000000] [--out FILE]`; `measure_peers.py` says how to make an
interpreter with the libraries. A million simulated readers; a mean, a ratio, and both adjusted. For each figure: the largest
relative difference of estimate, standard error and interval from a long-double reference, which follows each library's own
convention for the slope of the covariate (they differ in the seventh digit, and all are legitimate):

- `sides`: Σ Cov / Σ Var over the two sides; embellie's, and statsmodels' as it is asked for here;
- `all`: of all readers together; tea-tasting's and gbstats'. Embellie's sums, with that slope, are in the table too;
- `least squares`: the same for both sides, weighted by their n − 1; cluster-experiments', whose variances assume more.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from scipy import special

from embellie.app.measuring import TableSpec
from embellie.app.measuring_tables import table_scorecard
from embellie.domain.metric import Metric
from embellie.measure.aggregates import needs_of
from embellie.measure.from_table import read_table
from embellie.measure.table_query import parse_metric
from embellie.stats.estimators import ratio_of_means
from embellie.stats.moments import Moments, add_forms
from embellie.store.tables import open_table
from measure import COVARIATES, METRICS, peers_of, write_people

FIGURES = ("mean", "ratio", "adjusted_mean", "adjusted_ratio")

SLOPES = {"tea-tasting": "all", "gbstats": "all", "cluster-experiments": "least squares"}

SPEC = TableSpec(unit="reader", variant="variant")


def interval(effect: float, parts: list[tuple[float, int]]) -> dict[str, float]:
    """Welch's interval from each side's variance and size."""
    squares = [variance / n for variance, n in parts]
    se = math.sqrt(sum(squares))
    df = sum(squares) ** 2 / sum(square**2 / (n - 1) for square, (_, n) in zip(squares, parts, strict=True))
    reach = float(special.stdtrit(df, 0.975)) * se
    return {"effect": effect, "se": se, "low": effect - reach, "high": effect + reach}


def reference(file: str, slope: str) -> dict[str, dict[str, float]]:
    """Compute every figure in long double from every single value."""
    columns = duckdb.sql(f"SELECT * EXCLUDE (name, reader) FROM '{file}'").fetchnumpy()
    sides = [
        {name: values[columns["variant"] == side].astype(np.longdouble) for name, values in columns.items()}
        for side in (0, 1)
    ]

    def values_of(top: str, bottom: str = "") -> tuple[list[Any], list[Any]]:
        if not bottom:
            return [side[top].mean() for side in sides], [side[top] for side in sides]
        ratios = [side[top].mean() / side[bottom].mean() for side in sides]
        return ratios, [
            (side[top] - ratio * side[bottom]) / side[bottom].mean() for side, ratio in zip(sides, ratios, strict=True)
        ]

    def slope_of(own: list[Any], past: list[Any], tops: tuple[str, ...], befores: tuple[str, ...]) -> Any:
        if slope == "all":
            whole = {name: np.concatenate([side[name] for side in sides]) for name in (*tops, *befores)}
            own, past = (
                [whole[names[0]] if len(names) == 1 else _influence(whole[names[0]], whole[names[1]])]
                for names in (tops, befores)
            )
        weights = [len(x) - 1 if slope == "least squares" else 1 for x in past]
        shared = sum(weight * _covariance(y, x) for weight, y, x in zip(weights, own, past, strict=True))
        return shared / sum(weight * _covariance(x, x) for weight, x in zip(weights, past, strict=True))

    found = {}
    for name, tops, befores in (
        ("mean", ("revenue",), ("before",)),
        ("ratio", ("orders", "sessions"), ("orders_before", "sessions_before")),
    ):
        means, own = values_of(*tops)
        means_before, past = values_of(*befores)
        found[name] = interval(float(means[1] - means[0]), [(float(_covariance(y, y)), len(y)) for y in own])
        theta = slope_of(own, past, tops, befores)
        left = [y - theta * x for y, x in zip(own, past, strict=True)]
        effect = float(means[1] - means[0] - theta * (means_before[1] - means_before[0]))
        found[f"adjusted_{name}"] = interval(effect, [(float(_covariance(y, y)), len(y)) for y in left])
    return found


def _influence(top: Any, bottom: Any) -> Any:
    return (top - top.mean() / bottom.mean() * bottom) / bottom.mean()


def _covariance(one: Any, other: Any) -> Any:
    return ((one - one.mean()) * (other - other.mean())).sum() / (len(one) - 1)


def ours(file: str) -> dict[str, dict[str, float]]:
    """The scorecard's figures."""
    card = table_scorecard(file, spec=SPEC, metrics=METRICS, covariates=COVARIATES).card
    names = {("revenue", False): "mean", ("revenue", True): "adjusted_mean"}
    names |= {("orders/sessions", False): "ratio", ("orders/sessions", True): "adjusted_ratio"}
    return {
        names[row.metric, row.adjusted]: {
            "effect": row.effect, "se": row.se, "low": row.interval.low, "high": row.interval.high,
        }
        for row in card.effects
    }  # fmt: skip


def ours_with_one_slope(file: str) -> dict[str, dict[str, float]]:
    """Embellie's sums, put together with the slope of all readers together."""
    table = open_table(file)
    metrics = [parse_metric(text, tuple(table.columns)) for text in METRICS]
    covariates = {name: parse_metric(text, tuple(table.columns)) for name, text in COVARIATES.items()}
    sides = list(read_table(table, SPEC, needs_of(metrics, covariates))[""].moments.values())
    table.close()
    whole = pooled(*sides)

    def estimate(sample: Moments, metric: Metric) -> Any:
        return ratio_of_means(sample, metric.numerator, metric.denominator)

    found = {}
    for name, metric in zip(("adjusted_mean", "adjusted_ratio"), metrics, strict=True):
        past = covariates[metric.metric]
        own_form, past_form = estimate(whole, metric).form, estimate(whole, past).form
        theta = whole.form_covariance(own_form, past_form) / whole.form_variance(past_form)
        values = [estimate(side, metric).value - theta * estimate(side, past).value for side in sides]
        parts = [
            (
                side.form_variance(add_forms(estimate(side, metric).form, estimate(side, past).form, times=-theta)),
                side.n,
            )
            for side in sides
        ]
        found[name] = interval(values[1] - values[0], parts)
    return found


def pooled(one: Moments, other: Moments) -> Moments:
    """Put two samples together (Chan, Golub and LeVeque 1983)."""
    n = one.n + other.n
    gap = {name: other.mean(name) - one.mean(name) for name in one.means}
    means = {name: one.mean(name) + gap[name] * other.n / n for name in one.means}
    covariances = {
        pair: (
            (one.n - 1) * one.covariance(*pair)
            + (other.n - 1) * other.covariance(*pair)
            + gap[pair[0]] * gap[pair[1]] * one.n * other.n / n
        )
        / (n - 1)
        for pair in one.covariances
    }
    return Moments(n, means, covariances)


def worst(found: Mapping[str, float], expected: Mapping[str, float]) -> float:
    """The largest relative difference of what the library gives: estimate, standard error, limits of the interval.

    Limits are compared by their distance from the estimate: near zero they have no relative error.
    """
    differences = [abs(found["effect"] / expected["effect"] - 1)]
    if "se" in found:
        differences.append(abs(found["se"] / expected["se"] - 1))
    for limit in ("low", "high"):
        reach = expected[limit] - expected["effect"]
        differences.append(abs((found[limit] - found["effect"]) / reach - 1))
    return max(differences)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--peers", nargs="*", default=[], metavar="PYTHON")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    peers, versions = peers_of(arguments.peers)
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "people.parquet")
        write_people(Path(file), arguments.units)
        expected = {slope: reference(file, slope) for slope in ("sides", "all", "least squares")}
        answers = {"embellie": ("sides", ours(file)), "embellie, one slope": ("all", ours_with_one_slope(file))}
        script = str(Path(__file__).with_name("measure_peers.py"))
        for name, interpreter in peers.items():
            try:
                said = subprocess.check_output([interpreter, script, "run", name, file], stderr=subprocess.DEVNULL)
            except subprocess.CalledProcessError:
                print(f"{name}: failed")
                continue
            slope = next((each for package, each in SLOPES.items() if name.startswith(package)), "sides")
            answers[name] = (slope, json.loads(said.splitlines()[-1])["figures"])
    print(f"{arguments.units:,} readers: largest relative difference from long-double arithmetic\n")
    print(f"{'':28}{'slope':>14}" + "".join(f"{name:>16}" for name in FIGURES))
    for name, (slope, figures) in answers.items():
        rows[name] = {"slope": slope} | {
            figure: worst(figures[figure], expected[slope][figure]) for figure in FIGURES if figure in figures
        }
        cells = [f"{rows[name][figure]:.1e}" if figure in figures else "-" for figure in FIGURES]
        print(f"{name:28}{slope:>14}" + "".join(f"{cell:>16}" for cell in cells))
    for interpreter, found in versions.items():
        print(f"{interpreter}: " + ", ".join(f"{name} {version}" for name, version in found.items()))
    if arguments.out:
        document = {"units": arguments.units, "versions": versions, "rows": rows, "expected": expected}
        arguments.out.write_text(json.dumps(document, indent=2), encoding="utf-8")
    bad = [figure for figure in FIGURES if rows["embellie"][figure] > 1e-9]
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
