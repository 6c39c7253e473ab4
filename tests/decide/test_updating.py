"""From priors and evidence to beliefs."""

import numpy as np
import pytest
from scipy import stats

from embellie.app.deciding import decide, parse_question, unknown_quantiles
from embellie.decide.updating import update
from embellie.domain.errors import InputError, UnknownName
from embellie.domain.evidence import Evidence


def believed(verdict, name):
    return next(unknown for unknown in verdict.unknowns if unknown.name == name)


def seen(name, estimate, se, **more):
    return Evidence(measures=name, estimate=estimate, se=se, **more)


def test_a_normal_prior_and_a_normal_result(answer):
    """Precisions add; the prior is shown as it was."""
    found = believed(answer('x = "normal(0.5, 1)"', "x", evidence=[seen("x", 1.2, 0.7)]), "x")
    variance = 1 / (1 + 1 / 0.49)
    mean = variance * (0.5 + 1.2 / 0.49)
    assert found.posterior.mean == pytest.approx(mean, abs=1e-3)
    assert found.posterior.p95 == pytest.approx(mean + 1.6448536 * variance**0.5, abs=2e-3)
    assert (found.prior.mean, found.prior.p50) == (0.5, 0.5)


def test_evpi_after_the_evidence_is_that_of_the_posterior(answer):
    """U(m', s') with the updated mean and sd."""
    variance = 1 / (1 + 1 / 0.49)
    mean, sd = variance * (0.5 - 0.4 / 0.49), variance**0.5
    z = abs(mean) / sd
    expected = sd * (stats.norm.pdf(z) - z * stats.norm.sf(z))
    found = answer('x = "normal(0.5, 1)"', "x", evidence=[seen("x", -0.4, 0.7)]).evpi
    assert found.value == pytest.approx(expected, rel=0.005)


def test_counts_update_a_beta_prior(answer):
    """Beta(2, 6) with 12 of 30 is Beta(14, 24)."""
    evidence = [Evidence(measures="p", successes=12, trials=30)]
    found = believed(answer('p = "beta(2, 6)"', "p - 0.3", evidence=evidence), "p").posterior
    low, middle, high = stats.beta.ppf([0.05, 0.5, 0.95], 14, 24)
    assert (found.mean, found.p05, found.p50, found.p95) == pytest.approx((14 / 38, low, middle, high), rel=2e-3)


def test_a_fat_tailed_prior_by_quadrature(answer):
    """Against a fine grid."""
    x = np.linspace(-40, 40, 800_001)
    weight = stats.t.pdf(x, 4) * stats.norm.pdf(x, 5.0, 0.5)
    expected = float(x @ weight / weight.sum())
    found = believed(answer('x = "t(4, 0, 1)"', "x", evidence=[seen("x", 5.0, 0.5)]), "x")
    assert found.posterior.mean == pytest.approx(expected, rel=1e-3)


def test_a_very_sharp_result_is_followed(answer):
    """The grid narrows to where the belief is."""
    found = believed(answer('x = "normal(0, 1)"', "x", evidence=[seen("x", 0.3, 1e-6)]), "x").posterior
    assert found.mean == pytest.approx(0.3, abs=1e-6)
    assert 0 < found.p95 - found.p05 < 5e-6


def test_a_correlated_unknown_follows(answer):
    """E[y | x] = ρ x, through the copula; the law of y narrows."""
    verdict = answer(
        'x = "normal(0, 1)"\ny = "normal(0, 1)"',
        "x + y",
        '[correlations]\n"x ~ y" = 0.8',
        evidence=[seen("x", 1.0, 1e-3)],
    )
    found = believed(verdict, "y").posterior
    assert found.mean == pytest.approx(0.8, abs=2e-3)
    assert found.p95 - found.p05 == pytest.approx(2 * 1.6448536 * 0.6, rel=0.01)


