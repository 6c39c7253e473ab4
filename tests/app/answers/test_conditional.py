"""Conditional curves."""

import numpy as np
import pytest
from scipy import stats

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import take_sample
from embellie.app.deciding import parse_question
from embellie.decide.preposterior import RANKS, Noise, evsi
from embellie.domain.evidence import Evidence
from embellie.frame.valuing import values
from embellie.stats.distributions import mean, quantile

LUMP = """
[unknowns]
p = "normal(1, 1)"
q = "normal(0, 2)"
[scenarios.nothing]
value = "0"
[scenarios.act]
value = "p - q"
[scenarios.late]
value = "2 * p - 3"
"""

MONTHLY = """
horizon = "104 weeks"
[unknowns]
gain = "normal(0.01, 0.02)"
cost = "5k to 20k EUR"
[scenarios.status_quo]
benefit = "0 EUR/week"
[scenarios.treat]
build = "cost"
benefit = "20000 EUR/week * gain"
"""


READY = """
horizon = "104 weeks"
[unknowns]
visits = "80k to 120k visit/week"
gain = "-1 % to 4 %"
more = "-1 % to 3 %"
ready = "10 to 40 weeks"
build = "20k to 60k EUR"
[correlations]
"gain ~ more" = {rho}
[formulas]
base = "visits * 0.2 EUR/visit"
[scenarios.status_quo]
benefit = "0 EUR/week"
[scenarios.rule]
build = "10k EUR"
benefit = "base * gain"
[scenarios.model]
needs = "rule"
build = "build"
ready = "ready"
benefit = "base * (gain + more){bend}"
"""


def conditional(text, evidence=(), **options):
    return Conditional(take_sample(parse_question(text), evidence, **options))


def loss(m, s):
    """Return the unit normal loss: the EVPI of {0, N(m, s)}."""
    if not s:
        return 0.0
    z = abs(m) / s
    return s * (stats.norm.pdf(z) - z * stats.norm.sf(z))


def test_net_is_what_each_scenario_is_worth_were_the_unknown_known():
    """0, p and 2p - 3, at every rank of p."""
    found = conditional(LUMP)
    p = found.values("p")
    assert found.net("p") == pytest.approx(np.stack([0 * p, p, 2 * p - 3]), abs=1e-9)
    assert found.method("p") == "exact"


def test_what_begins_later_is_worth_less_time():
    """A gain of x a week over the weeks that are left."""
    found = conditional(MONTHLY)
    gain = found.values("gain")
    cost = -found.net("gain")[1][150] + 20_000 * 104 * gain[150]
    assert found.net("gain", 52.0)[1] == pytest.approx(20_000 * 52 * gain - cost, abs=1e-6)
    assert cost == pytest.approx(mean("lognormal", (5_000, 20_000)))


def test_a_subject_holds_the_differences_to_the_first_scenario():
    """For all draws and for each scramble."""
    found = conditional(LUMP)
    subject = found.subject("q")
    assert subject.conditional.shape == (9, 2, len(RANKS))
    assert subject.conditional[0] == pytest.approx(found.net("q")[1:] - found.net("q")[:1])


def test_an_expression_is_met_as_an_unknown_is():
    """A study of p - q itself, sd √5, is worth as much as the formula says; what it is not made of may be averaged out."""
    found = conditional(LUMP.replace('[scenarios.late]\nvalue = "2 * p - 3"', ""))
    draws = found.sample.draws.values
    for uses in (None, frozenset("pq")):
        subject = found.subject_of(draws["p"] - draws["q"], key=f"p - q {uses}", uses=uses)
        assert evsi(subject, Noise(se=1.0)).value == pytest.approx(loss(1, 5 / 6**0.5), rel=0.01)


@pytest.mark.parametrize("rho", [-0.95, -0.5, 0.0, 0.4, 0.95])
def test_correlated_normals_teach_one_another(rho):
    """EVPPI(p) of p + q - m is U(m, |s1 + ρ s2|), from strongly opposed to strongly allied."""
    text = f"""
    [unknowns]
    p = "normal(-0.5, 1)"
    q = "normal(0, 2)"
    [correlations]
    "p ~ q" = {rho}
    [scenarios.nothing]
    value = "0"
    [scenarios.act]
    value = "p + q"
    """
    found = conditional(text, draws=64)
    assert found.method("p") == "exact"
    assert found.evppi("p").value == pytest.approx(loss(-0.5, abs(1 + 2 * rho)), rel=2e-3, abs=1e-7)
    assert found.evppi("q").value == pytest.approx(loss(-0.5, abs(2 + rho)), rel=2e-3)


