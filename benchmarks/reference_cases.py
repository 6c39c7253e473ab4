"""Reference and published cases, through the same command as every question: expected, obtained, stated error.

Every case is a file in `examples/questions`; its comments hold formula and source. What is expected here comes from closed
forms, quadrature or simulation written below in NumPy and SciPy alone, never from the engine. A stated error is half the
width of a 95 % interval, so one figure in twenty may lie outside it by chance.

Prints a table, and writes its figures as JSON when asked: python benchmarks/reference_cases.py [--out FILE] [--recompute]
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from scipy import integrate, special, stats

from embellie.cli.main import cli

QUESTIONS = Path(__file__).parents[1] / "examples" / "questions"
MORE = {
    "c10-one-result-three-priors": ("--evidence", str(QUESTIONS / "c10-one-result.jsonl")),
    "c18-metalog-from-zero": ("--draws", "1048576"),  # its variance has a heavy tail of its own
}
"""What is added to the command, where a case needs it."""
ROUNDING = 1e-5
"""Of a figure: quadrature and the last digit of published figures."""

REFUSED = ("c18-infeasible-six", "c18-infeasible-five-and-a-half")
"""Files that must be refused, with the way out."""


@dataclass(frozen=True)
class Figure:
    """One expected figure: where it stands in the document, how it was found, and its own error if it was simulated."""

    file: str
    what: str
    expected: float
    by: str = "closed form"
    error: float = 0.0


# how to find what is expected


def loss(m, s):
    """U(m, s) = s (phi(z) - z Phi(-z)), z = |m|/s: the EVPI of {0, N(m, s)}."""
    z = abs(m) / s
    return s * (stats.norm.pdf(z) - z * stats.norm.sf(z))


def grid(size=40_001, width=9.0):
    """Standard normal scores, evenly spaced, and their weights."""
    z = np.linspace(-width, width, size)
    weight = np.exp(-0.5 * z * z)
    return z, weight / weight.sum()


def gain(lines, weight):
    """Return E[max] - max E over options (options, points)."""
    return float(lines.max(axis=0) @ weight - (lines @ weight).max())


def beta_gain(a, b, slope, level):
    """EVPI of {0, slope p + level}, p ~ Beta(a, b)."""
    mean, at = a / (a + b), -level / slope
    above = slope * mean * stats.beta.sf(at, a + 1, b) + level * stats.beta.sf(at, a, b)
    whole = slope * mean + level
    return (above if slope > 0 else whole - above) - max(0.0, whole)


def count_gain(a, b, n, slope, level):
    """EVSI of k successes among n for {0, slope p + level}, p ~ Beta(a, b)."""
    k = np.arange(n + 1)
    after = slope * (a + k) / (a + b + n) + level
    return stats.betabinom.pmf(k, n, a, b) @ np.maximum(after, 0) - max(0.0, slope * a / (a + b) + level)


def log_normal(low, high):
    """Return mu and sigma of the log-normal with that 90 % range."""
    z = stats.norm.ppf(0.95)
    return (log(low) + log(high)) / 2, (log(high) - log(low)) / (2 * z)


def log_normal_evpi(low, high, *, u, c):
    """EVPI of {0, u X - c}."""
    mu, sigma = log_normal(low, high)
    mean = exp(mu + sigma**2 / 2)
    d2 = (mu - log(c / u)) / sigma
    return u * mean * stats.norm.cdf(d2 + sigma) - c * stats.norm.cdf(d2) - max(0.0, u * mean - c)


def normal_cases() -> Iterator[Figure]:
    """C1, C2, C4, C9, C11, C16, C17: normal and log-normal, in closed form."""
    yield Figure("c01-standard-normal", "evpi", loss(0, 1))
    yield Figure("c01-standard-normal", "evsi look", loss(0, sqrt(0.5)))
    yield Figure("c01-loss-expected", "evpi", loss(-5e4, 1e5))
    yield Figure("c01-loss-expected", "evsi look", loss(-5e4, 1e5 / sqrt(2)))
    yield Figure("c01-loss-expected", "after", loss(-5e4, 1e5) - loss(-5e4, 1e5 / sqrt(2)))
    yield Figure("c01-difference", "evpi", loss(1, sqrt(5)))
    yield Figure("c01-difference", "evppi p", loss(1, 1))
    yield Figure("c01-difference", "evppi q", loss(1, 2))
    for n in (1, 10, 100, 1000):
        yield Figure("c01-difference", f"evsi observe_p n={n}", loss(1, 1 / sqrt(1 + 1 / n)))
    yield Figure("c01-sum", "evpi", loss(0, sqrt(5)))
    yield Figure("c01-sum", "evppi p", loss(0, 1))
    yield Figure("c01-sum", "evppi q", loss(0, 2))
    yield Figure("c01-one-given-the-other", "evpi", loss(2, sqrt(8)))
    yield Figure("c01-one-given-the-other", "evppi p", loss(2, 2))
    yield Figure("c04-three-options", "evpi", 0.4040838174)
    for name, cost in (("c09-log-normal", 1e5), ("c09-log-normal-dearer", 1.2e5)):
        yield Figure(name, "evpi", log_normal_evpi(0.05, 0.2, u=1e6, c=cost))
    yield Figure("c09-log-normal", "mean act", 1e6 * 0.1092852 - 1e5)
    yield Figure("c09-log-normal-money", "evpi", log_normal_evpi(1e5, 4e5, u=1, c=2e5))
    yield Figure("c09-log-normal-money", "mean act", 218_570.33 - 2e5)
    yield Figure("c10-proxy", "evppi proxy", loss(2000, 15_000))
    yield Figure("c10-proxy", "evppi k", loss(2000, 4000))
    for name, rho in (("c11-correlated-opposed", -0.6), ("c11-correlated-allied", 0.8)):
        yield Figure(name, "evpi", loss(0.5, sqrt(5 + 4 * rho)))
        yield Figure(name, "evppi p", loss(0.5, abs(1 + 2 * rho)))
        yield Figure(name, "evppi q", loss(0.5, abs(2 + rho)))
    yield Figure("c16-separate-or-bundled", "evpi", 2 * loss(1, 2))
    yield Figure("c16-bundled", "evpi", loss(2, sqrt(8)))
    yield Figure("c17-burn-down", "evpi", loss(0.5, 1))
    yield Figure("c17-burn-down", "evsi look", loss(0.5, 1 / sqrt(1.49)))
    yield Figure("c17-burn-down", "after", loss(0.5, 1) - loss(0.5, 1 / sqrt(1.49)))


def other_shapes() -> Iterator[Figure]:
    """C3, C5, C13, C18: shares, states, a parabola, discounting, three-point ranges."""
    yield Figure("c03-conversion-rate", "evpi", beta_gain(3, 97, 1e6, -35e3))
    for n in (100, 400):
        yield Figure("c03-conversion-rate", f"evsi count_visitors n={n}", count_gain(3, 97, n, 1e6, -35e3))
    yield Figure("c05-oil-wildcatter", "mean drill", 20)
    yield Figure("c05-oil-wildcatter", "evpi", 35)
    yield Figure("c05-oil-wildcatter", "evppi payoff", 35)
    yield Figure("c05-oil-wildcatter", "evsi seismic", 12.5)
    yield Figure("c05-oil-wildcatter", "enbs seismic", 2.5)
    yield Figure("c05-three-investments", "mean stock", 680)
    yield Figure("c05-three-investments", "evpi", 350)
    yield Figure("c05-parabola", "evppi x", 2 * stats.norm.pdf(1))
    months = np.arange(3, 25)
    yield Figure("c13-discounting", "mean stream", 1000 * float(np.sum(1.08 ** (-months / 12))) - 5000)
    b = log(4) / (2 * log(19))  # 5, 10, 20 above 0 is a log-logistic: E[X^k] = 10^k k pi b / sin(k pi b)
    first, second = (10**k * k * np.pi * b / np.sin(k * np.pi * b) for k in (1, 2))
    for name, mean, sd in (
        ("c18-metalog", 10.9434, 4.7558),
        ("c18-metalog-from-zero", first, sqrt(second - first**2)),
        ("c18-metalog-share", 0.1094107, 0.0496974),
    ):
        yield Figure(name, "mean below_lower_quartile", 0.25)
        yield Figure(name, "mean below_upper_quartile", 0.75)
        yield Figure(name, "mean mean", mean)
        yield Figure(name, "sd variance", sd)


def released_or_not() -> Iterator[Figure]:
    """C12: two ways to begin, before the lift is known after four weeks."""
    spread = 48_000 / sqrt(1.01)
    looked = -2000 + loss(-0.2 * 48_000, spread)
    released = -2000 - 800 - 5000 + loss(-0.2 * 48_000 + 5000, spread)
    yield Figure("c12-release-and-take-back", "enbs look", looked)
    yield Figure("c12-release-and-take-back", "plan", looked)
    yield Figure("c12-release-and-take-back", "rival release", released)


def fat_tails() -> Iterator[Figure]:
    """C8: integrals over the density."""
    nu, at, scale = 3, -0.5, 1
    law = stats.t(nu, at, scale)
    yield Figure("c08-fat-tails", "evpi", integrate.quad(lambda x: x * law.pdf(x), 0, np.inf)[0], "quadrature")
    x = np.sinh(np.linspace(-9, 9, 8_001)) / 4
    mass = law.pdf(x) * np.gradient(x)
    y = np.sinh(np.linspace(-9, 9, 3_001)) / 2
    for study, se in (("precise", 0.5), ("usual", 1.0), ("rough", 2.0)):
        found = np.array([np.sum(x * mass * stats.norm.pdf(one, x, se)) for one in y])
        yield Figure("c08-fat-tails", f"evsi {study}", float(np.maximum(found, 0) @ np.gradient(y)), "quadrature")


def newspaper_test_ended_any_week():
    """C15: the test of C7 by dynamic programming on the posterior mean m, over at most 52 weeks.

    V_t(m) = max{ K (104 - t) m - C, 0, K/4 m - 500 + E[V_{t+1}(m + sqrt(v_t - v_{t+1}) Z)] }, v_t = 1/(1/sd^2 + t/se1^2).
    """
    k, build, sd, se = 20_000, 15_000, 0.02, 16 / sqrt(200_000)
    nodes, weights = np.polynomial.hermite_e.hermegauss(81)
    weights = weights / weights.sum()
    m = np.linspace(0.005 - 0.16, 0.005 + 0.16, 8001)
    left = [1 / (1 / sd**2 + t / se**2) for t in range(53)]
    value = np.maximum(0, k * (104 - 52) * m - build)
    for t in range(51, -1, -1):
        step = sqrt(left[t] - left[t + 1])
        reached = m[:, None] + step * nodes
        # beyond the grid the line goes on
        ahead = np.interp(reached, m, value) + np.maximum(reached - m[-1], 0) * k * (104 - t - 1)
        go_on = k / 4 * m - 500 + ahead @ weights
        value = go_on if t == 0 else np.maximum(np.maximum(0, k * (104 - t) * m - build), go_on)
    return float(np.interp(0.005, m, value)) - 2000


def newspaper_test() -> Iterator[Figure]:
    """C7: ten durations, and the best of all; C15: the same test ended any week."""
    yield Figure("c07-newspaper-test", "top ab", 5661.59)
    yield Figure("c07-newspaper-test", "stopping ab", newspaper_test_ended_any_week(), "dynamic programming")
    for weeks in (1, 2, 3, 4, 6, 8, 12, 16, 26, 52):
        se = 8 * sqrt(2 / (400_000 * 0.5 * weeks / 2))
        later = 20_000 * (104 - weeks)
        mean = later * 0.005 - 15_000
        after = max(0.0, mean) + loss(mean, later * 0.02**2 / sqrt(0.02**2 + se**2))
        net = after + 20_000 * weeks * 0.25 * 0.005 - 2000 - 500 * weeks - max(0.0, 20_000 * 104 * 0.005 - 15_000)
        yield Figure("c07-newspaper-test", f"enbs ab weeks={weeks}", net)


def test_and_roll() -> Iterator[Figure]:
    """C6: (N - 2n) U(0, sqrt(2) sd^2/sqrt(sd^2 + s^2/n)); the middle duration is the best by the paper's formula."""
    for name, size, sd, s, durations in (
        ("c06-test-and-roll-website", 1e5, 0.03, 0.46647615158762407, (1, 4.56778, 20)),
        ("c06-test-and-roll-display", 1e6, 4.40, 103.77, (0.5, 2.276453, 10)),
    ):
        for weeks in durations:
            n = weeks / 100 * size / 2
            worth = (size - 2 * n) * loss(0, sqrt(2) * sd**2 / sqrt(sd**2 + s**2 / n))
            yield Figure(name, f"enbs split weeks={weeks}", worth)


