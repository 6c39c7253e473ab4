"""Telling: a scorecard in sentences, in English and French. Never a "chance to win"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from embellie.domain.money import least_told
from embellie.domain.scorecard import Check, Effect, MoneyEffect, SampleRatio, Scorecard, Shrunk, UnavailableEffect
from embellie.domain.unavailable import Unavailable
from embellie.measure.telling_checks import check_name, check_sentence
from embellie.measure.telling_numbers import (
    NARROW_SPACE,
    Language,
    amount_text,
    chance_text,
    count_text,
    is_told_small,
    metric_name,
    metric_title,
    number_text,
    p_text,
    percent_text,
    share_text,
    spoken,
)
from embellie.measure.telling_reasons import reason_and_remedy

__all__ = [
    "NARROW_SPACE",
    "Answer",
    "Language",
    "answer",
    "check_sentence",
    "effect_sentence",
    "metric_name",
    "number_text",
    "percent_text",
    "reason_and_remedy",
    "sentences",
    "split_sentence",
]

Standing = Literal["alarm", "harmed", "better", "worse", "open", "none"]

SURE = 0.05
"""With several comparisons, a corrected p-value above this is not clear."""

_EN = {
    "row": "{metric}, `{variant}`: {change} ({level} interval {low} to {high}).",
    "higher": " Higher than `{control}`.",
    "lower": " Lower than `{control}`.",
    "open": " Too early to tell it from `{control}`.",
    "absent": "{metric}, `{variant}`: not available. {reason} {remedy}",
    "money": " Worth {money} a month ({low} to {high}).",
    "little_money": " Worth {money} a month.",
    "adjusted": " Adjusted for what was known before; unadjusted {change} ({low} to {high}).",
    "saved": " Adjusted for what was known before, which takes {saved} of the variance away; unadjusted {change} "
    "({low} to {high}).",
    "unpaired": " Adjusted for what was known before.",
    "many": " With all comparisons counted: {p}.",
    "not_many": " Not clear with all comparisons counted: {p}.",
    "holds": " The guardrail holds: a loss of more than {margin} is ruled out.",
    "harmed": " The guardrail is harmed: the loss is more than {margin}.",
    "guard": " A loss of more than {margin} cannot be ruled out yet: hold.",
    "shrunk": " After shrinkage: {change} ({low} to {high}).",
    "learnt": " Given past experiments: {change} ({low} to {high}), above zero with a chance of {chance}.",
    "proxy": " A proxy: it does not say what readers are worth, and is no reason to ship.",
    "surrogate": " It foretells a primary metric: alone it is no reason to ship.",
    "always": " Holds at every look.",
    "group_sequential": " Holds at the planned looks.",
    "alarm": "The split is not the designed one: {counts}. Trust none of these figures before you know why.",
    "split": "The split is as designed: {counts}.",
    "two_variants": "{n} seen in two variants, left out.",
    "bots": "{n} look like bots, left out.",
    "two_segments": "{n} seen in two segments, left out of the segments.",
    "unknown_variant": "{n} in a variant that is no longer part of the design, left out.",
    "holds_0": " The guardrail holds: a loss is ruled out.",
    "harmed_0": " The guardrail is harmed: it is a loss.",
    "guard_0": " A loss cannot be ruled out yet: hold.",
    "margin_money": "{margin} ({money} a month)",
    "and": "and",
    "to": "{low} to {high}",
}

_FR = {
    "row": "{metric}, `{variant}` : {change} (intervalle à {level} de {low} à {high}).",
    "higher": " Plus que `{control}`.",
    "lower": " Moins que `{control}`.",
    "open": " Trop tôt pour le distinguer de `{control}`.",
    "absent": "{metric}, `{variant}` : indisponible. {reason} {remedy}",
    "money": " Soit {money} par mois (de {low} à {high}).",
    "little_money": " Soit {money} par mois.",
    "adjusted": " Ajusté de ce qu’on savait avant ; sans ajustement {change} (de {low} à {high}).",
    "saved": " Ajusté de ce qu’on savait avant, ce qui ôte {saved} de la variance ; sans ajustement {change} "
    "(de {low} à {high}).",
    "unpaired": " Ajusté de ce qu’on savait avant.",
    "many": " En comptant toutes les comparaisons : {p}.",
    "not_many": " Pas clair en comptant toutes les comparaisons : {p}.",
    "holds": " Le garde-fou tient : une perte de plus de {margin} est exclue.",
    "harmed": " Le garde-fou est touché : la perte dépasse {margin}.",
    "guard": " Une perte de plus de {margin} n’est pas encore exclue : attendez.",
    "shrunk": " Après rétrécissement : {change} (de {low} à {high}).",
    "learnt": " Au vu des expériences passées : {change} (de {low} à {high}), au-dessus de zéro avec une chance de {chance}.",
    "proxy": " Un indice seulement : il ne dit pas ce que valent les lecteurs, et ne justifie aucune livraison.",
    "surrogate": " Il annonce une métrique principale : seul, il ne justifie aucune livraison.",
    "always": " Valable à chaque consultation.",
    "group_sequential": " Valable aux consultations prévues.",
    "alarm": "La répartition n’est pas celle prévue : {counts}. Ne vous fiez à aucun de ces chiffres avant de savoir "
    "pourquoi.",
    "split": "La répartition est celle prévue : {counts}.",
    "two_variants": "{n} vus dans deux variantes, écartés.",
    "bots": "{n} ressemblent à des robots, écartés.",
    "two_segments": "{n} vus dans deux segments, écartés des segments.",
    "unknown_variant": "{n} dans une variante qui ne fait plus partie du plan, écartés.",
    "holds_0": " Le garde-fou tient : une perte est exclue.",
    "harmed_0": " Le garde-fou est touché : c’est une perte.",
    "guard_0": " Une perte n’est pas encore exclue : attendez.",
    "margin_money": "{margin} ({money} par mois)",
    "and": "et",
    "to": "de {low} à {high}",
}

_WORDS: Mapping[Language, Mapping[str, str]] = {"en": _EN, "fr": _FR}

_ANSWER: Mapping[str, tuple[str, str]] = {
    "better": ("{name}: {change} ({range}){worth}.", "{name} : {change} ({range}){worth}."),
    "worse": (
        "{name}: {change} ({range}){worth}. That is a loss.",
        "{name} : {change} ({range}){worth}. C’est une perte.",
    ),
    "open": (
        "{name}: no clear change yet, {change} so far ({range}){worth}.",
        "{name} : pas encore d’écart clair, {change} à ce jour ({range}){worth}.",
    ),
    "none": ("{name}: no answer yet. {reason} {remedy}", "{name} : pas encore de réponse. {reason} {remedy}"),
    "worth": (", worth about {money} a month ({range})", ", soit environ {money} par mois ({range})"),
    "small_worth": (", worth {money} a month ({range})", ", soit {money} par mois ({range})"),
    "little_worth": (", worth {money} a month", ", soit {money} par mois"),
    "holds_one": ("The guardrail holds.", "Le garde-fou tient."),
    "holds": ("All {n} guardrails hold.", "Les {n} garde-fous tiennent."),
    "harmed": ("Harmed: {names}.", "Touché : {names}."),
    "guard": ("A loss of {names} cannot be ruled out yet.", "Une perte de {names} n’est pas encore exclue."),
    "unknown": ("Not known to hold: {names}.", "On ne sait pas si cela tient : {names}."),
    "fine_one": ("1 check is fine.", "1 contrôle est bon."),
    "fine": ("{n} checks are fine.", "{n} contrôles sont bons."),
    "watch": ("To watch: {names}.", "À suivre : {names}."),
    "then_alarm": (
        "Use none of the figures before that is explained.",
        "N’utilisez aucun chiffre avant d’avoir l’explication.",
    ),
    "then_harmed": ("Roll back, or find out why.", "Revenez en arrière, ou cherchez pourquoi."),
    "then_worse": ("No reason to ship.", "Aucune raison de livrer."),
    "then_hold": ("Hold until the guardrails are clear.", "Attendez que les garde-fous soient clairs."),
    "then_better": ("What to do with it: `embellie decide`.", "Qu’en faire : `embellie decide`."),
    "then_open": (
        "Go on: {units} of the {planned} planned so far.",
        "Continuez : {units} sur les {planned} prévus à ce jour.",
    ),
    "then_planned": (
        "The planned {planned} are reached: take it as it is to `embellie decide`.",
        "Les {planned} prévus sont atteints : passez tel quel à `embellie decide`.",
    ),
    "then_wait": ("Go on measuring.", "Continuez à mesurer."),
}
"""The answer's phrases: English, French."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a scorecard answers, for who decides: how it stands, what is said, and what follows."""

    standing: Standing
    said: tuple[str, ...]
    then: str

    @property
    def text(self) -> str:
        """All of it, as one paragraph."""
        return " ".join([*self.said, self.then] if self.then else self.said)


