"""Priors: from what a person wrote to one distribution, by the shape of the range or by name."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from embellie.domain.errors import QuestionError, unknown_name
from embellie.domain.question import Distribution, Family
from embellie.frame import states
from embellie.frame.amounts import Range, parse_amount, parse_range
from embellie.frame.units import parse_unit
from embellie.stats.distributions import FAMILIES, Z95, chance_below, fat_tailed, metalog_increases

_LOGIT95 = math.log(19.0)
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
    if named and (named[1] in states.NAMES or named[1] in FAMILIES) and (tails or family):
        raise QuestionError(
            f"`{text}` says all of its shape; `{'tails' if tails else 'family'}` cannot change it.",
            hint="Leave that out, or write a range.",
        )
    if named and named[1] in states.NAMES:
        unit, scale = parse_unit(label := named[3].strip(), currency=currency)
        return Prior(distribution=states.read_states(named[1], named[2]), unit=unit, scale=scale, label=label)
    if named and named[1] in FAMILIES:
        return _from_name(named, currency)
    if named and re.fullmatch(r"[a-z]+", named[1]) and named[1] in {"norm", "gaussian", "student", "lognorm", "gamma"}:
        wrong = unknown_name("distribution", named[1], FAMILIES)
        raise QuestionError(wrong.message, hint=wrong.hint)
    written = parse_range(text)
    if written is None:
        return None
    unit, scale = parse_unit(_unit(written.unit), currency=currency)
    if family and written.family:
        raise QuestionError(f"`{text}` names a family, and `family` does too.", hint="Keep one of them.")
    distribution = _from_range(written, tails, family or written.family, text)
    return Prior(
        distribution=distribution,
        unit=unit,
        scale=scale,
        label=written.unit,
        warnings=tuple(_warnings(distribution, written, text)),
    )


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
    lower = bounds[0] if bounds else -math.inf
    upper = bounds[1] if len(bounds) > 1 else math.inf
    rules = {
        "the three points must rise": p05 < p50 < p95,
        "the lower bound must lie below the first point": lower < p05,
        "the upper bound must lie above the last point": p95 < upper,
        "an upper bound needs a lower one": math.isfinite(lower) or not math.isfinite(upper),
    }
    for problem, kept in rules.items():
        if not kept:
            return problem
    if not metalog_increases(values):
        return "the middle is too close to one end; give a bound, or only the two outer points"
    open_above = math.isfinite(lower) and not math.isfinite(upper)
    if open_above and _growth_of_tail(*(point - lower for point in (p05, p50, p95))) >= 0.9:
        return "it is so wide that its mean is not finite; add an upper bound"
    return ""


def _growth_of_tail(p05: float, p50: float, p95: float) -> float:
    """Return by how much the logarithm grows with the log-odds far out: at 1 and above, the mean is infinite."""
    a2 = math.log(p95 / p05) / (2 * _LOGIT95)
    a3 = math.log(p95 * p05 / p50**2) / (0.9 * _LOGIT95)
    return a2 + a3 / 2


def _from_range(written: Range, tails: str, family: str, text: str) -> Distribution:
    if tails not in {"", "fat", "normal"}:
        raise QuestionError(f"`tails` cannot be `{tails}`.", hint='Write `tails = "fat"`, or leave it out.')
    if family and family not in FAMILIES and family != "fat":
        wrong = unknown_name("family", family, FAMILIES)
        raise QuestionError(wrong.message, hint=wrong.hint)
    if tails == "fat" and family:
        raise QuestionError(f"`{text}` is `{family}` and fat-tailed at once.", hint="Keep one of them.")
    if len(written.points) == 3:
        return _from_three(written, tails, family, text)
    if written.bounds is not None:
        raise QuestionError(f"Bounds go with three points, and `{text}` has two.", hint="Write `3 / 5 / 9 (0 to 10)`.")
    low, high = written.points
    if tails == "fat" or family == "fat":
        return Distribution("t", fat_tailed(*_as_90(low, high, written.level, "t")))
    if family in {"t", "beta", "metalog"}:
        raise QuestionError(
            f"Two points do not make a `{family}`.", hint=f"Write `{family}({', '.join(FAMILIES[family])})`."
        )
    if family == "uniform":
        return _uniform(low, high, written, text)
    chosen = family or ("lognormal" if low > 0 else "normal")
    if chosen == "normal":
        low, high = _as_90(low, high, written.level, "normal")
        return Distribution("normal", ((low + high) / 2, (high - low) / (2 * Z95)))
    _checked(chosen, (low, high), text)
    return _checked(chosen, _as_90(low, high, written.level, chosen), text)


def _uniform(low: float, high: float, written: Range, text: str) -> Distribution:
    """A uniform range has no more outside: its ends are its ends, so it takes no level."""
    if written.level != 0.9:
        raise QuestionError(
            f"`{text}` is uniform, and holds everything between its ends.", hint="Leave out the percentage before it."
        )
    return _checked("uniform", (low, high), text)


def _from_three(written: Range, tails: str, family: str, text: str) -> Distribution:
    """Three points make a metalog, bounded at 0 when all are above it unless the bounds are given."""
    if tails == "fat" or family not in {"", "metalog"}:
        raise QuestionError(
            f"`{text}` has three points, which make a metalog, not `{family or 'fat tails'}`.",
            hint="Give two points for that, or leave it out.",
        )
    bounds = written.bounds
    if bounds is None:
        bounds = (0.0,) if written.points[0] > 0 else ()
    points = _three_as_90(written.points, bounds, written.level)
    return _checked("metalog", (*points, *bounds), text)


def _three_as_90(points: tuple[float, ...], bounds: tuple[float, ...], level: float) -> tuple[float, ...]:
    """Return the 5 %, 50 % and 95 % points of the metalog through three points of another level.

    M(y) = a1 + a2 logit y + a3 (y - 1/2) logit y on the line that the bounds open, as in `stats.distributions`.
    """
    if level == 0.9:
        return points
    _half_width(level)
    if bounds and not (bounds[0] < points[0] and (len(bounds) < 2 or points[2] < bounds[1])):
        return points  # told by the check that follows
    low, middle, high = (_opened(point, bounds) for point in points)
    odds = math.log((1 + level) / (1 - level))
    a2, a3 = (high - low) / (2 * odds), (high + low - 2 * middle) / (level * odds)
    near, far = a2 * _LOGIT95, a3 * 0.45 * _LOGIT95
    return tuple(_closed(point, bounds) for point in (middle - near + far, middle, middle + near + far))


def _opened(point: float, bounds: tuple[float, ...]) -> float:
    if not bounds:
        return point
    return math.log(point - bounds[0]) - (math.log(bounds[1] - point) if len(bounds) > 1 else 0.0)


def _closed(point: float, bounds: tuple[float, ...]) -> float:
    if not bounds:
        return point
    if len(bounds) == 1:
        return bounds[0] + math.exp(point)
    return bounds[0] + (bounds[1] - bounds[0]) / (1 + math.exp(-point))


def _as_90(low: float, high: float, level: float, family: str) -> tuple[float, float]:
    """Widen or narrow a range of another level to the 90 % range of the same family."""
    if level == 0.9:
        return low, high
    factor = Z95 / _half_width(level)

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


def _half_width(level: float) -> float:
    if level not in _HALF_WIDTHS:
        raise QuestionError(f"A range of {level:.0%} is not understood.", hint="Use 50, 80, 90, 95, 98 or 99 %.")
    return _HALF_WIDTHS[level]


def _warnings(distribution: Distribution, written: Range, text: str) -> Iterator[str]:
    """Say what a range implies that its writer may not have meant."""
    family, parameters = distribution.family, distribution.parameters
    if family == "lognormal" and written.percent:
        above = 1 - chance_below(family, parameters, 1.0)
        if above > 0.001:
            hint = f"if it is a share of a whole, write `{text} (logitnormal)`"
            yield f"`{text}` is above 100 % with a chance of {above:.1%}; {hint}."
    if family == "lognormal" and math.log(parameters[1] / parameters[0]) > 4 * Z95**2:
        yield f"`{text}` is so wide that its mean lies above its own 95 % point; give three points, or narrow it."
    if family in {"normal", "t"} and written.points[0] > 0:
        below = chance_below(family, parameters, 0.0)
        if below > 0.005:
            yield f"`{text}` is negative with a chance of {below:.1%} in this family; without it, it is log-normal."
