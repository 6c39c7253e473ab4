"""Plans of whole questions: what they put in production first, what they learn, and what following them brings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.courses import Courses
from embellie.app.answers.drawn import take_sample
from embellie.app.answers.plans import _trials, make_plan
from embellie.app.answers.studying import Studies
from embellie.app.answers.thinning import thinned
from embellie.app.answers.ways import Ways
from embellie.app.deciding import parse_question, read_question
from embellie.decide.information import evpi
from embellie.decide.judging import value_design
from embellie.decide.looking_ahead import follow, look_ahead
from embellie.frame.valuing import Stage
from embellie.stats.distributions import quantile
from embellie.stats.sampling import by_scramble, numerical_error

EXAMPLES = Path(__file__).parents[3] / "examples"

RELEASE = """
horizon = "52 weeks"
[unknowns]
lift = "normal(0.3, 1.0)"
[scenarios.today]
benefit = "0 EUR/week"
[scenarios.rule]
build = "{build} EUR"
benefit = "lift * 1000 EUR/week"
rollback = "{rollback} EUR"
[studies.test]
kind = "experiment"
measures = "lift"
scenario = "rule"
needs = "rule"
se = 0.2
weeks = [4]
share = [0.5]
cost = "500 EUR"
"""


def planned(question, **options):
    """Return a question's plan, its sample, and its designs valued one by one."""
    sample = take_sample(question, **options)
    studies = Studies(sample, Conditional(sample))
    valued = [value_design(design, sample.draws.net) for design in studies.every_design()]
    return make_plan(sample, studies, valued), sample, valued


@pytest.fixture(scope="module")
def newspaper():
    """The question that `embellie init` writes."""
    return read_question(EXAMPLES / "question.toml")


@pytest.fixture(scope="module")
def surprising():
    """The plan, were the range of what a model may win wide and its tails fat."""
    text = (EXAMPLES / "question.toml").read_text()
    wide = text.replace('"-10 % to 25 %"', '"-40 % to 55 %"\ntails = "fat"')
    assert wide != text
    question = parse_question(wide)
    return question, *planned(question)


@pytest.fixture(scope="module")
def seeded(newspaper):
    """Its plan."""
    return planned(newspaper)


def studies_in(step):
    """Return the studies a plan may run."""
    return {step.study} - {""} | {name for branch in step.branches for name in studies_in(branch.then)}


def leaves(step, chance=1.0):
    """Return each way a plan may end: its chance, its value, and what then is live."""
    found = []
    for branch in step.branches:
        likely = chance * branch.chance
        found += leaves(branch.then, likely) if branch.then.study else [(likely, branch.value, branch.then.live)]
    return found


def test_without_studies_there_is_no_plan(newspaper):
    """Nothing to learn from."""
    assert planned(replace(newspaper, studies={}), draws=1024)[0] is None


def test_the_newspaper_puts_the_simple_rule_in_production_first(seeded):
    """It is cheap and soon taken back: it goes live, is measured there with a part of the readers, and the model waits."""
    plan, _, _ = seeded
    assert (plan.first.live, plan.first.study) == ("heuristic", "ab_heuristic")
    assert plan.first.starts
    assert plan.release == "heuristic"
    assert plan.first.branches[0].then.live == "status_quo"
    assert plan.first.branches[0].then.stops
    assert plan.gain.value > 10 * plan.gain.error
    assert "put it in production and run `ab_heuristic`" in plan.words["en"][0]
    assert 3 <= len(plan.words["en"]) == len(plan.words["fr"]) <= 6


def test_a_costly_rule_is_not_built_before_something_is_learnt(newspaper):
    """A cheap look comes first, and the rule is built only after a good result."""
    plan, _, _ = planned(newspaper.cases["costly_rule"].question)
    assert plan.first.live == "status_quo"
    assert plan.first.study
    assert not newspaper.studies[plan.first.study].needs
    assert plan.release == ""


def test_what_is_dear_to_take_back_is_tested_before_it_goes_live(newspaper):
    """Built and measured with a part of the readers, while everybody else keeps what they have."""
    rule = replace(newspaper.scenarios["heuristic"], rollback="150k EUR")
    plan, _, _ = planned(replace(newspaper, scenarios={**newspaper.scenarios, "heuristic": rule}))
    assert (plan.first.live, plan.first.study) == ("status_quo", "ab_heuristic")


def test_what_is_known_is_not_tested(newspaper):
    """Readers' interest is known: nobody pays for measuring it."""
    plan, _, _ = planned(newspaper.cases["interest_known"].question)
    assert not studies_in(plan.first) & {"ab_heuristic", "by_hand"}
    assert plan.first.live == "heuristic"


def test_a_model_that_may_surprise_is_learnt_about(newspaper, seeded):
    """With fat tails its replay pays after a good test of the simple rule; without, it does not."""
    assert "replay_ml" not in studies_in(seeded[0].first)
    plan, _, _ = planned(newspaper.cases["surprising_model"].question)
    assert plan.first.study == "ab_heuristic"
    assert plan.first.branches[-1].then.study == "replay_ml"
    assert [branch.then.live for branch in plan.first.branches[-1].then.branches] == ["heuristic", "ml"]


