"""A glance beside the whole answer."""

from pathlib import Path

import pytest

from embellie.app.answers.drawn import take_sample
from embellie.app.answers.glancing import Table, calibrated, candidates, glance
from embellie.app.deciding import decide, parse_question, read_question
from embellie.domain.evidence import Evidence
from embellie.domain.verdict import Figure, StudyValue

ROOT = Path(__file__).parents[3]


def row(name, enbs, weeks=0.0):
    return StudyValue(
        name=name,
        weeks=weeks,
        share=0.0,
        n=0,
        evsi=Figure(value=0.0, error=0.0),
        cost=0.0,
        enbs=Figure(value=enbs, error=0.0),
    )


@pytest.fixture(scope="module")
def question():
    """The first question a project is given."""
    return read_question(ROOT / "examples" / "question.toml")


@pytest.fixture(scope="module")
def whole(question):
    """Its whole answer."""
    return decide(question, draws=4096)


def test_a_glance_sees_the_best_scenario_and_evpi(question, whole):
    """As the whole answer does, from the same draws."""
    seen = glance(take_sample(question, draws=4096), (), studied=False)
    assert seen.scenario == whole.best
    assert seen.evpi == whole.evpi
    assert seen.means == {each.scenario: each.net_benefit.mean for each in whole.scenarios}


def test_one_regression_values_a_study_nearly_as_well(question, whole):
    """Within 5 % of EVPI of what the conditional curves say; then calibrated, to the digit."""
    sample = take_sample(question, draws=4096)
    tried = candidates(question, whole.studies)
    assert len({one.found.name for one in tried}) == len(tried) == 3
    for one in calibrated(sample, tried):
        assert abs(one.offset) < 0.05 * whole.evpi.value
        alone = glance(sample, (one,)).learning
        assert alone == pytest.approx(one.found.enbs.value - one.found.enbs.error, rel=1e-9)


def test_the_best_design_of_each_of_the_best_studies_is_tried(question):
    """Those of studies that the question does not have are not."""
    rows = [row("replay_ml", 1.0), row("ab_heuristic", 2.0, 1.0), row("ab_heuristic", 3.0, 2.0), row("gone", 9.0)]
    assert [(one.found.name, one.found.weeks) for one in candidates(question, rows)] == [
        ("ab_heuristic", 2.0),
        ("replay_ml", 0.0),
    ]


def test_a_table_draws_what_a_sample_draws():
    """One unknown and evidence about it: the same belief from points of its own."""
    text = '[unknowns]\nx = "normal(1, 2)"\n[scenarios.a]\nvalue = 0\n[scenarios.b]\nvalue = "x"\n'
    shown = (Evidence(measures="x", estimate=3.0, se=2.0),)
    question = parse_question(text)
    sample = Table(question, shown, draws=4096, seed=1).sample(question)
    assert float(sample.draws.values["x"].mean()) == pytest.approx(2.0, abs=1e-3)
    assert float(sample.draws.values["x"].std()) == pytest.approx(2**0.5, rel=5e-3)


def test_a_study_of_states_is_glanced_at_too():
    """Raiffa's wildcatter: the seismic test brings 2.5 net."""
    question = read_question(ROOT / "examples" / "questions" / "c05-oil-wildcatter.toml")
    studies = decide(question, draws=1024).studies
    seen = glance(take_sample(question, draws=4096), candidates(question, studies))
    assert seen.learning == pytest.approx(2.5, abs=0.05)
    assert seen.action == "learn_more"


def test_what_cannot_be_valued_is_left_out():
    """A transfer that may be 0."""
    text = (
        '[unknowns]\nx = "normal(1, 2)"\nk = "normal(1, 1)"\n[scenarios.a]\nvalue = 0\n[scenarios.b]\nvalue = "x"\n'
        '[studies.look]\nkind = "measurement"\nmeasures = "x"\nse = 1\ntransfer = "k"\n'
    )
    seen = glance(take_sample(parse_question(text), draws=1024), candidates(parse_question(text), [row("look", 1.0)]))
    assert seen.learning == float("-inf")
