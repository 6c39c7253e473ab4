"""What settling each unknown is worth, and how sure that is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import take_sample
from embellie.app.answers.unknown_values import cross_check, value_everything, value_groups, value_unknowns
from embellie.app.deciding import decide, parse_question
from embellie.decide.information import normal_loss
from embellie.domain.evidence import Evidence
from embellie.domain.verdict import Figure

WAITING = """
horizon = "104 weeks"
[unknowns]
visits = "80k to 120k visit/week"
gain = { range = "-1 % to 4 %", tails = "fat" }
more = "-1 % to 3 %"
wait = "10 to 40 weeks"
build = "20k to 60k EUR"
idle = "normal(0, 1)"
[correlations]
"gain ~ more" = 0.4
[groups]
both = ["gain", "more"]
all = ["visits", "gain", "more", "wait", "build"]
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
ready = "wait"
benefit = "base * (gain + more)"
"""


def valued(text, evidence=(), **options):
    sample = take_sample(parse_question(text), evidence, **options)
    conditional = Conditional(sample)
    return {unknown.name: unknown for unknown in value_unknowns(sample, conditional, {})}, sample, conditional


def test_what_is_worth_most_comes_first():
    """And what is in no formula is worth nothing, found by no method."""
    found, _, _ = valued(WAITING)
    worths = [unknown.evppi.value for unknown in found.values()]
    assert worths == sorted(worths, reverse=True)
    assert (found["idle"].method, found["idle"].evppi) == ("none", Figure(value=0.0, error=0.0))


def test_what_could_change_a_thousandth_is_no_open_question():
    """Exact figures tell a euro from nothing; nobody asks for a euro."""
    found, sample, conditional = valued(WAITING)
    everything = value_everything(sample, conditional).value
    assert found["gain"].open
    assert all(unknown.evppi.value > 1e-3 * everything for unknown in found.values() if unknown.open)


def test_only_a_regression_has_a_bracket_and_a_floor():
    """Results on two correlated unknowns leave their law to the draws: what they are worth lies above a lower bound and a floor."""
    evidence = [Evidence(measures="gain", estimate=0.012, se=0.01), Evidence(measures="more", estimate=0.004, se=0.01)]
    found, _, conditional = valued(WAITING, evidence)
    assert conditional.noise_floor() > 0
    for name in ("gain", "more"):
        unknown = found[name]
        assert unknown.method == "spline"
        assert unknown.lower is not None
        slack = unknown.lower.error + unknown.evppi.error
        assert unknown.floor < unknown.lower.value - unknown.lower.error < unknown.evppi.value + slack
        assert unknown.evppi.value - unknown.lower.value < slack + 0.02 * unknown.evppi.value
    plain, _, _ = valued(WAITING)
    assert {unknown.lower for unknown in plain.values()} == {None}
    assert {unknown.floor for unknown in plain.values()} == {0.0}


@pytest.mark.parametrize(
    ("unknowns", "formula", "expected"),
    [
        ('x = "normal(0, 1)"', "x", 0.3989422804),
        ('x = "5% to 20%"', "1e6 * x - 100000", 13_200.3833),
        ('x = "t(4, 0, 1)"', "x", 0.5),
        ('p = "normal(1, 1)"\nq = "normal(0, 2)"', "p - q", 0.4798107063),
        ('p = "normal(1, 1)"\nq = "normal(0, 2)"\n[correlations]\n"p ~ q" = 0.5', "p - q", normal_loss(1, 3**0.5)),
    ],
)
def test_everything_has_a_closed_form_where_one_unknown_or_a_sum_of_normals_is_all(unknowns, formula, expected):
    """To a millionth and within the stated error, with 64 draws."""
    text = f'[unknowns]\n{unknowns}\n[scenarios.o]\nvalue = "0"\n[scenarios.a]\nvalue = "{formula}"'
    _, sample, conditional = valued(text, draws=64)
    found = value_everything(sample, conditional)
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert 0 < found.error < 1e-4 * expected
    assert found.value == pytest.approx(expected, abs=found.error + 1e-8 * expected)


@pytest.mark.parametrize("formula", ["p * q", "p + q ** 2", "max(p, q)"])
def test_what_is_no_sum_of_normals_is_left_to_the_draws(formula):
    """The mean over the draws, and its error."""
    text = f'[unknowns]\np = "normal(1, 1)"\nq = "normal(0, 2)"\n[scenarios.o]\nvalue = "0"\n[scenarios.a]\nvalue = "{formula}"'
    _, sample, conditional = valued(text, draws=1024)
    net = sample.draws.net
    expected = float(net.max(axis=0).mean() - net.mean(axis=1).max())
    assert value_everything(sample, conditional).value == pytest.approx(expected, rel=1e-9)


def test_a_part_of_a_group_is_worth_no_more_than_the_group():
    """0 ≤ EVPPI(gain) ≤ EVPPI(gain and more) ≤ EVPPI of all = EVPI, within the errors."""
    found, sample, conditional = valued(WAITING)
    groups = dict(value_groups(sample, conditional))
    everything = value_everything(sample, conditional)
    steps = [found["more"].evppi, groups["both"], groups["all"]]
    steps.insert(1, found["gain"].evppi)
    for less, more in ((steps[0], steps[2]), (steps[1], steps[2]), (steps[2], steps[3]), (steps[3], everything)):
        assert 0 <= less.value <= more.value + less.error + more.error
    assert groups["all"].value == pytest.approx(everything.value, rel=1e-9)


def test_two_ways_that_disagree_are_told():
    """A figure that the draws do not bear out earns a warning in words; those they do bear out none."""
    found, sample, conditional = valued(WAITING)
    everything = value_everything(sample, conditional)
    assert cross_check(conditional, tuple(found.values()), everything) == ()
    wrong = Figure(value=2 * everything.value, error=1.0)
    [note] = cross_check(conditional, tuple(found.values()), wrong)
    assert note.startswith("Two ways of valuing everything disagree")


@given(
    st.lists(st.floats(-3, 3), min_size=6, max_size=6), st.floats(-2, 2), st.floats(-0.9, 0.9),
    st.floats(1e-3, 1e6), st.floats(-1e6, 1e6), st.permutations(["a", "b", "c"]),
)  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_names_order_currency_and_constants_change_nothing(slopes, level, rho, rate, constant, order):
    """EVPI ≥ EVPPI ≥ 0; the same money for all changes nothing, another currency scales, names and order are words."""

    def asked(names, rate, constant):
        a, b, c = names
        priors = {a: "normal(1, 1)", b: "normal(0, 2)", c: "t(5, 0, 1)"}
        lines = "\n".join(f'{name} = "{priors[name]}"' for name in order_of(names))
        first = f"{slopes[0]:.6f} * {a} + {slopes[1]:.6f} * {b} + {slopes[2]:.6f} * {c}"
        second = f"{slopes[3]:.6f} * {a} + {slopes[4]:.6f} * {b} * {c} + {slopes[5]:.6f} + {level:.6f}"
        text = f"""
        [unknowns]
        {lines}
        [correlations]
        "{a} ~ {b}" = {rho:.4f}
        [scenarios.none]
        value = "{constant:.6f}"
        [scenarios.one]
        value = "({first}) * {rate:.9f} + {constant:.6f}"
        [scenarios.two]
        value = "({second}) * {rate:.9f} + {constant:.6f}"
        """
        found, sample, conditional = valued(text, draws=1024)
        return {name: found[name].evppi for name in names}, value_everything(sample, conditional)

    def order_of(names):
        return [names["abc".index(letter)] for letter in order]

    plain, everything = asked(("a", "b", "c"), 1.0, 0.0)
    moved, _ = asked(("x", "y", "z"), rate, constant)
    for one, other in zip(("a", "b", "c"), ("x", "y", "z"), strict=True):
        slack = plain[one].error + everything.error + 0.02 * everything.value + 1e-9
        assert 0 <= plain[one].value <= everything.value + slack
        room = 1e-9 * (abs(constant) + rate) + moved[other].error
        assert moved[other].value == pytest.approx(rate * plain[one].value, rel=1e-4, abs=room)


def test_an_unknown_that_matters_nothing_is_at_its_floor():
    """Exactly nothing by a curve, and no more than permuted scores are worth by a regression."""
    text = WAITING.replace('benefit = "base * gain"', 'benefit = "base * gain + 0 EUR/week * idle"')
    found, _, _ = valued(text)
    assert found["idle"].evppi.value <= found["idle"].floor + 1e-6
    together = text.replace('"gain ~ more" = 0.4', '"gain ~ more" = 0.4\n"more ~ idle" = 0.0001')
    evidence = [Evidence(measures="gain", estimate=0.01, se=0.02), Evidence(measures="more", estimate=0.0, se=0.02)]
    told, _, _ = valued(together, evidence)
    assert told["idle"].method == "spline"
    assert told["idle"].evppi.value <= told["idle"].floor
    assert not told["idle"].open


def test_one_option_that_dominates_leaves_nothing_open():
    """Whatever is found, the same choice: all are worth 0."""
    text = (
        '[unknowns]\nx = "uniform(0, 1)"\ny = "1 to 4"\n[scenarios.o]\nvalue = "0"\n[scenarios.a]\nvalue = "x * y + 1"'
    )
    found, _, _ = valued(text)
    assert [unknown.evppi.value for unknown in found.values()] == pytest.approx([0, 0], abs=1e-9)
    assert not any(unknown.open for unknown in found.values())


def many(size):
    """Three scenarios with so many unknowns, all normal, two correlated: the differences are normal."""
    rng = np.random.default_rng(size)
    slopes = rng.uniform(-1, 1, (2, size))
    names = [f"u{k}" for k in range(size)]
    lines = "\n".join(f'{name} = "normal(0.1, 1)"' for name in names)
    values = [" + ".join(f"({slope:.6f}) * {name}" for slope, name in zip(row, names, strict=True)) for row in slopes]
    text = f'[unknowns]\n{lines}\n[correlations]\n"u0 ~ u1" = 0.6\n[scenarios.o]\nvalue = "0"\n' + "".join(
        f'[scenarios.s{at}]\nvalue = "{value}"\n' for at, value in enumerate(values)
    )
    return text, np.round(slopes, 6)


@pytest.mark.parametrize("size", [5, 20, 50])
def test_three_scenarios_of_many_unknowns(size):
    """EVPPI of each by the upper envelope of three lines, on a grid of its own; draws do not enter, so that 64 do."""
    text, slopes = many(size)
    found, _, _ = valued(text, draws=64)
    z = np.linspace(-8, 8, 40_001)
    weights = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    for at in range(size):
        felt = slopes[:, at].copy()
        if at < 2:
            felt += 0.6 * slopes[:, 1 - at]
        lines = np.stack([0 * z, *(0.1 * slopes.sum(axis=1)[:, None] + felt[:, None] * z)])
        expected = float(lines.max(axis=0) @ weights - (lines @ weights).max())
        assert found[f"u{at}"].method == "exact"
        assert found[f"u{at}"].evppi.value == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_a_great_many_unknowns_that_bend_are_ranked_first_and_then_held():
    """Sixty of them, each by itself: the greatest by holding it, to what one integral says; the least by a rough curve."""
    size = 60
    names = [f"u{k}" for k in range(size)]
    slopes = [round(0.05 + 2.0 * (k % 17 == 3) + k / 100, 3) for k in range(size)]
    lines = "\n".join(f'{name} = "normal(0, 1)"' for name in names)
    sums = [
        " + ".join(
            f"{slope} * max({name}, -0.5)"
            for slope, name in zip(slopes[at : at + 20], names[at : at + 20], strict=True)
        )
        for at in range(0, size, 20)
    ]
    level = round(sum(slopes) * 0.19779655740, 6)  # E[max(z, -0.5)]
    text = f"""
    [unknowns]
    {lines}
    [formulas]
    one = "{sums[0]}"
    two = "{sums[1]}"
    three = "{sums[2]}"
    [scenarios.o]
    value = "0"
    [scenarios.a]
    value = "one + two + three - {level}"
    """
    found, _, _ = valued(text)
    assert {unknown.method for unknown in found.values()} == {"curve", "spline"}
    z = np.linspace(-8, 8, 40_001)
    weights = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    bent = np.maximum(z, -0.5)
    rest = sum(slopes) * (bent @ weights) - level
    for name, slope in zip(names, slopes, strict=True):
        curve = rest + slope * (bent - bent @ weights)
        expected = np.maximum(curve, 0) @ weights - max(rest, 0)
        if slope > 2:
            assert found[name].method == "curve"
            assert found[name].evppi.value == pytest.approx(expected, rel=0.01)
        else:
            assert found[name].evppi.value == pytest.approx(expected, rel=0.15, abs=0.02)


@pytest.mark.slow
def test_stated_errors_cover_the_truth():
    """Over forty seeds, of a question whose curves rest on draws, a long run lies within 88 to 100 % of the stated intervals."""
    text = WAITING.replace(
        'benefit = "base * (gain + more)"', 'benefit = "base * min(gain + more, 0.05) * (1 - 0.3 * gain)"'
    )
    question = parse_question(text)
    long = decide(question, draws=2**18, seed=999)
    truth = {"evpi": long.evpi} | {unknown.name: unknown.evppi for unknown in long.unknowns}
    names = [name for name, figure in truth.items() if figure.value > 0.02 * truth["evpi"].value]
    hits = dict.fromkeys(names, 0)
    for seed in range(40):
        verdict = decide(question, draws=4096, seed=seed)
        found = {"evpi": verdict.evpi} | {unknown.name: unknown.evppi for unknown in verdict.unknowns}
        for name in names:
            hits[name] += abs(found[name].value - truth[name].value) <= found[name].error + truth[name].error
    assert len(names) >= 3
    assert sum(hits.values()) >= 0.88 * 40 * len(names)
    assert min(hits.values()) >= 32
