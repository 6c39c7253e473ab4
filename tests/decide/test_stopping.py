"""Durations and stopping: against the published euros, an independent recursion, and readers simulated week by week."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embellie.decide.preposterior import RANKS, Noise, Subject, evsi
from embellie.decide.stopping import Durations, Trial
from embellie.stats.distributions import quantile

# A newspaper's test: relative gain, euros a week per unit of it, weeks left, cost to build, to begin and a week.
MEAN, SD, WEEKLY, HORIZON, BUILD, BEGIN, RUN = 0.005, 0.02, 20_000.0, 104, 15_000.0, 2_000.0, 500.0
SE = 8 * np.sqrt(2 / (400_000 * 0.5 / 2))
SEEN = 0.25
MOST = 52


def loss(m, s):
    """Return the unit normal loss: the EVPI of {0, N(m, s)}."""
    z = abs(m) / s
    return s * (stats.norm.pdf(z) - z * stats.norm.sf(z))


def newspaper(values, *, bias=0.0, se=SE, seen=SEEN):
    """The newspaper's test of a gain with these values at `RANKS`."""
    knots = np.array([0.0, float(HORIZON) / 2])
    weights = np.exp(-0.5 * RANKS**2)
    leads = np.stack([[WEEKLY * (HORIZON - week) * values - BUILD] for week in knots])
    means = np.stack([[0.0, weights @ lead[0] / weights.sum()] for lead in leads])
    return Trial(
        values=values,
        se=se,
        bias=bias,
        knots=knots,
        leads=leads,
        means=means,
        now=leads[0],
        earning=WEEKLY * seen * values,
    )


def ended(trial, most=MOST, run=RUN):
    costs = np.full(most, run)
    costs[0] += BEGIN
    return Durations(trial, shortest=0.5, most=most).stopping(np.ones(most), costs)


NORMAL = newspaper(MEAN + SD * RANKS)


def test_fixed_durations_in_closed_form():
    """The newspaper's euros by duration, each within a euro and a half."""
    found = ended(NORMAL).fixed
    for week in range(1, MOST + 1):
        drift = WEEKLY * (HORIZON - week) * MEAN - BUILD
        spread = WEEKLY * (HORIZON - week) * SD**2 / np.hypot(SD, SE / week**0.5)
        expected = max(0, drift) + loss(drift, spread) + WEEKLY * week * SEEN * MEAN - BEGIN - RUN * week
        assert found[week - 1] == pytest.approx(expected, abs=1.5)
    assert int(found.argmax()) + 1 == 4


def recursion(points=4_001, nodes=81):
    """Weekly stopping on the posterior mean of a normal prior, by Gauss and Hermite: value, and where one goes on."""
    x, weight = np.polynomial.hermite_e.hermegauss(nodes)
    weight /= weight.sum()
    variance = 1 / (1 / SD**2 + np.arange(MOST + 1) / SE**2)
    mean = np.linspace(MEAN - 7 * SD, MEAN + 7 * SD, points)

    def stop(week, at):
        return np.maximum(0.0, WEEKLY * (HORIZON - week) * at - BUILD)

    value, bounds = stop(MOST, mean), {}
    for week in range(MOST - 1, 0, -1):
        after = mean[:, None] + np.sqrt(variance[week] - variance[week + 1]) * x
        outside = (after < mean[0]) | (after > mean[-1])
        ahead = np.where(outside, stop(week + 1, after), np.interp(after, mean, value))
        go_on = WEEKLY * SEEN * mean - RUN + ahead @ weight
        on = mean[go_on > stop(week, mean)]
        if len(on):
            ends = np.array([on[0], on[-1]])
            bounds[week] = (ends / variance[week] - MEAN / SD**2) * SE**2 / week
        value = np.maximum(go_on, stop(week, mean))
    first = MEAN + np.sqrt(variance[0] - variance[1]) * x
    return WEEKLY * SEEN * MEAN - RUN - BEGIN + np.interp(first, mean, value) @ weight, bounds


def test_weekly_stopping_agrees_with_the_recursion_on_posterior_means():
    """For a normal prior the state may as well be the posterior mean: value within 0.1 %, boundaries within a grid step."""
    value, bounds = recursion()
    found = ended(NORMAL)
    assert found.worth == pytest.approx(value, rel=1e-3)
    for week in range(1, MOST):
        if week in bounds and bounds[week][1] - bounds[week][0] > 1e-3:
            assert (found.low[week - 1], found.high[week - 1]) == pytest.approx(bounds[week], abs=3e-4)
    assert np.flatnonzero(np.isfinite(found.low)).max() + 1 == pytest.approx(max(bounds), abs=3)


