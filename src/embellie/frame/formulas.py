"""Formulas: a small allow-list of Python's grammar, walked by hand. Nothing is ever compiled or run as code.

Allowed: numbers (with a unit, `700 EUR/week`), declared names, + - * / **, one comparison, `a if c else b`, and calls to
min, max, sqrt, log, exp, abs and clip without keywords.
"""

import ast
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from embellie.domain.errors import QuestionError, unknown_name
from embellie.frame.amounts import parse_amount
from embellie.frame.units import Dimensions, parse_unit, times, unit_text

Array = npt.NDArray[np.float64]

LONGEST = 2_000
DEEPEST = 60

_LITERAL = re.compile(
    r"(?<![\w.])(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)(?P<suffix>k|Md|M|bn)?(?![\w.])"
    r"(?P<percent>\s*%(?!\s*[\w(.]))?"
    r"(?P<unit>\s*(?P<first>[^\W\d_]+|[€$£])|(?=\s*/))?"
)
_NEXT = re.compile(r"\s*/\s*([^\W\d_]+|[€$£])(?!\w|\()")
_ODD = re.compile(r"[\\#]|(?<![\w.])\d(?![\d.]*(?:[eE]\d*)?(?![\w.]))[\w.]*")
"""What Python would read and nobody means: `1if`, `0x10`, `1_000`, a comment, a line that goes on."""
_SUFFIXES = {"k": 1e3, "M": 1e6, "Md": 1e9, "bn": 1e9}
_WORDS = frozenset(keyword.kwlist)

_OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_COMPARISONS: dict[type[ast.cmpop], Any] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_FUNCTIONS: dict[str, Any] = {
    "min": lambda *a: np.minimum.reduce(np.broadcast_arrays(*a)),
    "max": lambda *a: np.maximum.reduce(np.broadcast_arrays(*a)),
    "sqrt": np.sqrt,
    "log": np.log,
    "exp": np.exp,
    "abs": np.abs,
    "clip": np.clip,
}
_COUNTS = {"min": (2, 20), "max": (2, 20), "sqrt": (1, 1), "log": (1, 1), "exp": (1, 1), "abs": (1, 1), "clip": (3, 3)}
FUNCTIONS = tuple(_FUNCTIONS)


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked expression: its tree, the names it uses, and its numbers with units under names of their own."""

    text: str
    tree: ast.expr
    names: frozenset[str]
    numbers: Mapping[str, tuple[float, Dimensions]] = field(default_factory=dict)

    def value(self, values: Mapping[str, Any]) -> Any:
        """Evaluate over arrays or numbers by name; both branches of an `if` are evaluated, one is chosen."""
        with np.errstate(all="ignore"):
            return self._value(self.tree, values)

    def _value(self, node: ast.expr, values: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - one return per kind of node
        match node:
            case ast.Constant(value=int() | float() as number):
                return np.float64(number)
            case ast.Name(id=name):
                return np.float64(self.numbers[name][0]) if name in self.numbers else values[name]
            case ast.BinOp(left=left, op=op, right=right):
                return _OPERATORS[type(op)](self._value(left, values), self._value(right, values))
            case ast.UnaryOp(op=op, operand=operand):
                inner = self._value(operand, values)
                return -inner if isinstance(op, ast.USub) else inner
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _COMPARISONS[type(op)](self._value(left, values), self._value(right, values)) * 1.0
            case ast.IfExp(test=test, body=body, orelse=other):
                chosen = self._value(test, values) != 0
                return np.where(chosen, self._value(body, values), self._value(other, values))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return _FUNCTIONS[name](*(self._value(argument, values) for argument in arguments))
        raise QuestionError(f"`{self.text}` cannot be evaluated.")

    def degrees(self, known: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
        """Return by unknown whether the value is affine in it with all others held fixed: 1 if it is, 2 if that cannot be told.

        Unknowns it does not depend on are left out. A product adds degrees, a sum takes the larger; where an unknown is
        divided by, raised to a power, compared or given to a function, 2 is said without a closer look.

        Args:
            known: The same, by name, of each name it uses; names left out depend on no unknown.
        """
        return self._degrees(self.tree, known)

    def _degrees(self, node: ast.expr, known: Mapping[str, Mapping[str, int]]) -> dict[str, int]:  # noqa: PLR0911 - one per kind
        match node:
            case ast.Name(id=name):
                return {} if name in self.numbers else dict(known.get(name, {}))
            case ast.UnaryOp(operand=operand):
                return self._degrees(operand, known)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
                return _most([self._degrees(left, known), self._degrees(right, known)])
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                one, other = self._degrees(left, known), self._degrees(right, known)
                return {name: min(one.get(name, 0) + other.get(name, 0), 2) for name in {**one, **other}}
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return _most([self._degrees(left, known), dict.fromkeys(self._degrees(right, known), 2)])
            case ast.IfExp(test=test, body=body, orelse=other):
                chosen = [self._degrees(body, known), self._degrees(other, known)]
                return _most([*chosen, dict.fromkeys(self._degrees(test, known), 2)])
        parts = [part for part in _operands(node) if isinstance(part, ast.expr)]
        return dict.fromkeys(_most([self._degrees(part, known) for part in parts]), 2)

    def unit(self, units: Mapping[str, Dimensions]) -> Dimensions | None:
        """Infer the unit; None means any (a plain 0).

        Raises:
            QuestionError: Two sides of a sum, a comparison or a choice differ in unit.
        """
        return self._unit(self.tree, units)

    def _unit(self, node: ast.expr, units: Mapping[str, Dimensions]) -> Dimensions | None:  # noqa: PLR0911 - as above
        match node:
            case ast.Constant(value=number):
                return None if number == 0 else {}
            case ast.Name(id=name):
                return self.numbers[name][1] if name in self.numbers else units[name]
            case ast.UnaryOp(operand=operand):
                return self._unit(operand, units)
            case ast.BinOp(left=left, op=op, right=right):
                return self._unit_of_operation(left, op, right, units)
            case ast.Compare(left=left, comparators=[right]):
                self._same([left, right], units, "compares")
                return {}
            case ast.IfExp(test=test, body=body, orelse=other):
                self._unit(test, units)
                return self._same([body, other], units, "chooses between")
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._unit_of_call(name, arguments, units)
        return {}

    def _unit_of_operation(
        self, left: ast.expr, op: ast.operator, right: ast.expr, units: Mapping[str, Dimensions]
    ) -> Dimensions | None:
        if isinstance(op, ast.Add | ast.Sub):
            return self._same([left, right], units, "adds" if isinstance(op, ast.Add) else "subtracts")
        one, other = self._unit(left, units), self._unit(right, units)
        if isinstance(op, ast.Pow):
            return self._unit_of_power(one or {}, other or {}, right)
        if one is None:
            return None
        if isinstance(op, ast.Mult):
            return None if other is None else times(one, other)
        return times(one, other or {}, -1.0)

    def _unit_of_power(self, base: Dimensions, exponent: Dimensions, node: ast.expr) -> Dimensions:
        if exponent:
            raise QuestionError(
                f"`{self.text}` has an exponent in {unit_text(exponent)}.", hint="Divide it by its unit."
            )
        if not base:
            return {}
        if not isinstance(node, ast.Constant):
            raise QuestionError(
                f"`{self.text}` raises {unit_text(base)} to a power that is not a plain number.",
                hint="Divide by the unit first, or write the number.",
            )
        return times({}, base, float(node.value))  # type: ignore[arg-type]

    def _unit_of_call(self, name: str, arguments: list[ast.expr], units: Mapping[str, Dimensions]) -> Dimensions | None:
        if name in {"min", "max", "clip"}:
            return self._same(arguments, units, f"gives `{name}`")
        inner = self._unit(arguments[0], units)
        if name == "abs":
            return inner
        if name == "sqrt":
            return times({}, inner or {}, 0.5)
        if inner:
            raise QuestionError(
                f"`{name}` needs a pure number, and `{ast.unparse(arguments[0])}` is in {unit_text(inner)}.",
                hint="Divide it by an amount of the same unit.",
            )
        return {}

    def _same(self, nodes: list[ast.expr], units: Mapping[str, Dimensions], doing: str) -> Dimensions | None:
        known = [(node, unit) for node in nodes if (unit := self._unit(node, units)) is not None]
        for node, unit in known[1:]:
            if dict(unit) != dict(known[0][1]):
                one, other = self._shown(known[0][0]), self._shown(node)
                raise QuestionError(
                    f"`{self.text}` {doing} `{one}` in {unit_text(known[0][1])} and `{other}` in {unit_text(unit)}.",
                    hint="Give both the same unit; a number takes one too, as in `12k EUR`.",
                )
        return known[0][1] if known else None

    def _shown(self, node: ast.expr) -> str:
        text = ast.unparse(node)
        for name, (value, _) in self.numbers.items():
            text = re.sub(rf"\b{name}\b", f"{value:g}", text)
        return text


def _most(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        for name, degree in part.items():
            found[name] = max(degree, found.get(name, 0))
    return found


def parse_formula(text: str, *, names: Iterable[str], currency: str, own: str = "") -> Formula:
    """Read a formula, an amount such as `300 000 EUR/mois`, or a bare name.

    Args:
        text: What was written.
        names: The names it may use.
        currency: The question's currency.
        own: The name this amount is given to: beside its number that word is a unit, as in `visits = "4M visits/month"`.

    Raises:
        QuestionError: Anything outside the allowed grammar, an unknown name, or a number that overflows.

    >>> formula = parse_formula("2 * x + 1", names=["x"], currency="EUR")
    >>> float(formula.value({"x": 3.0}))
    7.0
    """
    known = frozenset(names)
    if len(text) > LONGEST:
        raise QuestionError(f"A formula of {len(text)} signs.", hint=f"Split it under [formulas]: at most {LONGEST}.")
    if text in known:
        return Formula(text, ast.Name(id=text), frozenset([text]))
    whole = _amount(text, known - {own}, currency)
    if whole is not None:
        return Formula(text, ast.Name(id="_0"), frozenset(), {"_0": whole})
    if "^" in text:
        raise QuestionError(f"`^` in `{text}` is no power.", hint="Use `**`.")
    plain, numbers = _with_numbers_named(text, known, currency)
    if odd := _ODD.search(plain):
        raise QuestionError(
            f"`{odd[0]}` in `{_short(text)}` is no part of a formula.", hint="Write numbers as `1000`, and no comment."
        )
    try:
        tree = ast.parse(plain.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise QuestionError(
            f"`{_short(text)}` is no formula.", hint="Write something like `visits * revenue * (1 + x)`."
        ) from None
    _check(tree, known | set(numbers), text)
    used = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)) & known
    formula = Formula(text, tree, used, numbers)
    _check_constants(formula, tree)
    return formula


def _amount(text: str, known: frozenset[str], currency: str) -> tuple[float, Dimensions] | None:
    amount = parse_amount(text)
    if amount is None or amount.unit.split("/")[0].strip() in known:
        return None
    unit, factor = parse_unit(f"1{amount.unit}" if amount.unit.startswith("/") else amount.unit, currency=currency)
    return amount.value * factor, unit


def _with_numbers_named(text: str, known: frozenset[str], currency: str) -> tuple[str, dict[str, tuple[float, Any]]]:
    """Replace each number that has a suffix or a unit by a name of its own."""
    numbers: dict[str, tuple[float, Any]] = {}
    out, at = [], 0
    while found := _LITERAL.search(text, at):
        first = found["first"]
        end = found.end() if first and first not in _WORDS else found.end("percent") if found["percent"] else -1
        end = max(end, found.end("suffix") if found["suffix"] else -1, found.end("number"))
        has_unit = bool(first) and first not in _WORDS
        if has_unit and first in known:
            raise QuestionError(
                f"`{found[0].strip()}` puts a number beside the name `{first}`.",
                hint=f"Write `{found['number']}{found['suffix'] or ''} * {first}`; if it is a unit, name one of the two otherwise.",
            )
        unit = first if has_unit else ""
        while (has_unit or found["percent"]) and (more := _NEXT.match(text, end)) and more[1] not in known | _WORDS:
            unit, end = f"{unit or '1'}/{more[1]}", more.end()
        if not (has_unit or found["percent"] or found["suffix"]):
            out.append(text[at:end])
            at = end
            continue
        dimensions, factor = parse_unit(unit, currency=currency)
        value = float(found["number"]) * _SUFFIXES.get(found["suffix"] or "", 1.0) * factor
        name = f"_{len(numbers)}"
        numbers[name] = (value / 100 if found["percent"] else value, dimensions)
        out.append(f"{text[at : found.start()]} {name} ")
        at = end
    return "".join(out) + text[at:], numbers


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


def _check(tree: ast.expr, known: frozenset[str] | set[str], text: str) -> None:
    """Refuse whatever is not on the list, and trees too deep to walk."""
    level: list[ast.AST] = [tree]
    depth = 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise QuestionError(
                f"`{_short(text)}` is nested more than {DEEPEST} deep.", hint="Split it under [formulas]."
            )
        for node in level:
            _check_node(node, known, text)
        level = [child for node in level for child in _operands(node)]


def _operands(node: ast.AST) -> list[ast.AST]:
    """The parts of a node that are expressions; the name of a function is not one."""
    if isinstance(node, ast.Call):
        return list(node.args)
    return [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]


def _check_node(node: ast.AST, known: frozenset[str] | set[str], text: str) -> None:
    allowed = False
    match node:
        case ast.Constant(value=value):
            allowed = type(value) in {int, float} and -1e300 < value < 1e300  # type: ignore[operator]
        case ast.Name(id=name):
            allowed = True
            if name not in known:
                wrong = unknown_name("name", name, [word for word in known if not word.startswith("_")])
                raise QuestionError(f"{wrong.message[:-1]} in `{_short(text)}`.", hint=wrong.hint)
        case ast.BinOp(op=op):
            allowed = type(op) in _OPERATORS
        case ast.UnaryOp(op=op):
            allowed = isinstance(op, ast.USub | ast.UAdd)
        case ast.Compare(ops=ops):
            allowed = len(ops) == 1 and type(ops[0]) in _COMPARISONS
        case ast.IfExp():
            allowed = True
        case ast.Call(func=func, args=arguments, keywords=keywords):
            allowed = _check_call(func, arguments, keywords, text)
    if not allowed:
        hint = "Allowed: numbers, names, + - * / **, one comparison, `a if c else b`, " + ", ".join(FUNCTIONS) + "."
        if isinstance(node, ast.Tuple):
            hint = "A comma only separates the arguments of a function; write decimals with a point: `3.2`."
        raise QuestionError(f"`{_short(text)}` holds something a formula may not: {_kind(node)}.", hint=hint)


def _check_call(func: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword], text: str) -> bool:
    if not isinstance(func, ast.Name) or keywords or any(isinstance(a, ast.Starred) for a in arguments):
        return False
    if func.id not in _FUNCTIONS:
        wrong = unknown_name("function", func.id, FUNCTIONS)
        raise QuestionError(f"{wrong.message[:-1]} in `{_short(text)}`.", hint=wrong.hint)
    least, most = _COUNTS[func.id]
    if not least <= len(arguments) <= most:
        count = f"{least}" if least == most else f"{least} or more"
        raise QuestionError(f"`{func.id}` takes {count} arguments in `{_short(text)}`.", hint="Count the commas.")
    return True


def _kind(node: ast.AST) -> str:
    words = {
        "Attribute": "a dot after a name", "Subscript": "square brackets", "Lambda": "`lambda`", "ListComp": "a loop",
        "JoinedStr": "text", "NamedExpr": "`:=`", "Tuple": "a comma", "BoolOp": "`and` or `or`", "Call": "a call",
        "Compare": "more than one comparison", "Constant": "a constant that is no ordinary number",
        "BinOp": "another operator", "UnaryOp": "another operator",
    }  # fmt: skip
    return words.get(type(node).__name__, type(node).__name__)


def _check_constants(formula: Formula, tree: ast.expr) -> None:
    """A part without names has one value: it must be finite, so that `9**9**9**9` is refused rather than drawn."""
    for node in ast.walk(tree):
        constant = isinstance(node, ast.BinOp | ast.Call) and not any(
            isinstance(part, ast.Name) and part.id not in formula.numbers and part.id not in _FUNCTIONS
            for part in ast.walk(node)
        )
        if constant and not np.isfinite(Formula(formula.text, node, frozenset(), formula.numbers).value({})):  # type: ignore[arg-type]
            raise QuestionError(
                f"`{_short(ast.unparse(node))}` in `{_short(formula.text)}` has no finite value.",
                hint="Check the powers and the divisions.",
            )