def three_priors() -> Iterator[Figure]:
    """C10: prior times likelihood on a fine grid."""
    low, high = 0.02, 0.12
    z95 = stats.norm.ppf(0.95)
    mu, sigma = log_normal(low, high)
    middle, half = (low + high) / 2, (high - low) / 2
    laws = {
        "as_normal": stats.norm(middle, half / z95),
        "as_lognormal": stats.lognorm(sigma, scale=exp(mu)),
        "as_fat": stats.t(4, middle, half / stats.t.ppf(0.95, 4)),
    }
    x = np.linspace(-0.4, 0.6, 400_001)
    for name, law in laws.items():
        weight = law.pdf(x) * stats.norm.pdf(0.12, x, 0.03)
        weight /= weight.sum()
        below = np.cumsum(weight) - weight / 2
        yield Figure("c10-one-result-three-priors", f"posterior {name} mean", float(x @ weight), "quadrature")
        for point in (0.05, 0.95):
            what = f"posterior {name} p{round(point * 100):02d}"
            yield Figure("c10-one-result-three-priors", what, float(np.interp(point, below, x)), "quadrature")


def ades() -> Iterator[Figure]:
    """C14, Ades, Lu and Claxton: the incremental net benefit is affine in side effects, and in quality of life."""
    name, sd = "c14-ades-lu-claxton", sqrt(1 / 3)
    z, weight = grid(2001)
    quality = special.expit(0.6 + sqrt(1 / 6) * z)
    lost = 75_000 * 30 * (1 - quality) / 2 + 200_000
    steps = (np.arange(2000) + 0.5) / 2000
    event = stats.beta.ppf(steps, 15, 85)
    log_or = -1.5 + sd * z
    even = np.full(2000, 1 / 2000)
    avoided = event[:, None] - special.expit(special.logit(event)[:, None] + log_or)  # (events, log_or)
    mean_lost, slope = float(lost @ weight), -175_000.0
    mean_avoided = float(avoided.mean(axis=0) @ weight)
    level = mean_avoided * mean_lost - 15_000
    here = {"by": "quadrature"}
    yield Figure(name, "evppi side_effects", beta_gain(3, 9, slope, level), **here)
    yield Figure(name, "evsi follow_60", count_gain(3, 9, 60, slope, level), **here)

    def worth(inb, weights):
        return float(np.maximum(inb, 0) @ weights - max(0.0, inb @ weights))

    rest = slope / 4 - 15_000
    yield Figure(name, "evppi logit_quality", worth(mean_avoided * lost + rest, weight), **here)
    by_log_or = avoided.mean(axis=0) * mean_lost + rest
    yield Figure(name, "evppi log_or", worth(by_log_or, weight), **here)
    by_event = (avoided @ weight) * mean_lost + rest
    yield Figure(name, "evppi event", worth(by_event, even), **here)
    both = (avoided * mean_lost + rest).ravel()
    yield Figure(name, "group effect_and_risk", worth(both, np.outer(even, weight).ravel()), **here)
    after = sqrt(1 / (1 / sd**2 + 1 / 0.4**2))
    coarse, chance = grid(801)
    means = -1.5 + sqrt(sd**2 - after**2) * coarse
    expected = np.interp(means[:, None] + after * coarse, log_or, by_log_or) @ chance
    yield Figure(name, "evsi trial", worth(expected, chance), **here)
    yield Figure(name, "evpi", *SIMULATED["ades evpi"])


