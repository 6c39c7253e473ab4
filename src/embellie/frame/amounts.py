"""Amounts and ranges as people write them, in English and in French: `250k to 450k visit/week`, `3,2 %`, `12 000 à 18 000 €`."""

import itertools
import math
import re
from dataclasses import dataclass, replace

from embellie.domain.errors import QuestionError

_SPACES = "\u0020\u00a0\u202f\u2009"
_NUMBER = re.compile(
    rf"""(?P<sign>[+\-−]?)[{_SPACES}]*
    (?P<digits>\d{{1,3}}(?:[{_SPACES}'’]\d{{3}})+(?![\d])(?:[.,]\d+)?   # 300 000,5
      |\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?|\.\d+)
    [{_SPACES}]*(?P<suffix>(?:k|K|Md|Mrd|M|Mio|bn|B|m|thousand|mille|[Mm]illions?|[Mm]illiards?|[Bb]illions?)(?![^\W\d_]))?
    [{_SPACES}]*(?P<percent>%)?""",
    re.VERBOSE,
)
_SUFFIXES = {
    "k": 1e3, "K": 1e3, "thousand": 1e3, "mille": 1e3, "M": 1e6, "Mio": 1e6, "million": 1e6,
    "Md": 1e9, "Mrd": 1e9, "bn": 1e9, "B": 1e9, "milliard": 1e9,
}  # fmt: skip
_UNCLEAR = {
    "m": ("milli or million", "Write `M` for millions."),
    "billion": ("a thousand millions, or a million millions as in French", "Write `bn`, or `Md`, for 1 000 000 000."),
}
_OF = re.compile(r"^(?:d['’]\s*|de\s+|of\s+)")
_PER = re.compile(r"^(?:par|per)\s+")
_UNIT = re.compile(r"/?\s*(?:[^\W\d]+|[€$£])(?:\s*/\s*(?:[^\W\d]+|[€$£])|\s+(?:par|per)\s+[^\W\d]+)*")
_BETWEEN = re.compile(r"\s+(?:to|à|a)\s+|\s*(?:\.\.+|…|–|—)\s*")
_FROM = re.compile(r"^\s*(?:from|de)\s+(?=.*\s(?:to|à)\s)", re.DOTALL)
_BOTH = re.compile(r"^\s*(?:between|entre)\s+(.+?)\s+(?:and|et)\s+(.+)$", re.DOTALL)
_DASHED = re.compile(r"^\s*\d[\d.,\s]*[kM%]?\s*-\s*\d")
_LEVEL = re.compile(r"^\s*(\d{2})\s*%\s*:\s*(.+)$", re.DOTALL)
_BRACKET = re.compile(r"^([^()]*?)\s*\(([^()]*)\)\s*$", re.DOTALL)
_ABOVE = re.compile(r"^(?:above|au-dessus de)\s+")
_UNBOUNDED = frozenset({"unbounded", "sans borne", "sans bornes"})


@dataclass(frozen=True, slots=True)
class Amount:
    """One value, and its unit as written (without `%`, which is folded into the value)."""

    value: float
    unit: str
    percent: bool = False
    suffixed: bool = False
    shown: float = 0.0


@dataclass(frozen=True, slots=True)
class Range:
    """Two points or three, which hold `level` of the belief between the outer ones.

    `family` when it is named; `bounds` (none, a lower one, or both) when they are given.
    """

    points: tuple[float, ...]
    unit: str
    percent: bool
    level: float = 0.9
    family: str = ""
    bounds: tuple[float, ...] | None = None


def _digits(text: str) -> float:
    """Read digits with either decimal sign; refuse what could be read two ways."""
    bare = re.sub(rf"[{_SPACES}'’]", "", text)
    if re.fullmatch(r"[1-9]\d{0,2},\d{3}", bare):
        plain = bare.replace(",", "")
        raise QuestionError(
            f"`{text}` can be read two ways.",
            hint=f"Write {plain} for the thousands, or {bare.replace(',', '.')} for the decimals.",
        )
    if "," in bare and "." in bare:
        thousands = "," if bare.rfind(".") > bare.rfind(",") else "."
        bare = bare.replace(thousands, "")
    if bare.count(",") > 1 or bare.count(".") > 1:
        sign = "," if "," in bare else "."
        if not re.fullmatch(rf"\d{{1,3}}(?:\{sign}\d{{3}})+", bare):
            raise QuestionError(f"`{text}` is no number.", hint="Write 1234567.8 or 1 234 567,8.")
        bare = bare.replace(sign, "")
    return float(bare.replace(",", "."))


