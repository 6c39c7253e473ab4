"""Draws under what is believed now: evidence on unknowns, on formulas, by transfer, with bias, in any order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from embellie.app.answers.drawn import take_sample, unknown_quantiles
from embellie.decide.information import evpi
from embellie.domain.errors import InputError, UnknownName
from embellie.domain.evidence import Evidence
from embellie.domain.question import Distribution, Study
from embellie.frame.question_file import parse_question
from embellie.stats.sampling import by_scramble, numerical_error


def question_of(unknowns, more="", value="0"):
    return parse_question(
        f'[unknowns]\n{unknowns}\n{more}\n[scenarios.nothing]\nvalue = "0"\n[scenarios.act]\nvalue = "{value}"\n'
    )


def seen(name, estimate, se, **more):
    return Evidence(measures=name, estimate=estimate, se=se, **more)


def mean_of(sample, name):
    """The mean of a name in the draws, and its numerical error."""
    values = np.broadcast_to(sample.named[name], sample.draws.net.shape[1:])
    return values.mean(), numerical_error(by_scramble(values).mean(axis=-1))


TWO = 'a = "normal(1, 2)"\nb = "normal(-0.5, 1)"'
SUM = '[formulas]\ntotal = "a + b"'


@pytest.mark.parametrize("rho", [-0.7, 0.0, 0.6])
@pytest.mark.parametrize(("estimate", "se"), [(1.0, 1.5), (2.0, 0.3), (14.0, 0.4)])
def test_a_result_on_a_sum_of_normals_has_its_closed_form(rho, estimate, se):
    """μ' = μ + Σc (y - cμ) / (cΣc + se²), Σ' = Σ - Σccᵀ Σ / (cΣc + se²), also for a result seven sd away."""
    tied = f'[correlations]\n"a ~ b" = {rho}\n' if rho else ""
    sample = take_sample(question_of(TWO, tied + SUM), [seen("total", estimate, se)], draws=4096)
    prior = np.array([[4.0, 2 * rho], [2 * rho, 1.0]])
    gain = prior.sum(axis=1) / (prior.sum() + se**2)
    mean = np.array([1.0, -0.5]) + gain * (estimate - 0.5)
    covariance = prior - np.outer(gain, prior.sum(axis=0))
    drawn = np.stack([sample.draws.values["a"], sample.draws.values["b"]])
    assert drawn.mean(axis=1) == pytest.approx(mean, abs=5e-3)
    assert np.cov(drawn) == pytest.approx(covariance, abs=0.02)
    assert sample.beliefs.particles


def on_grid(a, b, likelihood, points=1201):
    """E[a | result] over two independent laws, on a grid of their quantiles."""
    ranks = np.linspace(-7.5, 7.5, points)
    one, other = a.ppf(stats.norm.cdf(ranks)), b.ppf(stats.norm.cdf(ranks))
    density = np.exp(-0.5 * ranks**2)
    weights = density[:, None] * density * likelihood(one[:, None], other[None, :])
    return float((weights.sum(axis=1) / weights.sum()) @ one)


@pytest.mark.parametrize(("estimate", "se"), [(3.0, 1.0), (3.0, 0.2), (40.0, 1.0)])
def test_a_result_on_a_product_agrees_with_quadrature(estimate, se):
    """A log-normal times a log-normal, also when the result is far out."""
    question = question_of('a = "1 to 4"\nb = "0.5 to 3"', '[formulas]\nboth = "a * b"')
    law = [stats.lognorm(np.log(high / low) / 3.2897073, scale=np.sqrt(low * high)) for low, high in ((1, 4), (0.5, 3))]
    expected = on_grid(*law, lambda a, b: np.exp(-0.5 * ((a * b - estimate) / se) ** 2))
    found, error = mean_of(take_sample(question, [seen("both", estimate, se)], draws=4096), "a")
    assert found == pytest.approx(expected, abs=2 * error + 1e-3)


def test_a_fat_tailed_unknown_in_a_formula_agrees_with_quadrature():
    """A surprise is put down to the one that may surprise."""
    question = question_of('a = "t(4, 0, 1)"\nb = "normal(0, 1)"', SUM)
    expected = on_grid(stats.t(4), stats.norm(), lambda a, b: np.exp(-0.5 * ((a + b - 8.0) / 0.5) ** 2))
    found, error = mean_of(take_sample(question, [seen("total", 8.0, 0.5)], draws=8192), "a")
    assert expected > 6
    assert found == pytest.approx(expected, abs=2 * error + 0.02)


def test_counts_of_a_formula_agree_with_quadrature():
    """Two shares in a row: of those who see, those who click."""
    question = question_of('a = "beta(4, 4)"\nb = "beta(2, 6)"', '[formulas]\nboth = "a * b"')
    expected = on_grid(stats.beta(4, 4), stats.beta(2, 6), lambda a, b: stats.binom.pmf(30, 90, a * b))
    sample = take_sample(question, [Evidence(measures="both", successes=30, trials=90)], draws=4096)
    found, error = mean_of(sample, "a")
    assert found == pytest.approx(expected, abs=2 * error + 1e-3)


def test_two_surprises_in_a_row_collapse_nothing():
    """On two formulas of the same unknowns, both far out: the posterior of normals."""
    question = question_of(TWO, '[formulas]\ntotal = "a + b"\ngap = "a - b"')
    sample = take_sample(question, [seen("total", 12.0, 0.3), seen("gap", -9.0, 0.3)], draws=4096)
    precise = np.diag([1 / 4, 1.0]) + np.array([[2.0, 0.0], [0.0, 2.0]]) / 0.09
    shift = np.array([1 / 4, -0.5]) + np.array([12.0 - 9.0, 12.0 + 9.0]) / 0.09
    expected = np.linalg.solve(precise, shift)
    assert [sample.draws.values[name].mean() for name in "ab"] == pytest.approx(expected.tolist(), abs=0.01)
    assert len(np.unique(sample.draws.values["a"])) > 1000


def test_a_formula_and_an_unknown_of_it_are_joined():
    """First the unknown's own result, exactly; then the formula's."""
    question = question_of(TWO, SUM)
    sample = take_sample(question, [seen("total", 2.0, 0.5), seen("a", 0.0, 0.5)], draws=4096)
    precise = np.diag([1 / 4 + 4, 1.0]) + 4.0
    expected = np.linalg.solve(precise, np.array([1 / 4 + 8.0, -0.5 + 8.0]))
    assert [sample.draws.values[name].mean() for name in "ab"] == pytest.approx(expected.tolist(), abs=5e-3)


def test_a_formula_of_one_unknown_says_what_the_unknown_itself_says():
    """Twice x, twice as noisy."""
    question = question_of('x = "1 to 9"', '[formulas]\ntwice = "x + x"')
    direct = take_sample(question, [seen("x", 5.0, 1.0)], draws=4096)
    formula = take_sample(question, [seen("twice", 10.0, 2.0)], draws=4096)
    for chance in (5, 50, 95):
        one, other = (np.percentile(sample.draws.values["x"], chance) for sample in (direct, formula))
        assert other == pytest.approx(one, rel=0.01)


def test_unknowns_that_no_evidence_bears_on_keep_their_draws():
    """To the last byte: what is learnt elsewhere moves nothing here."""
    question = question_of(TWO + '\nc = "0 to 1"', SUM)
    before, after = (take_sample(question, found, draws=1024) for found in ([], [seen("total", 9.0, 0.2)]))
    assert before.draws.values["c"].tobytes() == after.draws.values["c"].tobytes()
    assert not after.beliefs.touched("c")
    assert after.beliefs.touched("a")


def test_one_correlated_with_what_a_formula_uses_follows():
    """E[c | a + b] = ρ E[a | a + b] for standard normals."""
    question = question_of(
        'a = "normal(0, 1)"\nb = "normal(0, 1)"\nc = "normal(0, 1)"', '[correlations]\n"a ~ c" = 0.8\n' + SUM
    )
    sample = take_sample(question, [seen("total", 2.0, 0.1)], draws=4096)
    assert sample.draws.values["c"].mean() == pytest.approx(0.8 * 2.0 / 2.01, abs=0.01)
    assert sample.beliefs.touched("c")


def studied(question, **study):
    """The question with one more study, `study`."""
    return replace(
        question, studies={"study": Study(name="study", **({"kind": "measurement", "measures": "x"} | study))}
    )


def test_bias_is_added_to_the_error_of_a_study_that_has_one():
    """N(0, 1) and 2 ± 0.5 with a bias of 1: the posterior of 2 ± √1.25."""
    question = studied(question_of('x = "normal(0, 1)"'), kind="offline", se=0.5, bias=1.0)
    sample = take_sample(question, [seen("x", 2.0, 0.5, study="study")])
    assert sample.draws.values["x"].mean() == pytest.approx(2.0 / 2.25, abs=1e-3)
    assert sample.draws.values["x"].var() == pytest.approx(1 / (1 + 1 / 1.25), rel=5e-3)


def test_evidence_without_its_study_has_no_bias():
    """What is not said is not assumed."""
    question = studied(question_of('x = "normal(0, 1)"'), kind="offline", se=0.5, bias=1.0)
    sample = take_sample(question, [seen("x", 2.0, 0.5)])
    assert sample.draws.values["x"].mean() == pytest.approx(2.0 / 1.25, abs=1e-3)


def test_a_count_with_bias_is_worth_less():
    """Thirty of a hundred, with a bias of 0.1: near a normal result of 0.3 with both variances."""
    question = studied(question_of('x = "beta(5, 5)"'), kind="count", n=(400,), bias=0.1)
    sample = take_sample(question, [Evidence(measures="x", successes=120, trials=400, study="study")])
    grid = np.linspace(0, 1, 20_001)
    biases = np.linspace(-0.5, 0.5, 1001)
    likelihood = np.array(
        [
            np.sum(
                stats.norm.pdf(biases, 0, 0.1)
                * stats.binom.pmf(120, 400, np.clip(share + biases, 0, 1))
                * ((share + biases >= 0) & (share + biases <= 1))
            )
            for share in grid[::20]
        ]
    )
    weights = stats.beta.pdf(grid[::20], 5, 5) * likelihood
    assert sample.draws.values["x"].mean() == pytest.approx(float(grid[::20] @ weights / weights.sum()), abs=1e-3)


def test_a_transfer_is_learnt_with_what_it_transfers():
    """The study shows x / k: quadrature over both (a proxy that shows more than expected may have a weak link)."""
    question = studied(question_of('x = "normal(2, 1)"\nk = "0.5 to 1.5"'), se=0.2, transfer="k")
    law = stats.lognorm(np.log(3) / 3.2897073, scale=np.sqrt(0.75))
    for name, pick in (("x", lambda x, k: x), ("k", lambda x, k: k)):
        ranks = np.linspace(-7.5, 7.5, 1201)
        x, k = 2 + ranks[:, None], law.ppf(stats.norm.cdf(ranks))[None, :]
        weights = np.exp(-0.5 * (ranks[:, None] ** 2 + ranks**2) - 0.5 * ((x / k - 4.0) / 0.2) ** 2)
        expected = float((weights * pick(x, k)).sum() / weights.sum())
        found, error = mean_of(take_sample(question, [seen("x", 4.0, 0.2, study="study")], draws=8192), name)
        assert found == pytest.approx(expected, abs=2 * error + 2e-3)


def test_several_correlated_unknowns_that_are_not_normal_agree_with_quadrature():
    """Where matching moments is not exact, the draws are mended: log-normal and uniform, correlated, both measured."""
    question = question_of('a = "1 to 20"\nb = "uniform(0, 1)"', '[correlations]\n"a ~ b" = 0.7')
    sample = take_sample(question, [seen("a", 3.0, 2.0), seen("b", 0.95, 0.2)], draws=8192)
    ranks = np.linspace(-7.5, 7.5, 1501)
    one, other = ranks[:, None], ranks[None, :]
    a = np.exp(np.log(20) / 2 + np.log(20) / 3.2897073 * one)
    b = stats.norm.cdf(other)
    log = -0.5 * (one**2 - 1.4 * one * other + other**2) / 0.51
    weights = np.exp(log - 0.5 * ((a - 3) / 2) ** 2 - 0.5 * ((b - 0.95) / 0.2) ** 2)
    for name, values in (("a", a), ("b", b)):
        found, error = mean_of(sample, name)
        assert found == pytest.approx(float((weights * values).sum() / weights.sum()), abs=2 * error + 2e-3)


def test_moments_are_matched_in_silence_where_that_is_exact():
    """Normal priors, normal results: nothing to mend, nothing to tell."""
    sample = take_sample(question_of(TWO, '[correlations]\n"a ~ b" = 0.5'), [seen("a", 1, 1), seen("b", 1, 1)])
    assert not sample.beliefs.particles
    assert sample.beliefs.warnings == ()


def test_which_way_was_used_is_told():
    """By weights, or moved; with the share of the draws that count."""
    question = question_of(TWO, SUM)
    mild, far = (take_sample(question, [seen("total", y, 1.0)]).beliefs.warnings for y in (1.0, 30.0))
    assert "by weights; 100% of the draws count" in mild[-1]
    assert "they were moved to where it points" in far[-1]


def test_a_surprise_about_a_formula_is_told():
    """Its chance under the priors it rests on."""
    question = question_of(TWO, SUM)
    surprised, calm = (take_sample(question, [seen("total", y, 0.5)]).beliefs.warnings for y in (9.0, 3.0))
    assert "the prior or the measuring is wrong" in surprised[0]
    assert not any("wrong" in note for note in calm)


@pytest.mark.parametrize(("successes", "told"), [(5, True), (12, False), (60, True)])
def test_a_surprising_count_is_told(successes, told):
    """Of 100, where a fifth was expected, give or take little."""
    question = question_of('p = "beta(20, 80)"')
    notes = take_sample(question, [Evidence(measures="p", successes=successes, trials=100)]).beliefs.warnings
    assert any("the prior or the measuring is wrong" in note for note in notes) is told


def test_studies_that_contradict_one_another_are_told():
    """Each alone is a good guess; together they cannot both be right."""
    question = question_of('x = "normal(0, 1)"')
    notes = take_sample(question, [seen("x", 1.0, 0.1), seen("x", -0.5, 0.1)]).beliefs.warnings
    assert any("contradict one another (1 ± 0.1, -0.5 ± 0.1" in note for note in notes)
    agree = take_sample(question, [seen("x", 1.0, 0.5), seen("x", 0.5, 0.5)]).beliefs.warnings
    assert agree == ()


def test_a_signal_moves_the_chances_of_a_state():
    """Bayes: P(state | signal) ∝ P(signal | state) P(state), the oil wildcatter's."""
    question = studied(question_of('oil = "0 to 1"'), measures="oil", signals={"open": (0.3, 0.4, 0.4)})
    states = Distribution("discrete", (-70.0, 50.0, 200.0, 0.5, 0.3, 0.2))
    question = replace(question, unknowns={"oil": replace(question.unknowns["oil"], prior=states)})
    sample = take_sample(question, [Evidence(measures="oil", signal="open", study="study")])
    chances = np.array([0.5, 0.3, 0.2]) * np.array([0.3, 0.4, 0.4])
    found = [np.mean(sample.draws.values["oil"] == value) for value in (-70, 50, 200)]
    assert found == pytest.approx((chances / chances.sum()).tolist(), abs=2e-3)


