"""What studies are worth, against closed forms, enumeration and direct integration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from embellie.decide.preposterior import RANKS, Noise, Subject, evsi, outlook
from embellie.domain.evidence import Evidence
from embellie.stats.distributions import fat_tailed, quantile
from embellie.stats.sampling import normal_scores

FITS = 9


def loss(m, s):
    """Return the unit normal loss: the EVPI of {0, N(m, s)}."""
    z = abs(m) / s
    return s * (stats.norm.pdf(z) - z * stats.norm.sf(z))


def within(figure, expected, rel=0.005):
    """Within half a percent, with an error that is stated, above 0 and not too large."""
    assert figure.value == pytest.approx(expected, rel=rel)
    assert 0 < figure.error < 0.02 * expected


def known(values, *leads):
    """An unknown whose curves are known exactly: the leads of each option over doing nothing, at its values."""
    return Subject(np.repeat(np.stack(leads)[None], FITS, axis=0), values)


def normal(m=0.0, s=1.0):
    return known(m + s * RANKS, m + s * RANKS)


def worth(found, **noise):
    return evsi(found, Noise(**noise)).value


# normal results


@pytest.mark.parametrize(
    ("n", "expected"), [(1, 0.0251272708), (10, 0.0723251203), (100, 0.0821176056), (1000, 0.0831946061)]
)
def test_evsi_of_a_sample_mean(answer, n, expected):
    """U(m, σ²/√(σ² + 1/n)), whatever else is uncertain."""
    more = f'[studies.s]\nkind = "measurement"\nmeasures = "p"\nsd = 1\nn = {n}'
    study = answer('p = "normal(1, 1)"\nq = "normal(0, 2)"', "p - q", more).studies[0]
    within(study.evsi, expected)


@pytest.mark.parametrize(("m", "s", "se", "expected"), [(0, 1, 1, 0.2820947918), (-5e4, 1e5, 1e5, 9_982.061419)])
def test_evsi_with_a_standard_error(answer, m, s, se, expected):
    """Two published rows."""
    more = f'[studies.s]\nkind = "measurement"\nmeasures = "x"\nse = {se}'
    within(answer(f'x = "normal({m}, {s})"', "x", more).studies[0].evsi, expected)


@pytest.mark.parametrize("m", [-1.5, 0.0, 0.4])
@pytest.mark.parametrize("se", [1e-4, 0.05, 0.5, 3.0])
@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_evsi_with_a_bias(m, se, bias):
    """U(m, σ²/√(σ² + se² + τ²)): what no number of units takes away counts as noise does."""
    expected = loss(m, 1 / np.sqrt(1 + se**2 + bias**2))
    assert worth(normal(m), se=se, bias=bias) == pytest.approx(expected, rel=2e-3, abs=1e-7)


def test_no_number_of_units_takes_a_bias_away(answer):
    """With a million million units the standard error is nothing, and the bias is all that is left."""
    more = '[studies.s]\nkind = "offline"\nmeasures = "x"\nsd = 1\nn = 1000000000000\nbias = 1'
    within(answer('x = "normal(0, 1)"', "x", more).studies[0].evsi, loss(0, 2**-0.5))


def three_options_directly(prior, se):
    """EVSI of {0, x, 2x - 1} by two nested sums over fine grids of truths and results."""
    chance = (np.arange(8_000) + 0.5) / 8_000
    x = prior.ppf(chance)
    x[0], x[-1] = 8_000 * np.array([
        prior.expect(lambda t: t, ub=prior.ppf(1 / 8_000)), prior.expect(lambda t: t, lb=prior.ppf(1 - 1 / 8_000))
    ])  # fmt: skip
    y = np.linspace(prior.ppf(0.0005) - 6 * se, prior.ppf(0.9995) + 6 * se, 801)
    edges = np.concatenate([[-np.inf], (y[1:] + y[:-1]) / 2, [np.inf]])
    best = 0.0
    below = np.zeros_like(x)
    for edge in edges[1:]:
        upto = special.ndtr((edge - x) / se)
        mass = upto - below
        best += max(0.0, mass @ x, mass @ (2 * x - 1)) / len(x)
        below = upto
    return best - max(0.0, x.mean(), 2 * x.mean() - 1)


@pytest.mark.parametrize("df", [2.5, 4, 12])
@pytest.mark.parametrize(("centre", "se"), [(0.0, 0.3), (0.0, 1.5), (-0.8, 0.3), (0.6, 3.0)])
def test_evsi_under_fat_tails_by_direct_integration(df, centre, se):
    """Student-t priors of several tails, on the threshold and off it, several errors, three options."""
    x = quantile("t", (df, centre, 1.0), RANKS)
    expected = three_options_directly(stats.t(df, centre, 1.0), se)
    assert worth(known(x, x, 2 * x - 1), se=se) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("df", [2.5, 4, 12])
def test_a_sharp_study_of_a_fat_tailed_unknown_is_worth_knowing_it(df):
    """EVPI of Student's t at its location: √ν / ((ν - 1) B(ν/2, ½))."""
    x = quantile("t", (df, 0.0, 1.0), RANKS)
    assert worth(known(x, x), se=1e-5) == pytest.approx(np.sqrt(df) / ((df - 1) * special.beta(df / 2, 0.5)), rel=0.003)


