"""Stress and what-if cases against closed forms, where there are any."""

from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from embellie.app.answers.stressing import FACTORS, case_values, stress
from embellie.app.deciding import decide, parse_question, read_question
from embellie.domain.evidence import Evidence
from embellie.domain.verdict import Figure, StudyValue
from embellie.stats.distributions import Z95

ROOT = Path(__file__).parents[3]


def unit_loss(mean, sd):
    """E[max(0, X)] - max(0, mean) for X ~ N(mean, sd)."""
    z = abs(mean) / sd
    return sd * (stats.norm.pdf(z) - z * stats.norm.sf(z))


def stressed(text, *, action="ship", best="it", evidence=(), studies=(), draws=4096):
    return stress(parse_question(text), evidence, action=action, best=best, studies=studies, draws=draws, seed=3)


NORMAL = '[unknowns]\nx = "normal({mean}, 1)"\n[scenarios.nothing]\nvalue = 0\n[scenarios.it]\nvalue = "x"\n'


def test_a_choice_between_nothing_and_a_normal_never_flips():
    """However wide, the mean stays what it is."""
    found = stressed(NORMAL.format(mean=0.01))
    assert (found.flips_at, found.becomes, found.tried) == (None, "", 5.0)
    assert [row.factor for row in found.widened] == list(FACTORS)
    for row in found.widened:
        assert row.scenario == "it"
        assert row.net_benefit == pytest.approx({"nothing": 0.0, "it": 0.01}, abs=1e-9)
        assert row.evpi == pytest.approx(unit_loss(0.01, row.factor), rel=0.01)


COST = """[unknowns]
cost = "100k to 400k EUR"
[scenarios.nothing]
value = 0
[scenarios.it]
value = "{gain} EUR - cost"
"""


@pytest.mark.parametrize("gain", [230_000, 260_000, 400_000])
def test_a_log_normal_cost_flips_where_its_mean_reaches_the_gain(gain):
    """E[cost] = exp(μ + k² σ²/2) = gain: k = √(2 (ln gain - μ)) / σ."""
    sd = np.log(4) / (2 * Z95)
    expected = np.sqrt(2 * np.log(gain / 200_000)) / sd
    found = stressed(COST.format(gain=gain))
    assert found.flips_at == pytest.approx(expected, rel=0.01)
    assert found.becomes == "nothing"
    assert [row.scenario for row in found.widened] == [
        "it" if row.factor < expected else "nothing" for row in found.widened
    ]


def test_a_gain_that_is_log_normal_flips_to_it():
    """The mean of a widened gain rises past its cost."""
    text = COST.format(gain=250_000).replace("250000 EUR - cost", "cost - 250k EUR")
    found = stressed(text, action="stop", best="nothing")
    assert found.flips_at == pytest.approx(np.sqrt(2 * np.log(1.25)) / (np.log(4) / (2 * Z95)), rel=0.01)
    assert found.becomes == "it"


def test_where_these_draws_see_another_best_it_flips_at_once():
    """Nothing needs to be widened."""
    assert stressed(COST.format(gain=210_000)).flips_at == 1.0


def test_evidence_meets_the_widened_prior():
    """Posterior mean m/(k s)² + y/se² crosses 0 at k = √(-m/y) se/s: here √2."""
    text = NORMAL.format(mean=1) + '[studies.look]\nmeasures = "x"\nse = 1\n'
    shown = (Evidence(study="look", measures="x", estimate=-0.5, se=1.0),)
    found = stressed(text, evidence=shown)
    assert found.flips_at == pytest.approx(np.sqrt(2), rel=0.01)
    assert found.becomes == "nothing"


def test_learning_begins_to_pay_where_a_wider_prior_makes_it():
    """ENBS = U(m, (k s)²/√((k s)² + se²)) - cost, m = 1, s = se = 1."""
    text = NORMAL.format(mean=1) + '[studies.look]\nkind = "measurement"\nmeasures = "x"\nse = 1\ncost = "0.2 EUR"\n'
    found = stressed(text, studies=decide(parse_question(text), draws=4096, seed=3).studies)

    def enbs(k):
        return unit_loss(1.0, k * k / np.sqrt(k * k + 1)) - 0.2

    assert found.learns_at == pytest.approx(optimize.brentq(enbs, 1, 5), rel=0.01)
    assert [row.action == "learn_more" for row in found.widened] == [enbs(row.factor) > 0 for row in found.widened]


def test_without_studies_learning_is_judged_by_what_knowing_is_worth():
    """EVPI above a tenth of the mean gap: U > (2 U + m) / 10."""
    found = stressed(NORMAL.format(mean=2))
    expected = optimize.brentq(lambda k: 0.8 * unit_loss(2.0, k) - 0.2, 1, 5)
    assert found.learns_at == pytest.approx(expected, rel=0.02)


def test_what_is_worth_learning_stays_so_when_less_is_known():
    """The verdict to learn is not doubted by wider ranges."""
    found = stressed(NORMAL.format(mean=0.1), action="learn_more")
    assert found.learns_at is None
    assert {row.action for row in (*found.widened, found.fat)} == {"learn_more"}