MEANS = np.array([1000, .1, 5.2, 400, .7, .3, 3, .25, -.1, .5, 1500, .08, 6.1, .8, .3, 3, .2, -.1, .5])  # fmt: skip
SDS = np.array([1, .02, 1, 200, .1, .1, .5, .1, .02, .2, 1, .02, 1, .1, .05, 1, .05, .02, .2])  # fmt: skip


def brennan_covariance():
    """Nineteen unknowns: t5, t7, t14, t16 correlated by 0.6, and t6, t15."""
    matrix = np.eye(19)
    for one, other in ((5, 7), (5, 14), (5, 16), (7, 14), (7, 16), (14, 16), (6, 15)):
        matrix[one - 1, other - 1] = matrix[other - 1, one - 1] = 0.6
    return matrix * np.outer(SDS, SDS)


def brennan_values(t):
    """Net benefits of both drugs (2, draws)."""
    t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13, t14, t15, t16, t17, t18, t19 = t
    return np.stack(
        [
            1e4 * (t5 * t6 * t7 + t8 * t9 * t10) - t1 - t2 * t3 * t4,
            1e4 * (t14 * t15 * t16 + t17 * t18 * t19) - t11 - t12 * t13 * t4,
        ]
    )


def brennan_given(known, values):
    """Expected net benefits of both drugs where the unknowns numbered `known` have `values` (known, points).

    Among correlated normals E[ab | known] = E[a | known] E[b | known] + Cov(a, b | known); the pair t6, t15 is independent of
    the others, so that E[t5 t6 t7] splits in two.
    """
    cov, at = brennan_covariance(), [k - 1 for k in known]
    others = np.linalg.solve(cov[np.ix_(at, at)], cov[at])  # (known, 19)
    mean = MEANS[:, None] + others.T @ (values - MEANS[at][:, None])
    left = cov - cov[:, at] @ others
    drugs = []
    for response, utility, years in ((5, 6, 7), (14, 15, 16)):
        pair = mean[response - 1] * mean[years - 1] + left[response - 1, years - 1]
        drugs.append(1e4 * pair * mean[utility - 1])
    shared = mean.copy()
    shared[[4, 5, 6, 13, 14, 15]] = 0
    return np.stack(drugs) + brennan_values(shared)


