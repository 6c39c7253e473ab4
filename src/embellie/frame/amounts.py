"""Amounts and ranges as people write them, in English and in French: `250k to 450k visit/week`, `3,2 %`, `12 000 à 18 000 €`."""

import itertools
import math
import re
from dataclasses import dataclass

from embellie.domain.errors import QuestionError

_SPACES = "\u0020\u00a0\u202f\u2009"
_NUMBER = re.compile(
    rf"""(?P<sign>[+\-−]?)[{_SPACES}]*
    (?P<digits>\d{{1,3}}(?:[{_SPACES}'’]\d{{3}})+(?![\d])(?:[.,]\d+)?   # 300 000,5
      |\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?|\.\d+)
    [{_SPACES}]*(?P<suffix>(?:k|K|Md|Mrd|M|bn|B|m)(?![^\W\d_]))?
    [{_SPACES}]*(?P<percent>%)?""",
    re.VERBOSE,
)
_SUFFIXES = {"k": 1e3, "K": 1e3, "M": 1e6, "Md": 1e9, "Mrd": 1e9, "bn": 1e9, "B": 1e9}
_BETWEEN = re.compile(r"\s+(?:to|à|a)\s+|\s*(?:\.\.+|…|–|—)\s*")
_DASHED = re.compile(r"^\s*\d[\d.,\s]*[kM%]?\s*-\s*\d")
_LEVEL = re.compile(r"^\s*(\d{2})\s*%\s*:\s*(.+)$", re.DOTALL)
_FAMILY = re.compile(r"^(.*?)\s*\(\s*([a-z]+)\s*\)\s*$", re.DOTALL)


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
    """Two points or three, which hold `level` of the belief between the outer ones; `family` when it is named."""

    points: tuple[float, ...]
    unit: str
    percent: bool
    level: float = 0.9
    family: str = ""


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
    if unit and not re.fullmatch(
        r"/?\s*(?:[^\W\d]+|[€$£])(?:\s*/\s*(?:[^\W\d]+|[€$£])|\s+(?:par|per)\s+[^\W\d]+)*", unit
    ):
        return None
    shown = _digits(found["digits"]) * (-1 if found["sign"] in {"-", "−"} else 1)
    suffix = found["suffix"] or ""
    if suffix == "m":
        raise QuestionError(f"`m` in `{text}` is unclear: milli or million?", hint="Write `M` for millions.")
    value = shown * _SUFFIXES.get(suffix, 1.0) / (100.0 if found["percent"] else 1.0)
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
    body, family = _split_family(body)
    if _DASHED.match(body):
        low, high = re.split(r"(?<=[\d%kM\s])-", body, maxsplit=1)
        raise QuestionError(
            f"`{body.strip()}` could be a range or a subtraction.", hint=f"Write `{low.strip()} to {high.strip()}`."
        )
    parts = _BETWEEN.split(body)
    if len(parts) != 2:
        parts = re.split(r"\s*/\s*(?=[+\-−]?\s*\.?\d)", body)
        if len(parts) != 3:
            return None
    amounts = [parse_amount(part) for part in parts]
    if any(amount is None for amount in amounts):
        return None
    return _joined([amount for amount in amounts if amount], text, level, family)


def _split_level(text: str) -> tuple[float, str]:
    found = _LEVEL.match(text)
    return (int(found[1]) / 100, found[2]) if found else (0.9, text)


def _split_family(text: str) -> tuple[str, str]:
    found = _FAMILY.match(text)
    return (found[1], found[2]) if found else (text, "")


def _joined(amounts: list[Amount], text: str, level: float, family: str) -> Range:
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
    return Range(tuple(points), next((a.unit for a in amounts if a.unit), ""), percent, level, family)
