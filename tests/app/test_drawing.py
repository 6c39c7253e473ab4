"""Text pictures: what they show is what the records say, in both languages."""

from dataclasses import replace

import pytest

from embellie.app.deciding import decide, parse_question
from embellie.app.drawing import (
    by_kind,
    case_table,
    case_texts,
    describe_range,
    open_questions,
    tipping_sentences,
    tornado_bars,
)
from embellie.domain.verdict import CaseValue, Figure, Spread, Swing, TippingPoint

QUESTION = parse_question("""\
[unknowns]
lift = { range = "-2 % to 6 %", kind = "reader" }
gain = { range = "10k to 90k EUR", kind = "business" }
crisis = { range = "-15 % to 5 %", kind = "world" }
season = "discrete(1: 50 %, 2: 50 %) visit/week"
[scenarios.nothing]
value = "0 EUR"
[scenarios.rule]
value = "1M EUR * lift * (1 + crisis)"
[scenarios.ml]
value = "3M EUR * lift - gain"
[cases.calm]
crisis = "-1 % to 1 %"
""")


@pytest.fixture(scope="module")
def verdict():
    return decide(QUESTION, draws=512, whole=True)


def swing(name, low, high):
    return Swing(unknown=name, best="ml", rival="rule", at_p05=low, at_p95=high)


def test_a_bar_lies_on_the_side_of_zero_its_ends_lie_on():
    """Left of `┆` the best no longer leads; all bars share one scale."""
    both, above, below = tornado_bars(
        [swing("a", -10.0, 30.0), swing("b", 25.0, 5.0), swing("c", -9.0, -1.0)], currency="EUR", language="en"
    )
    zero = both.index("┆")
    assert [line.index("┆") for line in (above, below)] == [zero, zero]
    assert "░" in both[:zero]
    assert "█" in both[zero:]
    assert "░" not in above
    assert "█" not in below
    assert above.endswith("25 EUR → 5 EUR")


def test_bars_are_as_long_as_their_swings():
    """Thrice the swing, thrice the bar."""
    long, short = tornado_bars([swing("a", 0.0, 30.0), swing("b", 0.0, 10.0)], currency="EUR", language="en")
    assert long.count("█") == pytest.approx(3 * short.count("█"), abs=3)


def test_nothing_swings_nothing():
    """No unknowns, no bars; no swing, no division by zero."""
    assert tornado_bars([], currency="EUR", language="en") == []
    assert "┆" in tornado_bars([swing("a", 0.0, 0.0)], currency="EUR", language="en")[0]


def point(unknown, value, below, above, chance):
    return TippingPoint(unknown=unknown, value=value, below=below, above=above, chance_above=chance)


def test_tipping_points_are_one_sentence_per_unknown():
    """From low to high, in the unit the range is written in."""
    points = [
        point("lift", 0.029, "rule", "ml", 0.43),
        point("lift", 0.005, "nothing", "rule", 0.7),
        point("gain", 40_000, "ml", "rule", 0.2),
    ]
    lift, gain = tipping_sentences(points, QUESTION, language="en")
    assert lift == "lift: `ml` wins above 2.9 % (a chance of 43 %); `nothing` up to 0.5 %, `rule` up to 2.9 %."
    assert gain == "gain: `rule` wins above 40,000 EUR (a chance of 20 %); `ml` up to 40,000 EUR."
    french = tipping_sentences(points, QUESTION, language="fr")[0]
    assert french.startswith("lift : `ml` l'emporte au-dessus de 2,9 % (43 % de chances) ; `nothing` jusqu'à 0,5 %")


def test_kinds_are_heads_and_what_nobody_can_settle_is_last(verdict):
    """Every unknown is under one head."""
    heads = by_kind(verdict.unknowns, "en")
    assert heads[-1][0].startswith("About the world; nobody can settle it")
    assert [unknown.name for unknown in heads[-1][1]] == ["crisis"]
    assert sorted(unknown.name for _, some in heads for unknown in some) == ["crisis", "gain", "lift", "season"]
    assert by_kind(verdict.unknowns, "fr")[-1][0].startswith("Sur le monde")


def test_open_questions_are_named_where_they_count(verdict):
    """As many as the verdict counts."""
    lines = open_questions(verdict, QUESTION, "en")
    for line, value in zip(lines, verdict.scenarios, strict=True):
        name, count, *named = line.split()
        assert (name, int(count)) == (value.scenario, value.open_questions)
        assert len(named) == max(value.open_questions, 1)
    assert lines[0].endswith("none")


def test_cases_stand_side_by_side(verdict):
    """One column for the question as asked, one for each case, the best of each marked; many wrap into blocks."""
    spread = Spread(mean=1000.0, p05=0.0, p50=1.0, p95=2.0)
    case = CaseValue(
        case="calm",
        sets={"crisis": "-1 % to 1 %"},
        action="hold",
        best="rule",
        evpi=Figure(value=5.0, error=0.0),
        net_benefit={"nothing": spread, "rule": spread, "ml": spread},
        p_best={"nothing": 0.2, "rule": 0.5, "ml": 0.3},
    )
    one = replace(verdict, cases=(case,))
    head, nothing, rule, ml, evpi, then = case_table(one, language="en")
    assert head.split() == ["as", "asked", "calm"]
    assert [line.split()[0] for line in (nothing, rule, ml, evpi, then)] == ["nothing", "rule", "ml", "EVPI", "then"]
    assert rule.endswith("* 1,000 EUR")
    assert not ml.endswith("* 1,000 EUR")
    assert then.endswith("hold")
    assert case_texts(one) == ["calm: crisis = -1 % to 1 %"]
    many = replace(verdict, cases=(case,) * 6)
    assert len(case_table(many, language="fr")) == 12
    assert max(len(line) for line in case_table(many, language="fr")) <= 118


def test_a_few_values_are_described_too(verdict):
    """Family, mean and median of every family, in both languages."""
    found = {unknown.name: unknown for unknown in verdict.unknowns}["season"]
    assert "a few values, mean 1.5" in describe_range(QUESTION.unknowns["season"], found.prior, "en")
    assert "quelques valeurs, moyenne 1,5" in describe_range(QUESTION.unknowns["season"], found.prior, "fr")
