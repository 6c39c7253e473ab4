"""Drawing: what is believed, as small pictures of text and as one self-contained page."""

from collections.abc import Mapping, Sequence

from embellie.decide.hedging import hedges
from embellie.decide.wording import amount, duration, percent, rounded
from embellie.domain.question import Unknown
from embellie.domain.verdict import Spread, Verdict
from embellie.stats.distributions import chance_below

_WIDTH = 48
_FAMILIES = {
    "en": {
        "normal": "normal", "lognormal": "log-normal", "beta": "beta", "uniform": "uniform", "t": "fat-tailed (Student t)",
        "logitnormal": "logit-normal", "metalog": "metalog", "discrete": "a few values",
    },
    "fr": {
        "normal": "normale", "lognormal": "log-normale", "beta": "bêta", "uniform": "uniforme",
        "t": "à queues épaisses (Student)", "logitnormal": "logit-normale", "metalog": "métalog", "discrete": "quelques valeurs",
    },
}  # fmt: skip


def amount_text(value: float, currency: str, language: str) -> str:
    """Write an amount of money to three figures."""
    return amount(value, currency, language)


def percent_text(value: float, language: str) -> str:
    """Write a chance."""
    return percent(value, language)


def weeks_text(weeks: float, language: str) -> str:
    """Write a number of weeks."""
    return duration(weeks, language)


def hedges_text(verdict: Verdict, language: str) -> list[str]:
    """Say how sure a whole answer is, in sentences."""
    return hedges(verdict, language)


def quantile_bars(quantiles: Mapping[str, Sequence[float]], *, currency: str, language: str) -> list[str]:
    """Draw each scenario's quantiles as marks on one common scale; `┆` stands at 0.

    >>> for line in quantile_bars({"a": [-1.0, 0.0, 1.0]}, currency="EUR", language="en"):
    ...     print(line.split("  ")[0])
    a
    """
    low = min(0.0, *(min(values) for values in quantiles.values()))
    high = max(0.0, *(max(values) for values in quantiles.values()))
    step = (high - low) / (_WIDTH - 1) or 1.0
    widest = max(len(name) for name in quantiles)
    lines = []
    for name, values in quantiles.items():
        counts = [0] * _WIDTH
        for value in values:
            counts[round((value - low) / step)] += 1
        marks = [" ▁▂▃▄▅▆▇█"[min(count * 2, 8)] if count else " " for count in counts]
        zero = round((0.0 - low) / step)
        marks[zero] = "┆" if marks[zero] == " " else marks[zero]
        middle = sorted(values)[len(values) // 2]
        lines.append(f"{name:<{widest}}  {''.join(marks)}  {amount(middle, currency, language)}")
    return lines


def describe_range(unknown: Unknown, prior: Spread, language: str) -> str:
    """Say how a range was understood: its family, mean, median, and its chance of being negative."""
    family = _FAMILIES[language][unknown.prior.family]
    below = chance_below(unknown.prior.family, unknown.prior.parameters, 0.0)
    mean, median = (_as_written(value, unknown, language) for value in (prior.mean, prior.p50))
    if language == "fr":
        negative = f", négatif avec {percent(below, language)} de chances" if below else ""
        return f"{unknown.written} : {family}, moyenne {mean}, médiane {median}{negative}"
    negative = f", negative with a chance of {percent(below, language)}" if below else ""
    return f"{unknown.written}: {family}, mean {mean}, median {median}{negative}"


def _as_written(value: float, unknown: Unknown, language: str) -> str:
    """Write a value as the range is written: in its unit, a share in percent where it is one there."""
    share = "%" in unknown.written
    near = rounded(value * 100 if share else value)
    text = f"{near:,.0f}" if abs(near) >= 1000 else f"{near:.4g}"
    if language == "fr":
        text = text.replace(",", "\u202f").replace(".", ",")
    return text.replace("-", "−") + (" %" if share else "")