def sentences(card: Scorecard, language: str = "en") -> list[str]:
    """Say what each metric did, a sentence per metric and variant; the adjusted row leads, the raw one beside it.

    Args:
        card: The scorecard.
        language: `en` or `fr`; anything else is read as English.
    """
    return [
        effect_sentence(lead, card.control, language, unadjusted=beside) for lead, beside in leading_rows(card.effects)
    ]


def leading_rows(
    rows: Sequence[Effect | UnavailableEffect],
) -> list[tuple[Effect | UnavailableEffect, Effect | None]]:
    """Pair each metric and variant's leading row with the unadjusted one beside it; by role, the primary ones first.

    The adjusted row leads where it could be computed.
    """
    found: dict[tuple[str, str], list[Effect | UnavailableEffect]] = {}
    for row in rows:
        found.setdefault((row.metric, row.variant), []).append(row)
    pairs = []
    for group in found.values():
        adjusted = next((row for row in group if row.adjusted and isinstance(row, Effect)), None)
        raw = next((row for row in group if not row.adjusted), group[0])
        beside = raw if adjusted is not None and isinstance(raw, Effect) and raw is not adjusted else None
        pairs.append((adjusted or raw, beside))
    return sorted(pairs, key=lambda pair: role_place(pair[0]))


def role_place(row: Effect | UnavailableEffect) -> int:
    """Return a row's place among the roles: primary, guardrail, diagnostic, then what only foretells."""
    return 3 if row.proxy else {"primary": 0, "guardrail": 1, "diagnostic": 2}.get(row.role, 3)