def followed(trial, found, truths, *, seed, most=MOST, run=RUN):
    """Run the test on each truth, week by week, end it by the boundaries, then choose by the posterior; return gains and weeks."""
    rng = np.random.default_rng(seed)
    total, weeks = np.zeros(len(truths)), np.zeros(len(truths))
    gain, on = np.full(len(truths), -BEGIN), np.ones(len(truths), dtype=bool)
    log_prior = -0.5 * RANKS**2
    shown = truths + trial.bias * rng.standard_normal(len(truths))
    for week in range(1, most + 1):
        total[on] += shown[on] + trial.se * rng.standard_normal(on.sum())
        gain[on] += WEEKLY * SEEN * truths[on] - run
        result = total / week
        inside = week < most and (found.low[week - 1] < result) & (result < found.high[week - 1])
        ends = on & np.logical_not(inside)
        weeks[ends] = week
        likely = np.exp(log_prior - 0.5 * ((result[ends, None] - trial.values) / trial.around(week)) ** 2)
        expected = likely @ trial.values / likely.sum(axis=1)
        ship = WEEKLY * (HORIZON - week) * expected > BUILD
        gain[ends] += np.where(ship, WEEKLY * (HORIZON - week) * truths[ends] - BUILD, 0.0)
        on = on & ~ends
    return gain, weeks


PRIORS = {
    "normal": MEAN + SD * RANKS,
    "fat tails": quantile("t", (3.0, MEAN, 0.6 * SD), RANKS),
    "log-normal": quantile("lognormal", (0.001, 0.03), RANKS),
}


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("bias", [0.0, 0.01])
def test_following_the_boundaries_brings_what_is_stated(prior, bias):
    """Readers simulated week by week: the mean gain and the mean duration, within four standard errors."""
    trial = newspaper(PRIORS[prior], bias=bias)
    found = ended(trial)
    chances = (np.arange(100_000) + 0.5) / 100_000
    truths = np.interp(stats.norm.ppf(chances), RANKS, trial.values)
    gain, weeks = followed(trial, found, truths, seed=3)
    error = gain.std() / len(gain) ** 0.5
    assert error < 0.02 * abs(found.worth) + 50
    assert gain.mean() == pytest.approx(found.worth, abs=4 * error)
    assert weeks.mean() == pytest.approx(found.expected_weeks, abs=4 * weeks.std() / len(weeks) ** 0.5)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize(("se", "run"), [(0.2 * SE, 500), (SE, 0), (SE, 500), (5 * SE, 100), (0.01 * SE, 500)])
def test_choosing_when_to_end_is_worth_at_least_the_best_duration(prior, se, run):
    """On the same weeks, for sharp and for blunt tests, cheap and dear."""
    found = ended(newspaper(PRIORS[prior], se=se), run=run)
    assert found.worth >= found.fixed.max() - 1e-6
    assert 1 <= found.expected_weeks <= MOST


@pytest.mark.parametrize("prior", PRIORS)
def test_two_weeks_by_direct_integration(prior):
    """Stop after one week or two: the sum over first results of the better of both, each by its posterior."""
    trial = newspaper(PRIORS[prior])
    found = ended(trial, most=2)
    law = np.exp(-0.5 * RANKS**2)
    law /= law.sum()
    x = trial.values
    first, width = spaced(x, 601)
    total = 0.0
    for y, step in zip(first, width, strict=True):
        joint = law * stats.norm.pdf(y, x, SE)
        stop = max(0.0, joint @ (WEEKLY * (HORIZON - 1) * x - BUILD))
        go_on = ahead(joint, x) + joint @ (WEEKLY * SEEN * x - RUN)
        total += step * max(stop, go_on)
    expected = total + WEEKLY * SEEN * (law @ x) - BEGIN - RUN
    assert found.worth == pytest.approx(expected, rel=2e-3)


def ahead(joint, x):
    """Return ∫ over second weeks' results of the best choice after both, for one first result."""
    second, width = spaced(x, 161)
    both = joint * stats.norm.pdf(second[:, None], x, SE)
    return np.maximum(0.0, both @ (WEEKLY * (HORIZON - 2) * x - BUILD)) @ width


