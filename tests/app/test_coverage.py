"""On invented questions with a known truth: ranges hold as they say, and following the advice brings what it promised."""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

FILE = Path(__file__).parents[2] / "benchmarks" / "coverage.py"


@pytest.fixture(scope="module")
def coverage():
    """The benchmark, as a module."""
    spec = importlib.util.spec_from_file_location("coverage_benchmark", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def figures(coverage):
    """Forty questions, each with three truths."""
    return coverage.run(40, truths=3, draws=1024, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["measured", "in what was measured", "untouched"])
def test_ranges_hold_the_truth_nine_times_out_of_ten(figures, how):
    """Within the 99.9 % binomial bounds of so many cases; truths of one question count as a half, being correlated."""
    row = next(one for one in figures["coverage"] if one["unknowns"] == how)
    cases = row["cases"] // 2
    low, high = stats.binom.ppf([0.0005, 0.9995], cases, 0.9) / cases
    assert low <= row["share"] <= high


@pytest.mark.slow
def test_evidence_narrows_what_it_bears_on(figures):
    """And leaves alone what it does not."""
    width = {one["unknowns"]: one["width"] for one in figures["coverage"]}
    assert width["measured"] < width["in what was measured"] < 1.0
    assert width["untouched"] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("what", ["followed_less_expected", "perfect_less_evpi"])
def test_what_is_promised_is_what_comes(figures, what):
    """On average, within three and a half standard errors."""
    assert abs(figures[what]["mean"]) < 3.5 * figures[what]["se"]


@pytest.mark.slow
def test_nobody_beats_knowing_everything(figures):
    """Following the advice lies between acting at once and perfect information, as far as one can tell."""
    gap = figures["perfect_over_at_once"]["mean"] - figures["followed_over_at_once"]["mean"]
    assert gap > -2 * math.hypot(figures["perfect_over_at_once"]["se"], figures["followed_over_at_once"]["se"])
    assert figures["learnt_first"] > 0.1


def test_an_invented_question_is_a_whole_one(coverage):
    """It can be read, drawn and run: the truth lies where the ranges say, mostly."""
    inside = []
    for number in range(12):
        rng = np.random.default_rng([9, number])
        question = coverage.invent(rng)
        truth = coverage.draw_truth(question, rng)
        assert 2 <= len(question.scenarios) <= 4
        assert 1 <= len(question.studies) <= 4
        inside += [held for _, held, _ in coverage.ranges_held(question, truth, rng, draws=256)]
    assert np.mean(inside) > 0.75
