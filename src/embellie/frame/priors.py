"""Priors: from what a person wrote to one distribution, by the shape of the range or by name."""

import math
import re
from dataclasses import dataclass

from embellie.domain.errors import QuestionError, unknown_name
from embellie.domain.question import Distribution, Family
from embellie.frame import states
from embellie.frame.amounts import Range, parse_amount, parse_range
from embellie.frame.units import parse_unit
from embellie.stats.distributions import FAMILIES, Z95, chance_below, fat_tailed, metalog_increases

_NAMED = re.compile(r"^\s*([a-z]+)\s*\((.*)\)\s*([^()]*)$", re.DOTALL)
_HALF_WIDTHS = {0.5: 0.6744897501960817, 0.8: 1.2815515655446004, 0.9: Z95, 0.95: 1.959963984540054, 0.98: 2.3263478740408408, 0.99: 2.5758293035489004}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """A distribution, the unit its numbers are in, and what its writer should be told."""

    distribution: Distribution
    unit: dict[str, float]
    scale: float
    label: str
    warnings: tuple[str, ...] = ()


def read_prior(text: str, *, currency: str, tails: str = "", family: str = "") -> Prior | None:
    """Read a range or a named distribution; None when the text is neither.

    One shape, one family: both ends above 0, log-normal; touching 0 or below, normal; three points, a metalog, bounded at 0
    when all are above 0; `tails = "fat"`, Student's t with 4 degrees of freedom through the same two points.

    Raises:
        QuestionError: What it says is no distribution; the message says what to write.

    >>> read_prior("5% to 20%", currency="EUR").distribution
    Distribution(family='lognormal', parameters=(0.05, 0.2))
    >>> read_prior("0 % to 3 %", currency="EUR").distribution.family
    'normal'
    """
    named = _NAMED.match(text)
    if named and named[1] in states.NAMES:
        unit, scale = parse_unit(label := named[3].strip(), currency=currency)
        return Prior(distribution=states.read_states(named[1], named[2]), unit=unit, scale=scale, label=label)
    if named and named[1] in FAMILIES:
        return _from_name(named, currency)
    if named and re.fullmatch(r"[a-z]+", named[1]) and named[1] in {"norm", "gaussian", "student", "lognorm", "gamma"}:
        raise QuestionError(*_two(unknown_name("distribution", named[1], FAMILIES)))
    written = parse_range(text)
    if written is None:
        return None
    unit, scale = parse_unit(_unit(written.unit), currency=currency)
    chosen = family or written.family
    distribution = _from_range(written, tails, chosen, text)
    return Prior(
        distribution=distribution,
        unit=unit,
        scale=scale,
        label=written.unit,
        warnings=_warnings(distribution, text, percent=written.percent),
    )


def _two(error: Exception) -> tuple[str]:
    return (str(error),)


def _unit(text: str) -> str:
    """`%/year` leaves `/year` behind: read it as 1/year."""
    return f"1{text}" if text.startswith("/") else text


def _from_name(named: re.Match[str], currency: str) -> Prior:
    family, label = named[1], named[3].strip()
    expected = FAMILIES[family]
    signature = f"{family}({', '.join(expected)})"
    parts = [part for part in named[2].split(",") if part.strip()]
    least = 3 if family == "metalog" else len(expected)
    if not least <= len(parts) <= len(expected):
        raise QuestionError(
            f"`{named[0].strip()}` has {len(parts)} parameters.", hint=f"Write `{signature}`, decimals with a point."
        )
    values = tuple(_parameter(part, name, signature) for part, name in zip(parts, expected, strict=False))
    checked = _checked(family, values, named[0].strip())
    unit, scale = parse_unit(label, currency=currency)
    return Prior(distribution=checked, unit=unit, scale=scale, label=label)


def _parameter(part: str, name: str, signature: str) -> float:
    given, equals, value = part.rpartition("=")
    if equals and given.strip() != name:
        raise QuestionError(f"`{given.strip()}` stands where `{name}` belongs.", hint=f"Write `{signature}`.")
    bare = value.strip()
    if bare in {"inf", "-inf"}:
        return float(bare)
    amount = parse_amount(bare)
    if amount is None or amount.unit:
        raise QuestionError(f"`{bare}` is no number.", hint=f"Write `{signature}`, the unit after the bracket.")
    return amount.value


