"""Telling a plan: how long, and what can be seen, in English and in French; and drawn."""

import math

from embellie.measure.phrasing import Phrases, phrase
from embellie.measure.planning import Detectable, ExperimentPlan, Planned, SitePlan, SitePlanned
from embellie.measure.telling_numbers import amount_text, count_text, localised, metric_name, metric_title, share_text

WIDTH = 30

_PHRASES: Phrases = {
    "see": (
        "To see an effect of {effect} ({power} power, {level} level): {each} units per variant, {all} in all (rule of thumb: {thumb} per variant).",
        "Pour voir un effet de {effect} (puissance {power}, niveau {level}) : {each} unités par variante, {all} en tout (règle usuelle : {thumb} par variante).",
    ),
    "takes": (
        "At {traffic} new units a week that takes {weeks} weeks.",
        "À {traffic} nouvelles unités par semaine, cela prend {weeks} semaines.",
    ),
    "weeks": (
        "{weeks} weeks show effects from {effect}{relative} on.",
        "{weeks} semaines montrent des effets à partir de {effect}{relative}.",
    ),
    "of_baseline": (" ({share} of the baseline)", " ({share} de la valeur actuelle)"),
    "history": (
        "{metric}: {value} in the last {weeks} of the log, over {units} readers (standard deviation {sd}).",
        "{metric} : {value} sur les {weeks} derniers jours du journal, {units} lecteurs (écart type {sd}).",
    ),
    "correlated": (
        "What readers did before predicts it (correlation {correlation}): adjusting saves {saved} of the readers.",
        "Ce que les lecteurs ont fait avant le prédit (corrélation {correlation}) : l’ajustement épargne {saved} des lecteurs.",
    ),
    "head": (
        "Smallest effect that is seen with {power} power at {level}, by duration:",
        "Plus petit effet vu avec une puissance de {power} au niveau {level}, selon la durée :",
    ),
    "beyond": (
        "* Longer than the log: the readers that come are extrapolated.",
        "* Au-delà du journal : l’affluence est extrapolée.",
    ),
    "mark": ("┊ From here on it pays for its cost.", "┊ À partir d’ici, l’effet paie son coût."),
    "always": (
        "Looked at whenever one likes, it takes effects {times} times as large.",
        "À qui regarde quand il veut, il faut des effets {times} fois plus grands.",
    ),
    "asked": (
        "An effect of {effect} can be seen {after}, with {units} readers.",
        "Un effet de {effect} se voit {after}, avec {units} lecteurs.",
    ),
    "asked_never": (
        "An effect of {effect} cannot be seen within two years: too few readers.",
        "Un effet de {effect} ne se voit pas en deux ans : trop peu de lecteurs.",
    ),
    "pays": (
        "{effect} or more pays for {cost} a month, and can be seen {after}.",
        "{effect} ou plus paient {cost} par mois, et se voient {after}.",
    ),
    "pays_never": (
        "{effect} or more pays for {cost} a month; so little cannot be seen within two years: an experiment can only show more.",
        "{effect} ou plus paient {cost} par mois ; si peu ne se voit pas en deux ans : une expérience ne peut montrer que davantage.",
    ),
    "guardrail": (
        "Guardrail {metric}: if nothing changes, a loss beyond {margin} is ruled out within {weeks} weeks with a chance of {chance}.",
        "Garde-fou {metric} : si rien ne change, une perte au-delà de {margin} est exclue en {weeks} semaines avec une chance de {chance}.",
    ),
    "after": ("after {weeks} weeks", "au bout de {weeks} semaines"),
    "soon": ("within the first week", "dès la première semaine"),
    "month": ("{money} a month", "{money} par mois"),
}


def plan_sentences(plan: ExperimentPlan, found: Planned, language: str = "en") -> list[str]:
    """Say a plan made from given figures."""
    said = []
    if found.units_per_variant is not None and found.units is not None and found.rule_of_thumb is not None:
        said.append(
            phrase(
                _PHRASES,
                "see",
                language,
                effect=figure(plan.effect, language),
                power=share_text(plan.power, language),
                level=share_text(1 - plan.alpha, language),
                each=count_text(found.units_per_variant, language),
                all=count_text(found.units, language),
                thumb=count_text(found.rule_of_thumb, language),
            )
        )
    if found.weeks is not None:
        traffic, weeks = count_text(plan.traffic, language), localised(f"{found.weeks:.1f}", language)
        said.append(phrase(_PHRASES, "takes", language, traffic=traffic, weeks=weeks))
    for each in found.detectable:
        share = (
            ""
            if each.relative is None
            else phrase(_PHRASES, "of_baseline", language, share=share_text(each.relative, language))
        )
        weeks = f"{each.weeks:>4g}"
        said.append(
            phrase(_PHRASES, "weeks", language, weeks=weeks, effect=figure(each.effect, language), relative=share)
        )
    return said