def test_fat_tails_keep_the_range_and_weigh_on_what_is_log_normal():
    """The log-logistic of the same range: E[cost] = median · πs / sin(πs), s = ln(p95/p05) / (2 ln 19)."""
    s = np.log(4) / (2 * np.log(19))
    found = stressed(COST.format(gain=230_000), draws=16_384)
    expected = 230e3 - 200e3 * np.pi * s / np.sin(np.pi * s)
    assert found.fat.net_benefit["it"] == pytest.approx(expected, abs=1500)
    assert (found.fat.fat, found.fat.factor, found.fat.scenario) == (True, 1.0, "it")
    assert stressed(NORMAL.format(mean=0.01)).fat.net_benefit["it"] == pytest.approx(0.01, abs=1e-3)


def test_what_so_wide_a_range_makes_impossible_is_not_tried():
    """The logarithm of a normal, five times as wide, has no value; the rest is told all the same."""
    text = '[unknowns]\nx = "normal(10, 1.5)"\n[scenarios.nothing]\nvalue = 0\n[scenarios.it]\nvalue = "log(x)"\n'
    found = stressed(text)
    assert found.tried < 5
    assert found.widened[-1].factor == found.tried
    assert found.fat.scenario == "it"


def test_stress_is_the_same_to_the_last_digit():
    """Same question, evidence, draws and seed."""
    assert stressed(COST.format(gain=260_000)) == stressed(COST.format(gain=260_000))


def test_the_first_question_is_stressed_whatever_its_verdict():
    """A row for each factor and one with fat tails, each with every scenario."""
    question = read_question(ROOT / "examples" / "question.toml")
    verdict = decide(question, draws=1024)
    for action in ("learn_more", "ship"):
        found = stress(question, (), action=action, best=verdict.best, studies=verdict.studies, draws=1024)
        assert [row.factor for row in found.widened] == list(FACTORS)
        for row in (*found.widened, found.fat):
            assert set(row.net_benefit) == set(question.scenarios)
        wider = [row.evpi for row in found.widened]
        assert wider == sorted(wider)


CASES = """[unknowns]
x = "normal(1, 1)"
[scenarios.nothing]
value = 0
[scenarios.it]
value = "x"
[studies.look]
kind = "measurement"
measures = "x"
se = 1
cost = "0.15 EUR"
[cases.gloomy]
x = "normal(-0.1, 1)"
[cases.sure]
x = "normal(3, 0.1)"
"""


def test_cases_are_answered_side_by_side():
    """Means and EVPI of {0, X} in closed form; the study pays where one does not know."""
    question = parse_question(CASES)
    gloomy, sure = case_values(question, studies=decide(question, draws=1024).studies, seed=3)
    assert (gloomy.case, dict(gloomy.sets)) == ("gloomy", {"x": "normal(-0.1, 1)"})
    assert (gloomy.best, gloomy.action) == ("nothing", "learn_more")
    assert gloomy.net_benefit["it"].mean == pytest.approx(-0.1, abs=1e-9)
    assert gloomy.evpi.value == pytest.approx(unit_loss(-0.1, 1.0), abs=2 * gloomy.evpi.error)
    assert gloomy.p_best["it"] == pytest.approx(stats.norm.cdf(-0.1), abs=2e-3)
    assert (sure.best, sure.action) == ("it", "ship")
    assert sure.evpi.value == pytest.approx(0.0, abs=1e-9)


def test_evidence_is_taken_into_account_in_each_case():
    """Two normals of equal width meet halfway."""
    shown = (Evidence(study="look", measures="x", estimate=2.1, se=1.0),)
    gloomy, _ = case_values(parse_question(CASES), shown, seed=3)
    assert gloomy.net_benefit["it"].mean == pytest.approx(1.0, abs=1e-3)


def test_what_a_case_says_is_known_no_result_can_change():
    """Evidence about it is left aside."""
    text = CASES + '[cases.known]\nx = "2"\n'
    shown = (Evidence(study="look", measures="x", estimate=-5.0, se=1.0),)
    known = case_values(parse_question(text), shown, seed=3)[-1]
    assert (known.best, known.action) == ("it", "ship")
    assert known.net_benefit["it"].mean == pytest.approx(2.0)


def test_a_question_without_cases_has_none():
    """Nor is anything drawn."""
    assert case_values(parse_question(NORMAL.format(mean=1))) == ()


def test_a_case_may_leave_out_what_a_study_was_valued_for():
    """An unknown that a case makes known can be measured no more; others still can."""
    worth = Figure(value=1.0, error=0.0)
    gone = StudyValue(name="gone", weeks=0.0, share=0.0, n=0, evsi=worth, cost=0.0, enbs=worth)
    gloomy, _ = case_values(parse_question(CASES), studies=(gone,), seed=3)
    assert gloomy.action != "learn_more"
