"""Drawing: what is believed, as small pictures of text and as one self-contained page."""

from collections.abc import Mapping, Sequence

from embellie.app.pictures.voice import Voice
from embellie.decide.hedging import hedges
from embellie.decide.wording import amount, amount_bounded, amount_end, duration, percent, rounded
from embellie.domain.money import least_told, least_worth_told
from embellie.domain.question import Question, Unknown, in_percent
from embellie.domain.verdict import Spread, Swing, TippingPoint, UnknownValue, Verdict
from embellie.frame.valuing import Model
from embellie.stats.distributions import chance_below, spread

_WIDTH = 48
_LEAST = 1e-6
_OVER = {"en": "over", "fr": "sur"}
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


def amount_text(value: float, verdict: Verdict, language: str) -> str:
    """Write an amount of money to three figures; a small one as small."""
    return amount(value, verdict.currency, language, least=least_told(verdict.stake))


def worth_text(value: float, verdict: Verdict, language: str) -> str:
    """Write what learning is worth; what is nothing beside the stake as small."""
    return amount(value, verdict.currency, language, least=least_worth_told(verdict.stake))


def worth_up_to(value: float, verdict: Verdict, language: str) -> str:
    """Write the most that an answer is worth: `up to 8,400 EUR`, `under 100 EUR`."""
    least = least_worth_told(verdict.stake)
    return amount_bounded(value, verdict.currency, language, bound="up_to", least=least)


def percent_text(value: float, language: str) -> str:
    """Write a chance."""
    return percent(value, language)


def weeks_text(weeks: float, language: str) -> str:
    """Write a number of weeks."""
    return duration(weeks, language)


def matters(unknown: UnknownValue, verdict: Verdict) -> bool:
    """Whether an unknown is worth more than these draws find in nothing, and than a millionth of what is at stake."""
    widest = max(value.net_benefit.p95 - value.net_benefit.p05 for value in verdict.scenarios)
    return unknown.evppi.value > max(verdict.noise_floor, unknown.floor, _LEAST * widest)


def ask_text(name: str, question: Question, language: str) -> str:
    """Return the question an unknown asks, in the page's language where nobody wrote one."""
    known = question.unknowns[name]
    return Voice(language, question).ask(name) if "." in name else known.ask


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
    least = least_told(max(-low, high))
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
        lines.append(f"{name:<{widest}}  {''.join(marks)}  {amount(middle, currency, language, least=least)}")
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


