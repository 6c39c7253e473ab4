"""Reference values of the statistics behind a scorecard: expected, obtained, error, in one table.

What is expected was published (named in `source`), or is found here by other means than ours: quadrature, simulation of every
draw, SciPy's own tests, a different numerical scheme, or by hand.

Prints a table, and writes its figures as JSON when asked: python benchmarks/reference_vectors.py [--out FILE]
"""

import argparse
import json
import math
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy
from scipy import integrate, special, stats

import embellie
from embellie.stats.estimators import adjusted_difference, difference, ratio_of_means, two_sided_p
from embellie.stats.moments import Moments
from embellie.stats.multiplicity import benjamini_hochberg, e_benjamini_hochberg, holm
from embellie.stats.regression_adjusted import regression_log_e, regression_reach
from embellie.stats.sample_ratio import chi_square_p, log_e_value
from embellie.stats.sample_size import rule_of_thumb
from embellie.stats.sequential import (
    always_valid_log_e,
    always_valid_reach,
    approximate_rho,
    group_bounds,
    group_p_value,
    one_sided_bound,
    tuned_rho,
)
from embellie.stats.shrinkage import Prior, believed

BH1995 = (
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
    0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
)  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One reference value: what it is, where it is from, and how far off we may be."""

    case: str
    expected: float
    obtained: float
    tolerance: float
    source: str

    @property
    def error(self) -> float:
        return abs(self.obtained - self.expected)


def published():
    """Values that others have printed."""
    rho = approximate_rho(100)
    confseq = "Waudby-Smith et al. 2024; confseq's tests"
    yield Figure("acs-rho: 1/ρ², approximate tuning, t* = 100", 12.60056, rho**-2, 1e-5, confseq)
    yield Figure("acs-bound: two-sided, v = 100", 30.35209, always_valid_reach(100, rho) * 10, 1e-5, confseq)
    yield Figure("acs-logmix: s = 10, v = 100", -0.6510052, always_valid_log_e(1.0, 100, rho), 1e-6, confseq)
    one_sided = one_sided_bound(100, approximate_rho(100, alpha=0.1))
    yield Figure("acs-bound-1s: exact root, v = 100", 27.66071, one_sided, 1e-5, confseq)
    counts = [821_588, 815_482]
    yield Figure(
        "srm-kohavi: chi-square p", 1.82179e-6, chi_square_p(counts, [1, 1]), 1.9e-11, "Kohavi, Tang and Xu 2020"
    )
    yield Figure(
        "srm-ssrm: log E, c = 10,000", 8.765972283203155, log_e_value(counts, [1, 1]), 1e-8, "Lindon and Malek 2022"
    )
    found = float(sum(p <= 0.05 for p in benjamini_hochberg(BH1995)))
    yield Figure("bh1995: found at 5 %", 4.0, found, 0.0, "Benjamini and Hochberg 1995")
    yield Figure("bh1995: found by Bonferroni", 3.0, float(sum(15 * p <= 0.05 for p in BH1995)), 0.0, "the same")
    size = rule_of_thumb(math.sqrt(0.05 * 0.95), 0.05 * 0.05)
    yield Figure("ss-kohavi: units per arm, p = 5 %, 5 %", 121_600.0, size, 1e-6, "Kohavi et al. 2009")
    raw, left = winners()
    case = "winner's curse, N(0, 1 %), s = 0.5 %, z > 1.96"
    yield Figure(f"{case}: raw over true", 1.25, raw, 1e-9, "1 + s²/scale² (1.249 simulated)")
    yield Figure(f"{case}: shrunk over true", 1.0, left, 1e-9, "by definition (0.9995 simulated)")


def winners():
    """Sum of what was observed, and of what is left, over the truth, among effects with z above 1.96; by quadrature."""
    s, prior = 0.005, Prior(df=5000.0, location=0.0, scale=0.01)
    spread = math.hypot(0.01, s)
    x = np.linspace(1.96 * s, 12 * spread, 20_001)
    weight = np.exp(-0.5 * (x / spread) ** 2)
    # Given the estimate, the truth is on average what a normal prior says: 0.8 of it.
    truth = integrate.trapezoid(0.8 * x * weight, x)
    points = np.linspace(x[0], x[-1], 41)
    left = np.interp(x, points, [believed(float(each), s, prior).mean for each in points])
    return integrate.trapezoid(x * weight, x) / truth, integrate.trapezoid(left * weight, x) / truth


def mixed_t(t, n, df, g):
    """The Bayes factor of a t statistic, over effects of variance σ²/g: quadrature of the noncentral t."""
    sd, centre = math.sqrt(n / g), t * n / (n + g)

    def weighed(delta):
        return stats.nct.pdf(t, df, delta) * stats.norm.pdf(delta, 0.0, sd)

    whole = integrate.quad(weighed, centre - 8, centre + 8, epsabs=0, epsrel=1e-7, limit=400)[0]
    return math.log(whole / stats.t.pdf(t, df))


def regression_adjusted():
    """Against the mixture it is defined by."""
    source = "Lindon et al. 2022; quadrature of the noncentral t"
    for t, n, df, g in ((0.0, 40, 37, 5.0), (2.5, 40, 37, 5.0), (3.3, 90, 86, 12.0)):
        yield Figure(
            f"regression log E: t = {t}, ν = {df}", mixed_t(t, n, df, g), regression_log_e(t, n, df, g), 1e-6, source
        )
    reach = regression_reach(90, 86, 12.0)
    yield Figure("regression radius: log E there", math.log(20), mixed_t(reach, 90, 86, 12.0), 1e-6, source)


def simulated_size(fractions, rng):
    """How often a Brownian path ever passes the bounds."""
    bounds, many, crossed = np.array(group_bounds(fractions)), 400_000, 0
    steps = np.sqrt(np.diff([0.0, *fractions]))
    for _ in range(10):
        score = (rng.standard_normal((many // 10, len(fractions))) * steps).cumsum(axis=1)
        crossed += int((np.abs(score / np.sqrt(fractions)) > bounds).any(axis=1).sum())
    return crossed / many


def simpson_last(fractions):
    """The last bound by Simpson's rule on the whole line and bisection."""
    spent, grid, density, before, bound = 0.0, np.zeros(1), np.ones(1), 0.0, 0.0
    for fraction in fractions:
        spend, step = 0.05 * min(fraction, 1.0) ** 2, math.sqrt(fraction - before)
        low, high = 0.0, 20.0
        for _ in range(60):
            bound = (low + high) / 2
            edge = bound * math.sqrt(fraction)
            beyond = special.ndtr((-edge - grid) / step) + special.ndtr((grid - edge) / step)
            low, high = (bound, high) if float((beyond * density).sum()) > spend - spent else (low, bound)
        points = np.linspace(-bound * math.sqrt(fraction), bound * math.sqrt(fraction), 1201)
        weights = np.where(np.arange(1201) % 2 == 1, 4.0, 2.0)
        weights[[0, -1]] = 1.0
        kernel = np.exp(-0.5 * ((points[:, None] - grid[None, :]) / step) ** 2) / (step * math.sqrt(2 * math.pi))
        grid, density = points, (kernel @ density) * weights * (points[1] - points[0]) / 3.0
        spent, before = spend, fraction
    return bound


