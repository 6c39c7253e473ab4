"""Wording: the verdict in two sentences that one can act on, in English and in French."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from embellie.domain.money import least_told, least_worth_told, told_as, told_end
from embellie.domain.question import Question
from embellie.domain.verdict import Figure, ScenarioValue, StudyValue, UnknownValue, at_stake

_SPACE = "\u202f"
_UNDER = {"en": "under", "fr": "moins de"}
_ABOUT = {"en": "about", "fr": "environ"}
_BOUNDS = {
    "at_most": {"en": "{} at most", "fr": "au plus {}"},
    "up_to": {"en": "up to {}", "fr": "jusqu'à {}"},
}


def rounded(value: float) -> float:
    """Round to three figures.

    >>> rounded(12345.0), rounded(-0.012345)
    (12300.0, -0.0123)
    """
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, 2 - math.floor(math.log10(abs(value))))


def amount(value: float, currency: str, language: str, *, least: float = 1.0) -> str:
    """Write an amount of money to three significant digits; one below `least` is only said to be small.

    >>> amount(12345.0, "EUR", "en"), amount(0.0491, "EUR", "en"), amount(-0.0491, "EUR", "fr")
    ('12,300 EUR', 'under 1 EUR', 'environ 0 EUR')
    >>> amount(0.398, "EUR", "en", least=0.001), amount(40.0, "EUR", "fr", least=100.0)
    ('0.398 EUR', 'moins de 100 EUR')
    """
    told = told_as(value, least)
    if told == "under":
        return f"{_UNDER[language]} {_figures(least, language, least)} {currency}"
    if told == "figures":
        return f"{_figures(value, language, least)} {currency}"
    return f"{_ABOUT[language]} 0 {currency}" if told == "about_nothing" else f"0 {currency}"


def amount_end(value: float, currency: str, language: str, *, least: float = 1.0) -> str:
    """Write an end of a range of amounts, always in figures.

    >>> amount_end(-0.2, "EUR", "en"), amount_end(0.7, "EUR", "en")
    ('0 EUR', '1 EUR')
    """
    return amount(told_end(value, least), currency, language, least=least)


def amount_bounded(
    value: float, currency: str, language: str, *, bound: Literal["at_most", "up_to"], least: float = 1.0
) -> str:
    """Write an amount as a bound; what is under the least amount told is one already.

    >>> amount_bounded(26_100.0, "EUR", "en", bound="at_most"), amount_bounded(0.0491, "EUR", "en", bound="at_most")
    ('26,100 EUR at most', 'under 1 EUR')
    """
    text = amount(value, currency, language, least=least)
    return text if told_as(value, least) == "under" else _BOUNDS[bound][language].format(text)


def _figures(value: float, language: str, least: float) -> str:
    """Write three figures, none finer than the hundredth of the currency, unless all that is at stake is that small."""
    near = round(rounded(value), max(2, -math.floor(math.log10(least))))
    text = f"{near:,.0f}" if abs(near) >= 100 else f"{near:,.3g}"
    if language == "fr":
        text = text.replace(",", _SPACE).replace(".", ",")
    return text.replace("-", "−")


def percent(value: float, language: str) -> str:
    """Write a share of one.

    >>> percent(0.734, "en")
    '73 %'
    """
    shown = "100" if value > 0.995 else "0" if value < 0.005 else f"{value * 100:.0f}"
    near = (value > 0.995 and value < 1) or 0 < value < 0.005
    sign = {"en": "about ", "fr": "environ "}[language] if near else ""
    return f"{sign}{shown} %"


def _quoted(name: str) -> str:
    return f"`{name}`"


def duration(weeks: float, language: str) -> str:
    """Write a number of weeks.

    >>> duration(1, "en"), duration(2, "fr")
    ('1 week', '2 semaines')
    """
    number = f"{weeks:g}".replace(".", "," if language == "fr" else ".")
    if language == "fr":
        return f"{number} semaine" + ("s" if weeks >= 2 else "")
    return f"{number} week" + ("" if weeks == 1 else "s")


@dataclass(frozen=True, slots=True)
class First:
    """What to begin with: a study, what beginning so is worth net of its cost, and what is put in production, if anything."""

    study: StudyValue
    worth: Figure
    cost: float
    release: str = ""


def reasons(
    action: str,
    *,
    question: Question,
    scenarios: Sequence[ScenarioValue],
    best: ScenarioValue,
    evpi: Figure,
    asked: UnknownValue | None,
    first: First | None,
) -> dict[str, str]:
    """Say why, by language."""
    return {
        language: _reason(
            action, language, question=question, scenarios=scenarios, best=best, evpi=evpi, asked=asked, first=first
        )
        for language in ("en", "fr")
    }


def _reason(
    action: str,
    language: str,
    *,
    question: Question,
    scenarios: Sequence[ScenarioValue],
    best: ScenarioValue,
    evpi: Figure,
    asked: UnknownValue | None,
    first: First | None,
) -> str:
    currency, stake = question.currency, at_stake(scenarios)
    least, least_worth = least_told(stake), least_worth_told(stake)
    standing = _standing(best, currency, language, least=least)
    if action == "learn_more" and first:
        return f"{_by_study(first, question, language, stake=stake)} {standing}"
    if action == "learn_more" and asked:
        return f"{_by_asking(asked, currency, language, least=least_worth)} {standing}"
    money = amount(evpi.value, currency, language, least=least_worth)
    at_most = amount_bounded(evpi.value, currency, language, bound="at_most", least=least_worth)
    if action == "ship":
        gain = amount(best.net_benefit.mean - scenarios[0].net_benefit.mean, currency, language, least=least)
        return _SHIP[language].format(
            name=_quoted(best.scenario),
            baseline=_quoted(scenarios[0].scenario),
            gain=gain,
            chance=percent(1 - best.p_loss, language),
            evpi=at_most,
        )
    other = max(scenarios[1:], key=lambda scenario: scenario.net_benefit.mean)
    loss = amount(scenarios[0].net_benefit.mean - other.net_benefit.mean, currency, language, least=least)
    return {"stop": _STOP, "hold": _HOLD}[action][language].format(
        name=_quoted(scenarios[0].scenario),
        other=_quoted(other.scenario),
        loss=loss,
        chance=percent(other.p_best, language),
        evpi=at_most if action == "stop" else money,
    )


_SHIP = {
    "en": "Ship {name}: it is expected to bring {gain} more than {baseline}, and pays back with a chance of {chance}. "
    "Nothing that could be learnt first would repay its cost; knowing everything would be worth {evpi}.",
    "fr": "Mettez {name} en production : le gain attendu sur {baseline} est de {gain}, avec {chance} de chances de ne rien "
    "perdre. Aucune étude proposée ne rembourserait son coût ; tout savoir vaudrait {evpi}.",
}
_STOP = {
    "en": "Stop: keep {name}. The next best, {other}, is expected to bring {loss} less and has a chance of {chance} of being "
    "the better choice; knowing everything would be worth {evpi}.",
    "fr": "Arrêtez : gardez {name}. La meilleure autre option, {other}, rapporterait {loss} de moins et a {chance} de chances "
    "d'être le bon choix ; tout savoir vaudrait {evpi}.",
}
_HOLD = {
    "en": "Hold: keep {name} for now. {other} is expected to bring {loss} less, yet is the better choice with a chance of "
    "{chance}; knowing everything would be worth {evpi}, but no study offered repays its cost.",
    "fr": "Attendez : gardez {name} pour l'instant. {other} rapporterait {loss} de moins, mais reste le bon choix avec {chance} "
    "de chances ; tout savoir vaudrait {evpi}, mais aucune étude proposée ne rembourse son coût.",
}


def _by_study(first: First, question: Question, language: str, *, stake: float) -> str:
    study = first.study
    measured = question.studies[study.name].measures
    known = question.unknowns.get(measured)
    ask = (known.ask if known else "") or _what_is(measured, language)
    worth = amount(first.worth.value, question.currency, language, least=least_worth_told(stake))
    cost = amount(first.cost, question.currency, language, least=least_told(stake))
    name, live = _quoted(study.name), _quoted(first.release)
    if language == "fr":
        time = f" pendant {duration(study.weeks, language)}" if study.weeks else ""
        traffic = f" sur {percent(study.share, language)} du trafic" if study.share else ""
        run = f"mettez {live} en production et lancez {name}" if first.release else f"lancez {name}"
        return f"Apprenez d'abord : {run}{time}{traffic}. Répondre à « {ask} » rapporte {worth} net, coût de {cost} déduit."
    time = f" for {duration(study.weeks, language)}" if study.weeks else ""
    traffic = f" on {percent(study.share, language)} of the traffic" if study.share else ""
    run = f"put {live} in production and run {name}" if first.release else f"run {name}"
    return f"Learn more first: {run}{time}{traffic}. Answering “{ask}” is worth {worth} net of its cost of {cost}."


def _by_asking(asked: UnknownValue, currency: str, language: str, *, least: float) -> str:
    ask = asked.ask or _what_is(asked.name, language)
    worth = amount_bounded(asked.evppi.value, currency, language, bound="up_to", least=least)
    if language == "fr":
        return f"Apprenez d'abord : répondez à « {ask} », ce qui vaut {worth}. Aucune étude n'est décrite : ajoutez-en une."
    return f"Learn more first: answer “{ask}”, which is worth {worth}. No study is described yet: add one."


def _what_is(name: str, language: str) -> str:
    return f"Que vaut {_quoted(name)} ?" if language == "fr" else f"What is {_quoted(name)}?"


def _standing(best: ScenarioValue, currency: str, language: str, *, least: float) -> str:
    """Where things stand if one had to choose today."""
    mean = amount(best.net_benefit.mean, currency, language, least=least)
    chance = percent(best.p_best, language)
    if language == "fr":
        return f"S'il fallait choisir aujourd'hui : {_quoted(best.scenario)} ({mean} attendus), le bon choix avec {chance} de chances."
    return f"If you had to choose today: {_quoted(best.scenario)} ({mean} expected), the right choice with a chance of {chance}."