def test_very_surprising_models_are_learnt_about_first(surprising):
    """A cheap replay comes before the readers' test, and may lead straight to the model."""
    _, plan, _, _ = surprising
    assert (plan.first.live, plan.first.study) == ("heuristic", "replay_ml")
    assert any(branch.then.live == "ml" for branch in plan.first.branches)
    assert "ab_heuristic" in studies_in(plan.first)


@pytest.mark.parametrize("name", ["seeded", "surprising"])
def test_a_plan_is_the_average_of_its_branches(name, request):
    """Chances add up to one, and chance times value to the plan's value; no rival is worth more beyond the error."""
    plan, sample = request.getfixturevalue(name)[-3:-1]
    ends = leaves(plan.first)
    assert sum(chance for chance, _, _ in ends) == pytest.approx(1.0)
    first = sum(branch.chance * branch.value for branch in plan.first.branches)
    assert first == pytest.approx(plan.value.value)
    assert sum(chance * value for chance, value, _ in ends) == pytest.approx(plan.value.value)
    at_once = float(sample.draws.net.mean(axis=1).max())
    assert plan.value.value == pytest.approx(at_once + plan.gain.value)
    assert plan.gain.value <= evpi(sample.draws.net).value
    assert all(rival.gain.value <= plan.gain.value + plan.gain.error + rival.gain.error for rival in plan.rivals)
    assert [rival.gain.value for rival in plan.rivals if not rival.study] == [0.0]


@pytest.mark.parametrize(("prior", "cost"), [("normal(0.3, 1)", 0), ("0.2 to 3", 1), ("t(4, 0.2, 0.5)", 0)])
def test_one_study_without_time_is_worth_its_enbs(prior, cost):
    """Lump values: the plan of one study is that study, worth what quadrature says."""
    question = parse_question(
        f'[unknowns]\nx = "{prior}"\n[scenarios.nothing]\nvalue = "0"\n[scenarios.act]\nvalue = "x - {cost}"\n'
        '[studies.look]\nkind = "measurement"\nmeasures = "x"\nse = 0.5\ncost = "0.01 EUR"\n'
    )
    plan, _, valued = planned(question)
    assert plan.first.study == "look"
    assert not plan.release
    assert abs(plan.gain.value - valued[0].enbs.value) <= plan.gain.error + valued[0].enbs.error


def test_one_experiment_before_anything_goes_live_is_worth_its_enbs():
    """With flows, a build, a wait and what the test itself earns, as the study valued alone."""
    question = parse_question(RELEASE.format(build=2000, rollback=200_000))
    plan, _, valued = planned(question)
    assert (plan.first.live, plan.first.study) == ("today", "test")
    assert abs(plan.gain.value - valued[0].enbs.value) <= plan.gain.error + valued[0].enbs.error


def test_release_first_when_it_is_free_to_take_back():
    """E[4 weeks of 1000 X, a quarter of the readers without it, then 48 of max(0, X̂)], by the closed form."""
    question = parse_question(RELEASE.format(build=2000, rollback=0))
    plan, _, _ = planned(question)
    assert (plan.first.live, plan.release) == ("rule", "rule")
    sd, z = 1 / np.sqrt(1 + 0.2**2), np.linspace(-8, 8, 20_001)
    weights = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    later = 48 * 1000 * float(weights @ np.maximum(0.3 + sd * z, 0))
    wanted = 4 * 0.75 * 1000 * 0.3 + later - 500 - 52 * 1000 * 0.3
    assert abs(plan.gain.value - wanted) <= plan.gain.error + 1
    assert plan.first.branches[0].high == pytest.approx(-0.3 * 0.2**2, abs=0.02)


def test_a_plan_that_gains_nothing_says_to_act_at_once():
    """The study costs more than it brings: put it live, and name what the next best way would cost."""
    question = parse_question(RELEASE.format(build=2000, rollback=0).replace('"500 EUR"', '"90k EUR"'))
    plan, _, _ = planned(question)
    assert (plan.first.study, plan.first.live, plan.first.starts) == ("", "rule", True)
    assert plan.gain.value == 0
    assert "at once" in plan.words["en"][0]
    assert plan.rivals[0].gain.value < 0


def test_signals_lead_the_oil_wildcatter():
    """Seismic soundings first; no structure, no drilling."""
    plan, _, _ = planned(read_question(EXAMPLES / "questions" / "c05-oil-wildcatter.toml"))
    assert plan.first.study == "seismic"
    assert abs(plan.gain.value - 2.5) <= plan.gain.error
    assert {branch.signals: branch.then.live for branch in plan.first.branches} == {
        ("none",): "no_drilling",
        ("open", "closed"): "drill",
    }
    assert "`open` or `closed`" in " ".join(plan.words["en"])


