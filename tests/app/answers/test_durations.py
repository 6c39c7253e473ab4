"""How long studies should run, when to end them, and what is left to learn after."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import take_sample
from embellie.app.answers.durations import flat_tops, prospect, stoppings
from embellie.app.answers.studying import Studies
from embellie.app.deciding import parse_question, read_question
from embellie.decide.information import evpi
from embellie.decide.judging import value_design

EXAMPLES = Path(__file__).parents[3] / "examples"

NEWSPAPER = """
horizon = "104 weeks"
[unknowns]
theta = "normal(0.005, 0.02)"
[scenarios.status_quo]
benefit = "0 EUR/week"
[scenarios.treat]
build = "15000 EUR"
benefit = "20000 EUR/week * theta"
[studies.ab]
measures = "theta"
scenario = "treat"
sd = 8
traffic = "400000 visit/week"
weeks = [1, 4, 12]
share = [0.1, 0.5]
cost = "2000 EUR + 500 EUR/week"
"""


def loss(m, s):
    """Return the unit normal loss: the EVPI of {0, N(m, s)}."""
    z = abs(m) / s
    return s * (stats.norm.pdf(z) - z * stats.norm.sf(z))


def studies_of(question):
    sample = take_sample(question)
    return Studies(sample, Conditional(sample))


@pytest.fixture(scope="module")
def newspaper():
    """The published test of a newspaper, at two shares of its traffic."""
    return studies_of(parse_question(NEWSPAPER))


@pytest.fixture(scope="module")
def first():
    """The question that `embellie init` writes."""
    return studies_of(read_question(EXAMPLES / "question.toml"))


# the flat top


def test_the_best_duration_of_the_newspapers_test(newspaper):
    """Published: 4.0705 weeks, 5 661.59; three to six weeks are worth nearly the same."""
    top = next(top for top in flat_tops(newspaper) if top.share == 0.5)
    assert top.best.enbs == pytest.approx(5_661.59, rel=1e-3)
    assert top.best.weeks == pytest.approx(4.07, abs=0.3)
    assert (round(top.low), round(top.high)) == (3, 6)


def test_every_duration_in_closed_form(newspaper):
    """EVSI of today's decision, and ENBS with its delay."""
    for top in flat_tops(newspaper):
        for found in top.durations:
            left, se = 104 - found.weeks, 8 * np.sqrt(2 / (400_000 * top.share * found.weeks / 2))
            pre, drift = 0.02**2 / np.hypot(0.02, se), 20_000 * left * 0.005 - 15_000
            earned = 20_000 * found.weeks * top.share / 2 * 0.005
            expected = max(0, drift) + loss(drift, 20_000 * left * pre) + earned - 2_000 - 500 * found.weeks
            assert found.enbs == pytest.approx(expected, abs=3)
            assert found.evsi == pytest.approx(loss(-4_600, 20_000 * 104 * pre), rel=2e-3)


def test_the_top_loses_at_most_a_twentieth(newspaper, first):
    """Inside the range ENBS is within 5 % of the best; just outside it is not."""
    for top in (*flat_tops(newspaper), *flat_tops(first)):
        least = top.best.enbs - 0.05 * abs(top.best.enbs)
        weeks = [found.weeks for found in top.durations]
        at = np.interp([top.low, top.high], weeks, [found.enbs for found in top.durations])
        assert weeks == sorted(weeks)
        assert top.low <= top.best.weeks <= top.high
        assert min(at) >= least - 1e-6
        assert all(top.low <= one.weeks <= top.high or one.enbs < least for one in top.durations)
        assert len(weeks) <= 40


def test_durations_agree_with_designs(newspaper, first):
    """Between few weeks of beginning what follows lies on straight lines: within 0.2 % of a design valued by itself."""
    for studies in (newspaper, first):
        net = studies.sample.draws.net
        for top in flat_tops(studies):
            study = studies.question.studies[top.study]
            for found in top.durations[::5]:
                design = studies.design(study, found.weeks, top.share, 0, studies.delay(study))
                row = value_design(design, net)
                assert found.enbs == pytest.approx(row.enbs.value, abs=0.002 * abs(top.best.enbs))
                assert found.evsi == pytest.approx(row.evsi.value, rel=0.002)


@pytest.mark.parametrize("name", ["c06-test-and-roll-website", "c06-test-and-roll-display"])
def test_test_and_roll(name):
    """Feit and Berman (2019): the best test has n* = √(N/4 (s/σ)² + (¾ (s/σ)²)²) - ¾ (s/σ)² in each group."""
    studies = studies_of(read_question(EXAMPLES / "questions" / f"{name}.toml"))
    (study,) = studies.question.studies.values()
    (top,) = flat_tops(studies)
    design = studies.design(study, 1.0, 1.0, 0, 0.0)
    sd = studies.sample.draws.values[study.measures].std() / 2**0.5
    ratio, units = (study.sd / sd) ** 2, design.n * studies.question.horizon_weeks
    best = np.sqrt(units / 4 * ratio + (0.75 * ratio) ** 2) - 0.75 * ratio
    assert top.best.weeks * design.n / 2 == pytest.approx(best, rel=0.1)
    pre = np.sqrt(2) * sd**2 / np.hypot(sd, study.sd / best**0.5)
    assert top.best.enbs == pytest.approx((1 - 2 * best / units) * evpi_of(studies, pre), rel=2e-3)