def brennan() -> Iterator[Figure]:
    """C14, Brennan, Kharroubi, O'Hagan and Chilcott."""
    name = "c14-brennan-kharroubi"
    z, weight = grid(20_001)
    for number in (5, 6, 14, 16):
        lines = brennan_given([number], (MEANS[number - 1] + SDS[number - 1] * z)[None])
        yield Figure(name, f"evppi t{number}", gain(lines, weight), "quadrature")
    z, weight = grid(1001)
    one, other = (axis.ravel() for axis in np.meshgrid(z, z, indexing="ij"))
    both = np.outer(weight, weight).ravel()
    for group, known in (("responding", (5, 14)), ("utilities", (6, 15)), ("durations", (7, 16))):
        at = [k - 1 for k in known]
        second = 0.6 * one + 0.8 * other
        values = MEANS[at][:, None] + SDS[at][:, None] * np.stack([one, second])
        yield Figure(name, f"group {group}", gain(brennan_given(known, values), both), "quadrature")
    yield Figure(name, "group responding_and_utilities", *SIMULATED["brennan responding_and_utilities"])
    yield Figure(name, "evpi", *SIMULATED["brennan evpi"])


def depression_values(p, worths):
    """Net benefits of three treatments; `p` six probabilities (recovery, relapse of each), `worths` of three ends."""
    recovered, relapsed, none = worths
    treatments = []
    for number, cost in enumerate((0, 300, 30)):
        recover, relapse = p[number], p[number + 3]
        treatments.append(
            recover * (1 - relapse) * recovered + recover * relapse * relapsed + (1 - recover) * none - cost
        )
    return np.stack(np.broadcast_arrays(*treatments))