def spaced(x, many):
    """Return results that cover all of an unknown, dense around its middle, and their widths."""
    reach = np.arcsinh((np.ptp(x) + 6 * SE) / (2 * SE))
    results = x[len(x) // 2] + 2 * SE * np.sinh(np.linspace(-reach, reach, many))
    return results, np.gradient(results)


def test_a_test_whose_bias_is_all_its_error_is_never_prolonged():
    """A second week would show the same again."""
    found = ended(newspaper(PRIORS["normal"], bias=0.03, se=1e-4))
    assert np.isnan(found.low).all()
    assert found.expected_weeks == pytest.approx(1.0)


def test_a_test_that_costs_nothing_and_delays_nothing_runs_to_its_end():
    """What is worth the same whenever it begins can wait for every reader, unless nothing he does could change it."""
    x = MEAN + SD * RANKS
    lead = 100_000 * x
    trial = Trial(
        values=x, se=SE, bias=0.0, knots=np.array([0.0]), leads=lead[None, None], means=np.array([[0.0, 100_000 * MEAN]]), now=lead[None],
        earning=0 * x,
    )  # fmt: skip
    found = Durations(trial, shortest=0.5, most=26).stopping(np.ones(26), np.zeros(26))
    assert found.worth == pytest.approx(found.fixed[-1], rel=1e-4)
    assert found.expected_weeks > 20
    pre = SD**2 / np.hypot(SD, SE / 26**0.5)
    assert found.worth == pytest.approx(100_000 * (MEAN + loss(MEAN, pre)), rel=1e-3)


@pytest.mark.parametrize("sharp", [0.003, 0.03, 0.3])
@pytest.mark.parametrize("prior", PRIORS)
def test_a_sharp_test_has_a_small_region_around_what_pays(prior, sharp):
    """However fine the result and however far the tails reach, the lines stay close to the gain that pays for building."""
    found = ended(newspaper(PRIORS[prior], se=sharp * SE))
    pays = BUILD / (WEEKLY * (HORIZON - 1))
    assert found.expected_weeks < 2
    if np.isfinite(found.low[0]):
        assert pays - 4 * sharp * SE < found.low[0] < found.high[0] < pays + 4 * sharp * SE


def test_the_region_narrows_as_the_weeks_go_by():
    """Two lines that draw together, on both sides of the gain that pays for building."""
    found = ended(NORMAL)
    weeks = np.flatnonzero(np.isfinite(found.low))
    widths = found.high[weeks] - found.low[weeks]
    assert (np.diff(widths) < 1e-4).all()
    assert widths[0] > 10 * widths[-1]


SHAPES = st.sampled_from([
    ("normal", (0.0, 1.0)), ("lognormal", (0.1, 4.0)), ("t", (2.1, 0.2, 0.8)), ("uniform", (-1.0, 2.0)),
    ("beta", (0.3, 5.0)), ("logitnormal", (0.01, 0.9)), ("metalog", (-1.0, 0.5, 4.0)),
])  # fmt: skip


@given(
    SHAPES,
    st.lists(st.floats(-3, 3), min_size=4, max_size=4),
    st.floats(-6, 3),
    st.sampled_from([0.0, 0.2]),
    st.floats(0, 0.3),
    st.integers(2, 30),
)
@settings(max_examples=60, deadline=None)
def test_ending_when_one_likes_is_never_worth_less(shape, numbers, sharpness, bias, run, most):
    """For any prior, two scenarios beside doing nothing, any noise and price: between the best fixed duration and knowing all."""
    x = quantile(*shape, RANKS)
    slope, level, other, bend = numbers
    knots = np.array([0.0, 20.0, 60.0])
    leads = np.stack([(1 - week / 80) * np.stack([slope * x + level, other * np.tanh(x) + bend]) for week in knots])
    law = np.exp(-0.5 * RANKS**2) / np.exp(-0.5 * RANKS**2).sum()
    means = np.stack([[0.0, *(lead @ law)] for lead in leads])
    trial = Trial(
        values=x, se=10.0**sharpness, bias=bias, knots=knots, leads=leads, means=means, now=leads[0], earning=0 * x
    )
    found = Durations(trial, shortest=0.5, most=most).stopping(np.ones(most), np.full(most, run))
    knowing = np.maximum(leads[0].max(axis=0), 0.0) @ law
    slack = 1e-9 + 2e-3 * np.abs(leads[0]).max(axis=0) @ law
    assert found.fixed.max() - 1e-9 <= found.worth <= knowing - run + slack
    assert 1 - 1e-9 <= found.expected_weeks <= most + 1e-6
    assert np.all((found.low <= found.high) | np.isnan(found.low))


@given(SHAPES, st.lists(st.floats(-3, 3), min_size=4, max_size=4), st.floats(-3, 2), st.floats(0.5, 40))
@settings(max_examples=60, deadline=None)
def test_two_ways_to_evsi_agree(shape, numbers, sharpness, weeks):
    """By Fourier transform on a grid of results, and by sums over ranks: within a few thousandths of what knowing is worth."""
    x = quantile(*shape, RANKS)
    slope, level, other, bend = numbers
    lead = np.stack([slope * x + level, other * np.tanh(x) + bend])
    trial = Trial(
        values=x, se=10.0**sharpness, bias=0.0, knots=np.array([0.0]), leads=lead[None], means=np.zeros((1, 3)), now=lead,
        earning=0 * x,
    )  # fmt: skip
    today, _ = Durations(trial, shortest=0.5, most=40).at(weeks)
    found = Subject(np.repeat(lead[None], 9, axis=0), x)
    everything = evsi(found, Noise(se=1e-9)).value
    size = np.abs(lead).max(axis=0) @ np.exp(-0.5 * RANKS**2) / np.exp(-0.5 * RANKS**2).sum()
    assert today == pytest.approx(evsi(found, Noise(se=trial.around(weeks))).value, abs=4e-3 * everything + 1e-3 * size)