def test_a_short_test_catches_more_of_a_fat_tail():
    """At the same 90 % range a noisy test yields a larger part of EVPI when surprises are possible."""
    thin, fat = quantile("normal", (0.0, 1.0), RANKS), quantile("t", fat_tailed(-1.6448536, 1.6448536, df=2.5), RANKS)
    parts = [worth(known(x, x), se=4.0) / worth(known(x, x), se=1e-5) for x in (thin, fat)]
    assert parts[1] > 1.2 * parts[0]


# one result, three priors


@pytest.mark.parametrize(
    ("written", "prior"),
    [
        ("5 % to 20 % (normal)", stats.norm(0.125, 0.15 / (2 * 1.6448536269514722))),
        ("5 % to 20 %", stats.lognorm(np.log(4) / (2 * 1.6448536269514722), scale=0.1)),
        ("t(4, 0.125, 0.0351805)", stats.t(4, 0.125, 0.0351805)),
    ],
)
def test_one_result_moves_each_shape_of_range_as_it_should(answer, written, prior):
    """Normal, log-normal and fat-tailed through the same two ends: their mean after a surprising 25 % ± 3 %."""
    x = np.linspace(-2, 3, 500_001)
    weight = prior.pdf(x) * stats.norm.pdf(x, 0.25, 0.03)
    assert prior.cdf(0.2) == pytest.approx(0.95, abs=1e-4)
    found = answer(f'x = "{written}"', "x - 0.2", evidence=[Evidence(measures="x", estimate=0.25, se=0.03)])
    assert found.unknowns[0].posterior.mean == pytest.approx(float(x @ weight / weight.sum()), rel=2e-3)


# counts and signals

CONVERSION = [(2, 6, 20, 0.3), (1, 1, 5, 0.5), (30, 970, 400, 0.028), (0.5, 3, 60, 0.1)]


@pytest.mark.parametrize(("a", "b", "n", "c"), CONVERSION)
def test_a_conversion_rate_in_closed_form(answer, a, b, n, c):
    """{0, u p - c} with p ~ Beta(a, b): EVPI in closed form, and EVSI of n trials as a sum over n + 1 counts."""
    mean = a / (a + b)
    everything = mean * stats.beta.sf(c, a + 1, b) - c * stats.beta.sf(c, a, b) - max(0, mean - c)
    k = np.arange(n + 1)
    chance = stats.betabinom.pmf(k, n, a, b)
    counted = chance @ np.maximum((a + k) / (a + b + n) - c, 0) - max(mean - c, 0)
    verdict = answer(f'p = "beta({a}, {b})"', f"p - {c}", f'[studies.s]\nkind = "count"\nmeasures = "p"\nn = {n}')
    within(verdict.evpi, everything)
    within(verdict.studies[0].evsi, counted)


def test_a_count_shown_with_bias_tells_less():
    """Between the unbiased count and nothing; and as good as unbiased when the bias is tiny."""
    p = quantile("beta", (4.0, 6.0), RANKS)
    clean, tiny, some, much = (worth(known(p, p - 0.4), trials=80, bias=bias) for bias in (0, 1e-4, 0.1, 0.3))
    assert tiny == pytest.approx(clean, rel=1e-3)
    assert some < 0.95 * clean
    assert 0 < much < 0.7 * some


def test_the_bias_of_a_count_agrees_with_its_normal_limit():
    """Many trials: the share is shown with sd √(p (1 - p) / n + τ²), as a normal result is."""
    p = quantile("beta", (40.0, 60.0), RANKS)
    counted = worth(known(p, p - 0.4), trials=1900, bias=0.05)
    assert counted == pytest.approx(worth(known(p, p - 0.4), se=0.05126), rel=0.01)


OIL = np.array([-70.0, 50.0, 200.0])
SEISMIC = ((0.6, 0.3, 0.1), (0.3, 0.4, 0.4), (0.1, 0.3, 0.5))


def oil():
    return Subject(np.repeat(OIL[None, None], FITS, axis=0), OIL, np.array([0.5, 0.3, 0.2]))


def test_a_signal_of_a_state():
    """The oil wildcatter (Raiffa 1968): 12.5, and 35 if the signal tells all."""
    assert worth(oil(), signals=SEISMIC) == pytest.approx(12.5)
    assert worth(oil(), signals=tuple(map(tuple, np.eye(3)))) == pytest.approx(35.0)


def test_a_normal_result_about_a_state():
    """By direct integration over results around three values."""
    y = np.linspace(-400, 600, 100_001)
    mass = np.stack([q * stats.norm.pdf(y, x, 60.0) for x, q in zip(OIL, (0.5, 0.3, 0.2), strict=True)])
    expected = np.maximum(OIL @ mass, 0).sum() * (y[1] - y[0]) - 20.0
    assert worth(oil(), se=60.0) == pytest.approx(expected, rel=1e-3)


# what is left to learn