def evpi_of(studies, pre):
    """Return what choosing with that spread of posterior means brings over the whole horizon, today's choice being worth 0."""
    gain, net = studies.sample.draws.values["difference"], studies.sample.draws.net[1]
    return loss(0.0, pre) * float(np.polyfit(gain, net, 1)[0])


def test_what_never_pays_is_said_to_lose(newspaper):
    """A test that costs more than it can bring: its best is negative, and so is all of its curve."""
    dear = parse_question(NEWSPAPER.replace("2000 EUR", "90k EUR"))
    for top in flat_tops(studies_of(dear)):
        assert top.best.enbs < 0
        assert all(found.enbs <= top.best.enbs for found in top.durations)


def test_only_experiments_that_gain_by_lasting_have_durations(first):
    """A result with a given error, or a given number of units, gains nothing from more weeks."""
    lasting = {name for name, study in first.question.studies.items() if study.kind == "experiment"}
    assert {top.study for top in flat_tops(first)} == lasting
    fixed = parse_question(NEWSPAPER.replace("sd = 8", "se = 0.01"))
    assert flat_tops(studies_of(fixed)) == ()
    assert stoppings(studies_of(fixed)) == ()


def test_what_is_one_of_a_few_states_has_no_durations():
    """Nor has a lump without weeks; a lump with weeks can be tested as long as one likes."""
    states = parse_question(NEWSPAPER.replace("normal(0.005, 0.02)", "discrete(-0.02: 40 %, 0.03: 60 %)"))
    assert flat_tops(studies_of(states)) == ()
    lump = """
    [unknowns]
    x = "normal(0, 1)"
    [scenarios.a]
    value = 0
    [scenarios.b]
    value = "x"
    [studies.s]
    measures = "x"
    sd = 100
    weeks = [1, 2]
    traffic = "1000 visit/week"
    """
    studies = studies_of(parse_question(lump))
    (top,) = flat_tops(studies)
    assert top.best.weeks == top.durations[-1].weeks
    (found,) = stoppings(studies, (top,))
    assert found.enbs.value == pytest.approx(found.fixed, rel=1e-3)


# ending early


def test_when_to_end_the_newspapers_test(newspaper):
    """At its better share, worth more than the best fixed duration, which is that of the flat top."""
    tops = flat_tops(newspaper)
    (found,) = stoppings(newspaper, tops)
    assert found.share == 0.5
    assert found.fixed == pytest.approx(5_661.03, rel=1e-3)
    assert found.enbs.value == pytest.approx(6_919.6, rel=2e-3)
    assert found.enbs.error < 0.01 * found.enbs.value
    assert found.expected_weeks == pytest.approx(4.13, abs=0.1)
    assert found.most_weeks == 52
    assert [one.weeks for one in found.boundaries] == list(range(1, len(found.boundaries) + 1))
    assert found.boundaries[-1].low is None
    assert found.boundaries[0].low < 0.0075 < found.boundaries[0].high


def test_ending_early_is_never_worth_less_than_a_fixed_duration(newspaper, first):
    """Also for the question one starts from."""
    for studies in (newspaper, first):
        tops = flat_tops(studies)
        for found in stoppings(studies, tops):
            best = max(top.best.enbs for top in tops if top.study == found.study)
            assert found.enbs.value >= found.fixed
            assert found.fixed <= best + 0.005 * abs(best)


def test_a_study_that_builds_first_is_ended_early_too():
    """The build is sunk and the wait is counted: worth less than the same test of what is built."""
    ready = NEWSPAPER.replace('build = "15000 EUR"', 'build = "5000 EUR"\nready = "5 weeks"')
    needs = ready.replace('scenario = "treat"', 'scenario = "treat"\nneeds = "treat"')
    (built,) = stoppings(
        studies_of(parse_question(needs.replace('ready = "5 weeks"', 'ready = "5 weeks"\nbuilt = true')))
    )
    (found,) = stoppings(studies_of(parse_question(needs)))
    (row,) = [
        value_design(design, studies.sample.draws.net)
        for studies in [studies_of(parse_question(needs.replace("[1, 4, 12]", "4").replace("[0.1, 0.5]", "0.5")))]
        for design in studies.every_design()
    ]
    assert found.fixed >= row.enbs.value - 1
    assert found.enbs.value >= found.fixed
    assert built.enbs.value != found.enbs.value


# what is left to learn


def test_what_is_left_after_a_study_is_evpi_less_its_evsi(newspaper):
    """The identity of the burn-down; in the single unknown of the newspaper."""
    net = newspaper.sample.draws.net
    for design in newspaper.every_design():
        found, row = prospect(newspaper, design, today=evpi(net)), value_design(design, net)
        assert found.now == evpi(net).value
        assert found.after.mean == pytest.approx(found.now - row.evsi.value, abs=0.002 * found.now)
        assert 0 <= found.after.p05 <= found.after.p50 <= found.after.p95
        assert (found.study, found.weeks, found.share) == ("ab", design.weeks, design.share)


def test_what_is_left_after_a_study_of_one_unknown_among_many(first):
    """Within the numerical error of EVPI, all the others staying as they are."""
    net = first.sample.draws.net
    for design in first.every_design()[:4]:
        found, row = prospect(first, design, today=evpi(net)), value_design(design, net)
        slack = evpi(net).error + row.evsi.error + found.after.error + 0.002 * found.now
        assert found.after.mean == pytest.approx(found.now - row.evsi.value, abs=slack)
        assert found.after.p95 < found.now