ENDS = tuple(20_000 * life - cost for life, cost in ((26, 1000), (23, 2000), (20, 2500)))
RECOVER = (6, 200, (0.99, 1.33), ((0.22, 0.15), (0.15, 0.20)))
RELAPSE = (2, 100, (-1.48, -0.40), ((0.14, 0.05), (0.05, 0.11)))


def mean_probabilities():
    """Mean chance of recovery, then of relapse, under each treatment, by quadrature."""
    z, weight = grid(1001)
    steps = (np.arange(4000) + 0.5) / 4000
    found = []
    for a, b, means, matrix in (RECOVER, RELAPSE):
        base = special.logit(stats.beta.ppf(steps, a, b))[:, None]
        treated = [special.expit(base + means[k] + sqrt(matrix[k][k]) * z).mean(axis=0) @ weight for k in (0, 1)]
        found += [a / (a + b), *treated]
    return np.array(found)


def depression() -> Iterator[Figure]:
    """C14, Fang et al."""
    name, p = "c14-depression", mean_probabilities()
    z, weight = grid()
    lines = depression_values(p, (ENDS[0], ENDS[1], ENDS[2] + 20_000 * 4 * z))
    yield Figure(name, "evppi life_none", gain(lines, weight), "quadrature")
    for what in ("evpi", "group probabilities", "group costs_and_life"):
        yield Figure(name, what, *SIMULATED[f"depression {what.split()[-1]}"])