def group_sequential():
    """Bounds by another scheme, sizes by simulation."""
    rng = np.random.default_rng(1)
    for looks in (1, 2, 3, 5, 10, 28):
        fractions = tuple((k + 1) / looks for k in range(looks))
        scheme = "Lan and DeMets 1983, α t²; Simpson's rule"
        yield Figure(
            f"group bounds: last of {looks}", simpson_last(fractions), group_bounds(fractions)[-1], 1e-7, scheme
        )
        yield Figure(
            f"group bounds: size of {looks} looks", 0.05, simulated_size(fractions, rng), 1.1e-3, "400,000 paths"
        )
    late = (0.2, 0.4, 0.6, 0.8, 1.15)
    yield Figure(
        "group bounds: last of 5, 15 % late", simpson_last(late), group_bounds(late)[-1], 1e-7, "Simpson's rule"
    )
    yield Figure("group p: at the bound", 0.05, group_p_value(group_bounds(late)[-1], late), 1e-6, "by definition")


def posteriors():
    """Fat tails by quadrature, the normal case in closed form."""
    for df in (2.0, 4.0, 30.0):
        for x, s in ((0.4, 1.0), (6.0, 1.0)):

            def weighed(effect, power, *, df=df, x=x, s=s):
                return effect**power * stats.t.pdf((effect - 0.1) / 0.3, df) * stats.norm.pdf(x, effect, s)

            whole, first = (
                integrate.quad(
                    weighed, x - 40, x + 40, args=(power,), points=[0.1, x], epsabs=0, epsrel=1e-10, limit=500
                )[0]
                for power in (0, 1)
            )
            ours = believed(x, s, Prior(df=df, location=0.1, scale=0.3)).mean
            yield Figure(f"posterior mean: t({df:g}), x = {x}", first / whole, ours, 1e-8, "quadrature")
    normal = believed(0.7, 0.4, Prior(df=5000.0, location=0.1, scale=0.3))
    yield Figure("posterior mean: normal", 0.1 + 0.36 * 0.6, normal.mean, 1e-12, "closed form")
    yield Figure("posterior sd: normal", 0.4 * 0.6, normal.sd, 1e-12, "closed form")