def site_plan_sentences(plan: SitePlan, found: SitePlanned, language: str = "en") -> list[str]:
    """Say a plan made from the site's own log, with a line drawn per duration."""
    seen, metric = found.seen, plan.metric
    said = [
        phrase(
            _PHRASES,
            "history",
            language,
            metric=metric_title(metric.metric, language),
            value=figure(seen.value, language),
            weeks=_span(seen.weeks, language),
            units=count_text(seen.units, language),
            sd=figure(seen.sd, language),
        )
    ]
    saved = seen.correlation**2
    if saved >= 0.005:
        correlation = localised(f"{seen.correlation:.2f}", language)
        said.append(
            phrase(_PHRASES, "correlated", language, correlation=correlation, saved=share_text(saved, language))
        )
    said += [
        "",
        phrase(
            _PHRASES,
            "head",
            language,
            power=share_text(plan.power, language),
            level=share_text(1 - plan.alpha, language),
        ),
    ]
    said += [*plan_plot(plan, found, language), ""]
    said.append(
        phrase(
            _PHRASES,
            "always",
            language,
            times=localised(f"{found.detectable[-1].always / found.detectable[-1].effect:.1f}", language),
        )
    )
    if plan.effect:
        effect = share_text(plan.effect, language) if plan.relative else figure(plan.effect, language)
        if found.weeks is None or found.units is None:
            said.append(phrase(_PHRASES, "asked_never", language, effect=effect))
        else:
            units = count_text(found.units, language)
            said.append(
                phrase(_PHRASES, "asked", language, effect=effect, after=_after(found.weeks, language), units=units)
            )
    if found.pays is not None:
        cost = amount_text(
            found.pays.cost.amount,
            found.pays.cost.amount / 10,
            language,
            currency=found.pays.cost.currency,
            signed=False,
        )
        effect = f"+{share_text(found.pays.relative, language)}"
        key = "pays_never" if found.pays.weeks is None else "pays"
        said.append(
            phrase(_PHRASES, key, language, cost=cost, effect=effect, after=_after(found.pays.weeks or 0.0, language))
        )
    for each in found.guardrails:
        margin = figure(each.margin, language) if each.relative is None else share_text(each.relative, language)
        said.append(
            phrase(
                _PHRASES,
                "guardrail",
                language,
                metric=metric_name(each.metric, language),
                margin=margin,
                weeks=figure(each.weeks, language),
                chance=share_text(each.chance, language),
            )
        )
    return said


def plan_plot(plan: SitePlan, found: SitePlanned, language: str = "en") -> list[str]:
    """Draw the smallest effect by duration, a bar each; where it pays for itself is marked by `┊`."""
    lengths = [_length(each) for each in found.detectable]
    mark = (
        None
        if found.pays is None
        else (found.pays.relative if found.detectable[0].relative is not None else found.pays.effect)
    )
    longest = max([*lengths, mark or 0.0])
    lines = []
    for each, length in zip(found.detectable, lengths, strict=True):
        bar = ("█" * max(1, round(WIDTH * length / longest))).ljust(WIDTH)
        if mark is not None:
            place = min(WIDTH - 1, round(WIDTH * mark / longest))
            bar = f"{bar[:place]}┊{bar[place + 1 :]}"
        text = figure(each.effect, language) if each.relative is None else f"±{share_text(each.relative, language)}"
        money = (
            ""
            if each.money is None or plan.metric.worth is None
            else _per_month(each.money, plan.metric.worth.currency, language)
        )
        weeks = f"{each.weeks:g}{'*' if each.beyond else ''}"
        lines.append(f"{weeks:>4} {_week_word(each.weeks, language)}  {bar}  {text:>8}  {money}".rstrip())
    notes = [phrase(_PHRASES, "mark", language)] if mark is not None else []
    if any(each.beyond for each in found.detectable):
        notes.append(phrase(_PHRASES, "beyond", language))
    return [*lines, *notes]


def figure(value: float, language: str = "en") -> str:
    """Write a figure with four digits.

    >>> figure(0.0123456), figure(12345.6, "fr")
    ('0.01235', '12\u202f346')
    """
    return count_text(value, language) if abs(value) >= 1000 else localised(f"{value:.4g}", language)


def _length(each: Detectable) -> float:
    return each.effect if each.relative is None else each.relative


def _per_month(money: float, currency: str, language: str) -> str:
    step = 10 ** math.floor(math.log10(money)) if money > 0 else 1.0
    return phrase(
        _PHRASES, "month", language, money=amount_text(money, step, language, currency=currency, signed=False)
    )


def _week_word(weeks: float, language: str) -> str:
    if language.lower().startswith("fr"):
        return "sem."
    return "week " if weeks == 1 else "weeks"


def _after(weeks: float, language: str) -> str:
    if weeks <= 1:
        return phrase(_PHRASES, "soon", language)
    return phrase(_PHRASES, "after", language, weeks=localised(f"{weeks:.1f}", language))


def _span(weeks: float, language: str) -> str:
    days = round(7 * weeks)
    return str(days) if language.lower().startswith("fr") else f"{days} days"