def parse_amount(text: str) -> Amount | None:
    """Read one amount, or return None when the text does not begin with a number or goes on as a formula.

    Raises:
        QuestionError: A number that can be read two ways, or the suffix `m`.

    >>> parse_amount("300 000 visites/mois")
    Amount(value=300000.0, unit='visites/mois', percent=False, suffixed=False, shown=300000.0)
    >>> parse_amount("3,2 %").value
    0.032
    """
    found = _NUMBER.match(text.strip())
    if not found:
        return None
    unit = text.strip()[found.end() :].strip()
    suffix = found["suffix"] or ""
    word = suffix.lower().rstrip("s") if len(suffix) > 3 else suffix
    unit = _PER.sub("/", _OF.sub("", unit) if len(suffix) > 3 else unit)
    if unit and not _UNIT.fullmatch(unit):
        return None
    shown = _digits(found["digits"]) * (-1 if found["sign"] in {"-", "−"} else 1)
    if word in _UNCLEAR:
        means, hint = _UNCLEAR[word]
        raise QuestionError(f"`{suffix}` in `{text}` is unclear: {means}?", hint=hint)
    value = shown * _SUFFIXES.get(word, 1.0) / (100.0 if found["percent"] else 1.0)
    if not math.isfinite(value):
        raise QuestionError(f"`{text}` is too large a number.", hint="Write an ordinary one.")
    return Amount(value, unit, percent=bool(found["percent"]), suffixed=bool(suffix), shown=shown)


def parse_range(text: str) -> Range | None:
    """Read a range of two points, or three points set apart by slashes; None when the text is neither.

    Raises:
        QuestionError: A dash between two numbers, points out of order, two units, or an ambiguous suffix.

    >>> parse_range("60k / 110k / 220k EUR").points
    (60000.0, 110000.0, 220000.0)
    >>> parse_range("-0,5 % à 3 %").points
    (-0.005, 0.03)
    """
    level, body = _split_level(text)
    body, inside = _split_bracket(body)
    if _DASHED.match(body):
        low, high = re.split(r"(?<=[\d%kM\s])-", body, maxsplit=1)
        raise QuestionError(
            f"`{body.strip()}` could be a range or a subtraction.", hint=f"Write `{low.strip()} to {high.strip()}`."
        )
    parts = _BETWEEN.split(_BOTH.sub(r"\1 to \2", _FROM.sub("", body)))
    if len(parts) != 2:
        parts = re.split(r"\s*/\s*(?=[+\-−]?\s*\.?\d)", body)
        if len(parts) != 3:
            return None
    amounts = [parse_amount(part) for part in parts]
    if any(amount is None for amount in amounts):
        return None
    found = _joined([amount for amount in amounts if amount], text, level)
    return _with_bracket(found, inside, text) if inside else found


def _split_level(text: str) -> tuple[float, str]:
    found = _LEVEL.match(text)
    return (int(found[1]) / 100, found[2]) if found else (0.9, text)


def _split_bracket(text: str) -> tuple[str, str]:
    found = _BRACKET.match(text)
    return (found[1], found[2].strip()) if found else (text, "")


def _with_bracket(found: Range, inside: str, text: str) -> Range:
    """What stands in brackets after a range names its family, or its bounds."""
    if inside in _UNBOUNDED:
        return replace(found, bounds=())
    if re.fullmatch(r"[a-z]+", inside):
        return replace(found, family=inside)
    parts = [_ABOVE.sub("", inside)] if _ABOVE.match(inside) else _BETWEEN.split(inside)
    amounts = [amount for part in parts if (amount := parse_amount(part)) is not None]
    if len(amounts) != len(parts) or len(parts) > 2 or (len(parts) == 1 and not _ABOVE.match(inside)):
        raise QuestionError(
            f"`({inside})` in `{text}` is neither a family nor bounds.",
            hint="Write `(uniform)`, `(above 0)`, `(0 to 100 %)` or `(unbounded)`.",
        )
    for amount in amounts:
        if found.percent and amount.value and not amount.percent:
            raise QuestionError(
                f"The bound {amount.shown:g} in `{text}` has no %.",
                hint=f"Write `{amount.shown * 100:g} %`, or `{amount.shown:g} %`.",
            )
        if amount.unit and re.sub(r"\s+", "", amount.unit) != re.sub(r"\s+", "", found.unit):
            raise QuestionError(f"`{text}` mixes the units {found.unit}, {amount.unit}.", hint="Write the unit once.")
    return replace(found, bounds=tuple(amount.value for amount in amounts))


def _joined(amounts: list[Amount], text: str, level: float) -> Range:
    units = {re.sub(r"\s+", "", amount.unit) for amount in amounts if amount.unit}
    if len(units) > 1:
        raise QuestionError(f"`{text}` mixes the units {', '.join(sorted(units))}.", hint="Write the unit once.")
    last = amounts[-1]
    if last.suffixed and any(not a.suffixed and 0 < abs(a.shown) < last.shown for a in amounts[:-1]):
        raise QuestionError(
            f"In `{text}` only the last number has a suffix.", hint="Write it on each, as in `250k to 450k`."
        )
    percent = last.percent
    points = [a.value / 100 if percent and not a.percent else a.value for a in amounts]
    if any(low >= high for low, high in itertools.pairwise(points)):
        raise QuestionError(f"The numbers of `{text}` do not rise.", hint="Write the low end first: `3 to 7`.")
    return Range(tuple(points), next((a.unit for a in amounts if a.unit), ""), percent, level)
