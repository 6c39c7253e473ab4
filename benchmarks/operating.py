"""How often is the scorecard wrong, and how soon is it right? Simulated readers with heavy tails, planted effects and none.

Every figure comes from what users get: daily sums of simulated readers become `Moments`, `score` makes rows of them, and a
rule decides on those rows at each daily look. Only the readers are invented.

- errors: false alarms of each rule under 28 daily looks and at the planned end, for each form of metric; with readers who
  are new each day, and with readers who come back, day after day;
- coverage: of absolute and relative intervals, at the end and over all looks; from how many units on a heavy tail may be
  watched;
- power: the share of planted effects found by each week, with and without a covariate;
- split: false alarms of the split's checks over 90 daily looks, days until 50.5/49.5 is seen;
- decisions: what a guardrail lets pass, errors among five metrics, false discoveries among twenty.

Run `python benchmarks/operating.py [--runs 2000] [--jobs N] [--only errors,power] [--seed 1] [--out FILE]`.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embellie.domain.metric import Metric
from embellie.domain.scorecard import Effect
from embellie.domain.unavailable import Unavailable
from embellie.measure.aggregates import Aggregates, needs_of, quantile_shares
from embellie.measure.looking import Looking, looks_so_far
from embellie.measure.scoring import Design, sample_ratio, score
from embellie.stats.estimators import two_sided_p
from embellie.stats.moments import Moments, QuantileSample
from embellie.stats.multiplicity import e_benjamini_hochberg
from embellie.stats.sample_ratio import chi_square_p, log_e_value
from embellie.stats.sequential import always_valid_reach, group_bounds, tuned_rho

DAYS, PER_DAY = 28, 400
"""A month of new readers, both sides together."""

WEEKS = (7, 14, 21, 28)
AHEAD = 1.6448536269514722
"""A flat prior's chance to win passes 95 % (or falls below 5 %) where |z| passes this."""

Arrays = Mapping[str, np.ndarray]

# readers


@dataclass(frozen=True, kw_only=True)
class Planted:
    """The true effects, as shares of the control's value."""

    reads: float = 0.0
    clicks: float = 0.0
    revenue: float = 0.0
    subscribed: float = 0.0
    engaged: float = 0.0


PAYING, PAY_SIGMA = 0.10, 1.2
FURTHER = 0.8
"""Articles read beyond the first, per visit, on average."""


def draw_readers(rng: np.random.Generator, shape: tuple[int, ...], planted: Planted) -> dict[str, np.ndarray]:
    """Draw readers: `variant` and columns; most never pay, a few pay a lot, some come daily and most hardly ever."""
    treated = rng.integers(0, 2, shape, dtype=np.int8)
    lift = {name: 1.0 + effect * treated for name, effect in vars(planted).items()}
    often = np.exp(rng.normal(0.5, 0.9, shape))
    appetite = rng.gamma(1.5, FURTHER / 1.5, shape)
    visits = 1 + rng.poisson(often)
    # The effect on reads per visit is that on all its articles, the first one too; so only the further ones carry it.
    further = appetite * (lift["reads"] * (1 + FURTHER) - 1) / FURTHER
    reads = visits + rng.poisson(visits * further)
    clicks = rng.binomial(visits * 4, np.minimum(1.0, rng.gamma(1.2, 0.03 / 1.2, shape) * lift["clicks"]))
    taste = rng.normal(0, PAY_SIGMA * 0.8, shape)
    payer = rng.random(shape) < 2 * PAYING

    def spent() -> np.ndarray:
        return payer * (rng.random(shape) < 0.5) * np.exp(taste + rng.normal(0, PAY_SIGMA * 0.6, shape))

    before = rng.poisson(often)
    return {
        "variant": treated,
        "visits": visits,
        "reads": reads,
        "clicks": clicks,
        "impressions": visits * 4,
        "revenue": spent() * lift["revenue"],
        "subscribed": rng.random(shape) < 0.02 * lift["subscribed"],
        "engaged": reads * 40 * np.exp(rng.normal(0, 0.6, shape)) * lift["engaged"],
        "visits_before": before,
        "reads_before": before + rng.poisson(before * appetite),
        "revenue_before": spent(),
    }


METRICS = (
    Metric(metric="revenue", numerator="revenue"),
    Metric(metric="revenue_capped", numerator="revenue", cap=0.99),
    Metric(metric="reads", numerator="reads"),
    Metric(metric="reads_per_visit", numerator="reads", denominator="visits"),
    Metric(metric="click_through", numerator="clicks", denominator="impressions"),
    Metric(metric="subscribed", numerator="subscribed", form="share"),
    Metric(metric="engaged_p90", numerator="engaged", form="quantile", quantile=0.9),
)
COVARIATES = {
    "revenue": Metric(metric="before", numerator="revenue_before"),
    "reads": Metric(metric="before", numerator="reads_before"),
    "reads_per_visit": Metric(metric="before", numerator="reads_before", denominator="visits_before"),
}
SIDES = {"control": 1.0, "treatment": 1.0}
NAMES = tuple(SIDES)


