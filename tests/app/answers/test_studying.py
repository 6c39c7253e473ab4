"""From studies as they are written to what their designs are worth."""

import numpy as np
import pytest
from scipy import stats

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import take_sample
from embellie.app.answers.studying import Studies
from embellie.app.deciding import decide, parse_question
from embellie.decide.judging import value_design
from embellie.decide.preposterior import RANKS, Noise, Subject, evsi
from embellie.domain.errors import QuestionError
from embellie.frame.valuing import Stage
from embellie.stats.splines import fit_curves

K, HORIZON, BUILD, MEAN, SD, READY = 20_000, 104, 15_000, 0.005, 0.02, 5

BUILT_FIRST = """
horizon = "104 weeks"
[unknowns]
theta = "normal(0.005, 0.02)"
[scenarios.status_quo]
benefit = "0 EUR/week"
[scenarios.treat]
build = "15000 EUR"
ready = "5 weeks"
benefit = "20000 EUR/week * theta"
{more}
[studies.ab]
measures = "theta"
scenario = "treat"
needs = "treat"
sd = 8
traffic = "400000 visit/week"
weeks = [1, 4, 12]
share = 0.5
cost = "2000 EUR + 500 EUR/week"
"""


def loss(m, s):
    """Return the unit normal loss: the EVPI of {0, N(m, s)}."""
    z = abs(m) / s
    return s * (stats.norm.pdf(z) - z * stats.norm.sf(z))


def studies_of(text, **options):
    sample = take_sample(parse_question(text), **options)
    return Studies(sample, Conditional(sample))


def valued(text, **options):
    studies = studies_of(text, **options)
    return [value_design(design, studies.sample.draws.net) for design in studies.every_design()], studies


# what is built before


def test_a_study_that_needs_a_scenario_pays_for_it_and_waits():
    """Build sunk first, five weeks until it is ready, then the test; afterwards it goes live at once, unpaid. Closed form."""
    rows, _ = valued(BUILT_FIRST.format(more=""))
    today = max(0.0, K * (HORIZON - READY) * MEAN - BUILD)
    for row in rows:
        left = HORIZON - READY - row.weeks
        se = 8 * np.sqrt(2 / (400_000 * 0.5 * row.weeks / 2))
        pre = SD**2 / np.hypot(SD, se)
        drift = K * left * MEAN
        expected = (
            max(0, drift) + loss(drift, K * left * pre) + K * row.weeks * 0.25 * MEAN - 2_000 - 500 * row.weeks - BUILD
        )
        assert row.enbs.value == pytest.approx(expected - today, rel=2e-3, abs=2)
        assert row.cost == pytest.approx(BUILD + 2_000 + 500 * row.weeks)


def test_a_study_of_what_is_built_pays_and_waits_for_nothing():
    """As if it needed nothing."""
    free, _ = valued(BUILT_FIRST.format(more="built = true"))
    plain, _ = valued(BUILT_FIRST.format(more="built = true").replace('needs = "treat"\n', ""))
    assert [row.enbs.value for row in free] == [row.enbs.value for row in plain]
    assert free[0].cost == 2_500


def test_a_study_builds_what_its_scenario_is_built_on():
    """The model needs the rule: both are paid, the later of the two is waited for, both stand ready after."""
    studies = studies_of("""
    horizon = "104 weeks"
    [unknowns]
    gain = "normal(0.01, 0.02)"
    [scenarios.status_quo]
    benefit = "0 EUR/week"
    [scenarios.rule]
    build = "10k EUR"
    ready = "4 weeks"
    benefit = "20000 EUR/week * gain"
    [scenarios.model]
    needs = "rule"
    build = "50k EUR"
    ready = "20 weeks"
    benefit = "30000 EUR/week * gain"
    [studies.ab]
    measures = "gain"
    needs = "model"
    scenario = "model"
    se = 0.01
    weeks = 2
    delay = "1 week"
    """)
    design = studies.every_design()[0]
    assert (design.built, design.upfront) == (frozenset({"rule", "model"}), 60_000)
    assert (design.begins, design.ends) == (20.0, 23.0)
    assert design.later_net[1].mean() == pytest.approx(20_000 * 81 * 0.01, rel=1e-9)
    assert design.later_net[2].mean() == pytest.approx(30_000 * 81 * 0.01, rel=1e-9)


def test_what_is_sunk_makes_shipping_cheaper():
    """After building for a test, the scenario is worth its build more than it would be otherwise."""
    design = studies_of(BUILT_FIRST.format(more="")).every_design()[0]
    studies = studies_of(BUILT_FIRST.format(more="").replace('needs = "treat"\n', ""))
    unbuilt = studies.sample.net_after(design.ends - READY)
    assert design.later_net[1].mean() == pytest.approx(unbuilt[1].mean() + BUILD, rel=1e-9)


