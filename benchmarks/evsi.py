"""EVSI of an experiment by quadrature, against brute-force nested simulation, on three priors.

The simulation shares no code with embellie: outer truths and results, and for each result a posterior mean over inner draws
of all unknowns, weighted by the likelihood. What posterior means average to is known, so their excess is
regressed out (a control variate). Replicates of the whole give the error.

Prints a table, and writes its figures as JSON when asked: python benchmarks/evsi.py [--out FILE] [--replicates N]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.stats import qmc

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import take_sample
from embellie.app.answers.studying import Studies
from embellie.app.deciding import parse_question
from embellie.decide.judging import value_design

OUTER, INNER, CHUNK = 2_048, 16_384, 128
BASE, COST_A, COST_B = 1e6, 15_000.0, 60_000.0

PRIORS = {
    "normal": ('"normal(0.005, 0.02)"', stats.norm(0.005, 0.02), (0.01, 0.03)),
    "log-normal": (
        '"1 % to 6 %"',
        stats.lognorm(np.log(6) / (2 * 1.6448536269514722), scale=0.06**0.5 / 10),
        (0.01, 0.03),
    ),
    "fat-tailed": (
        '{ range = "-3 % to 5 %", tails = "fat" }',
        stats.t(4, 0.01, 0.04 / stats.t(4).ppf(0.95)),
        (0.01, 0.03),
    ),
}
WORTH = stats.lognorm(np.log(4) / (2 * 1.6448536269514722), scale=1.0)
"""The other unknown: what a unit of gain is worth, 0.5 to 2."""


def question_of(prior, errors):
    """Do nothing, a cheap scenario, or a dear one that brings twice as much; a study of the gain for each error."""
    studies = "\n".join(
        f'[studies.s{k}]\nkind = "experiment"\nmeasures = "gain"\nse = {se}' for k, se in enumerate(errors)
    )
    return parse_question(f"""
[unknowns]
gain = {prior}
worth = "0.5 to 2"
[scenarios.nothing]
value = "0"
[scenarios.cheap]
value = "{BASE:g} * worth * gain - {COST_A:g}"
[scenarios.dear]
value = "{2 * BASE:g} * worth * gain - {COST_B:g}"
{studies}
""")


def uniform_pairs(rng, draws):
    """Two columns of uniform numbers that fill the square evenly: scrambled Sobol points."""
    return qmc.Sobol(2, rng=rng).random(draws).T


def nested(prior, se, seed):
    """EVSI by simulation of results, and for each of the posterior mean by importance weights."""
    rng = np.random.default_rng(seed)
    truth, noise = uniform_pairs(rng, OUTER)
    found = prior.ppf(truth) + se * stats.norm.ppf(noise)
    posterior = np.empty((OUTER, 3))
    for first in range(0, OUTER, CHUNK):
        inner, other = uniform_pairs(rng, INNER)
        gain, worth = prior.ppf(inner), WORTH.ppf(other)
        net = np.stack([np.zeros(INNER), BASE * worth * gain - COST_A, 2 * BASE * worth * gain - COST_B])
        weights = np.exp(-0.5 * ((found[first : first + CHUNK, None] - gain) / se) ** 2)
        posterior[first : first + CHUNK] = weights @ net.T / weights.sum(axis=1, keepdims=True)
    known = np.array([0.0, BASE, 2 * BASE]) * WORTH.mean() * prior.mean() - np.array([0.0, COST_A, COST_B])
    best, control = posterior.max(axis=1), posterior[:, 1]
    slope = np.cov(best, control)[0, 1] / control.var(ddof=1)
    return best.mean() - slope * (control.mean() - known[1]) - known.max()


def by_quadrature(question):
    """EVSI of each study as embellie finds it, and the milliseconds each design took once the draws are there."""
    sample = take_sample(question)
    studies = Studies(sample, Conditional(sample))
    designs = studies.every_design()
    for design in designs:
        value_design(design, sample.draws.net)
    began = time.perf_counter()
    valued = [value_design(design, sample.draws.net) for design in designs]
    return [found.evsi for found in valued], 1000 * (time.perf_counter() - began) / len(designs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the figures there")
    parser.add_argument("--replicates", type=int, default=32, help="of the simulation")
    asked = parser.parse_args()
    rows = []
    for name, (written, prior, errors) in PRIORS.items():
        found, each = by_quadrature(question_of(written, errors))
        for se, figure in zip(errors, found, strict=True):
            began = time.perf_counter()
            runs = np.array([nested(prior, se, seed) for seed in range(asked.replicates)])
            seconds = (time.perf_counter() - began) / asked.replicates
            truth, error = float(runs.mean()), float(2 * runs.std(ddof=1) / np.sqrt(len(runs)))
            rows.append(
                {
                    "prior": name,
                    "se": se,
                    "quadrature": figure.value,
                    "stated_error": figure.error,
                    "nested": truth,
                    "nested_error": error,
                    "difference": figure.value / truth - 1,
                    "ms_per_design": each,
                    "nested_seconds": seconds,
                }
            )
    print(
        f"EVSI in EUR; nested: {asked.replicates} runs of {OUTER:,} results x {INNER:,} draws, error = 2 standard errors\n"
    )
    print(
        f"{'prior':<12}{'se':>6}{'quadrature':>12}{'±':>6}{'nested':>12}{'±':>6}{'difference':>12}{'ms':>7}{'nested s':>10}"
    )
    for row in rows:
        print(
            f"{row['prior']:<12}{row['se']:>6}{row['quadrature']:>12,.1f}{row['stated_error']:>6.1f}{row['nested']:>12,.1f}"
            f"{row['nested_error']:>6.1f}{row['difference']:>12.2%}{row['ms_per_design']:>7.1f}{row['nested_seconds']:>10.1f}"
        )
    worst = max(abs(row["difference"]) for row in rows)
    print(f"\nlargest difference: {worst:.2%}")
    if asked.out:
        asked.out.write_text(json.dumps({"largest_difference": worst, "cases": rows}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