def comparisons():
    """Two samples against SciPy and against long double on every value."""
    rng = np.random.default_rng(9)
    arms, raw = [], []
    for lift in (0.0, 0.1):
        z0 = 1.0 + rng.poisson(2.0, 3000)
        y0, z = rng.gamma(2.0, size=3000) * z0, z0 + rng.poisson(2.0, 3000)
        y = 0.5 * y0 + (1 + lift) * z * rng.lognormal(0, 1, 3000)
        columns = {"y": y, "z": z, "y0": y0, "z0": z0}
        spread = np.cov(np.array(list(columns.values())))
        names = list(columns)
        covariances = {(a, b): float(spread[i, j]) for i, a in enumerate(names) for j, b in enumerate(names) if j >= i}
        arms.append(Moments(3000, {name: float(values.mean()) for name, values in columns.items()}, covariances))
        raw.append({name: values.astype(np.longdouble) for name, values in columns.items()})
    mean = difference(*((arm, ratio_of_means(arm, "y")) for arm in arms))
    welch = stats.ttest_ind(raw[1]["y"].astype(float), raw[0]["y"].astype(float), equal_var=False)
    yield Figure("mean: Welch's t", float(welch.statistic), mean.value / mean.se, 1e-9, "scipy.stats.ttest_ind")
    yield Figure("mean: Welch's p", float(welch.pvalue), two_sided_p(mean.value / mean.se, mean.df), 1e-12, "the same")
    ratio = difference(*((arm, ratio_of_means(arm, "y", "z")) for arm in arms))
    phi = [(each["y"] - each["y"].mean() / each["z"].mean() * each["z"]) / each["z"].mean() for each in raw]
    psi = [(each["y0"] - each["y0"].mean() / each["z0"].mean() * each["z0"]) / each["z0"].mean() for each in raw]
    se = math.sqrt(sum(float(each.var(ddof=1)) / 3000 for each in phi))
    yield Figure("ratio: standard error", se, ratio.se, 1e-10, "long double, value by value")
    adjusted = adjusted_difference(
        *((arm, ratio_of_means(arm, "y", "z"), ratio_of_means(arm, "y0", "z0")) for arm in arms)
    )
    shared = sum(((a - a.mean()) * (b - b.mean())).sum() for a, b in zip(phi, psi, strict=True))
    theta = float(shared / sum(((b - b.mean()) ** 2).sum() for b in psi))
    se = math.sqrt(sum(float((a - theta * b).var(ddof=1)) / 3000 for a, b in zip(phi, psi, strict=True)))
    yield Figure("adjusted ratio: slope", theta, adjusted.theta, 1e-10, "the same")
    yield Figure("adjusted ratio: standard error", se, adjusted.se, 1e-10, "the same")


def by_hand():
    """Small enough to follow with a pencil."""
    yield Figure("Holm: .01 .04 .03, the second", 0.06, holm([0.01, 0.04, 0.03])[1], 1e-15, "2 × .03")
    yield Figure("BH: .01 .04 .03, the third", 0.04, benjamini_hochberg([0.01, 0.04, 0.03])[2], 1e-15, "3 × .04 / 3")
    yield Figure(
        "e-BH: 200 and 30 of 3",
        0.05,
        e_benjamini_hochberg([math.log(200), math.log(30), 0.0])[1],
        1e-12,
        "3 / (2 × 30)",
    )
    statistic = 12**2 / 900 + 12**2 / 1100
    second = chi_square_p([912, 1088], [45, 55])
    yield Figure(
        "split 912 to 1,088 of 45 to 55", math.erfc(math.sqrt(statistic / 2)), second, 1e-12, "chi-square by hand"
    )
    f = [math.log(math.factorial(k)) for k in (99, 44, 54, 44 + 912, 54 + 1088, 2099)]
    log_e = f[0] - f[1] - f[2] + f[3] + f[4] - f[5] - 912 * math.log(0.45) - 1088 * math.log(0.55)
    ours = log_e_value([912, 1088], [45, 55], concentration=100.0)
    yield Figure("split: log E, c = 100", log_e, ours, 1e-9, "factorials in whole numbers")
    exact = tuned_rho(100) ** -2
    r = special.lambertw(-(0.05**2) / math.e, k=-1).real
    yield Figure(
        "exact tuning solves its equation", math.log(0.05**2) - 1, r + math.log(-r), 1e-12, "w + ln(−w) = ln(α²) − 1"
    )
    yield Figure("exact tuning: 1/ρ², t* = 100", 100 / (-r - 1), exact, 1e-9, "the same")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    out = parser.parse_args().out
    parts = (published, regression_adjusted, group_sequential, posteriors, comparisons, by_hand)
    figures = [figure for part in parts for figure in part()]
    width = max(len(figure.case) for figure in figures)
    print(f"{'case':<{width}}  {'expected':>18}  {'obtained':>18}  {'error':>8}  {'allowed':>8}  source")
    for figure in figures:
        mark = " " if figure.error <= figure.tolerance else "!"
        print(
            f"{figure.case:<{width}}  {figure.expected:>18.10g}  {figure.obtained:>18.10g}  {figure.error:>8.1e}  "
            f"{figure.tolerance:>8.1e} {mark}{figure.source}"
        )
    missed = [figure for figure in figures if figure.error > figure.tolerance]
    print(f"{len(figures) - len(missed)} of {len(figures)} obtained")
    if out:
        versions = {"embellie": embellie.__version__, "scipy": scipy.__version__, "python": platform.python_version()}
        rows = [asdict(figure) | {"error": figure.error} for figure in figures]
        out.write_text(json.dumps({"versions": versions, "figures": rows}, indent=1, ensure_ascii=False) + "\n")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
