"""Telling numbers: figures, changes, amounts and names as English and French write them."""

import math
import re
from collections.abc import Mapping
from typing import Literal

from embellie.domain.money import Told, least_told, told_as, told_end

Language = Literal["en", "fr"]

NARROW_SPACE = "\u202f"
"""French sets it before a percent sign and between thousands."""

_SMALL: Mapping[Told, tuple[str, str]] = {"under": ("under", "moins de"), "about_nothing": ("about", "environ")}

_METRICS_EN = {"click_through": "click-through", "engaged_per_visit": "engaged seconds per visit"}

_METRICS_FR = {
    "engaged_per_visit": "secondes d’attention par visite",
    "articles_per_visit": "articles par visite",
    "reads_per_reader": "lectures par lecteur",
    "click_through": "taux de clic",
    "visits_per_reader": "visites par lecteur",
}


def spoken(language: str) -> Language:
    """Return the language that is spoken for a wanted one: French, or English."""
    return "fr" if language.lower().startswith("fr") else "en"


def metric_name(metric: str, language: str = "en") -> str:
    """Return a metric's name as people say it.

    >>> metric_name("articles_per_visit"), metric_name("articles_per_visit", "fr"), metric_name("orders/sessions")
    ('articles per visit', 'articles par visite', 'orders/sessions')
    """
    names = _METRICS_FR if spoken(language) == "fr" else _METRICS_EN
    if metric in names:
        return names[metric]
    return metric.replace("_", " ") if re.fullmatch(r"[a-z_]+", metric) else metric


def metric_title(metric: str, language: str = "en") -> str:
    """Return a metric's name as it begins a sentence; a column's name stays as it is.

    >>> metric_title("articles_per_visit"), metric_title("orders/sessions")
    ('Articles per visit', 'orders/sessions')
    """
    name = metric_name(metric, language)
    return name[:1].upper() + name[1:] if re.fullmatch(r"[a-z_]+", metric) else name


def number_text(value: float, step: float, language: str = "en", *, signed: bool = False) -> str:
    """Write a number with as many decimals as a range of width `step` deserves.

    >>> number_text(0.0123456, 0.004), number_text(12.3456, 3.0, "fr", signed=True)
    ('0.0123', '+12,3')
    """
    decimals = 2 if not step > 0 else min(12, max(0, 1 - math.floor(math.log10(step))))
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    return localised(text, language)


def percent_text(value: float, step: float, language: str = "en") -> str:
    """Write a signed change, already in per cent.

    >>> percent_text(2.345, 0.3)
    '+2.35 %'
    """
    return number_text(value, step, language, signed=True) + (NARROW_SPACE if spoken(language) == "fr" else " ") + "%"


def share_text(share: float, language: str = "en") -> str:
    """Write a share in per cent, to two significant digits from 1 % down.

    >>> share_text(0.312), share_text(0.00214), share_text(0.95, "fr")
    ('31 %', '0.21 %', '95\u202f%')
    """
    percent = 100 * share
    text = f"{percent:.0f}" if abs(percent) >= 10 else f"{percent:.2g}"
    return localised(f"{text} %", language)


def chance_text(chance: float, language: str = "en") -> str:
    """Write a chance in per cent, never as certain.

    >>> chance_text(0.934), chance_text(0.9999), chance_text(0.0, "fr")
    ('93 %', 'over 99 %', 'moins de 1 %')
    """
    over, under = ("plus de ", "moins de ") if spoken(language) == "fr" else ("over ", "under ")
    word = over if chance > 0.99 else under if chance < 0.01 else ""
    return word + share_text(min(0.99, max(0.01, chance)), language)


def amount_text(amount: float, step: float, language: str = "en", *, currency: str = "", signed: bool = True) -> str:
    """Write an amount of money, rounded as a range of half-width `step` deserves, and a small one as small.

    Without its currency it is an end of a range, and always in figures.

    >>> amount_text(2312.7, 1950, currency="EUR"), amount_text(-432.1, 20)
    ('+2,300 EUR', '−432')
    >>> amount_text(0.0491, 0.02, currency="EUR"), amount_text(0.0491, 0.02)
    ('under 1 EUR', '0')
    """
    rounded, place = _to_its_step(amount, step)
    told = told_as(rounded, least_told())
    if currency and told in _SMALL:
        near = amount_text(least_told() if told == "under" else 0.0, 10.0, language, currency=currency, signed=False)
        return f"{_SMALL[told][spoken(language) == 'fr']} {near}"
    decimals = max(0, -place) if told == "figures" else 0
    rounded = told_end(rounded, least_told())
    text = f"{rounded:{'+' if signed and rounded else ''},.{decimals}f}"
    if spoken(language) == "fr":
        text = text.replace(",", NARROW_SPACE).replace(".", ",")
        currency = currency and NARROW_SPACE + currency
    else:
        currency = currency and f" {currency}"
    return text.replace("-", "−") + currency


def is_told_small(amount: float, step: float) -> bool:
    """Tell whether `amount_text` writes an amount in words: `under 1 EUR`, `about 0 EUR`."""
    return told_as(_to_its_step(amount, step)[0], least_told()) in _SMALL


def _to_its_step(amount: float, step: float) -> tuple[float, int]:
    """Round to the second digit of `step`, to the hundredth at most; return the power of ten it is rounded to, too."""
    place = max(-2, math.floor(math.log10(step)) - 1) if step > 0 else -2
    return round(amount, -place) + 0.0, place


def count_text(value: float, language: str = "en") -> str:
    """Write a whole number.

    >>> count_text(12345)
    '12,345'
    """
    return f"{value:,.0f}".replace(",", NARROW_SPACE if spoken(language) == "fr" else ",")


def p_text(p_value: float, language: str = "en") -> str:
    """Write a p-value with its sign.

    >>> p_text(0.0312), p_text(0.00002)
    ('p = 0.031', 'p < 0.001')
    """
    return localised("p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}", language)


def localised(text: str, language: str = "en") -> str:
    """Set a number's sign, point and percent sign as the language does."""
    text = text.replace("-", "−")
    return text.replace(".", ",").replace(" %", NARROW_SPACE + "%") if spoken(language) == "fr" else text
