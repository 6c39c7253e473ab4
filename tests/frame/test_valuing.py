"""Cash flows: what a scenario is worth, by hand."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.domain.errors import QuestionError
from embellie.frame.question_file import parse_question
from embellie.frame.units import WEEKS_PER_MONTH
from embellie.frame.valuing import Model, value
from embellie.stats.sampling import normal_scores


def worth(text, scenario, *, delay=0.0, **draws):
    model = Model(parse_question(text))
    found = value({name: np.array([x]) for name, x in draws.items()}, scenario, model=model, delay=delay)
    return float(np.max(found.net)), float(np.max(found.cost))


FLOWS = """horizon = "12 months"
discount = "{discount} %/year"
[scenarios.today]
benefit = "{today} EUR/month"
[scenarios.rule]
build = "500 EUR"
run = "10 EUR/month"
ready = "2 months"
benefit = "100 EUR/month"
[scenarios.model]
needs = "rule"
build = "1000 EUR"
run = "20 EUR/month"
ready = "6 months"
benefit = "300 EUR/month"
"""


def test_flows_begin_when_ready_and_builds_are_paid_at_the_start():
    """Ten months of 100 less 10, less 500."""
    assert worth(FLOWS.format(discount=0, today=0), "rule") == pytest.approx((400.0, 600.0))


def test_until_ready_things_go_on_as_today():
    """Two months of today's 40 come before."""
    assert worth(FLOWS.format(discount=0, today=40), "rule")[0] == pytest.approx(480.0)


def test_a_scenario_takes_over_from_the_one_it_needs():
    """Two months of today, four of the rule, six of the model; both builds, each once."""
    net, cost = worth(FLOWS.format(discount=0, today=40), "model")
    assert net == pytest.approx(2 * 40 + 4 * 90 + 6 * 280 - 1500)
    assert cost == pytest.approx(1500 + 4 * 10 + 6 * 20)


def test_flows_are_discounted_at_the_end_of_each_month():
    """PV = Σ c (1+r)^(-k/12)."""
    expected = sum(90 * 1.08 ** (-k / 12) for k in range(3, 13)) - 500
    assert worth(FLOWS.format(discount=8, today=0), "rule")[0] == pytest.approx(expected)


def test_a_delay_shortens_what_is_left():
    """Begun three months later, the end of the horizon stays."""
    net, _ = worth(FLOWS.format(discount=0, today=40), "rule", delay=3 * WEEKS_PER_MONTH)
    assert net == pytest.approx(5 * 40 + 7 * 90 - 500)


def test_what_is_ready_after_the_horizon_brings_nothing():
    """Only its build is paid."""
    text = FLOWS.format(discount=0, today=0).replace('ready = "2 months"', 'ready = "20 months"')
    assert worth(text, "rule") == pytest.approx((-500.0, 500.0))


def test_one_name_is_one_quantity():
    """X - x is 0 in every draw."""
    text = '[unknowns]\nx = "normal(0, 1)"\n[scenarios.a]\nvalue = 0\n[scenarios.b]\nvalue = "x - x"\n'
    assert worth(text, "b", x=3.0) == (0.0, 0.0)


def test_a_lump_value_is_taken_as_it_is():
    """No time, no discount, no cost."""
    text = (
        'discount = "50 %/year"\n[unknowns]\nx = "normal(0, 1)"\n[scenarios.a]\nvalue = 0\n[scenarios.b]\nvalue = "x"\n'
    )
    assert worth(text, "b", x=3.0) == (3.0, 0.0)


BARE = '[unknowns]\nlift = "1 % to 3 %"\n[scenarios.a]\nbenefit = "0"\n[scenarios.b]\nbenefit = "{benefit}"\n'


def test_a_benefit_without_a_unit_is_taken_as_money_a_month_and_said():
    """A share given as a benefit would otherwise pass for cents without a word; a plain 0 needs none."""
    (note,) = Model(parse_question(BARE.format(benefit="lift"))).notes
    assert note == "`benefit` of `b` has no unit: `lift` is taken as EUR/month."
    assert Model(parse_question(BARE.format(benefit="12"))).notes == []