def effect_sentence(
    row: Effect | UnavailableEffect, control: str, language: str = "en", *, unadjusted: Effect | None = None
) -> str:
    """Say what one metric did for one variant: the change, what it is worth, and what that says in the metric's role.

    Args:
        row: The leading row.
        control: The control's name.
        language: `en` or `fr`.
        unadjusted: For an adjusted row, the unadjusted one, told beside it.
    """
    words = _WORDS[spoken(language)]
    name = metric_title(row.metric, language)
    if isinstance(row, UnavailableEffect):
        reason, remedy = reason_and_remedy(row.because, language)
        return words["absent"].format(metric=name, variant=row.variant, reason=reason, remedy=remedy).strip()
    change, low, high = change_texts(row, language)
    level = share_text(row.interval.level, language)
    said = [words["row"].format(metric=name, variant=row.variant, change=change, low=low, high=high, level=level)]
    if row.guardrail is None:
        said.append(words[_verdict(row)].format(control=control))
    else:
        key = "guard" if row.guardrail.state == "open" else row.guardrail.state
        margin = margin_text(row, language)
        said.append(words[key if margin else f"{key}_0"].format(margin=margin))
    if row.p_many is not None and row.p_many > row.p_value and _verdict(row) != "open":
        said.append(words["not_many" if row.p_many > SURE else "many"].format(p=p_text(row.p_many, language)))
    if row.money is not None:
        money, lowest, highest = money_texts(row, language)
        said.append(
            words["little_money" if _is_little(row.money) else "money"].format(money=money, low=lowest, high=highest)
        )
    if row.adjusted:
        said.append(_adjusted(row, unadjusted, language))
    if row.shrunk is not None:
        said.append(_shrunk(row.shrunk, language))
    said.append(words.get(row.interval.kind, ""))
    said.append(words["proxy"] if row.proxy else words["surrogate"] if row.role == "surrogate" else "")
    return "".join(said)


def _shrunk(shrunk: Shrunk, language: str) -> str:
    step = 50.0 * (shrunk.high - shrunk.low)
    change, low, high = (percent_text(100 * each, step, language) for each in (shrunk.effect, shrunk.low, shrunk.high))
    chance = "" if shrunk.above_zero is None else chance_text(shrunk.above_zero, language)
    key = "learnt" if chance else "shrunk"
    return _WORDS[spoken(language)][key].format(change=change, low=low, high=high, chance=chance)