@pytest.mark.parametrize("bend", ["", " * (1 + gain)", " - 300 EUR/week * max(more, 0) * 100"])
@pytest.mark.parametrize("rho", [0.0, 0.6, -0.8])
def test_a_curve_agrees_with_nested_draws(rho, bend):
    """Whatever is affine, curved, correlated or multiplied: the same as holding the unknown and drawing all others plainly."""
    found = conditional(READY.format(rho=rho, bend=bend))
    for name in found.sample.question.unknowns:
        at = [60, 100, 150, 200, 240]
        net, error = nested(found.sample, name, RANKS[at], rho)
        scale = np.abs(net).max() * 1e-4
        assert np.all(np.abs(found.net(name)[:, at] - net) < 4.5 * error + scale), name


def nested(sample, name, scores, rho):
    """Hold an unknown at scores, and draw the others plainly: means (options, scores) and their standard errors."""
    rng = np.random.default_rng(5)
    z = {other: rng.standard_normal(20_000) for other in sample.question.unknowns}
    z["more"] = rho * z["gain"] + (1 - rho**2) ** 0.5 * z["more"]
    tied = {"gain": "more", "more": "gain"}
    means, errors = [], []
    for score in scores:
        held = {**z, name: np.full(20_000, score)}
        if name in tied:
            held[tied[name]] = rho * score + (1 - rho**2) ** 0.5 * rng.standard_normal(20_000)
        priors = {other: sample.question.unknowns[other].prior for other in z}
        drawn = {other: quantile(prior.family, prior.parameters, held[other]) for other, prior in priors.items()}
        net = values(drawn, sample.draws.choices, model=sample.model)[0]
        means.append(net.mean(axis=1))
        errors.append(net.std(axis=1) / 20_000**0.5)
    return np.stack(means, axis=1), np.stack(errors, axis=1)


def test_how_it_was_found_depends_on_what_must_be_drawn():
    """Exact where nothing must be; a curve where the weeks to wait are; a regression where only the draws know the law."""
    assert conditional(LUMP).method("p") == "exact"
    found = conditional(READY.format(rho=0.3, bend=""))
    assert {name: found.method(name) for name in ("visits", "gain", "ready")} == {
        "visits": "curve", "gain": "curve", "ready": "exact",
    }  # fmt: skip
    both = [Evidence(measures="gain", estimate=0.02, se=0.01), Evidence(measures="more", estimate=0.0, se=0.01)]
    told = conditional(READY.format(rho=0.3, bend=""), both)
    assert (told.method("gain"), told.method("visits")) == ("spline", "curve")


def test_evidence_moves_the_curve_of_what_is_tied_to_it():
    """A normal prior and a normal result: EVPPI of what is left, in closed form, for the measured and for the other."""
    text = """
    [unknowns]
    p = "normal(0, 1)"
    q = "normal(0, 2)"
    [correlations]
    "p ~ q" = 0.5
    [scenarios.nothing]
    value = "0"
    [scenarios.act]
    value = "p + q"
    """
    found = conditional(text, [Evidence(measures="p", estimate=0.4, se=1.0)])
    prior = np.array([[1.0, 1.0], [1.0, 4.0]])
    after = prior - np.outer(prior[0], prior[0]) / 2
    m = 0.2 + 0.2
    for at, name in enumerate("pq"):
        s = after[at].sum() / after[at, at] ** 0.5
        assert found.evppi(name).value == pytest.approx(loss(m, s), rel=0.01)
    assert found.method("p") == "exact"


def test_one_of_a_few_states_is_held_at_each():
    """Three investments in three states: knowing the state is worth 350, whatever else is uncertain."""
    text = """
    [unknowns]
    state = "discrete(0: 50 %, 1: 30 %, 2: 20 %)"
    noise = "normal(0, 300)"
    [scenarios.deposit]
    value = "500"
    [scenarios.stock]
    value = "(1500 if state == 0 else 300 if state == 1 else -800) + noise"
    [scenarios.fund]
    value = "900 if state == 0 else 600 if state == 1 else -200"
    """
    found = conditional(text)
    assert found.evppi("state").value == pytest.approx(350)
    assert sorted(set(found.net("state")[2].round(6))) == [-200, 600, 900]


def test_a_formula_without_a_worth_far_out_falls_back_on_the_draws():
    """√x has none below 0, where no draw ever is; the curve then comes from the draws."""
    text = """
    [unknowns]
    x = "normal(5, 1)"
    [scenarios.nothing]
    value = "0"
    [scenarios.act]
    value = "sqrt(x) - 2.2"
    """
    found = conditional(text, draws=256)
    assert found.method("x") == "spline"
    worth = np.sqrt(found.sample.draws.values["x"]) - 2.2
    assert found.evppi("x").value == pytest.approx(np.maximum(worth, 0).mean() - worth.mean(), rel=0.05)