def test_a_wrong_unit_names_the_unit_of_each_name():
    """So that the one that lacks its unit is seen at once."""
    text = '[quantities]\nvisits = "6M"\n' + BARE.format(benefit="lift * visits * 2 EUR")
    with pytest.raises(QuestionError) as error:
        parse_question(text)
    assert error.value.hint == (
        "Check the units of the names it uses: `lift` is a pure number, `visits` is a pure number."
    )


def test_a_study_that_measures_nothing_is_told_so():
    """Not that the unknown `` does not exist."""
    with pytest.raises(QuestionError, match="Study `ab` does not say what it measures"):
        parse_question(BARE.format(benefit="1") + "[studies.ab]\nse = 0.01\n")


TIMED = """horizon = "12 months"
[unknowns]
wait = "1 to 3 months"
loss = "5 to 30 %/year"
undo = "1k to 5k EUR"
size = "80 to 120 EUR/month"
[scenarios.a]
benefit = "0 EUR/month"
[scenarios.b]
benefit = "size"
ready = "wait"
ramp = "2 * wait"
obsolescence = "loss"
rollback = "undo"
{built}
"""


def test_growth_fading_and_taking_back_are_part_of_what_a_scenario_depends_on():
    """Where it is built, its wait no longer is."""
    assert Model(parse_question(TIMED.format(built=""))).used_by("b") == {"wait", "loss", "undo", "size"}
    text = TIMED.format(built="built = true").replace('ramp = "2 * wait"\n', "")
    assert Model(parse_question(text)).used_by("b") == {"loss", "undo", "size"}


@pytest.mark.parametrize(
    ("field", "written", "expected"),
    [
        ("ramp", "size", "a duration such as weeks"), ("rollback", "size", "EUR is expected"),
        ("obsolescence", "size * wait", "a share per year"), ("obsolescence", "wait", "a share per year"),
        ("ramp", "size / size", "a duration"),
    ],
)  # fmt: skip
def test_units_of_growth_fading_and_taking_back_are_checked(field, written, expected):
    """A ramp is a duration, obsolescence a share per year, rollback money."""
    texts = {"ramp": "2 * wait", "obsolescence": "loss", "rollback": "undo"}
    text = TIMED.format(built="").replace(f'{field} = "{texts[field]}"', f'{field} = "{written}"')
    with pytest.raises(QuestionError, match=expected):
        parse_question(text)


def test_obsolescence_of_all_or_more_is_refused_where_it_is_drawn():
    """A normal range may reach past 100 %; the share of draws is told."""
    text = TIMED.format(built="").replace('"loss"', '"2 * loss"')
    model = Model(parse_question(text))
    draws = {"wait": np.ones(2), "undo": np.ones(2), "size": np.ones(2), "loss": np.array([0.2, 0.6])}
    with pytest.raises(QuestionError, match=r"100 % a year or more in 50.0% of the draws"):
        value(draws, "b", model=model)


def test_each_draw_has_its_own_growth_and_fading():
    """Together as alone, in the units they are written in."""
    model = Model(parse_question(TIMED.format(built="")))
    draws = {
        "wait": np.array([1.0, 3.0]),
        "loss": np.array([0.0, 0.2]),
        "undo": np.ones(2),
        "size": np.array([100.0, 90.0]),
    }
    year = np.arange(0, 12, 0.001) + 0.0005
    expected = [
        float(np.sum(size * np.clip((year - wait) / (2 * wait), 0, 1) * (1 - loss) ** ((year - wait) / 12)) * 0.001)
        for wait, loss, size in zip(draws["wait"], draws["loss"], draws["size"], strict=True)
    ]
    assert value(draws, "b", model=model).net == pytest.approx(expected, rel=1e-4)


# what may be replaced by its mean


AFFINE = """horizon = "24 months"
discount = "6 %/year"
[unknowns]
a = "normal(2, 1)"
b = "normal(3, 1)"
c = "normal(1, 0.2)"
w = "2 to 9 weeks"
[formulas]
{formulas}
[scenarios.today]
benefit = "{today}"
[scenarios.one]
benefit = "{benefit}"
build = "{build}"
run = "{run}"
ready = "{ready}"
"""


