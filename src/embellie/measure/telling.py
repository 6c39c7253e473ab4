"""Telling: a scorecard in sentences, in English and French. Never a "chance to win"."""

import math
import re
from typing import Literal

from embellie.domain.scorecard import Effect, SampleRatio, Scorecard, UnavailableEffect
from embellie.domain.unavailable import Unavailable

Language = Literal["en", "fr"]

NARROW_SPACE = "\u202f"
"""French sets it before a percent sign and between thousands."""

_METRICS_EN = {"click_through": "click-through", "engaged_per_visit": "engaged seconds per visit"}

_METRICS_FR = {
    "engaged_per_visit": "secondes d’attention par visite",
    "articles_per_visit": "articles par visite",
    "reads_per_reader": "lectures par lecteur",
    "click_through": "taux de clic",
    "visits_per_reader": "visites par lecteur",
}

_EN = {
    "higher": "{metric}, `{variant}`: {change} ({level} interval {low} to {high}). Higher than `{control}`.",
    "lower": "{metric}, `{variant}`: {change} ({level} interval {low} to {high}). Lower than `{control}`.",
    "open": "{metric}, `{variant}`: {change} ({level} interval {low} to {high}). Too early to tell it from `{control}`.",
    "absent": "{metric}, `{variant}`: not available. {reason} {remedy}",
    "adjusted": "{metric}, adjusted",
    "proxy": " A proxy: it does not say what readers are worth.",
    "always": " Holds at every look.",
    "group_sequential": " Holds at the planned looks.",
    "alarm": "The split is not the designed one: {counts}. Trust none of these figures before you know why.",
    "split": "The split is as designed: {counts}.",
    "two_variants": "{n} seen in two variants, left out.",
    "two_segments": "{n} seen in two segments, left out of the segments.",
    "unknown_variant": "{n} in a variant that is no longer part of the design, left out.",
}

_FR = {
    "higher": "{metric}, `{variant}` : {change} (intervalle à {level} de {low} à {high}). Plus que `{control}`.",
    "lower": "{metric}, `{variant}` : {change} (intervalle à {level} de {low} à {high}). Moins que `{control}`.",
    "open": "{metric}, `{variant}` : {change} (intervalle à {level} de {low} à {high}). Trop tôt pour le distinguer "
    "de `{control}`.",
    "absent": "{metric}, `{variant}` : indisponible. {reason} {remedy}",
    "adjusted": "{metric}, ajusté",
    "proxy": " Un indice seulement : il ne dit pas ce que valent les lecteurs.",
    "always": " Valable à chaque consultation.",
    "group_sequential": " Valable aux consultations prévues.",
    "alarm": "La répartition n’est pas celle prévue : {counts}. Ne vous fiez à aucun de ces chiffres avant de savoir "
    "pourquoi.",
    "split": "La répartition est celle prévue : {counts}.",
    "two_variants": "{n} vus dans deux variantes, écartés.",
    "two_segments": "{n} vus dans deux segments, écartés des segments.",
    "unknown_variant": "{n} dans une variante qui ne fait plus partie du plan, écartés.",
}

_WORDS = {"en": _EN, "fr": _FR}

_LOOK_AGAIN_FR = "Attendez du trafic, puis regardez à nouveau."
_WAIT_MORE_FR = "Attendez davantage de données, puis regardez à nouveau."

_REASONS_FR = {
    "nobody_exposed": ("Personne n’a encore été exposé.", _LOOK_AGAIN_FR),
    "nothing_to_compare": ("Il n’y a rien à comparer.", "Attendez du trafic."),
    "few_units": ("`{variant}` n’a pas encore assez de lecteurs.", _LOOK_AGAIN_FR),
    "no_denominator": (
        "`{variant}` n’a aucun « {counted} » : `{metric}` n’y a pas de valeur.",
        "Comparez une métrique que les deux variantes possèdent ; par lecteur convient toujours.",
    ),
    "few_denominator": ("`{variant}` a trop peu de « {counted} » pour diviser.", _WAIT_MORE_FR),
    "same_value": (
        "Tous les lecteurs ont la même valeur.",
        "Attendez davantage de données, ou vérifiez la métrique.",
    ),
    "early_interval": (
        "Un intervalle toujours valable commence à {needed} unités par variante ; il y en a {units}.",
        _LOOK_AGAIN_FR,
    ),
    "control_near_zero": (
        "La valeur du témoin ne se distingue pas de zéro.",
        "Lisez l’écart lui-même, ou attendez davantage de données.",
    ),
}
"""Why a value cannot be given, and what to do, by code."""


