"""The allow-list of formulas: what is allowed computes, all else is refused and never run."""

import numpy as np
import pytest

from embellie.domain.errors import QuestionError
from embellie.frame.formulas import parse_formula

NAMES = ("v", "x", "horizon")
UNITS = {"v": {"visit": 1.0}, "x": {}, "horizon": {"week": 1.0}}

HOSTILE = [
    "__import__('os').system('id')", "().__class__", "v.__class__", "[x for x in v]", "9**9**9**9", "lambda: 1", "v[0]",
    "f'{v}'", "max(v, key=1)", "(v:=3)", "'a'*10**9", "v^2", "True", "None", "...", "v and x", "1 < x < 3", "max(*v)",
    "x; x", "x @ x", "~x", "x // 2", "1j * x", "{x}", "{x: x}", "(x, x)", "not x", "eval(x)", "open(x)", "x if x",
    "await x", "yield x", "*x", "exp", "x.real", "9999999999**99999", "1 / 0", "x in x", "x is x", "globals()",
    "x.__init__.__globals__", "getattr(x, 'a')", "import os", "del x", "x = 3", "`id`", "${x}", "@x", "x\0", "\0", "()",
    "0x10", "0o7", "1_000", "1if x else 2", "1..real", "(1).real", "b'x'", "'\\d'", "x # __import__('os')", "x \\\n+1",
    "x\n+1", "(lambda: x)()", "max(x, 1)(x)", "exp(exp(exp(99)))", "nan", "inf", "1e400", "_0", "n0", "__builtins__",
    "x % 2", "ｅval(x)", "x if x else (yield)", "[x][0]", "x()", "max()", "sqrt(1, 2)",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_formulas_are_refused(text):
    """Nothing outside the list gets through, and the error is ours."""
    with pytest.raises(QuestionError):
        parse_formula(text, names=NAMES, currency="EUR")


@pytest.mark.parametrize("text", ["x" + "+x" * 1500, "(" * 300 + "x" + ")" * 300, "-" * 200 + "x", "+".join("x" * 90)])
def test_long_and_deep_formulas_are_refused_or_harmless(text):
    """Too long or too deep is said; it neither hangs nor breaks the parser."""
    with pytest.raises(QuestionError):
        parse_formula(text, names=NAMES, currency="EUR")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * x + 1", 7.0), ("x if x > 2 else 0", 3.0), ("min(x, 2)", 2.0), ("max(x, 4, 5)", 5.0), ("sqrt(x + 1)", 2.0),
        ("clip(x, 0, 1)", 1.0), ("exp(log(x))", 3.0), ("abs(-x)", 3.0), ("x ** 2", 9.0), ("x > 2", 1.0), ("50 % * x", 1.5),
        ("2k * x", 6000.0), ("horizon / 1 week", 104.0),
    ],
)  # fmt: skip
def test_allowed_formulas_compute(text, value):
    """Each form of the grammar gives its value."""
    formula = parse_formula(text, names=NAMES, currency="EUR")
    assert float(formula.value({"x": np.array(3.0), "v": 2.0, "horizon": 104.0})) == pytest.approx(value)


def test_a_choice_between_branches_evaluates_only_the_chosen_value():
    """The branch not chosen may be undefined."""
    formula = parse_formula("sqrt(x) if x > 0 else 0", names=NAMES, currency="EUR")
    assert formula.value({"x": np.array([-1.0, 4.0])}).tolist() == [0.0, 2.0]


def test_numbers_carry_units():
    """`700 EUR/week * horizon` is money."""
    assert parse_formula("700 €/week * horizon", names=NAMES, currency="EUR").unit(UNITS) == {"EUR": 1.0}


@pytest.mark.parametrize("text", ["v + x", "v + 1", "x if x > v else x", "max(v, x)", "log(v)", "v ** x", "x ** v"])
def test_units_that_do_not_fit_are_refused(text):
    """Sums, comparisons, choices and powers are checked before anything is drawn."""
    with pytest.raises(QuestionError):
        parse_formula(text, names=NAMES, currency="EUR").unit(UNITS)


def test_the_name_an_amount_is_given_to_may_be_its_unit():
    """`visits = "4M visits/month"` is an amount; beside any other name a number is refused."""
    formula = parse_formula("4M v/week", names=NAMES, currency="EUR", own="v")
    assert (float(formula.value({})), formula.unit({})) == (4e6, {"v": 1.0, "week": -1.0})
    with pytest.raises(QuestionError, match=r"Write `4M \* v`"):
        parse_formula("4M v/week", names=NAMES, currency="EUR", own="x")


def test_zero_has_any_unit():
    """`max(v, 0)` needs no unit on its 0."""
    assert parse_formula("max(v, 0)", names=NAMES, currency="EUR").unit(UNITS) == {"visit": 1.0}


def test_a_misspelt_name_is_met_with_the_nearest():
    """The message proposes what was meant."""
    with pytest.raises(QuestionError, match="Did you mean `horizon`"):
        parse_formula("2 * horizn", names=NAMES, currency="EUR")


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("v * x + x", {"v": 1, "x": 1}), ("v * v", {"v": 2}), ("x / v", {"x": 1, "v": 2}), ("-x + 3", {"x": 1}),
        ("x ** 2 + v", {"x": 2, "v": 1}), ("2 ** x", {"x": 2}), ("min(x, 2) * v", {"x": 2, "v": 1}), ("x - x", {"x": 1}),
        ("v if x > 1 else 2 * v", {"v": 1, "x": 2}), ("(x < v) * 1", {"x": 2, "v": 2}), ("2 % + 3 * 4", {}), ("x", {"x": 1}),
    ],
)  # fmt: skip
def test_a_formula_says_in_what_it_is_affine(text, degrees):
    """1 where it is, 2 where it is not or cannot be told; what it does not use is left out."""
    known = {"v": {"v": 1}, "x": {"x": 1}}
    assert parse_formula(text, names=NAMES, currency="EUR").degrees(known) == degrees