def three_scenarios() -> Iterator[Figure]:
    """C19: two projects affine in each unknown, given the means of the others."""
    name = "c19-three-scenarios"
    z, weight = grid()
    z95 = stats.norm.ppf(0.95)

    def skewed(low, high):
        mu, sigma = log_normal(low, high)
        return exp(mu + sigma**2 / 2), np.exp(mu + sigma * z)

    visits, by_visits = skewed(250e3, 450e3)
    revenue, by_revenue = skewed(0.01, 0.04)
    cost, by_cost = skewed(30e3, 90e3)
    rule, ml = (0.01, 0.02 / z95), (0.04, 0.06 / z95)
    one = np.ones_like(z)

    def options(visits, revenue, rule, ml, cost):
        base = visits * revenue * 104
        return np.stack([0 * one, base * rule - 6000 + 0 * one, base * ml - cost + 0 * one])

    def worth(what, *values):
        return Figure(name, f"evppi {what}", gain(options(*values), weight), "quadrature")

    yield worth("visits", by_visits, revenue, rule[0], ml[0], cost)
    yield worth("revenue", visits, by_revenue, rule[0], ml[0], cost)
    yield worth("lift_rule", visits, revenue, rule[0] + rule[1] * z, ml[0] + 0.4 * ml[1] * z, cost)
    yield worth("lift_ml", visits, revenue, rule[0] + 0.4 * rule[1] * z, ml[0] + ml[1] * z, cost)
    yield worth("cost_ml", visits, revenue, rule[0], ml[0], by_cost)
    yield Figure(name, "evpi", *SIMULATED["three scenarios evpi"])


# simulated: expected value, how, standard error; `--recompute` finds them again

SIMULATED: dict[str, tuple[float, str, float]] = {
    "ades evpi": (10180.9, "simulation", 2.6),
    "brennan evpi": (843.356, "simulation", 0.25),
    "brennan responding_and_utilities": (588.204, "simulation", 0.18),
    "depression evpi": (574.619, "simulation", 0.26),
    "depression probabilities": (273.856, "simulation", 0.19),
    "depression costs_and_life": (287.046, "simulation", 0.2),
    "three scenarios evpi": (7796.23, "simulation", 2.3),
}


def simulate(draw, *, batches, size):
    """Return E[max] - max E of what `draw(rng, size)` gives (options, size), over independent batches, and its standard error.

    The option of the highest mean over all batches is taken off in each, so that batches add no upward bias.
    """
    means, tops = [], []
    for batch in range(batches):
        lines = draw(np.random.default_rng(batch), size)
        means.append(lines.mean(axis=1))
        tops.append(lines.max(axis=0).mean())
    best = int(np.argmax(np.mean(means, axis=0)))
    found = np.array(tops) - np.array(means)[:, best]
    return float(found.mean()), float(found.std(ddof=1) / sqrt(batches))


