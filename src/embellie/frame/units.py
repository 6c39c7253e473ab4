"""Units: exponents over base units, checked before anything is drawn. Time counts in weeks; money in one currency."""

import re
from collections.abc import Mapping

from embellie.domain.errors import QuestionError

Dimensions = Mapping[str, float]

WEEKS_PER_YEAR = 52.1775
WEEKS_PER_MONTH = WEEKS_PER_YEAR / 12

_TIME = {
    "hour": 1 / 168, "heure": 1 / 168, "day": 1 / 7, "jour": 1 / 7, "journée": 1 / 7, "week": 1.0, "semaine": 1.0,
    "month": WEEKS_PER_MONTH, "mois": WEEKS_PER_MONTH, "quarter": 3 * WEEKS_PER_MONTH, "trimestre": 3 * WEEKS_PER_MONTH,
    "year": WEEKS_PER_YEAR, "an": WEEKS_PER_YEAR, "année": WEEKS_PER_YEAR,
}  # fmt: skip
_FRENCH = {
    "visite": "visit", "lecteur": "reader", "lectrice": "reader", "lecture": "read", "clic": "click", "page": "page",
    "abonnement": "subscription", "abonné": "subscriber", "abonnée": "subscriber", "site": "site", "personne": "person",
}  # fmt: skip
_SIGNS = {
    "€": "EUR", "$": "USD", "£": "GBP", "euro": "EUR", "eur": "EUR", "Euro": "EUR", "dollar": "USD", "usd": "USD",
    "gbp": "GBP", "chf": "CHF",
}  # fmt: skip
_CURRENCIES = frozenset(
    {
        "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "JPY", "KRW",
        "MAD", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RON", "SEK", "SGD", "THB", "TND", "TRY", "USD", "XAF", "XOF",
        "ZAR",
    }
)  # fmt: skip
_THOUSANDS = re.compile(r"([kKM])([A-Z]{3})\Z")
_WORD = re.compile(r"[^\W\d]+\Z|[€$£]\Z")


def currency_code(written: str) -> str:
    """Return the ISO code of a currency as people write it.

    >>> currency_code("€"), currency_code("CHF")
    ('EUR', 'CHF')
    """
    return _SIGNS.get(written, written)


def _base(word: str, currency: str) -> tuple[str, float]:
    """Return the base unit of a word and how many of them it holds."""
    money = _SIGNS.get(word, _SIGNS.get(word.rstrip("s"), word))
    if money in _CURRENCIES or money == currency:
        if money != currency:
            raise QuestionError(
                f"`{word}` is another currency than the question's `{currency}`.",
                hint=f"Convert it and write {currency}.",
            )
        return currency, 1.0
    if (thousands := _THOUSANDS.match(word)) and thousands[2] in _CURRENCIES:
        raise QuestionError(
            f"`{word}` is no unit: the {thousands[1]} belongs to the number.",
            hint=f"Write `60{thousands[1]} {thousands[2]}`.",
        )
    for form in (word, word[:-1] if word.endswith("s") and len(word) > 2 else word):
        if form in _TIME:
            return "week", _TIME[form]
        if form in _FRENCH:
            return _FRENCH[form], 1.0
    return (word[:-1] if word.endswith("s") and len(word) > 3 and not word.endswith("ss") else word), 1.0


def parse_unit(text: str, *, currency: str) -> tuple[dict[str, float], float]:
    """Read a unit such as `visit/month`, `€/visite` or `EUR par semaine`.

    Returns:
        The exponents of its base units, and how many base units one of it holds.

    Raises:
        QuestionError: A part of it is no word, or another currency.

    >>> parse_unit("EUR/week", currency="EUR")
    ({'EUR': 1.0, 'week': -1.0}, 1.0)
    >>> parse_unit("visites", currency="EUR")
    ({'visit': 1.0}, 1.0)
    """
    dimensions: dict[str, float] = {}
    factor = 1.0
    if not text.strip():
        return dimensions, factor
    for place, part in enumerate(re.sub(r"\s+(?:par|per)\s+", "/", f" {text} ").split("/")):
        word, sign = part.strip(), -1.0 if place else 1.0
        if word in {"", "1"} and place == 0:
            continue
        if not _WORD.match(word):
            raise QuestionError(
                f"`{text.strip()}` is no unit.", hint="Write words joined by `/`, such as `visit/month` or `EUR/visit`."
            )
        base, size = _base(word, currency)
        dimensions[base] = dimensions.get(base, 0.0) + sign
        factor *= size**sign
    return cleaned(dimensions), factor


def cleaned(dimensions: Dimensions) -> dict[str, float]:
    """Leave out the base units that cancel."""
    return {name: power for name, power in dimensions.items() if abs(power) > 1e-12}


def times(one: Dimensions, other: Dimensions, power: float = 1.0) -> dict[str, float]:
    """Return the unit of a product, or with `power=-1` of a quotient.

    >>> times({"visit": 1.0}, {"visit": -1.0, "EUR": 1.0})
    {'EUR': 1.0}
    """
    found = dict(one)
    for name, exponent in other.items():
        found[name] = found.get(name, 0.0) + power * exponent
    return cleaned(found)


def unit_text(dimensions: Dimensions) -> str:
    """Write a unit for a message.

    >>> unit_text({"EUR": 1.0, "week": -1.0}), unit_text({})
    ('EUR/week', 'a pure number')
    """
    if not dimensions:
        return "a pure number"
    above = [_power(name, power) for name, power in dimensions.items() if power > 0]
    below = [_power(name, -power) for name, power in dimensions.items() if power < 0]
    return "/".join(["·".join(above) or "1", *below])


def _power(name: str, power: float) -> str:
    return name if power == 1 else f"{name}^{power:g}"