def _checked(family: str, values: tuple[float, ...], text: str) -> Distribution:
    """Refuse parameters that make no distribution."""
    low_high = {"uniform", "lognormal", "logitnormal"}
    problem = ""
    if family == "normal" and values[1] <= 0:
        problem = "`sd` must be above 0"
    elif family == "t" and (values[0] <= 1 or values[2] <= 0):
        problem = "`df` must be above 1, so that there is a mean, and `scale` above 0"
    elif family == "beta" and min(values) <= 0:
        problem = "`a` and `b` must be above 0"
    elif family in low_high and values[0] >= values[1]:
        problem = "the first number must be below the second"
    elif family == "lognormal" and values[0] <= 0:
        problem = "a log-normal stays above 0"
    elif family == "logitnormal" and not 0 < values[0] < values[1] < 1:
        problem = "a share stays between 0 and 1"
    elif family == "metalog":
        problem = _metalog_problem(values)
    if problem:
        raise QuestionError(f"`{text}` is no distribution: {problem}.", hint="Change the numbers or the family.")
    return Distribution(_family(family), values)


def _family(name: str) -> Family:
    known: dict[str, Family] = {
        "normal": "normal", "lognormal": "lognormal", "beta": "beta", "uniform": "uniform", "t": "t",
        "logitnormal": "logitnormal", "metalog": "metalog",
    }  # fmt: skip
    return known[name]


def _metalog_problem(values: tuple[float, ...]) -> str:
    p05, p50, p95, *bounds = values
    if not p05 < p50 < p95:
        return "the three points must rise"
    if bounds and not bounds[0] < p05:
        return "the lower bound must lie below the first point"
    if len(bounds) > 1 and not p95 < bounds[1]:
        return "the upper bound must lie above the last point"
    if not metalog_increases(values):
        return "the middle is too close to one end; give a bound, or only the two outer points"
    if len(bounds) == 1 and math.log((p95 - bounds[0]) / (p05 - bounds[0])) / 5.889 >= 0.9:
        return "it is so wide that its mean is not finite; add an upper bound"
    return ""


def _from_range(written: Range, tails: str, family: str, text: str) -> Distribution:
    if tails not in {"", "fat", "normal"}:
        raise QuestionError(f"`tails` cannot be `{tails}`.", hint='Write `tails = "fat"`, or leave it out.')
    if family and family not in FAMILIES and family != "fat":
        wrong = unknown_name("family", family, FAMILIES)
        raise QuestionError(wrong.message, hint=wrong.hint)
    if len(written.points) == 3:
        bounds = (0.0,) if written.points[0] > 0 else ()
        return _checked("metalog", (*written.points, *bounds), text)
    low, high = written.points
    if tails == "fat" or family == "fat":
        return Distribution("t", fat_tailed(*_as_90(low, high, written.level, "t")))
    if family in {"t", "beta", "metalog"}:
        raise QuestionError(
            f"Two points do not make a `{family}`.", hint=f"Write `{family}({', '.join(FAMILIES[family])})`."
        )
    if family == "uniform":
        return _checked("uniform", (low, high), text)
    chosen = family or ("lognormal" if low > 0 else "normal")
    if chosen == "normal":
        low, high = _as_90(low, high, written.level, "normal")
        return Distribution("normal", ((low + high) / 2, (high - low) / (2 * Z95)))
    _checked(chosen, (low, high), text)
    return _checked(chosen, _as_90(low, high, written.level, chosen), text)


def _as_90(low: float, high: float, level: float, family: str) -> tuple[float, float]:
    """Widen or narrow a range of another level to the 90 % range of the same family."""
    if level == 0.9:
        return low, high
    if level not in _HALF_WIDTHS:
        raise QuestionError(f"A range of {level:.0%} is not understood.", hint="Use 50, 80, 90, 95, 98 or 99 %.")
    factor = Z95 / _HALF_WIDTHS[level]

    def stretched(one: float, other: float) -> tuple[float, float]:
        middle, half = (one + other) / 2, (other - one) / 2 * factor
        return middle - half, middle + half

    if family == "lognormal":
        one, other = stretched(math.log(low), math.log(high))
        return math.exp(one), math.exp(other)
    if family == "logitnormal":
        one, other = stretched(math.log(low / (1 - low)), math.log(high / (1 - high)))
        return 1 / (1 + math.exp(-one)), 1 / (1 + math.exp(-other))
    return stretched(low, high)


def _warnings(distribution: Distribution, text: str, *, percent: bool) -> tuple[str, ...]:
    if distribution.family != "lognormal" or not percent:
        return ()
    above = 1 - chance_below(distribution.family, distribution.parameters, 1.0)
    if above <= 0.001:
        return ()
    hint = f"if it is a share of a whole, write `{text} (logitnormal)`"
    return (f"`{text}` is above 100 % with a chance of {above:.1%}; {hint}.",)