@pytest.mark.parametrize(
    ("m", "s", "se", "left"), [(0.5, 1, 0.7, 0.0619204), (-5e4, 1e5, 1e5, 9_797.594), (-0.4, 2.0, 9.0, 0.5719417)]
)
def test_evpi_after_a_study_is_evpi_less_evsi_on_average(m, s, se, left):
    """The identity of the burn-down, by closed forms."""
    scores = normal_scores(16_384, 1, seed=5)[:, 0]
    shown = m + s * scores
    after = outlook(normal(m, s), Noise(se=se), shown=shown, net=np.stack([0 * shown, shown]))
    assert after.chances.sum() == pytest.approx(1.0)
    mean = float(after.chances @ after.evpi)
    assert mean == pytest.approx(loss(m, s) - loss(m, s * s / np.hypot(s, se)), rel=0.01, abs=1e-4 * s)
    assert mean == pytest.approx(left, rel=0.01, abs=1e-4 * s)


def test_evpi_may_rise_after_a_surprise():
    """A sure choice is put in doubt by a result against it."""
    shown = 1.0 + normal_scores(16_384, 1, seed=5)[:, 0]
    after = outlook(normal(1.0, 1.0), Noise(se=1.0), shown=shown, net=np.stack([0 * shown, shown]))
    assert after.evpi.max() > 1.5 * loss(1.0, 1.0)
    assert after.evpi.min() < 0.1 * loss(1.0, 1.0)


def test_what_is_left_after_signals():
    """Sum over three signals of their chance times EVPI after them: 35 - 12.5."""
    shown = np.repeat(OIL, [4096, 2458, 1638])
    after = outlook(oil(), Noise(signals=SEISMIC), shown=shown, net=np.stack([0 * shown, shown]))
    assert float(after.chances @ after.evpi) == pytest.approx(22.5, rel=1e-3)


# what holds for any unknown

SHAPES = st.sampled_from([
    ("normal", (0.0, 1.0)), ("lognormal", (0.5, 4.0)), ("t", (3.0, 0.2, 0.8)), ("uniform", (-1.0, 2.0)), ("beta", (2.0, 5.0)),
])  # fmt: skip
SLOPES = st.lists(st.floats(-3, 3), min_size=2, max_size=2)
LEVELS = st.lists(st.floats(-2, 2), min_size=2, max_size=2)


def bent(shape, slopes, levels):
    """Two options that rise or fall in an unknown, one of them along a curve."""
    x = quantile(*shape, RANKS)
    return known(x, slopes[0] * x + levels[0], slopes[1] * np.tanh(x) + levels[1])


@given(SHAPES, SLOPES, LEVELS, st.floats(0.05, 3.0), st.floats(1.0, 5.0))
@settings(max_examples=60, deadline=None)
def test_more_noise_is_never_worth_more(shape, slopes, levels, se, times):
    """EVPPI ≥ EVSI ≥ 0, and EVSI falls as the error grows."""
    found = bent(shape, slopes, levels)
    everything, some, less = (worth(found, se=each) for each in (1e-6, se, times * se))
    slack = 2e-3 * everything + 1e-6
    assert everything + slack >= some >= less - slack
    assert less >= 0


@given(SHAPES, SLOPES, LEVELS, st.integers(1, 200), st.integers(1, 200))
@settings(max_examples=30, deadline=None)
def test_more_trials_are_never_worth_less(shape, slopes, levels, one, other):
    """EVSI of a count does not fall in n, and never exceeds that of knowing the share."""
    share = 1 / (1 + np.exp(-quantile(*shape, RANKS)))
    found = known(share, slopes[0] * share + levels[0], slopes[1] * share**2 + levels[1])
    few, many = (worth(found, trials=n) for n in sorted([one, other]))
    everything = worth(found, se=1e-6)
    slack = 2e-3 * everything + 1e-6
    assert 0 <= few <= many + slack
    assert many <= everything + slack


@given(SHAPES, st.floats(0.05, 3.0))
@settings(max_examples=15, deadline=None)
def test_a_study_of_what_changes_nothing_is_worth_nothing(shape, se):
    """The unknown moves no option."""
    x = quantile(*shape, RANKS)
    assert worth(known(x, 0 * x + 1, 0 * x - 1), se=se) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("kind", ["se = 0.1", 'kind = "count"\nn = 40'])
def test_a_study_of_an_unknown_that_no_formula_uses_is_worth_nothing(answer, kind):
    """Whatever it would find."""
    more = f'[studies.s]\nmeasures = "p"\n{kind}'
    study = answer('x = "normal(0, 1)"\np = "beta(2, 3)"', "x", more).studies[0]
    assert study.evsi.value <= 2e-3 * 0.3989


@given(st.floats(1e-3, 1e6))
@settings(max_examples=15, deadline=None)
def test_currency_scales(rate):
    """Another currency changes the unit alone."""
    found = bent(("t", (3.0, 0.2, 0.8)), [1.0, -2.0], [0.1, 0.2])
    other = Subject(rate * found.conditional, found.values)
    assert worth(other, se=0.5) == pytest.approx(rate * worth(found, se=0.5), rel=1e-9)