def averaged(**given):
    fields = {"formulas": "", "today": "0", "benefit": "0", "build": "0", "run": "0", "ready": "1 week"} | given
    return Model(parse_question(AFFINE.format(**fields))).averaged()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"benefit": "a * b + c"}, "abcw"), ({"benefit": "a * a + b"}, "bcw"), ({"benefit": "f * a", "formulas": 'f = "a + b"'}, "bcw"),
        ({"benefit": "a / b"}, "acw"), ({"benefit": "a / (2 + 3)", "run": "-b"}, "abcw"), ({"benefit": "max(a, b)"}, "cw"),
        ({"benefit": "a if b > 2 else c"}, "acw"), ({"benefit": "a ** 2 + 2 * b"}, "bcw"), ({"build": "exp(a) * b"}, "bcw"),
        ({"ready": "w", "benefit": "a"}, "abc"), ({"today": "a * b", "benefit": "b / c"}, "abw"), ({"benefit": "a - a"}, "abcw"),
        ({"benefit": "f", "formulas": 'g = "b ** c"\nf = "2 * g * a"'}, "aw"),
    ],
)  # fmt: skip
def test_only_unknowns_that_nothing_bends_may_be_averaged(fields, expected):
    """Through products, formulas and time."""
    assert averaged(**fields) == set(expected)


_expressions = st.recursive(
    st.sampled_from(["a", "b", "c", "2", "f"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda parts: "({} {} {})".format(*parts)),
        st.tuples(inner, st.sampled_from(["max({}, {})", "{} / (9 + {} ** 2)", "({} if {} > 2 else 1)"]), inner).map(
            lambda parts: parts[1].format(parts[0], parts[2])
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=60)
@given(
    texts=st.lists(_expressions, min_size=5, max_size=5),
    ready=st.sampled_from(["1 week", "w", "2 * w"]),
    points=st.lists(st.floats(0.5, 4.0), min_size=5, max_size=5),
)
def test_net_benefit_is_halfway_between_its_ends_in_each_averaged_unknown(texts, ready, points):
    """Whatever is written: with all others held fixed."""
    shared = re.sub(r"\bf\b", "3", texts[0])
    text = AFFINE.format(
        formulas=f'f = "{shared}"',
        today=texts[1],
        benefit=texts[2],
        build=texts[3],
        run=texts[4],
        ready=ready,
    )
    model = Model(parse_question(text))
    for name in model.averaged():
        ends = np.array([points[0], (points[0] + points[1]) / 2, points[1]])
        rest = dict(zip("abcw", (points[2], points[3], points[4], 3.0), strict=True))
        draws = {key: ends if key == name else np.full(3, fixed) for key, fixed in rest.items()}
        for scenario in ("today", "one"):
            net = np.broadcast_to(value(draws, scenario, model=model).net, 3)
            assert net[1] == pytest.approx((net[0] + net[2]) / 2, rel=1e-9, abs=1e-9 * np.max(np.abs(net)) + 1e-12)


def test_the_mean_over_independent_averaged_unknowns_is_the_plug_in():
    """E[f(a, b, c)] = f(E a, E b, E c) where f is affine in each."""
    text = AFFINE.format(formulas="", today="0", benefit="a * b * c + b", build="b * c", run="a", ready="w")
    model = Model(parse_question(text))
    assert model.averaged() == {"a", "b", "c"}
    scores = normal_scores(65_536, 3, seed=3)
    draws = {"a": 2 + scores[:, 0], "b": 3 + scores[:, 1], "c": 1 + 0.2 * scores[:, 2], "w": np.array(5.0)}
    means = {"a": np.array([2.0]), "b": np.array([3.0]), "c": np.array([1.0]), "w": np.array(5.0)}
    exact = float(value(means, "one", model=model).net[0])
    assert float(value(draws, "one", model=model).net.mean()) == pytest.approx(exact, rel=1e-4)