def truths(planted: Planted) -> dict[str, tuple[float, float]]:
    """The true effect of each metric, absolute and relative."""
    rng = np.random.default_rng(0)
    sample = draw_readers(rng, (4_000_000,), Planted())
    paid = sample["revenue"][sample["revenue"] > 0]
    visits, clicks = 1 + math.exp(0.5 + 0.5 * 0.9**2), 0.03
    revenue = PAYING * math.exp(0.5 * (PAY_SIGMA**2))
    whole = {
        "revenue": (revenue, planted.revenue),
        "reads": (visits * (1 + FURTHER), planted.reads),
        "reads_per_visit": (1 + FURTHER, planted.reads),
        "click_through": (clicks, planted.clicks),
        "subscribed": (0.02, planted.subscribed),
        "engaged_p90": (float(np.quantile(sample["engaged"], 0.9)), 0.0),
    }
    found = {name: (base * share, share) for name, (base, share) in whole.items()}
    both = np.concatenate([paid, paid * (1 + planted.revenue)])
    cap = np.quantile(both, 0.99)
    capped = [PAYING * np.minimum(part, cap).mean() for part in (paid, paid * (1 + planted.revenue))]
    found["revenue_capped"] = (float(capped[1] - capped[0]), float(capped[1] / capped[0] - 1))
    if planted.engaged or planted.reads:
        other = draw_readers(rng, (4_000_000,), planted)
        treated = np.quantile(other["engaged"][other["variant"] == 1], 0.9)
        base = whole["engaged_p90"][0]
        found["engaged_p90"] = (float(treated - base), float(treated / base - 1))
    return found


# from readers to what is known at each look


def running_moments(
    columns: Arrays, pairs: Sequence[tuple[str, str]], treated: np.ndarray
) -> list[list[dict[str, Moments]]]:
    """Sum readers up by run, day and side; returns, per run and look, each side's moments of all readers so far.

    Each column is centred near its mean before anything is squared, as an engine's `covar_samp` is.
    """
    sides = [1.0 - treated, treated.astype(float)]
    # Whole numbers are summed as they are: of those that are yes or no, none at all is exactly none.
    shifts = {name: float(np.mean(values)) if (values % 1).any() else 0.0 for name, values in columns.items()}
    centred = {name: values - shifts[name] for name, values in columns.items()}
    found = []
    for side in sides:
        count = side.sum(axis=2).cumsum(axis=1)
        sums = {name: np.einsum("rdu,rdu->rd", values, side).cumsum(axis=1) for name, values in centred.items()}
        products = {
            (one, other): np.einsum("rdu,rdu,rdu->rd", centred[one], centred[other], side).cumsum(axis=1)
            for one, other in pairs
        }
        means = {name: shifts[name] + total / count for name, total in sums.items()}
        spread = {
            (one, other): (total - sums[one] * sums[other] / count) / (count - 1)
            for (one, other), total in products.items()
        }
        found.append((count, means, spread))
    runs, days = found[0][0].shape
    return [
        [
            {
                name: Moments(
                    int(count[run, day]),
                    {column: float(values[run, day]) for column, values in means.items()},
                    {pair: float(values[run, day]) for pair, values in spread.items()},
                )
                for name, (count, means, spread) in zip(NAMES, found, strict=True)
            }
            for day in range(days)
        ]
        for run in range(runs)
    ]


def capped_so_far(values: np.ndarray, treated: np.ndarray, cap: float) -> list[tuple[float, float]]:
    """Mean and variance of each side, cut at the quantile of the payers of both sides."""
    paying = values[values > 0]
    cut = np.minimum(values, np.quantile(paying, cap)) if len(paying) else values
    return [(float(own.mean()), float(own.var(ddof=1))) for own in (cut[treated == 0], cut[treated == 1])]


def quantile_so_far(values: np.ndarray, share: float) -> QuantileSample:
    """The order statistics of one side."""
    low, value, high = np.quantile(values, quantile_shares(share, len(values)))
    return QuantileSample(n=len(values), value=float(value), low=float(low), high=float(high), z=1.959963984540054)


def looks_of(readers: Arrays, metrics: Sequence[Metric]) -> list[list[Aggregates]]:
    """What the engine would return at each daily look of each run; arrays are runs × days × readers."""
    chosen = [metric.metric for metric in metrics]
    needs = needs_of(metrics, {name: value for name, value in COVARIATES.items() if name in chosen})
    treated = readers["variant"]
    plain = {
        column.name: np.asarray(readers[column.counted], dtype=float) for column in needs.columns if not column.cap
    }
    pairs = [pair for pair in needs.pairs if all(name in plain for name in pair)]
    moments = running_moments(plain, pairs, treated)
    caps = [column for column in needs.columns if column.cap]
    runs, days, per_day = treated.shape
    known = []
    for run in range(runs):
        side = treated[run].ravel()
        own = {name: readers[name][run].ravel() for name in {c.counted for c in caps} | {n for n, _ in needs.quantiles}}
        looks = []
        for day in range(days):
            until = (day + 1) * per_day
            now, sides = side[:until], moments[run][day]
            for column in caps:
                cut = capped_so_far(own[column.counted][:until], now, column.cap)
                for name, (mean, variance) in zip(NAMES, cut, strict=True):
                    sides[name].means[column.name] = mean  # type: ignore[index]
                    sides[name].covariances[column.name, column.name] = variance  # type: ignore[index]
            quantiles = {
                (variant, name, share): quantile_so_far(own[name][:until][now == place], share)
                for name, share in needs.quantiles
                for place, variant in enumerate(NAMES)
            }
            looks.append(Aggregates(moments=sides, quantiles=quantiles))
        known.append(looks)
    return known


