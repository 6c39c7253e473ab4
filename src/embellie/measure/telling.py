"""Telling: a scorecard in sentences, in English and French. Never a "chance to win"."""

import math
import re
from typing import Literal

from embellie.domain.scorecard import Effect, SampleRatio, Scorecard, UnavailableEffect
from embellie.domain.unavailable import Unavailable

Language = Literal["en", "fr"]

NARROW_SPACE = "\u202f"
"""French sets it before a percent sign and between thousands."""

_METRICS_FR = {
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

_REASONS_FR = (
    (r"Nobody has been exposed yet\.", r"Personne n’a encore été exposé."),
    (r"`(.+)` has (?:no|(\d+)) \S+ yet\.", r"`\1` n’a pas encore assez de lecteurs."),
    (r"`(.+)` has no (\S+), so `(.+)` has no value there\.", r"`\1` n’a aucun « \2 » : `\3` n’y a pas de valeur."),
    (r"`(.+)` has too few (\S+) to divide by\.", r"`\1` a trop peu de « \2 » pour diviser."),
    (r"Every \S+ has the same value\.", r"Tous les lecteurs ont la même valeur."),
    (
        r"An always-valid interval starts at (\d+) units per variant; there are (\d+)\.",
        r"Un intervalle toujours valable commence à \1 unités par variante ; il y en a \2.",
    ),
    (
        r"The control's value cannot be told from zero\.",
        r"La valeur du témoin ne se distingue pas de zéro.",
    ),
    (r"Wait for traffic, then look again\.", r"Attendez du trafic, puis regardez à nouveau."),
    (r"Wait for more, then look again\.", r"Attendez davantage de données, puis regardez à nouveau."),
    (r"Wait for more, or check the metric\.", r"Attendez davantage de données, ou vérifiez la métrique."),
    (
        r"Compare a metric that both variants have; per \S+ always works\.",
        r"Comparez une métrique que les deux variantes possèdent ; par lecteur convient toujours.",
    ),
)


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
        said = words["absent"].format(
            metric=name,
            variant=row.variant,
            reason=_translated(row.because.reason, language),
            remedy=_translated(row.because.remedy, language),
        )
        return said.strip()
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
        return _translated(card.srm.reason, language)
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
    if _known(language) == "fr" and metric in _METRICS_FR:
        return _METRICS_FR[metric]
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


def _translated(text: str, language: str) -> str:
    if _known(language) == "en":
        return text
    for pattern, french in _REASONS_FR:
        found = re.fullmatch(pattern, text)
        if found:
            return found.expand(french)
    return text


def _known(language: str) -> Language:
    return "fr" if language.lower().startswith("fr") else "en"