def _adjusted(row: Effect, unadjusted: Effect | None, language: str) -> str:
    words = _WORDS[spoken(language)]
    if unadjusted is None:
        return words["unpaired"]
    change, low, high = change_texts(unadjusted, language)
    if row.saved is None:
        return words["adjusted"].format(change=change, low=low, high=high)
    return words["saved"].format(saved=share_text(row.saved, language), change=change, low=low, high=high)


def _verdict(row: Effect) -> Literal["higher", "lower", "open"]:
    return "higher" if row.interval.low > 0 else "lower" if row.interval.high < 0 else "open"


def margin_text(row: Effect, language: str = "en") -> str:
    """Write a guardrail's margin as a share of the control's value, with its money when it has any; "" for none."""
    words = _WORDS[spoken(language)]
    if row.guardrail is None or not row.guardrail.margin > 0:
        return ""
    margin = (
        share_text(row.guardrail.margin / abs(row.control_value), language)
        if row.control_value
        else number_text(row.guardrail.margin, row.guardrail.margin, language)
    )
    if row.guardrail.money is None or row.money is None:
        return margin
    amount = row.guardrail.money
    money = amount_text(amount, abs(amount) or 1.0, language, currency=row.money.currency, signed=False)
    return words["margin_money"].format(margin=margin, money=money)


def money_texts(row: Effect, language: str = "en", *, signed: bool = True) -> tuple[str, str, str]:
    """Write what an effect is worth per month: the amount with its currency, and the ends of its interval."""
    if row.money is None:
        return "–", "–", "–"
    step = (row.money.high - row.money.low) / 2
    money = amount_text(row.money.effect, step, language, currency=row.money.currency, signed=signed)
    return money, amount_text(row.money.low, step, language), amount_text(row.money.high, step, language)


def _is_little(money: MoneyEffect) -> bool:
    """Tell whether all that an effect may be worth is too little to be told: a range of it would say nothing more."""
    return max(abs(money.low), abs(money.high)) < least_told()


def change_texts(row: Effect, language: str = "en") -> tuple[str, str, str]:
    """Write an effect and the ends of its interval: relative where it can be, else in the metric's unit."""
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


def split_sentence(card: Scorecard, language: str = "en") -> str:
    """Say whether the split can be trusted, and who was left out."""
    words = _WORDS[spoken(language)]
    if not isinstance(card.srm, SampleRatio):
        return reason_and_remedy(card.srm, language)[0]
    counts = ", ".join(f"`{variant}` {count_text(units, language)}" for variant, units in card.units.items())
    said = [words["alarm" if card.srm.alarm else "split"].format(counts=counts)]
    said += [
        words[reason].format(n=count_text(n, language)) for reason, n in card.excluded.items() if n and reason in words
    ]
    return " ".join(said)


def answer(card: Scorecard, language: str = "en") -> Answer:
    """Answer "what changed because of it?" in a few sentences for who decides, and say what follows.

    The primary metrics come first, then the guardrails, then the checks. An alarm stands alone: figures that are not to be used are
    not repeated. A scorecard without a primary metric says of its guardrails and checks only.
    """
    alarms = [check for check in card.checks if check.state == "alarm"]
    broken = isinstance(card.srm, SampleRatio) and card.srm.alarm
    lead = [row for row, _ in leading_rows(card.effects)]
    primary = [row for row in lead if row.role == "primary" and not row.proxy]
    guards = [row for row in lead if row.role == "guardrail" and not row.proxy]
    standing = _standing(primary, guards, alarm=bool(alarms) or broken)
    said = [check_sentence(check, language) for check in alarms]
    if broken and not any(check.check == "split" for check in alarms):
        said.insert(0, split_sentence(card, language))
    if standing != "alarm":
        said += [_primary(row, card, language) for row in primary]
        said += _guardrails(guards, language)
        said += _checks(card.checks, language)
    return Answer(standing, tuple(said), _then(standing, guards, card, language) if said else "")


def is_clear(row: Effect) -> bool:
    """Tell whether an effect stands clear of zero, with all comparisons counted where there are several."""
    return _verdict(row) != "open" and not (row.p_many is not None and row.p_many > SURE)


def guard_state(row: Effect | UnavailableEffect) -> Literal["holds", "harmed", "open", "unknown"]:
    """Tell how a guardrail stands; one that could not be computed, or whose margin could not, is not known to hold."""
    return row.guardrail.state if isinstance(row, Effect) and row.guardrail is not None else "unknown"