def test_an_unknown_signal_is_refused():
    """The message names those there are."""
    with pytest.raises(UnknownName, match="signal"):
        take_sample(question_of('x = "normal(0, 1)"'), [Evidence(measures="x", signal="up")])


@settings(max_examples=12, deadline=None)
@given(st.permutations(range(4)))
def test_the_order_of_independent_evidence_does_not_matter(order):
    """The last bytes apart."""
    question = question_of(TWO, '[correlations]\n"a ~ b" = 0.4\n' + SUM)
    evidence = [seen("a", 1.0, 0.8), seen("total", 2.0, 0.9), seen("b", 0.5, 1.0), seen("total", 1.0, 2.0)]
    found = take_sample(question, [evidence[place] for place in order], draws=1024)
    first = take_sample(question, evidence, draws=1024)
    for name in "ab":
        assert found.draws.values[name].mean() == pytest.approx(first.draws.values[name].mean(), abs=1e-6)


def test_the_same_question_and_evidence_give_the_same_bytes():
    """Though draws are moved at random."""
    question = question_of(TWO, SUM)
    twice = [take_sample(question, [seen("total", 20.0, 0.1)], draws=1024).draws.net.tobytes() for _ in range(2)]
    assert twice[0] == twice[1]


def test_the_expected_posterior_mean_after_a_formula_is_the_prior_mean():
    """Averaged over what the study may find (martingale), fat tail included."""
    question = question_of('a = "1 to 9"\nb = "t(5, 0, 1)"', SUM)
    rng = np.random.default_rng(5)
    prior = take_sample(question, draws=256).draws.values
    truths = prior["a"] + prior["b"]
    means = [
        take_sample(question, [seen("total", truth + noise, 1.0)], draws=256).draws.values["a"].mean()
        for truth, noise in zip(truths, rng.standard_normal(256), strict=True)
    ]
    assert np.mean(means) == pytest.approx(prior["a"].mean(), abs=3 * np.std(means) / 16)


