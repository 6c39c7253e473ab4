"""The same four figures by other libraries: a mean, a ratio of means, and both adjusted for what readers did before.

Needs none of the project: it runs in the interpreter that has the libraries, as `benchmarks/measure.py --peers PYTHON` and
`benchmarks/agreement.py --peers PYTHON` do. Some of them pin old versions of others, so that they need a place each:

    python -m venv /tmp/peers    && /tmp/peers/bin/pip install tea-tasting "ibis-framework[duckdb]" spotify-confidence statsmodels cluster-experiments
    python -m venv /tmp/gbstats  && /tmp/gbstats/bin/pip install gbstats duckdb pyarrow
    python -m venv /tmp/ambrosia && /tmp/ambrosia/bin/pip install --only-binary :all: ambrosia duckdb

`python benchmarks/measure_peers.py list` says which are there; `run NAME FILE` computes.
"""

import importlib.metadata
import json
import resource
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

COLUMNS = ["variant", "revenue", "before", "orders", "sessions", "orders_before", "sessions_before"]


def _sums(file):
    """Centred sums by DuckDB: what a warehouse would hand to a library of formulas."""
    import duckdb

    names = COLUMNS[1:]
    pairs = [(one, other) for place, one in enumerate(names) for other in names[place:]]
    wanted = [f"avg({name})" for name in names] + [f"covar_samp({one}, {other})" for one, other in pairs]
    found = {}
    for variant, n, *rest in duckdb.sql(
        f"SELECT variant, count(*), {', '.join(wanted)} FROM '{file}' GROUP BY variant ORDER BY variant"
    ).fetchall():
        means = dict(zip(names, rest, strict=False))
        covariances = dict(zip(pairs, rest[len(names) :], strict=True))
        found[variant] = (n, means, covariances)
    return found


def tea_tasting(file, *, polars=False):
    import tea_tasting as tt

    if polars:
        import polars as pl

        data = pl.scan_parquet(file)
    else:
        import ibis

        data = ibis.duckdb.connect().read_parquet(file)
    found = tt.Experiment(
        mean=tt.Mean("revenue"),
        ratio=tt.RatioOfMeans("orders", "sessions"),
        adjusted_mean=tt.Mean("revenue", "before"),
        adjusted_ratio=tt.RatioOfMeans("orders", "sessions", "orders_before", "sessions_before"),
        variant="variant",
    ).analyze(data)
    return {
        name: {"effect": each.effect_size, "low": each.effect_size_ci_lower, "high": each.effect_size_ci_upper}
        for name, each in found.items()
    }


def gbstats(file):
    from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest
    from gbstats.models.statistics import (
        RatioStatistic,
        RegressionAdjustedStatistic,
        SampleMeanStatistic,
        compute_theta,
    )

    sums = _sums(file)

    def mean(side, name):
        n, means, covariances = sums[side]
        total = n * means[name]
        squares = (n - 1) * covariances[name, name] + n * means[name] ** 2
        return SampleMeanStatistic(n=n, sum=total, sum_squares=squares)

    def product(side, one, other):
        n, means, covariances = sums[side]
        covariance = covariances.get((one, other), covariances.get((other, one)))
        return (n - 1) * covariance + n * means[one] * means[other]

    def ratio(side):
        return RatioStatistic(
            n=sums[side][0],
            m_statistic=mean(side, "orders"),
            d_statistic=mean(side, "sessions"),
            m_d_sum_of_products=product(side, "orders", "sessions"),
        )

    def adjusted(side, theta):
        return RegressionAdjustedStatistic(
            n=sums[side][0],
            post_statistic=mean(side, "revenue"),
            pre_statistic=mean(side, "before"),
            post_pre_sum_of_products=product(side, "revenue", "before"),
            theta=theta,
        )

    def compared(one, other):
        test = TwoSidedTTest(one, other, FrequentistConfig(difference_type="absolute"))
        found = test.compute_result()
        low, high = found.ci
        return {"effect": found.expected, "low": low, "high": high, "se": found.uplift.stddev}

    theta = compute_theta(adjusted(0, 0.0), adjusted(1, 0.0))
    return {
        "mean": compared(mean(0, "revenue"), mean(1, "revenue")),
        "ratio": compared(ratio(0), ratio(1)),
        "adjusted_mean": compared(adjusted(0, theta), adjusted(1, theta)),
    }


def spotify_confidence(file):
    import pandas as pd
    from spotify_confidence import StudentsTTest

    rows = []
    for variant, (n, means, covariances) in _sums(file).items():
        squares = (n - 1) * covariances["revenue", "revenue"] + n * means["revenue"] ** 2
        rows.append({"variant": str(variant), "n": n, "sum": n * means["revenue"], "squares": squares})
    test = StudentsTTest(
        pd.DataFrame(rows),
        numerator_column="sum",
        numerator_sum_squares_column="squares",
        denominator_column="n",
        categorical_group_columns="variant",
        interval_size=0.95,
    )
    row = test.difference(level_1="0", level_2="1", absolute=True).iloc[0]
    return {"mean": {"effect": row["difference"], "low": row["ci_lower"], "high": row["ci_upper"]}}