# what is shown


def test_a_study_of_a_formula_teaches_its_parts():
    """NB = x, the study shows x + y: the posterior mean of x has sd σx²/√(σx² + σy² + se²)."""
    rows, _ = valued("""
    [unknowns]
    x = "normal(0.3, 1)"
    y = "normal(0, 2)"
    [formulas]
    both = "x + y"
    [scenarios.nothing]
    value = "0"
    [scenarios.act]
    value = "x"
    [studies.s]
    kind = "measurement"
    measures = "both"
    se = 0.5
    """)
    assert rows[0].evsi.value == pytest.approx(loss(0.3, 1 / np.sqrt(1 + 4 + 0.25)), rel=0.01)


PROXY = """
[unknowns]
gain = "normal(0.2, 1)"
k = "{k}"
[scenarios.nothing]
value = "0"
[scenarios.act]
value = "gain"
[studies.s]
kind = "offline"
measures = "gain"
transfer = "k"
se = {se}
"""


def test_a_transfer_that_is_known_only_changes_the_scale():
    """The study shows gain / k: its error is k times as large in the unit of the gain."""
    rows, _ = valued(PROXY.format(k="0.4999 to 0.5001", se=1.0))
    assert rows[0].evsi.value == pytest.approx(loss(0.2, 1 / np.hypot(1, 0.5)), rel=0.005)


def test_a_transfer_that_is_not_known_by_direct_integration():
    """Sum over gains, transfers and results, on grids of their own."""
    rows, _ = valued(PROXY.format(k="0.2 to 1", se=0.3))
    z = np.linspace(-5, 5, 71)
    weight = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    gain = 0.2 + z
    k = np.exp(np.log(0.2) / 2 - np.log(0.2) / (2 * 1.6448536269514722) * z)
    shown, joint = (gain[:, None] / k).ravel(), (weight[:, None] * weight).ravel()
    worth = joint * np.repeat(gain, len(k))
    y = np.sinh(np.linspace(-6, 6, 1_001)) * 0.15
    width = np.gradient(y)
    found = sum(
        step * max(0.0, float(worth @ stats.norm.pdf(at, shown, 0.3))) for at, step in zip(y, width, strict=True)
    )
    assert rows[0].evsi.value == pytest.approx(found - 0.2, rel=0.01)
    sure, _ = valued(PROXY.format(k="0.4472 to 0.4473", se=0.3))
    assert rows[0].evsi.value < sure[0].evsi.value


def test_a_transfer_that_may_be_nothing_is_refused():
    """Divided by 0 a study would show anything; the message says what to write."""
    with pytest.raises(QuestionError, match="can be 0 or below") as told:
        valued(PROXY.format(k="normal(0.5, 1)", se=1.0))
    assert "0.3 to 0.9" in told.value.hint


# kinds

KIND = """
[unknowns]
p = "beta(20, 30)"
[scenarios.nothing]
value = "0"
[scenarios.act]
value = "p - 0.4"
[studies.s]
kind = "{kind}"
measures = "p"
{more}
"""


@pytest.mark.parametrize("kind", ["offline", "survey", "fake_door", "expert"])
def test_what_is_no_experiment_is_doubted_aloud(kind):
    """A warning until a bias is given; the bias makes it worth less."""
    (plain,), doubted = valued(KIND.format(kind=kind, more="se = 0.02"))
    (biased,), content = valued(KIND.format(kind=kind, more="se = 0.02\nbias = 0.05"))
    assert any("`bias`" in note and note.startswith("question.toml:8") for note in doubted.warnings)
    assert content.warnings == []
    assert biased.evsi.value < plain.evsi.value


@pytest.mark.parametrize("kind", ["survey", "fake_door"])
def test_answers_of_readers_are_a_yes_or_a_no_unless_said_otherwise(kind):
    """With `n` alone: sd √(p (1 - p)), and that is told; close to the count of as many trials."""
    (told,), studies = valued(KIND.format(kind=kind, more="n = 150\nbias = 0.001"))
    (counted,), _ = valued(KIND.format(kind="count", more="n = 150"))
    assert told.evsi.value == pytest.approx(counted.evsi.value, rel=0.02)
    assert any("a yes or a no" in note for note in studies.warnings)


def test_an_expert_must_say_how_sure():
    """No default stands for an expert's precision."""
    with pytest.raises(QuestionError, match="how precise"):
        valued(KIND.format(kind="expert", more="n = 3"))


def test_an_experiment_without_noise_is_valued_and_that_is_told():
    """One unit as wide as its mean."""
    (row,), studies = valued(KIND.format(kind="experiment", more="n = 40000"))
    assert studies.every_design()[0].noise.se == pytest.approx(2 / 200)
    assert row.n == 40_000
    assert any("`sd = 1` is assumed" in note for note in studies.warnings)