def sentences(card: Scorecard, language: str = "en") -> list[str]:
    """Say what each metric did, a sentence per metric and variant; the adjusted row instead of the raw one.

    Args:
        card: The scorecard.
        language: `en` or `fr`; anything else is read as English.
    """
    rows: dict[tuple[str, str], Effect | UnavailableEffect] = {}
    for row in card.effects:
        rows[row.metric, row.variant] = row
    return [effect_sentence(row, card.control, language) for row in rows.values()]


def effect_sentence(row: Effect | UnavailableEffect, control: str, language: str = "en") -> str:
    """Say what one metric did for one variant."""
    words = _WORDS[_known(language)]
    name = metric_name(row.metric, language)
    name = name[:1].upper() + name[1:] if re.fullmatch(r"[a-z_]+", row.metric) else name
    if isinstance(row, UnavailableEffect):
        reason, remedy = reason_and_remedy(row.because, language)
        return words["absent"].format(metric=name, variant=row.variant, reason=reason, remedy=remedy).strip()
    metric = words["adjusted"].format(metric=name) if row.adjusted else name
    verdict = "higher" if row.interval.low > 0 else "lower" if row.interval.high < 0 else "open"
    change, low, high = _change(row, language)
    sentence = words[verdict].format(
        metric=metric,
        variant=row.variant,
        control=control,
        change=change,
        low=low,
        high=high,
        level=_percent(row.interval.level, language),
    )
    return sentence + words.get(row.interval.kind, "") + (words["proxy"] if row.proxy else "")


def split_sentence(card: Scorecard, language: str = "en") -> str:
    """Say whether the split can be trusted, and who was left out."""
    words = _WORDS[_known(language)]
    if not isinstance(card.srm, SampleRatio):
        return reason_and_remedy(card.srm, language)[0]
    counts = ", ".join(f"`{variant}` {_integer(units, language)}" for variant, units in card.units.items())
    said = [words["alarm" if card.srm.alarm else "split"].format(counts=counts)]
    said += [
        words[reason].format(n=_integer(n, language)) for reason, n in card.excluded.items() if n and reason in words
    ]
    return " ".join(said)


def metric_name(metric: str, language: str = "en") -> str:
    """Return a metric's name as people say it.

    >>> metric_name("articles_per_visit"), metric_name("articles_per_visit", "fr"), metric_name("orders/sessions")
    ('articles per visit', 'articles par visite', 'orders/sessions')
    """
    names = _METRICS_FR if _known(language) == "fr" else _METRICS_EN
    if metric in names:
        return names[metric]
    return metric.replace("_", " ") if re.fullmatch(r"[a-z_]+", metric) else metric


def number_text(value: float, step: float, language: str = "en", *, signed: bool = False) -> str:
    """Write a number with as many decimals as a range of width `step` deserves.

    >>> number_text(0.0123456, 0.004), number_text(12.3456, 3.0, "fr", signed=True)
    ('0.0123', '+12,3')
    """
    decimals = 2 if not step > 0 else min(12, max(0, 1 - math.floor(math.log10(step))))
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    return _local(text, language)


def percent_text(value: float, step: float, language: str = "en") -> str:
    """Write a signed change, already in per cent.

    >>> percent_text(2.345, 0.3)
    '+2.35 %'
    """
    return number_text(value, step, language, signed=True) + (NARROW_SPACE if _known(language) == "fr" else " ") + "%"


def _change(row: Effect, language: str) -> tuple[str, str, str]:
    relative = row.relative
    if isinstance(relative, Unavailable):
        width = row.interval.high - row.interval.low
        values = (row.effect, row.interval.low, row.interval.high)
        change, low, high = (number_text(value, width / 2, language, signed=True) for value in values)
        return change, low, high
    step = 50.0 * (relative.high - relative.low)
    values = (100 * relative.effect, 100 * relative.low, 100 * relative.high)
    change, low, high = (percent_text(value, step, language) for value in values)
    return change, low, high


def _percent(share: float, language: str) -> str:
    return _local(f"{100 * share:g} %", language)


def _integer(value: int, language: str) -> str:
    return f"{value:,}".replace(",", NARROW_SPACE if _known(language) == "fr" else ",")


def _local(text: str, language: str) -> str:
    text = text.replace("-", "−")
    return text.replace(".", ",").replace(" %", NARROW_SPACE + "%") if _known(language) == "fr" else text


def reason_and_remedy(because: Unavailable, language: str = "en") -> tuple[str, str]:
    """Say why a value cannot be given, and what to do.

    >>> reason_and_remedy(Unavailable("There is nothing to compare.", "Wait.", code="nothing_to_compare"), "fr")
    ('Il n’y a rien à comparer.', 'Attendez du trafic.')
    """
    if _known(language) == "en" or because.code not in _REASONS_FR:
        return because.reason, because.remedy
    reason, remedy = (text.format(**because.values) for text in _REASONS_FR[because.code])
    return reason, remedy


def _known(language: str) -> Language:
    return "fr" if language.lower().startswith("fr") else "en"