def test_same_question_same_plan(newspaper, seeded):
    """To the last digit."""
    assert planned(newspaper)[0] == seeded[0]


def test_courses_are_those_of_the_model(newspaper):
    """Worked out once per course of events, or draw by draw: the same money."""
    sample = thinned(take_sample(newspaper, draws=1024), draws=1024)
    courses = Courses(sample)
    for stages, built in [
        ([Stage("heuristic", 0.0)], frozenset()),
        ([Stage("heuristic", 0.0), Stage("status_quo", 6.5)], frozenset()),
        ([Stage("heuristic", 1.0), Stage("ml", 9.0), Stage("heuristic", 60.0)], frozenset()),
        ([Stage("ml", 30.0)], frozenset({"ml", "heuristic"})),
    ]:
        wanted = sample.model.course(sample.named, stages, built=built).net
        assert np.allclose(courses.net(stages, built=built), wanted, rtol=1e-9, atol=1e-6)


def lived(step, world, stages, week, earned, rows, live="status_quo"):
    """Follow a plan as it is told, draw by draw, counting all by hand; return what it brings (rows not reached: 0)."""
    model, named, question, random, noise = world
    if step.live != live:
        stages = [*stages, Stage(step.live, week)]
    if not step.study:
        return np.where(rows, model.course(named, stages or [Stage(live, 0.0)]).net + earned, 0.0)
    study = question.studies[step.study]
    rate = (1 + question.discount) ** (-week / 52.1775)
    waits = max(float(np.mean(model.flow(named, "heuristic").ready)), week) if study.scenario else week
    if study.kind == "experiment":
        assert study.scenario == step.live == "heuristic", "half of the test's readers see the status quo"
        lost = step.share / 2 * model.flow(named, "heuristic").benefit
        earned = earned - lost * (model.tail(waits) - model.tail(waits + step.weeks))
        rate = (1 + question.discount) ** (-waits / 52.1775)
    after = waits + step.weeks + (3.0 if study.delay else 0.0)
    cost = 1000 + 500 * step.weeks if study.kind == "experiment" else 6000
    result = named[study.measures] + noise[step.study] * random.standard_normal(len(rows))
    total = np.zeros(len(rows))
    for branch in step.branches:
        inside = rows & (result >= (-np.inf if branch.low is None else branch.low))
        inside &= result < (np.inf if branch.high is None else branch.high)
        total += lived(branch.then, world, stages, after, earned - cost * rate, inside, step.live)
    return total


def test_following_a_plan_of_two_studies_brings_what_it_says(surprising):
    """In 40,000 fresh truths, with fresh noise; by the thresholds as told, which for a second result lose a little."""
    question, plan, sample, _ = surprising
    random, size = np.random.default_rng(5), 40_000
    scores = sample.beliefs.scores(random.standard_normal((size, len(sample.beliefs.names))))
    values = {
        name: quantile(question.unknowns[name].prior.family, question.unknowns[name].prior.parameters, scores[:, at])
        for at, name in enumerate(sample.beliefs.names)
    }
    model, named = sample.model, sample.model.named(values)
    test = next(branch.then for branch in plan.first.branches if branch.then.study == "ab_heuristic")
    units = 20e6 / (365.25 / 12 / 7) * test.weeks * test.share
    noise = {"ab_heuristic": 2 * 1.2 / np.sqrt(units), "replay_ml": float(np.hypot(0.02, 0.07))}
    assert studies_in(plan.first) == set(noise), "what this test knows how to follow"
    world = (model, named, question, random, noise)
    realised = lived(plan.first, world, [], 0.0, np.zeros(size), np.ones(size, dtype=bool))
    more = realised - model.course(named, [Stage("heuristic", 0.0)]).net
    error = 2 * float(more.std()) / np.sqrt(size)
    assert error < 0.03 * plan.gain.value
    assert 0.92 * plan.gain.value - error <= float(more.mean()) <= plan.gain.value + plan.gain.error + error


def test_following_both_results_together_in_fresh_truths_brings_all_of_it(surprising):
    """In other draws, choosing by both results as they come rather than by thresholds told beforehand."""
    question, plan, sample, valued = surprising

    def ways(sample):
        studies = Studies(sample, Conditional(sample))
        found = Ways(thinned(sample, draws=sample.draws.net.shape[1]), studies, _trials(studies, valued))
        return found.prospects()

    made, fresh = ways(sample), ways(take_sample(question, seed=99))
    outlook = look_ahead(made)
    node = next(node for node in outlook.firsts if made.tests[node.path[0].test].study == plan.first.study)
    stated = outlook.gain(node)
    more = follow(node, made, fresh=fresh) - fresh.settled(())[outlook.best]
    error = numerical_error(by_scramble(more).mean(axis=1))
    assert abs(float(more.mean()) - stated.value) <= error + stated.error
    assert error < 0.03 * stated.value
    assert abs(stated.value - plan.gain.value) <= stated.error + plan.gain.error