def tornado_bars(swings: Sequence[Swing], *, currency: str, language: str) -> list[str]:
    """Draw by how much the best scenario leads the next, from each unknown's p05 to its p95; `┆` stands at 0.

    `█` is where it leads, `░` where it no longer does; the rival stands at the end, where there are several.

    >>> swing = Swing(unknown="lift", best="ml", rival="rule", at_p05=-10.0, at_p95=30.0)
    >>> tornado_bars([swing], currency="EUR", language="en")[0].split("  ")[-1]
    '−10 EUR → 30 EUR'
    """
    ends = [end for swing in swings for end in (swing.at_p05, swing.at_p95)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    step = (high - low) / (_WIDTH - 1) or 1.0
    zero, least = round((0.0 - low) / step), least_told(max(-low, high))
    widest = max((len(swing.unknown) for swing in swings), default=0)
    several = len({swing.rival for swing in swings}) > 1
    lines = []
    for swing in swings:
        first, last = (round((end - low) / step) for end in sorted((swing.at_p05, swing.at_p95)))
        marks = [_mark(place, first, last, zero) for place in range(_WIDTH)]
        one, other = (amount_end(end, currency, language, least=least) for end in (swing.at_p05, swing.at_p95))
        against = f" ({_OVER[language]} {swing.rival})" if several else ""
        lines.append(f"{swing.unknown:<{widest}}  {''.join(marks)}  {one} → {other}{against}")
    return lines


def _mark(place: int, first: int, last: int, zero: int) -> str:
    if place == zero:
        return "┆"
    if not first <= place <= last:
        return " "
    return "█" if place > zero else "░"


def tipping_sentences(points: Sequence[TippingPoint], question: Question, *, language: str) -> list[str]:
    """Say, unknown by unknown, which scenario is best up to where: `ml` wins above 2.9 %."""
    by_unknown: dict[str, list[TippingPoint]] = {}
    for point in sorted(points, key=lambda point: point.value):
        by_unknown.setdefault(point.unknown, []).append(point)
    order = list(dict.fromkeys(point.unknown for point in points))
    return [_tipping_sentence(question.unknowns[name], by_unknown[name], language) for name in order]


def _tipping_sentence(unknown: Unknown, points: Sequence[TippingPoint], language: str) -> str:
    values = [_with_unit(_off_zero(point.value, unknown), unknown, language) for point in points]
    chance = percent(points[-1].chance_above, language)
    last = points[-1].above
    if language == "fr":
        below = [f"`{point.below}` jusqu'à {value}" for point, value in zip(points, values, strict=True)]
        return (
            f"{unknown.name} : `{last}` l'emporte au-dessus de {values[-1]} ({chance} de chances) ; {', '.join(below)}."
        )
    below = [f"`{point.below}` up to {value}" for point, value in zip(points, values, strict=True)]
    return f"{unknown.name}: `{last}` wins above {values[-1]} (a chance of {chance}); {', '.join(below)}."


def _off_zero(value: float, unknown: Unknown) -> float:
    """A thousandth of the range from 0 is 0: no draws tell them apart."""
    _, low, _, high = spread(unknown.prior.family, unknown.prior.parameters)
    return value if abs(value) > 1e-3 * (high - low) else 0.0


def case_table(verdict: Verdict, *, language: str) -> list[str]:
    """Lay the what-if cases side by side: mean net benefit of each scenario, the best marked `*`, and what to do then."""
    words = _CASES[language]
    rows = ["", *(value.scenario for value in verdict.scenarios), "EVPI", words["then"]]
    asked = {value.scenario: value.net_benefit.mean for value in verdict.scenarios}
    columns = [
        [
            words["asked"],
            *_cells(asked, verdict.best, verdict, language),
            worth_text(verdict.evpi.value, verdict, language),
        ]
    ]
    columns[0].append(words[verdict.verdict])
    for case in verdict.cases:
        means = {name: found.mean for name, found in case.net_benefit.items()}
        evpi = worth_text(case.evpi.value, verdict, language)
        columns.append([case.case, *_cells(means, case.best, verdict, language), evpi, words[case.action]])
    lines: list[str] = []
    first = max(len(row) for row in rows)
    for start in range(0, len(columns), _CASES_ABREAST):
        shown = columns[start : start + _CASES_ABREAST]
        widths = [max(len(cell) for cell in column) for column in shown]
        for at, row in enumerate(rows):
            cells = [f"{column[at]:>{width}}" for column, width in zip(shown, widths, strict=True)]
            lines.append(f"{row:<{first}}  {'  '.join(cells)}".rstrip())
    return lines


def case_texts(verdict: Verdict) -> list[str]:
    """Say what each case sets."""
    sets = [(case.case, ", ".join(f"{name} = {text}" for name, text in case.sets.items())) for case in verdict.cases]
    return [f"{name}: {texts}" for name, texts in sets]


def _cells(means: Mapping[str, float], best: str, verdict: Verdict, language: str) -> list[str]:
    names = [value.scenario for value in verdict.scenarios]
    amounts = [amount_text(means[name], verdict, language) for name in names]
    return [f"{'* ' if name == best else ''}{text}" for name, text in zip(names, amounts, strict=True)]


_CASES_ABREAST = 4
_CASES = {
    "en": {
        "asked": "as asked", "then": "then", "ship": "ship", "hold": "hold", "stop": "stop", "learn_more": "learn more",
    },
    "fr": {
        "asked": "telle quelle", "then": "alors", "ship": "mettre en production", "hold": "attendre", "stop": "arrêter",
        "learn_more": "apprendre d'abord",
    },
}  # fmt: skip
_KINDS: dict[str, tuple[str, str]] = {
    "reader": ("About readers", "Sur les lecteurs"),
    "business": ("About the business", "Sur l'économie"),
    "software": ("About the software", "Sur le logiciel"),
    "ml": ("About models", "Sur les modèles"),
    "": ("About other things", "Sur le reste"),
    "world": (
        "About the world; nobody can settle it, so the choice has to bear it",
        "Sur le monde ; personne ne peut trancher, le choix doit donc le supporter",
    ),
}


def by_kind(unknowns: Sequence[UnknownValue], language: str) -> list[tuple[str, list[UnknownValue]]]:
    """Sort unknowns under heads by their kind, each head where its worthiest stands; what nobody can settle comes last."""
    found: dict[str, list[UnknownValue]] = {}
    for unknown in unknowns:
        found.setdefault(unknown.kind if unknown.kind in _KINDS else "", []).append(unknown)
    order = sorted(found, key=lambda kind: kind == "world")
    return [(_KINDS[kind][language == "fr"], found[kind]) for kind in order]


def open_questions(verdict: Verdict, question: Question, language: str) -> list[str]:
    """Say which open questions each scenario depends on."""
    model = Model(question)
    opened = [unknown.name for unknown in verdict.unknowns if unknown.open]
    widest = max(len(value.scenario) for value in verdict.scenarios)
    lines = []
    for value in verdict.scenarios:
        names = [name for name in opened if name in model.used_by(value.scenario)]
        none = {"en": "none", "fr": "aucune"}[language]
        lines.append(f"{value.scenario:<{widest}}  {value.open_questions}  {', '.join(names) if names else none}")
    return lines


def _with_unit(value: float, unknown: Unknown, language: str) -> str:
    text = _as_written(value, unknown, language)
    unit = unknown.label
    return f"{text}{unit}" if unit.startswith("/") else f"{text} {unit}".rstrip()


def _as_written(value: float, unknown: Unknown, language: str) -> str:
    """Write a value as the range is written: in its unit, a share in percent where it is one there."""
    share = in_percent(unknown.written)
    near = rounded(value * 100 if share else value)
    text = f"{near:,.0f}" if abs(near) >= 1000 else f"{near:.4g}"
    if language == "fr":
        text = text.replace(",", "\u202f").replace(".", ",")
    return text.replace("-", "−") + (" %" if share else "")