def test_a_signal_of_a_state():
    """The oil wildcatter (Raiffa 1968), as a question: EVSI 12.5, ENBS 2.5."""
    (row,), _ = valued("""
    [unknowns]
    payoff = "discrete(-70: 50 %, 50: 30 %, 200: 20 %)"
    [scenarios.no_drilling]
    value = "0"
    [scenarios.drill]
    value = "payoff"
    [studies.seismic]
    kind = "measurement"
    measures = "payoff"
    cost = "10"
    [studies.seismic.signals]
    none = [0.6, 0.3, 0.1]
    open = [0.3, 0.4, 0.4]
    closed = [0.1, 0.3, 0.5]
    """)
    assert (row.evsi.value, row.enbs.value) == pytest.approx((12.5, 2.5), abs=0.05)


# what a test earns, and its designs


def test_half_of_a_tests_readers_bring_what_the_scenario_brings():
    """K · share / 2 · weeks · E[gain], less its running cost throughout."""
    text = BUILT_FIRST.format(more='run = "100 EUR/week"').replace('needs = "treat"\n', "")
    for design in studies_of(text).every_design():
        assert design.earned == pytest.approx(design.weeks * (K * 0.25 * MEAN - 100), rel=1e-6)


def test_every_design_is_weeks_by_share_by_n():
    """All combinations, in the order written; a valued one leads back to its design."""
    studies = studies_of("""
    [unknowns]
    x = "normal(0, 1)"
    [scenarios.a]
    value = 0
    [scenarios.b]
    value = "x"
    [studies.s]
    measures = "x"
    sd = 1
    weeks = [1, 2]
    share = [0.1, 0.5]
    traffic = "1000 visit/week"
    """)
    designs = studies.every_design()
    assert [(design.weeks, design.share) for design in designs] == [(1, 0.1), (1, 0.5), (2, 0.1), (2, 0.5)]
    row = value_design(designs[2], studies.sample.draws.net)
    assert (studies.chosen(row).weeks, studies.chosen(row).share) == (2, 0.1)


def test_a_question_with_such_studies_is_decided():
    """Through the same door as any other."""
    assert decide(parse_question(BUILT_FIRST.format(more=""))).studies[0].name == "ab"


# a release that may be taken back

RELEASED = """
horizon = "104 weeks"
[unknowns]
gain = "normal(0.004, 0.02)"
[scenarios.status_quo]
benefit = "0 EUR/week"
[scenarios.release]
build = "5000 EUR"
rollback = "{back} EUR"
benefit = "20000 EUR/week * gain"
"""


def released(back, weeks, se):
    """Return what releasing is worth when after some weeks, and a result with that error, it stays or is taken back; and full release."""
    sample = take_sample(parse_question(RELEASED.format(back=back)))
    stays, taken = (
        sample.model.course(sample.named, stages).net
        for stages in (
            [Stage("release", 0.0)],
            [Stage("release", 0.0), Stage("status_quo", weeks)],
        )
    )
    scores, gain = sample.draws.scores["gain"], sample.draws.values["gain"]
    curves = fit_curves(scores, (stays - taken)[None], blocks=8, carrier=gain)
    values = 0.004 + 0.02 * RANKS
    looked = evsi(Subject(curves.at(RANKS, values), values), Noise(se=se)).value
    return max(stays.mean(), taken.mean()) + looked, stays.mean()


@pytest.mark.parametrize("back", [0, 3_000, 40_000])
@pytest.mark.parametrize(("weeks", "se"), [(1.0, 0.02), (4.0, 0.01), (4.0, 1e-4)])
def test_a_release_that_may_be_taken_back_in_closed_form(back, weeks, se):
    """K w m - build + E[max(K (H - w) θ, -rollback) | result], against releasing whatever comes."""
    staged, full = released(back, weeks, se)
    drift = K * (HORIZON - weeks) * 0.004 + back
    pre = K * (HORIZON - weeks) * SD**2 / np.hypot(SD, se)
    expected = K * weeks * 0.004 - 5_000 - back + max(0, drift) + loss(drift, pre)
    assert staged == pytest.approx(expected, rel=2e-3)
    assert full == pytest.approx(K * HORIZON * 0.004 - 5_000, rel=1e-9)
    assert staged >= full


def test_the_dearer_the_way_back_the_less_a_look_is_worth():
    """The option to take back loses value with its price, and none is left when it costs more than it could save."""
    looks = [staged - full for staged, full in (released(back, 4.0, 0.01) for back in (0, 10_000, 40_000, 10**7))]
    assert looks == sorted(looks, reverse=True)
    assert looks[0] > 5_000
    assert looks[-1] == pytest.approx(0.0, abs=1e-3)