def simulated(*, batches=16, size=1_000_000) -> dict[str, tuple[float, float]]:
    """Simulate again what is expected by simulation: values and standard errors."""
    covariance = np.linalg.cholesky(brennan_covariance())

    def ades_draw(rng, size):
        event = rng.beta(15, 85, size)
        treated = special.expit(special.logit(event) + rng.normal(-1.5, sqrt(1 / 3), size))
        lost = 75_000 * 30 * (1 - special.expit(rng.normal(0.6, sqrt(1 / 6), size))) / 2 + 200_000
        return np.stack([0 * event, (event - treated) * lost - 175_000 * rng.beta(3, 9, size) - 15_000])

    def brennan_draw(rng, size):
        return brennan_values(MEANS[:, None] + covariance @ rng.normal(size=(19, size)))

    def four_known(rng, size):
        known = (5, 6, 14, 15)
        at = [k - 1 for k in known]
        root = np.linalg.cholesky(brennan_covariance()[np.ix_(at, at)])
        return brennan_given(known, MEANS[at][:, None] + root @ rng.normal(size=(4, size)))

    def probabilities(rng, size):
        found = []
        for a, b, means, matrix in (RECOVER, RELAPSE):
            base = rng.beta(a, b, size)
            ratios = rng.multivariate_normal(means, matrix, size).T
            found += [base, *special.expit(special.logit(base) + ratios)]
        return np.array(found)

    def ends(rng, size):
        life = [rng.normal(mean, sd, size) for mean, sd in ((26, 2), (23, 3), (20, 4))]
        cost = [rng.normal(mean, sd, size) for mean, sd in ((1000, 50), (2000, 100), (2500, 125))]
        return tuple(20_000 * x - c for x, c in zip(life, cost, strict=True))

    def projects(rng, size):
        z95 = stats.norm.ppf(0.95)
        visits, revenue, cost = (
            rng.lognormal(*log_normal(low, high), size) for low, high in ((250e3, 450e3), (0.01, 0.04), (30e3, 90e3))
        )
        one, other = rng.normal(size=(2, size))
        base = visits * revenue * 104
        ml = 0.04 + 0.06 / z95 * (0.4 * one + sqrt(1 - 0.16) * other)
        return np.stack([0 * base, base * (0.01 + 0.02 / z95 * one) - 6000, base * ml - cost])

    average = mean_probabilities()
    draws = {
        "ades evpi": ades_draw,
        "brennan evpi": brennan_draw,
        "brennan responding_and_utilities": four_known,
        "depression evpi": lambda rng, size: depression_values(probabilities(rng, size), ends(rng, size)),
        "depression probabilities": lambda rng, size: depression_values(probabilities(rng, size), ENDS),
        "depression costs_and_life": lambda rng, size: depression_values(average, ends(rng, size)),
        "three scenarios evpi": projects,
    }
    return {name: simulate(draw, batches=batches, size=size) for name, draw in draws.items()}


# what the command answers


KNOWN = (normal_cases, other_shapes, newspaper_test, released_or_not)
"""In closed form, or nearly so."""

PUBLISHED = (fat_tails, test_and_roll, three_priors, ades, brennan, depression, three_scenarios)
"""By quadrature and simulation."""


def figures(parts=(*KNOWN, *PUBLISHED)) -> list[Figure]:
    """Return every expected figure, by file."""
    return sorted((figure for part in parts for figure in part()), key=lambda figure: figure.file)


def answer(file: str) -> dict:
    """Run `embellie decide FILE --json`."""
    path = QUESTIONS / f"{file}.toml"
    done = CliRunner().invoke(cli, ["decide", str(path), "--json", *MORE.get(file, ())], catch_exceptions=False)
    return json.loads(done.stdout)