# rules

PLANNED = DAYS * PER_DAY
RULES = (
    "fixed, at the end",
    "fixed, daily",
    "95 % chance to win, daily",
    "group-sequential, 28 looks",
    "group-sequential, 4 looks",
    "always-valid",
)


def bounds_at(looks: int, days: int) -> dict[int, float]:
    """By day, the bound of |z| of a plan of equally spaced looks."""
    bounds = group_bounds(tuple((look + 1) / looks for look in range(looks)))
    return {days * (look + 1) // looks: bounds[look] for look in range(looks)}


def design_of(metrics: Sequence[Metric], looking: Looking, *, adjusted: bool = True) -> Design:
    """The plan that `score` is given."""
    chosen = [metric.metric for metric in metrics if adjusted]
    return Design(
        control="control",
        weights=SIDES,
        metrics=tuple(metrics),
        covariates={name: value for name, value in COVARIATES.items() if name in chosen},
        looking=looking,
    )


def rows_at(design: Design, known: Aggregates) -> dict[str, Effect]:
    """The available rows of a scorecard, by metric; an adjusted row's name says so."""
    return {
        row.metric + (" adjusted" if row.adjusted else ""): row
        for row in score(design, known).effects
        if isinstance(row, Effect)
    }


def crossings(
    fixed: Mapping[int, Effect], always: Mapping[int, Effect], days: int, plans: Mapping[str, Mapping[int, float]]
) -> dict[str, int]:
    """By rule, the first day on which it says "different"; 0 for never."""
    found = dict.fromkeys(RULES, 0)

    def cross(rule: str, day: int) -> None:
        found[rule] = found[rule] or day

    for day in range(1, days + 1):
        row, watched = fixed.get(day), always.get(day)
        if row is not None:
            z = abs(row.effect / row.se)
            if row.p_value < 0.05:
                cross("fixed, daily", day)
                if day == days:
                    cross("fixed, at the end", day)
            if z > AHEAD:
                cross("95 % chance to win, daily", day)
            for rule, plan in plans.items():
                if day in plan and z >= plan[day]:
                    cross(rule, day)
        if watched is not None and not watched.interval.low <= 0 <= watched.interval.high:
            cross("always-valid", day)
    return found


COVERED = (
    "absolute, fixed, at the end",
    "relative, fixed, at the end",
    "absolute, group-sequential, every look",
    "absolute, always-valid, every look",
    "relative, always-valid, every look",
)


def coverage(
    fixed: Mapping[int, Effect],
    always: Mapping[int, Effect],
    days: int,
    truth: tuple[float, float],
    plan: Mapping[int, float],
) -> dict[str, bool]:
    """Whether each interval holds the truth."""

    def inside(row: Effect) -> tuple[bool, bool]:
        relative = row.relative
        share = isinstance(relative, Unavailable) or relative.low <= truth[1] <= relative.high
        return row.interval.low <= truth[0] <= row.interval.high, share

    last = fixed.get(days)
    end = inside(last) if last else (True, True)
    watched = [inside(row) for row in always.values()]
    grouped = [abs(row.effect - truth[0]) <= plan[day] * row.se for day, row in fixed.items() if day in plan]
    figures = (*end, all(grouped), all(one for one, _ in watched), all(one for _, one in watched))
    return dict(zip(COVERED, figures, strict=True))


def request_level_p(readers: Arrays, run: int, days: int) -> float:
    """Two proportions of impressions, as if each were a unit: the fault to compare with."""
    side = readers["variant"][run, :days].ravel()
    clicks = np.bincount(side, readers["clicks"][run, :days].ravel(), 2)
    shown = np.bincount(side, readers["impressions"][run, :days].ravel(), 2)
    pooled = clicks.sum() / shown.sum()
    se = math.sqrt(pooled * (1 - pooled) * (1 / shown[0] + 1 / shown[1]))
    return two_sided_p(float(clicks[1] / shown[1] - clicks[0] / shown[0]) / se)


def month(
    seed: Sequence[int], runs: int, planted: Planted, truth: Mapping[str, tuple[float, float]]
) -> dict[str, list]:
    """Simulate months of new readers; for each metric, what each rule said when, and what each interval held."""
    rng = np.random.default_rng(seed)
    plans = {f"group-sequential, {looks} looks": bounds_at(looks, DAYS) for looks in (28, 4)}
    fixed = design_of(METRICS, Looking())
    always = design_of(METRICS, Looking(kind="always", planned=PLANNED))
    found: dict[str, list] = {}
    for begin in range(0, runs, 20):
        readers = draw_readers(rng, (min(20, runs - begin), DAYS, PER_DAY), planted)
        for run, looks in enumerate(looks_of(readers, METRICS)):
            once = [rows_at(fixed, known) for known in looks]
            whenever = [rows_at(always, known) for known in looks]
            for name in once[-1]:
                by_day = {day: rows[name] for day, rows in enumerate(once, 1) if name in rows}
                watched = {day: rows[name] for day, rows in enumerate(whenever, 1) if name in rows}
                said = crossings(by_day, watched, DAYS, plans)
                held = coverage(
                    by_day, watched, DAYS, truth[name.removesuffix(" adjusted")], plans["group-sequential, 28 looks"]
                )
                found.setdefault(name, []).append({"said": said, "held": held})
            requests = [request_level_p(readers, run, day) < 0.05 for day in range(1, DAYS + 1)]
            found.setdefault("requests", []).append({"end": requests[-1], "daily": any(requests)})
    return found


# readers who come back


def returning(seed: Sequence[int], runs: int, days: int, count: int) -> dict[str, list]:
    """The same readers, day after day: their number hardly grows, what is known of each does. No effect.

    The plan is kept in two ways: by units (`planned` is all readers there will be), as the scorecard does.
    """
    rng = np.random.default_rng(seed)
    metrics = (
        Metric(metric="reads", numerator="reads"),
        Metric(metric="reads_per_visit", numerator="reads", denominator="visits"),
    )
    found: dict[str, list] = {}
    for _ in range(runs):
        treated = rng.integers(0, 2, count)
        daily = rng.beta(0.6, 1.8, count)
        visits = rng.random((days, count)) < daily
        reads = visits * (1 + rng.poisson(rng.gamma(1.5, 0.5, count), (days, count)))
        looks = []
        for z, y in zip(visits.cumsum(axis=0), reads.cumsum(axis=0), strict=True):
            sides = {}
            for place, name in enumerate(NAMES):
                own = (treated == place) & (z > 0)
                pair = np.cov(y[own], z[own])
                sides[name] = Moments(
                    int(own.sum()),
                    {"reads": float(y[own].mean()), "visits": float(z[own].mean())},
                    {("reads", "reads"): pair[0, 0], ("reads", "visits"): pair[0, 1], ("visits", "visits"): pair[1, 1]},
                )
            looks.append(Aggregates(moments=sides))
        plans = {
            "group-sequential, 28 looks": _by_units(looks, 28, count),
            "group-sequential, 4 looks": _by_units(looks, 4, count),
        }
        once = [rows_at(design_of(metrics, Looking(), adjusted=False), known) for known in looks]
        always = design_of(metrics, Looking(kind="always", planned=count), adjusted=False)
        whenever = [rows_at(always, known) for known in looks]
        for metric in metrics:
            by_day = {day: rows[metric.metric] for day, rows in enumerate(once, 1) if metric.metric in rows}
            watched = {day: rows[metric.metric] for day, rows in enumerate(whenever, 1) if metric.metric in rows}
            found.setdefault(metric.metric, []).append({"said": crossings(by_day, watched, days, plans)})
    return found


def _by_units(looks: Sequence[Aggregates], planned_looks: int, planned: int) -> dict[int, float]:
    """By day, how many standard errors a watched plan by units reaches: at its looks their bound, between them always-valid."""
    bounds = group_bounds(tuple((look + 1) / planned_looks for look in range(planned_looks)))
    rho = tuned_rho(planned)
    found = {}
    for day, known in enumerate(looks, 1):
        units = sum(side.n for side in known.moments.values())
        made = looks_so_far(units / planned, looks=planned_looks, watched=True)
        found[day] = always_valid_reach(units, rho) if made is None else bounds[len(made) - 1]
    return found


# heavy tails, few units

TAILS: Mapping[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.normal(0, 1, shape),
    "yes/no, 5 %": lambda rng, shape: (rng.random(shape) < 0.05).astype(float),
    "yes/no, 1 %": lambda rng, shape: (rng.random(shape) < 0.01).astype(float),
    "log-normal, σ = 1": lambda rng, shape: np.exp(rng.normal(0, 1, shape)),
    "log-normal, σ = 2": lambda rng, shape: np.exp(rng.normal(0, 2, shape)),
    "10 % pay, σ = 1": lambda rng, shape: (rng.random(shape) < 0.1) * np.exp(rng.normal(0, 1, shape)),
    "2 % pay, σ = 1.5": lambda rng, shape: (rng.random(shape) < 0.02) * np.exp(rng.normal(0, 1.5, shape)),
}
SMALLEST = (100, 250, 500, 1_000)
"""Units of the smaller side from which on a look counts."""

ENDS = 5_000


def burn_in(seed: Sequence[int], runs: int, tail: str, share: float) -> dict[str, list]:
    """Watch no effect from 100 units on the smaller side to 5,000, at 40 looks; when does an interval leave the truth out?"""
    rng = np.random.default_rng(seed)
    steps = np.unique(np.geomspace(100, ENDS, 40).round().astype(int))
    larger = round((1 - share) / share)
    yes_no = tail.startswith("yes/no")
    metric = Metric(metric="m", numerator="y", form="share" if yes_no else "mean")
    column = "y>0" if yes_no else "y"
    design = Design(
        control="control", weights={"control": larger, "treatment": 1}, metrics=(metric,),
        looking=Looking(kind="always", planned=10_000),
    )  # fmt: skip
    once = Design(control="control", weights=design.weights, metrics=(metric,))
    found: dict[str, list] = {"missed": [], "fixed": [], "below": []}
    for _ in range(runs):
        sides = [_prefixes(TAILS[tail](rng, (ENDS * times,)), steps * times) for times in (larger, 1)]
        missed, fixed, below = [], [], False
        for place, step in enumerate(steps):
            known = {
                name: Moments(int(n[place]), {column: mean[place]}, {(column, column): variance[place]})
                for name, (n, mean, variance) in zip(NAMES, sides, strict=True)
            }
            (row,) = score(design, Aggregates(moments=known)).effects
            if isinstance(row, Effect) and not row.interval.low <= 0 <= row.interval.high:
                missed.append(int(step))
                below |= row.effect < 0
            if int(step) in (100, ENDS):
                (row,) = score(once, Aggregates(moments=known)).effects
                fixed.append(isinstance(row, Effect) and row.p_value < 0.05)
        found["missed"].append([any(step >= smallest for step in missed) for smallest in SMALLEST])
        found["fixed"].append(fixed)
        found["below"].append(below)
    return found


def _prefixes(values: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, mean and variance of the first so many values, for each length; centred on the mean of all."""
    shift = values.mean() if (values % 1).any() else 0.0
    sums, squares = np.cumsum(values - shift)[lengths - 1], np.cumsum((values - shift) ** 2)[lengths - 1]
    return lengths, (shift + sums / lengths), (squares - sums**2 / lengths) / (lengths - 1)


def near_zero(seed: Sequence[int], runs: int) -> dict[str, list]:
    """A variant that nearly ends what it measures: its relative interval is Fieller's. Does it hold the truth?"""
    rng = np.random.default_rng(seed)
    metric = Metric(metric="m", numerator="y")
    held = []
    for rate, units in ((0.0005, 4_000), (0.0, 4_000), (0.002, 4_000)):
        design = Design(control="control", weights=SIDES, metrics=(metric,))
        for _ in range(runs):
            sides = {}
            for name, share in zip(NAMES, (0.05, rate), strict=True):
                # Payers' amounts are skewed, and few of the variant's are left.
                y = (rng.random(units) < share) * rng.gamma(2.0, 0.5, units)
                sides[name] = Moments(units, {"y": float(y.mean())}, {("y", "y"): float(y.var(ddof=1))})
            (row,) = score(design, Aggregates(moments=sides)).effects
            if isinstance(row, Effect) and not isinstance(row.relative, Unavailable):
                truth = rate / 0.05 - 1
                held.append([rate, row.relative.low <= truth <= row.relative.high])
    return {"fieller": held}


# the split

SPLIT_DAYS, SPLIT_PER_DAY, SPLIT_RUNS = 90, 20_000, 4_000
SPLITS = (0.5, 0.502, 0.505)


def alarm_edges(alarm: Callable[[Sequence[int]], bool]) -> np.ndarray:
    """By day, how far from half the count of one side must be for the alarm; it only grows with the distance."""
    edges = []
    for day in range(1, SPLIT_DAYS + 1):
        n = day * SPLIT_PER_DAY
        low, high = 0, n // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if alarm((n // 2 + middle, n // 2 - middle)) else (middle, high)
        edges.append(high)
    return np.array(edges)


def split_checks() -> dict[str, Callable[[Sequence[int]], bool]]:
    """The checks to compare: the usual one, the sequential one, and ours."""
    even = (1, 1)
    return {
        "chi-square, p < 0.001": lambda seen: chi_square_p(seen, even) < 0.001,
        "sequential, e ≥ 1000": lambda seen: log_e_value(seen, even) >= math.log(1000),
        "sequential, e ≥ 100": lambda seen: log_e_value(seen, even) >= math.log(100),
        "ours: mixed, e ≥ 100": lambda seen: (
            sample_ratio(dict(zip("ab", seen, strict=True)), {"a": 1, "b": 1}, watched=True).alarm
        ),  # type: ignore[union-attr]
    }


def split(seed: Sequence[int], runs: int) -> dict[str, list]:
    """Ninety daily looks at a split; the first day of the alarm, 0 for never."""
    rng = np.random.default_rng(seed)
    edges = {name: alarm_edges(check) for name, check in split_checks().items()}
    days = np.arange(1, SPLIT_DAYS + 1)
    found: dict[str, list] = {}
    for share in SPLITS:
        seen = rng.binomial(SPLIT_PER_DAY, share, (runs, SPLIT_DAYS)).cumsum(axis=1)
        off = np.abs(seen - days * SPLIT_PER_DAY // 2)
        for name, edge in edges.items():
            over = off >= edge
            found.setdefault(name, []).append(np.where(over.any(axis=1), over.argmax(axis=1) + 1, 0).tolist())
    return found


# decisions

MARGIN = 0.04
GUARDED = Metric(metric="reads_per_visit", numerator="reads", denominator="visits", role="guardrail", margin=MARGIN)


def guarded(seed: Sequence[int], runs: int, planted: Planted) -> dict[str, list]:
    """Watch a guardrail daily; the first day on which it holds, that on which it is harmed, and its state at the end."""
    rng = np.random.default_rng(seed)
    design = design_of((GUARDED,), Looking(kind="always", planned=PLANNED))
    found: dict[str, list] = {}
    for begin in range(0, runs, 20):
        readers = draw_readers(rng, (min(20, runs - begin), DAYS, PER_DAY), planted)
        for looks in looks_of(readers, (GUARDED,)):
            states: dict[str, list[str]] = {}
            for known in looks:
                for name, row in rows_at(design, known).items():
                    states.setdefault(name, []).append(row.guardrail.state if row.guardrail else "open")
            for name, seen in states.items():
                found.setdefault(name, []).append(
                    {"passed": "holds" in seen, "alarmed": "harmed" in seen, "end": seen[-1]}
                )
    return found


PRIMARIES, EXPLORED, REAL = 5, 20, 5


def many(seed: Sequence[int], runs: int) -> dict[str, list]:
    """Five primary metrics without effect; twenty explored ones, five of them with: who is called different?

    The metrics are of the same readers, so they go together (correlation .3).
    """
    rng = np.random.default_rng(seed)
    primaries = tuple(Metric(metric=f"m{place}", numerator=f"y{place}", role="primary") for place in range(PRIMARIES))
    explored = tuple(Metric(metric=f"m{place}", numerator=f"y{place}") for place in range(EXPLORED))
    found: dict[str, list] = {"one": [], "holm": [], "bh": [], "bh, always": [], "e-bh": []}
    for _ in range(runs):
        errors = rng.normal(0, math.sqrt(0.3)) + rng.normal(0, math.sqrt(0.7), EXPLORED)
        nothing = _many_rows(primaries, Looking(), errors, real=0)
        found["one"].append(any(row.p_value < 0.05 for row in nothing))
        found["holm"].append(any(_p_many(row) < 0.05 for row in nothing))
        for name, looking in (("bh", Looking()), ("bh, always", Looking(kind="always", planned=2 * MANY_UNITS))):
            rows = _many_rows(explored, looking, errors, real=REAL)
            called = [_p_many(row) < 0.05 for row in rows]
            found[name].append([sum(called[:REAL]), sum(called[REAL:])])
        levels = e_benjamini_hochberg([-math.inf if row.log_e is None else row.log_e for row in rows])
        found["e-bh"].append([sum(level <= 0.05 for level in part) for part in (levels[:REAL], levels[REAL:])])
    return found


MANY_UNITS = 5_000


def _many_rows(metrics: Sequence[Metric], looking: Looking, errors: np.ndarray, *, real: int) -> list[Effect]:
    """Score so many metrics of standard deviation 1, the first few with an effect of four standard errors."""
    names = [metric.numerator for metric in metrics]
    means = [0.08 * (place < real) + math.sqrt(2 / MANY_UNITS) * errors[place] for place in range(len(names))]
    spread = {(name, name): 1.0 for name in names}
    sides = {
        "control": Moments(MANY_UNITS, dict.fromkeys(names, 10.0), spread),
        "treatment": Moments(MANY_UNITS, {n: 10.0 + float(m) for n, m in zip(names, means, strict=True)}, spread),
    }
    card = score(design_of(metrics, looking, adjusted=False), Aggregates(moments=sides))
    return [row for row in card.effects if isinstance(row, Effect)]


def _p_many(row: Effect) -> float:
    """The corrected p-value; a row alone needs no correction."""
    return row.p_value if row.p_many is None else row.p_many


# all of it

Task = tuple[Callable[..., dict[str, list]], int, tuple]
"""What to simulate, how often, with what."""

EFFECT = Planted(reads=0.035, clicks=0.12, revenue=0.30, subscribed=0.35)


def tasks(only: Sequence[str], runs: int) -> dict[str, Task]:
    """Every simulation, by name."""
    every: dict[str, dict[str, Task]] = {
        "errors": {
            "no effect": (month, runs, (Planted(), truths(Planted()))),
            "returning, 28 days": (returning, runs, (28, 1_500)),
            "returning, 90 days": (returning, runs // 2, (90, 600)),
        },
        "power": {"planted": (month, runs, (EFFECT, truths(EFFECT)))},
        "coverage": {
            **{
                f"burn-in, {tail}, {share:.0%}": (burn_in, runs, (tail, share))
                for share in (0.5, 0.05)
                for tail in TAILS
            },
            "near zero": (near_zero, runs, ()),
        },
        "split": {"split": (split, 2 * runs, ())},
        "decisions": {
            "guardrail, a harm of the margin": (guarded, runs, (Planted(reads=-MARGIN),)),
            "guardrail, no harm": (guarded, runs, (Planted(),)),
            "guardrail, twice the margin": (guarded, runs, (Planted(reads=-2 * MARGIN),)),
            "many": (many, runs, ()),
        },
    }
    return {name: task for part in only for name, task in every[part].items()}


# telling

PARTS = ("errors", "power", "coverage", "split", "decisions")
CHUNK = 50


def share(flags: Sequence[bool]) -> dict[str, float]:
    """A share in per cent, with its Monte-Carlo standard error."""
    rate = float(np.mean(flags))
    return {
        "percent": 100 * rate,
        "error": 100 * math.sqrt(max(rate * (1 - rate), 1e-9) / len(flags)),
        "runs": len(flags),
    }


def summary_of_month(found: Mapping[str, list]) -> dict[str, dict]:
    """Per metric: by rule, how often it spoke, at all and by each week; by interval, how often it held the truth."""
    told: dict[str, dict] = {}
    for metric, runs in found.items():
        if metric == "requests":
            told[metric] = {
                rule: share([run[key] for run in runs])
                for rule, key in (("fixed, at the end", "end"), ("fixed, daily", "daily"))
            }
            continue
        told[metric] = {
            "spoke": {rule: share([run["said"][rule] > 0 for run in runs]) for rule in RULES},
        }
        if "held" in runs[0]:
            told[metric]["held"] = {kind: share([run["held"][kind] for run in runs]) for kind in COVERED}
            told[metric]["by week"] = {
                rule: {str(week): share([0 < run["said"][rule] <= week for run in runs]) for week in WEEKS}
                for rule in RULES
            }
    return told


def summary_of_burn_in(found: Mapping[str, list]) -> dict[str, dict]:
    """How often a truth was ever left out, by the units from which one looks; fixed intervals beside."""
    missed, fixed = np.array(found["missed"]), np.array(found["fixed"])
    return {
        "always-valid": {str(smallest): share(missed[:, place]) for place, smallest in enumerate(SMALLEST)},
        "fixed": {str(n): share(fixed[:, place]) for place, n in enumerate((100, ENDS))},
        "too low": {"from 100": share(found["below"])},
    }


def summary_of_split(found: Mapping[str, list]) -> dict[str, dict]:
    """Per check and true split: how often it spoke within the ninety days, and the median day on which it did."""
    told: dict[str, dict] = {}
    for check, days in found.items():
        told[check] = {}
        for place, true in enumerate(SPLITS):
            first = np.array([day for part in days[place :: len(SPLITS)] for day in part])
            spoke = first > 0
            median = float(np.median(first[spoke])) if spoke.any() else None
            told[check][f"{true:.1%}"] = share(spoke) | {"median_day": median}
    return told


def summary_of_many(found: Mapping[str, list]) -> dict[str, dict]:
    """Errors among five primary metrics; among twenty, the false part of what is called different, and what is found."""
    told = {name: share(found[name]) for name in ("one", "holm")}
    for name in ("bh", "bh, always", "e-bh"):
        pairs = np.array(found[name], dtype=float)
        if len(pairs):
            false = pairs[:, 1] / np.maximum(pairs.sum(axis=1), 1)
            told[name] = {
                "percent": 100 * float(false.mean()),
                "error": 100 * float(false.std() / math.sqrt(len(false))),
                "found": float(pairs[:, 0].mean() / REAL),
                "runs": len(pairs),
            }
    return told


def summary(name: str, found: Mapping[str, list]) -> dict[str, dict]:
    """What is told of one simulation."""
    if name.startswith("burn-in"):
        return summary_of_burn_in(found)
    if name.startswith("guardrail"):
        ends = ("holds", "open", "harmed")
        return {
            metric: {key: share([run[key] for run in runs]) for key in ("passed", "alarmed")}
            | {f"{state} at the end": share([run["end"] == state for run in runs]) for state in ends}
            for metric, runs in found.items()
        }
    if name == "near zero":
        rates = sorted({rate for rate, _ in found["fieller"]})
        return {f"{rate:g}": share([held for own, held in found["fieller"] if own == rate]) for rate in rates}
    return {"split": summary_of_split, "many": summary_of_many}.get(name, summary_of_month)(found)


def simulate(only: Sequence[str], *, runs: int, jobs: int, seed: int) -> dict[str, dict]:
    """Run the chosen parts on so many processes; the figures do not depend on how many."""
    planned = tasks(only, runs)
    found: dict[str, dict[str, list]] = {name: {} for name in planned}
    with ProcessPoolExecutor(jobs) as pool:
        waiting = []
        for place, (name, (function, times, given)) in enumerate(planned.items()):
            step = times if name == "split" else CHUNK
            for chunk, begin in enumerate(range(0, times, step)):
                size = min(step, times - begin)
                waiting.append((name, pool.submit(function, (seed, place, chunk), size, *given)))
        for name, future in waiting:
            for key, values in future.result().items():
                found[name].setdefault(key, []).extend(values)
    return {name: summary(name, each) for name, each in found.items()}


def cell(figure: Mapping[str, float] | None) -> str:
    """A share with its Monte-Carlo error, in per cent."""
    return "" if figure is None else f"{figure['percent']:.1f} ± {figure['error']:.1f}"


def table(title: str, heads: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """A table as plain text."""
    first = max([len(name) for name in rows] + [24])
    widths = [max([len(head)] + [len(row[place]) for row in rows.values()]) + 2 for place, head in enumerate(heads)]
    lines = ["", title, " " * first + "".join(head.rjust(width) for head, width in zip(heads, widths, strict=True))]
    for name, row in rows.items():
        lines.append(name.ljust(first) + "".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))
    return "\n".join(lines)


THEORY = dict(zip(RULES, ("5", "27.2", "45.9", "5", "5", "1.2"), strict=True))
"""No effect, equal normal information each day, 40,000 replications of the rules alone, computed apart from this package."""

SPLIT_APART = {
    "chi-square, p < 0.001": ("1.7", "99, 29", "median 6"),
    "sequential, e ≥ 1000": ("0.2", "88, 53", "median 9"),
    "sequential, e ≥ 100": ("0.6", "96, 38", "median 6"),
}
"""The same for the split, 4,000 replications."""


def tables(told: Mapping[str, dict]) -> list[str]:
    """Every table of what was simulated."""
    shown = []
    for name, title in (
        ("no effect", "No effect, 28 days of new readers: says `different` (%, ± Monte-Carlo error)"),
        ("returning, 28 days", "No effect, the same readers for 28 days (%)"),
        ("returning, 90 days", "No effect, the same readers for 90 days (%)"),
        ("planted", "Planted effects: found within 28 days (%)"),
    ):
        if name in told:
            rows = {
                metric: [cell(one["spoke"][rule]) for rule in RULES]
                for metric, one in told[name].items()
                if metric != "requests"
            }
            if "requests" in told[name]:
                ask = told[name]["requests"]
                rows["click_through, per impression"] = [cell(ask.get(rule)) for rule in RULES]
            if name != "planned":
                rows["theory, new readers each day"] = [THEORY[rule] for rule in RULES]
            shown.append(table(title, RULES, rows))
    if "planted" in told:
        for metric in ("reads", "reads adjusted", "reads_per_visit", "reads_per_visit adjusted"):
            weeks = told["planted"][metric]["by week"]
            shown.append(
                table(
                    f"Power by day, {metric} (%)",
                    [f"day {week}" for week in WEEKS],
                    {
                        rule: [cell(weeks[rule][str(week)]) for week in WEEKS]
                        for rule in RULES
                        if rule != "fixed, at the end"
                    },
                )
            )
        held = {
            metric: [cell(one["held"][kind]) for kind in COVERED]
            for metric, one in told["planted"].items()
            if metric != "requests"
        }
        shown.append(table("Planted effects: intervals that hold the truth (%)", COVERED, held))
    burns = {name.removeprefix("burn-in, "): one for name, one in told.items() if name.startswith("burn-in")}
    if burns:
        heads = [*(f"from {smallest}" for smallest in SMALLEST), "fixed, n = 100", f"fixed, n = {ENDS}", "falsely low"]
        rows = {
            name: [
                cell(each) for each in (*one["always-valid"].values(), *one["fixed"].values(), *one["too low"].values())
            ]
            for name, one in burns.items()
        }
        shown.append(
            table(
                "Always-valid intervals that ever leave out the truth, by the units of the smaller side from which one looks (%)",
                heads,
                rows,
            )
        )
    if "near zero" in told:
        shown.append(
            table(
                "Relative interval of a variant near zero: holds the truth (%)",
                ["coverage"],
                {f"{rate} against 0.05": [cell(one)] for rate, one in told["near zero"].items()},
            )
        )
    if "split" in told:
        heads = [f"{true:.1%}" for true in SPLITS]
        rows = {
            check: [f"{cell(one[head])}, {one[head]['median_day']}" for head in heads]
            for check, one in told["split"].items()
        }
        rows |= {f"{check}, computed apart": list(figures) for check, figures in SPLIT_APART.items()}
        shown.append(table("Split, 90 daily looks: alarms (%), median day", heads, rows))
    guards = {
        f"{name.removeprefix('guardrail, ')}, {metric}": one
        for name, each in told.items()
        if name.startswith("guardrail")
        for metric, one in each.items()
    }
    if guards:
        heads = ("passed", "alarmed", "holds at the end", "open at the end", "harmed at the end")
        shown.append(
            table(
                f"Guardrail with a margin of {MARGIN:.0%}, watched daily for 28 days (%)",
                heads,
                {name: [cell(one[head]) for head in heads] for name, one in guards.items()},
            )
        )
    if "many" in told:
        shown.append(
            table(
                "Many metrics: one of five falsely different; false part among twenty (%), share of five found",
                ["error", "found"],
                {
                    name: [cell(one), f"{one['found']:.2f}" if "found" in one else ""]
                    for name, one in told["many"].items()
                },
            )
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the figures there")
    asked = parser.parse_args()
    began = time.perf_counter()
    told = simulate(asked.only.split(","), runs=asked.runs, jobs=asked.jobs, seed=asked.seed)
    seconds = time.perf_counter() - began
    if asked.out:
        document = {"runs": asked.runs, "seed": asked.seed, "seconds": round(seconds, 1), "figures": told}
        asked.out.write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
    print("\n".join(tables(told)))
    print(f"\n{asked.runs} runs, seed {asked.seed}, {seconds:.0f} s on {asked.jobs} processes.")


if __name__ == "__main__":
    main()