def test_expected_evpi_after_a_study_of_a_formula_is_evpi_less_evsi():
    """C17 for m = 0.5, σ = 1, se = 0.7, where the unknown is a sum of two."""
    question = question_of('a = "normal(0.5, 0.6)"\nb = "normal(0, 0.8)"', SUM, "total")
    ranks = stats.norm.ppf((np.arange(48) + 0.5) / 48)
    after = [take_sample(question, [seen("total", 0.5 + np.hypot(1, 0.7) * z, 0.7)], draws=1024) for z in ranks]
    assert np.mean([evpi(sample.draws.net).value for sample in after]) == pytest.approx(0.0619204, abs=2.5e-3)


@pytest.mark.parametrize(
    ("prior", "law"),
    [
        ("normal(4, 1)", stats.norm(4, 1)),
        ("2.355146 to 5.644854", stats.lognorm(np.log(5.644854 / 2.355146) / 3.2897073, scale=np.sqrt(13.2944549))),
        ("t(4, 4, 0.7715668)", stats.t(4, 4, 0.7715668)),
    ],
)
@pytest.mark.parametrize("estimate", [5.0, 9.0])
def test_one_result_updates_each_prior_with_the_same_range_its_own_way(prior, law, estimate):
    """C10: normal, log-normal and t priors; the proxy k · x as a formula with k known."""
    question = question_of(f'x = "{prior}"', '[formulas]\nproxy = "0.5 * x"')
    grid = np.linspace(-20, 60, 400_001)
    weights = law.pdf(grid) * np.exp(-0.5 * ((0.5 * grid - 0.5 * estimate) / 0.25) ** 2)
    expected = float(grid @ weights / weights.sum())
    for found in (seen("x", estimate, 0.5), seen("proxy", 0.5 * estimate, 0.25)):
        mean, error = mean_of(take_sample(question, [found], draws=4096), "x")
        assert mean == pytest.approx(expected, abs=2 * error + 2e-3)