def test_results_on_two_correlated_unknowns_are_joined_exactly_when_normal(answer):
    """Σ' = (R⁻¹ + D)⁻¹, μ' = Σ' D y."""
    evidence = [seen("x", 1.0, 0.5), seen("y", -1.0, 1.0)]
    verdict = answer(
        'x = "normal(0, 1)"\ny = "normal(0, 1)"', "x + y", '[correlations]\n"x ~ y" = 0.6', evidence=evidence
    )
    precise = np.diag([4.0, 1.0])
    covariance = np.linalg.inv(np.linalg.inv([[1, 0.6], [0.6, 1]]) + precise)
    mean = covariance @ precise @ [1.0, -1.0]
    assert [believed(verdict, name).posterior.mean for name in "xy"] == pytest.approx(mean.tolist(), abs=3e-3)


def test_of_two_lines_of_one_study_the_last_counts(answer):
    """An experiment that goes on reports again; it is not counted twice."""
    running = [seen("x", 9.0, 0.1, study="ab"), seen("x", 1.0, 1.0, study="ab")]
    found = believed(answer('x = "normal(0, 1)"', "x", evidence=running), "x").posterior
    assert found.mean == pytest.approx(0.5, abs=1e-3)


def test_a_surprise_is_told(answer):
    """A result that the prior held for all but impossible is no average to be taken in silence."""
    verdict = answer('x = "normal(0, 1)"', "x", evidence=[seen("x", 8.0, 0.5)])
    assert "the prior or the measuring is wrong" in verdict.warnings[0]


def test_evidence_about_nothing_is_refused(answer):
    """The message names what there is."""
    with pytest.raises(UnknownName, match="Did you mean `interest`"):
        answer('interest = "normal(0, 1)"', "interest", evidence=[seen("intrest", 1.0, 1.0)])


def test_impossible_evidence_is_refused(answer):
    """Twelve of thirty of something that is never a share."""
    with pytest.raises(InputError, match="impossible"):
        answer('x = "uniform(2, 3)"', "x", evidence=[Evidence(measures="x", successes=12, trials=30)])


def test_quantiles_for_pictures_narrow_with_evidence():
    """Prior and posterior side by side, sorted."""
    question = parse_question('[unknowns]\nx="normal(0, 1)"\n[scenarios.a]\nvalue=0\n[scenarios.b]\nvalue="x"')
    found = unknown_quantiles(question, evidence=[seen("x", 1.0, 0.2)])["x"]
    assert found["prior"] == sorted(found["prior"])
    assert found["posterior"][-1] - found["posterior"][0] < 0.3 * (found["prior"][-1] - found["prior"][0])


def test_the_expected_posterior_mean_is_the_prior_mean():
    """Averaged over what the study may find."""
    question = parse_question('[unknowns]\nx="1 to 9"\n[scenarios.a]\nvalue=0\n[scenarios.b]\nvalue="x - 4"')
    truths = stats.lognorm.ppf((np.arange(24) + 0.5) / 24, np.log(9) / (2 * 1.6448536), scale=3.0)
    found = [
        believed(decide(question, evidence=[seen("x", truth + noise, 1.0)], draws=1024), "x").posterior.mean
        for truth in truths
        for noise in (-1.0, 1.0)
    ]
    assert np.mean(found) == pytest.approx(truths.mean(), rel=0.03)


def test_correlations_that_were_mended_are_told():
    """Which one moved most, from what to what, and what kind of correlation it is."""
    unknowns = "".join(f'{name} = "normal(0, 1)"\n' for name in "abc")
    ties = '"a ~ b" = 0.9\n"b ~ c" = 0.9\n"a ~ c" = -0.9\n'
    scenarios = '[scenarios.no]\nvalue = "0"\n[scenarios.yes]\nvalue = "a + b + c"\n'
    beliefs = update(parse_question(f"[unknowns]\n{unknowns}[correlations]\n{ties}{scenarios}"), [])
    assert "was changed from" in beliefs.warnings[0]
    assert "correlations of normal scores" in beliefs.warnings[0]