def _standing(
    primary: Sequence[Effect | UnavailableEffect], guards: Sequence[Effect | UnavailableEffect], *, alarm: bool
) -> Standing:
    if alarm:
        return "alarm"
    if any(guard_state(row) == "harmed" for row in guards):
        return "harmed"
    found = [row for row in primary if isinstance(row, Effect)]
    clear = [row for row in found if is_clear(row)]
    if any(row.effect < 0 for row in clear):
        return "worse"
    if clear:
        return "better"
    return "open" if found else "none"


def _primary(row: Effect | UnavailableEffect, card: Scorecard, language: str) -> str:
    name = metric_title(row.metric, language)
    if len(card.units) > 2:
        name = f"{name}, `{row.variant}`"
    if isinstance(row, UnavailableEffect):
        reason, remedy = reason_and_remedy(row.because, language)
        return _said("none", language, name=name, reason=reason, remedy=remedy).strip()
    change, low, high = change_texts(row, language)
    worth = ""
    if row.money is not None:
        money, lowest, highest = money_texts(row, language, signed=False)
        small = is_told_small(row.money.effect, (row.money.high - row.money.low) / 2)
        about = "little_worth" if _is_little(row.money) else "small_worth" if small else "worth"
        worth = _said(about, language, money=money, range=_range(lowest, highest, language))
    key = "open" if not is_clear(row) else "better" if row.effect > 0 else "worse"
    return _said(key, language, name=name, change=change, range=_range(low, high, language), worth=worth)


def _guardrails(guards: Sequence[Effect | UnavailableEffect], language: str) -> list[str]:
    said = []
    for state, key in (("harmed", "harmed"), ("open", "guard"), ("unknown", "unknown")):
        found = dict.fromkeys(row.metric for row in guards if guard_state(row) == state)
        if found:
            names = _together([metric_name(metric, language) for metric in found], language)
            said.append(_said(key, language, names=names))
    if guards and not said:
        several = len({row.metric for row in guards})
        said.append(_said("holds_one" if several == 1 else "holds", language, n=count_text(several, language)))
    return said


def _checks(checks: Sequence[Check], language: str) -> list[str]:
    fine = sum(check.state == "fine" for check in checks)
    watch = [check_name(check.check, language) for check in checks if check.state == "watch"]
    said = []
    if watch:
        said.append(_said("watch", language, names=_together(list(dict.fromkeys(watch)), language)))
    if fine:
        said.append(_said("fine_one" if fine == 1 else "fine", language, n=count_text(fine, language)))
    return said


def _then(standing: Standing, guards: Sequence[Effect | UnavailableEffect], card: Scorecard, language: str) -> str:
    if standing in {"alarm", "harmed", "worse"}:
        return _said(f"then_{standing}", language)
    if standing == "better":
        hold = any(guard_state(row) != "holds" for row in guards)
        return _said("then_hold" if hold else "then_better", language)
    if standing == "none":
        return ""
    units, planned = sum(card.units.values()), card.planned
    if planned is None:
        return _said("then_wait", language)
    key = "then_open" if units < planned else "then_planned"
    return _said(key, language, units=count_text(units, language), planned=count_text(planned, language))


def checks_told(card: Scorecard, language: str = "en") -> list[tuple[Check, str]]:
    """Pair each check with its sentence; that of the split with the readers on each side."""
    whole = isinstance(card.srm, SampleRatio)
    return [
        (
            check,
            split_sentence(_nobody_left_out(card), language)
            if whole and check.code in {"split_fine", "split_broken"}
            else check_sentence(check, language),
        )
        for check in card.checks
    ]


def _nobody_left_out(card: Scorecard) -> Scorecard:
    return Scorecard(
        unit=card.unit,
        control=card.control,
        units=card.units,
        srm=card.srm,
        effects=(),
        excluded={},
        planned=card.planned,
    )


def _said(key: str, language: str, **values: str) -> str:
    return _ANSWER[key][int(spoken(language) == "fr")].format(**values)


def _range(low: str, high: str, language: str) -> str:
    return _WORDS[spoken(language)]["to"].format(low=low, high=high)


def _together(names: Sequence[str], language: str) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {_WORDS[spoken(language)]['and']} {names[-1]}"