def test_evidence_about_a_name_that_is_not_there_names_formulas_too():
    """Unknowns and formulas may be measured."""
    with pytest.raises(UnknownName, match="Did you mean `total`"):
        take_sample(question_of(TWO, SUM), [seen("totl", 1.0, 1.0)])


def test_impossible_evidence_about_a_formula_is_refused():
    """A product of shares above one, counted."""
    question = question_of('a = "uniform(2, 3)"\nb = "uniform(2, 3)"', '[formulas]\nboth = "a * b"')
    with pytest.raises(InputError, match="impossible"):
        take_sample(question, [Evidence(measures="both", successes=12, trials=30)])


def test_pictures_of_what_is_believed_follow_a_formula():
    """Prior and posterior quantiles, sorted."""
    found = unknown_quantiles(question_of(TWO, SUM), evidence=[seen("total", 6.0, 0.2)])["a"]
    assert found["posterior"] == sorted(found["posterior"])
    assert found["posterior"][50] > found["prior"][50] + 1


def test_a_state_in_a_formula_is_learnt_of():
    """Bayes over both states: what may happen would lift the sum by 3."""
    question = question_of('a = "chance(30 %)"\nb = "normal(0, 1)"', '[formulas]\ntotal = "3 * a + b"')
    for estimate in (1.0, 3.0, 6.0):
        sample = take_sample(question, [seen("total", estimate, 0.5)], draws=8192)
        yes, no = (share * stats.norm.pdf(estimate, 3 * at, 1.25**0.5) for share, at in ((0.3, 1), (0.7, 0)))
        found, error = mean_of(sample, "a")
        assert found == pytest.approx(yes / (yes + no), abs=2 * error + 5e-3)