def obtained(document: dict, what: str) -> tuple[float, float | None]:
    """Return a figure of the document and its stated error; None where none is stated."""
    kind, *rest = what.split()
    named = {unknown["name"]: unknown for unknown in document["unknowns"]}
    if kind == "evpi":
        found = document["evpi"]
    elif kind == "evppi":
        found = named[rest[0]]["evppi"]
    elif kind == "group":
        found = next(group["evppi"] for group in document["groups"] if group["name"] == rest[0])
    elif kind in {"evsi", "enbs"}:
        found = study(document, *rest)[kind]
    elif kind == "after":  # EVPI after the study, on average
        return document["prospect"]["after"]["mean"], document["prospect"]["after"]["error"]
    elif kind == "plan":  # worth no more than following it: below by what is left of its error
        return document["plan"]["gain"]["value"], None
    elif kind == "rival":
        return next(rival["gain"]["value"] for rival in document["plan"]["rivals"] if rival["live"] == rest[0]), None
    elif kind == "top":
        return next(top["best"]["enbs"] for top in document["tops"] if top["study"] == rest[0]), None
    elif kind == "stopping":
        found = next(one["enbs"] for one in document["stopping"] if one["study"] == rest[0])
    elif kind == "posterior":
        return named[rest[0]]["posterior"][rest[1]], None
    else:  # a scenario's mean; of a squared distance, the root
        spread = document["scenarios"][rest[0]]["net_benefit"]
        if kind == "sd":
            return sqrt(spread["mean"]), spread["error"] / (2 * sqrt(spread["mean"]))
        return spread["mean"], spread["error"]
    return found["value"], found["error"]


def study(document: dict, name: str, design: str = "") -> dict:
    """Return the row of a study's design, such as `weeks=4`."""
    key, _, value = design.partition("=")
    rows = [row for row in document["studies"] if row["name"] == name and (not key or row[key] == float(value))]
    if len(rows) != 1:
        raise LookupError(f"{len(rows)} rows for {name} {design}")
    return rows[0]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the figures there")
    parser.add_argument("--recompute", action="store_true", help="simulate again what is expected by simulation")
    asked = parser.parse_args()
    if asked.recompute:
        for name, (value, error) in simulated(batches=32).items():
            print(f'    "{name}": ({value:.6g}, "simulation", {error:.2g}),')
        return
    began = time.perf_counter()
    documents, rows = {}, []
    print(f"{'case':<29} {'figure':<31} {'expected':>14} {'obtained':>14} {'stated':>9} {'off':>8}  within")
    for figure in figures():
        if figure.file not in documents:
            documents[figure.file] = answer(figure.file)
        value, error = obtained(documents[figure.file], figure.what)
        off = abs(value - figure.expected)
        relative = off / abs(figure.expected)
        bound = None if error is None else sqrt(error**2 + (1.96 * figure.error) ** 2)
        within = None if bound is None else off <= bound + ROUNDING * abs(figure.expected)
        rows.append(
            {
                "case": figure.file, "figure": figure.what, "expected": figure.expected, "by": figure.by,
                "expected_error": figure.error, "obtained": value, "stated_error": error, "relative": relative,
                "within_stated": within,
            }
        )  # fmt: skip
        shown = "–" if within is None else "yes" if within else f"no: {off / bound:.2f}×"
        print(
            f"{figure.file:<29} {figure.what:<31} {figure.expected:>14,.6g} {value:>14,.6g} "
            f"{'–' if error is None else f'{error:.2g}':>9} {relative:>8.3%}  {shown}"
        )
    told = [row for row in rows if row["within_stated"] is not None]
    inside = sum(row["within_stated"] for row in told)
    worst = max(rows, key=lambda row: row["relative"])
    print(
        f"\n{len(rows)} figures of {len(documents)} questions in {time.perf_counter() - began:.1f} s: {inside} of {len(told)} "
        f"within their stated error (95 % of them should be); furthest off {worst['relative']:.2%}, "
        f"{worst['case']} {worst['figure']}"
    )
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(json.dumps(row, default=lambda number: number.item()) for row in rows)
        document = f'{{"schema": "embellie/benchmark-reference-cases/1", "figures": [\n{lines}\n]}}\n'
        asked.out.write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main()
