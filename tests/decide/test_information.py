"""EVPI and EVPPI against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embellie.app.deciding import decide, parse_question
from embellie.decide.information import evpi, evppi, evppi_bound, evppi_group, normal_loss, permutation_floor
from embellie.stats.sampling import normal_scores

SCORES = normal_scores(4096, 3, seed=11).T


def loss(m, s):
    """Return the unit normal loss: the EVPI of {0, N(m, s)}."""
    z = abs(m) / s
    return s * (stats.norm.pdf(z) - z * stats.norm.sf(z))


def within(figure, expected, rel=0.005):
    """Within half a percent, with an error that is stated, above 0 and not too large."""
    assert figure.value == pytest.approx(expected, rel=rel)
    assert 0 < figure.error < 0.02 * expected


@pytest.mark.parametrize(
    ("unknowns", "formula", "expected"),
    [
        ('x = "normal(0, 1)"', "x", 0.3989422804),
        ('x = "normal(-50000, 100000)"', "x", 19_779.65574),
        ('p = "normal(1, 1)"\nq = "normal(0, 2)"', "p - q", 0.4798107063),
        ('p = "normal(0, 1)"\nq = "normal(0, 2)"', "p + q", 0.8920620581),
        ('x = "5% to 20%"', "1e6 * x - 100000", 13_200.3833),
        ('x = "5% to 20%"', "1e6 * x - 120000", 14_236.1223),
        ('x = "100k to 400k"', "x - 200k", 26_400.7665),
        ('x = "t(4, 0, 1)"', "x", 0.5),
    ],
)
def test_evpi_in_closed_form(answer, unknowns, formula, expected):
    """Normal, log-normal and fat-tailed cases."""
    within(answer(unknowns, formula).evpi, expected)


@pytest.mark.parametrize("seed", range(5))
def test_the_standard_normal_is_within_its_stated_error_at_other_seeds(answer, seed):
    """EVPI of {0, N(0, 1)} is 1/√(2π); the stated error may be exceeded once in twenty, not twice over."""
    found = answer('x = "normal(0, 1)"', "x", seed=seed).evpi
    assert abs(found.value - 0.3989422804) < 2 * found.error < 0.001


def test_the_stated_error_covers_the_truth_as_often_as_it_says():
    """Over forty seeds, about 95 %: neither boastful nor idle."""
    truth, hits = 0.8920620581, 0
    for seed in range(40):
        one, two = normal_scores(4096, 2, seed=seed).T
        found = evpi(np.stack([0 * one, one + 2 * two]))
        hits += abs(found.value - truth) <= found.error
    assert 34 <= hits <= 40


def test_three_options_affine_in_one_unknown():
    """{0, -1 + 2x, -4 + 3x} with x ~ N(1, 1)."""
    text = '[unknowns]\nx = "normal(1, 1)"\n[scenarios.o]\nvalue = 0\n[scenarios.a]\nvalue = "2*x - 1"\n[scenarios.b]\nvalue = "3*x - 4"'
    within(decide(parse_question(text)).evpi, 0.4040838174)


@pytest.mark.parametrize(
    ("unknowns", "formula", "expected"),
    [
        ('p = "normal(1, 1)"\nq = "normal(0, 2)"', "p - q", {"p": 0.0833154706, "q": 0.3955931148}),
        ('p = "normal(0, 1)"\nq = "normal(0, 2)"', "p + q", {"p": 0.3989422804, "q": 0.7978845608}),
        ('p = "normal(0, 1)"\nq = "normal(0, 0.5)"', "p ** 2 - 1 + q", {"p": 0.4839414490}),
    ],
)
def test_evppi_in_closed_form(answer, unknowns, formula, expected):
    """Sums of normals, and a parabola that a straight line values at nothing."""
    found = {unknown.name: unknown.evppi for unknown in answer(unknowns, formula).unknowns}
    for name, worth in expected.items():
        within(found[name], worth)


@pytest.mark.parametrize("rho", [-0.6, 0.3, 0.8])
def test_a_correlated_unknown_teaches_the_other(answer, rho):
    """EVPPI(p) = U(0, |1 + 2ρ|) for p + q with sd 1 and 2."""
    verdict = answer('p = "normal(0, 1)"\nq = "normal(0, 2)"', "p + q", f'[correlations]\n"p ~ q" = {rho}')
    found = {unknown.name: unknown.evppi for unknown in verdict.unknowns}
    assert found["p"].value == pytest.approx(loss(0, abs(1 + 2 * rho)), rel=0.005, abs=1e-3)


def test_a_group_is_worth_what_its_members_settle_together(answer):
    """P and q together of p + q + r."""
    verdict = answer(
        'p = "normal(0, 1)"\nq = "normal(0, 2)"\nr = "normal(0, 2)"', "p + q + r", '[groups]\nboth = ["p", "q"]'
    )
    assert verdict.groups[0][0] == "both"
    within(verdict.groups[0][1], loss(0, 5**0.5))


@given(st.lists(st.floats(-3, 3), min_size=9, max_size=9), st.lists(st.floats(-2, 2), min_size=3, max_size=3))
@settings(max_examples=25, deadline=None)
def test_a_part_is_worth_no_more_than_the_whole(slopes, levels):
    """0 ≤ EVPPI(A) ≤ EVPPI(A ∪ B) ≤ EVPI, within the numerical error."""
    net = np.array(slopes).reshape(3, 3) @ SCORES + np.array(levels)[:, None]
    everything = evpi(net)
    one, two = evppi(SCORES[0], net), evppi_group([SCORES[0], SCORES[1]], net)
    slack = everything.error + one.error + two.error + 0.01 * everything.value + 1e-9
    assert 0 <= one.value <= two.value + slack
    assert two.value <= everything.value + slack


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
@settings(max_examples=25, deadline=None)
def test_a_constant_changes_nothing_and_currency_scales(constant, rate):
    """The same money for all changes no choice; another currency changes the unit alone."""
    net = np.stack([0 * SCORES[0], SCORES[0] + SCORES[1]])
    plain, moved = evpi(net).value, evpi(rate * net + constant).value
    assert moved == pytest.approx(rate * plain, rel=1e-6, abs=1e-9 * abs(constant))
    worth = evppi(SCORES[0], net).value
    assert evppi(SCORES[0], rate * net + constant).value == pytest.approx(
        rate * worth, rel=1e-4, abs=1e-6 * abs(constant)
    )


def test_the_stated_error_of_a_tie_covers_the_truth():
    """Between two options that tie there is no bias, and the stated error covers nine times in ten or more."""
    found = [evpi(np.stack([0 * x, x])) for x in (normal_scores(4096, 1, seed=seed)[:, 0] for seed in range(60))]
    misses = np.array([one.value - 0.3989422804 for one in found])
    assert abs(misses.mean()) < 4 * misses.std() / len(misses) ** 0.5
    assert np.mean(np.abs(misses) <= [one.error for one in found]) >= 0.88


@pytest.mark.parametrize(("m", "s"), [(0, 1), (-50_000, 100_000), (3, 1), (1, 0)])
def test_the_unit_normal_loss(m, s):
    """E[max(0, N(m, s²))] - max(0, m), by quadrature."""
    z = np.linspace(-10, 10, 200_001)
    weights = stats.norm.pdf(z) * (z[1] - z[0])
    assert normal_loss(m, s) == pytest.approx(np.maximum(m + s * z, 0) @ weights - max(m, 0), rel=1e-5, abs=1e-9)


def test_a_regression_is_bracketed():
    """Over thirty seeds of few draws: the fit flatters itself on average, the policy it chooses unseen does not, and the truth lies between."""
    truth, above, below = loss(0.3, 1.0), [], []
    for seed in range(30):
        x, noise = normal_scores(512, 2, seed=seed).T
        net = np.stack([0 * x, 0.3 + x + 6 * noise])
        above.append(evppi(x, net).value)
        below.append(evppi_bound(x, net).value)
    assert np.mean(below) < truth < np.mean(above)


def test_an_unknown_that_matters_nothing_is_at_its_floor():
    """No more than what its own permuted scores are found worth; the same seed, the same floor."""
    x, noise = normal_scores(2048, 2, seed=3).T
    net = np.stack([0 * x, noise])
    floor = permutation_floor(x, net, seed=1)
    assert evppi(x, net).value <= floor < 0.05
    assert permutation_floor(x, net, seed=1) == floor
    assert evppi(noise, net).value > 10 * floor