def statsmodels(file):
    """Welch's interval on values; ratios and adjusted figures on their influence values, slopes by least squares."""
    import pandas as pd
    from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

    frame = pd.read_parquet(file, columns=COLUMNS)
    sides = [frame[frame["variant"] == side].drop(columns="variant").astype(float) for side in (0, 1)]
    del frame

    def ratio_parts(side, top, bottom):
        value = side[top].mean() / side[bottom].mean()
        return value, ((side[top] - value * side[bottom]) / side[bottom].mean()).to_numpy()

    def compared(one, other, shift=0.0):
        test = CompareMeans(DescrStatsW(other), DescrStatsW(one))
        low, high = test.tconfint_diff(usevar="unequal")
        effect = test.d1.mean - test.d2.mean
        return {"effect": effect + shift, "low": low + shift, "high": high + shift, "se": test.std_meandiff_separatevar}

    def slope(metric, covariate):
        # Both conventions are legitimate; this is that of `theta` in the project's scorecards.
        parts = [DescrStatsW(list(zip(y, x, strict=True))) for y, x in zip(metric, covariate, strict=True)]
        covariances = [part.cov * part.nobs / (part.nobs - 1) for part in parts]
        return sum(each[0, 1] for each in covariances) / sum(each[1, 1] for each in covariances)

    revenue, before = ([side[name].to_numpy() for side in sides] for name in ("revenue", "before"))
    theta = slope(revenue, before)
    own = [ratio_parts(side, "orders", "sessions") for side in sides]
    past = [ratio_parts(side, "orders_before", "sessions_before") for side in sides]
    phi, psi = [values for _, values in own], [values for _, values in past]
    ratio, ratio_before = own[1][0] - own[0][0], past[1][0] - past[0][0]
    theta_ratio = slope(phi, psi)
    return {
        "mean": compared(*revenue),
        "ratio": compared(*phi, shift=ratio),
        "adjusted_mean": compared(*(y - theta * x for y, x in zip(revenue, before, strict=True))),
        "adjusted_ratio": compared(
            *(y - theta_ratio * x for y, x in zip(phi, psi, strict=True)), shift=ratio - theta_ratio * ratio_before
        ),
    }


def cluster_experiments(file):
    import pandas as pd
    from cluster_experiments import AnalysisPlan, HypothesisTest, RatioMetric, SimpleMetric, Variant

    frame = pd.read_parquet(file, columns=[*COLUMNS, "reader"])
    frame["variant"] = frame["variant"].map({0: "control", 1: "treatment"})
    revenue = SimpleMetric(alias="revenue", name="revenue")
    tests = {
        "mean": HypothesisTest(metric=revenue, analysis_type="ols"),
        "adjusted_mean": HypothesisTest(
            metric=revenue, analysis_type="ols", analysis_config={"covariates": ["before"]}
        ),
        "ratio": HypothesisTest(
            metric=RatioMetric(alias="ratio", numerator_name="orders", denominator_name="sessions"),
            analysis_type="delta",
            analysis_config={"cluster_cols": ["reader"], "scale_col": "sessions"},
        ),
    }
    variants = [Variant("control", is_control=True), Variant("treatment", is_control=False)]
    found = {}
    for name, test in tests.items():
        plan = AnalysisPlan(tests=[test], variants=variants, variant_col="variant")
        row = plan.analyze(frame).to_dataframe().iloc[0]
        found[name] = {
            "effect": row["ate"], "low": row["ate_ci_lower"], "high": row["ate_ci_upper"], "se": row["std_error"],
        }  # fmt: skip
    return found


def ambrosia(file):
    import duckdb
    from ambrosia.tester import Tester

    frame = duckdb.sql(f"SELECT variant, revenue FROM '{file}'").df()
    tester = Tester(dataframe=frame, column_groups="variant", metrics="revenue")
    row = tester.run(effect_type="absolute", method="theory").iloc[0]
    low, high = row["confidence_interval"]
    return {"mean": {"effect": row["effect"], "low": low, "high": high}}


PEERS = {
    "tea-tasting, DuckDB": ("tea-tasting", tea_tasting),
    "tea-tasting, polars": ("tea-tasting", lambda file: tea_tasting(file, polars=True)),
    "gbstats, DuckDB": ("gbstats", gbstats),
    "spotify-confidence, DuckDB": ("spotify-confidence", spotify_confidence),
    "statsmodels": ("statsmodels", statsmodels),
    "cluster-experiments": ("cluster-experiments", cluster_experiments),
    "ambrosia": ("ambrosia", ambrosia),
}

WANTED = ["tea-tasting", "gbstats", "spotify-confidence", "statsmodels", "cluster-experiments", "ambrosia", "confseq"]


def versions() -> dict[str, str]:
    """Say which of the libraries are here, beside what they compute with."""
    found = {}
    for name in [*WANTED, "duckdb", "numpy", "pandas", "polars", "ibis-framework"]:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def memory() -> float:
    """The peak memory of this process in MiB; what it had before it was this program does not count."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    if sys.argv[1] == "list":
        print(json.dumps(versions()))
        return
    _, function = PEERS[sys.argv[2]]
    started = time.perf_counter()
    found = function(sys.argv[3])
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "figures": {name: {key: float(value) for key, value in each.items()} for name, each in found.items()},
                "compute": time.perf_counter() - started,
                "cpu": used.ru_utime + used.ru_stime,
                "rss_mib": memory(),
            }
        )
    )


if __name__ == "__main__":
    main()
