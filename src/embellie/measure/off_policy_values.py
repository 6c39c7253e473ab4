"""Off-policy values: what a policy would have earned on what another one showed, or why the log cannot say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from embellie.domain.unavailable import Unavailable
from embellie.measure.phrasing import (
    Phrases,
    interval_lines,
    phrase,
    range_text,
    share_text,
    unavailable,
    unavailable_text,
)
from embellie.measure.telling import number_text
from embellie.stats.estimators import critical_value
from embellie.stats.off_policy import ClusteredMean, OffPolicyValue, modelled_rewards, off_policy_value

FEWEST_DECISIONS = 50
FEWEST_READERS = 30
"""Effective sample sizes below which nothing is said."""

UNSUPPORTED = 0.05
"""The mean weight may differ from 1 by so much; beyond, and beyond chance (99.9 %), the log does not support the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDecisions:
    """What one policy showed, slot by slot, and what another would have shown there; parallel lists.

    Attributes:
        rewards: What each slot earned.
        propensities: The chance that it showed what it showed, above 0 and at most 1.
        targets: The other policy's chance of the same.
        readers: Whose slot it was.
        shown: The article shown.
        would: The article that the other policy would have shown, `""` for none; None where that is not known.
        positions: The slot's place in its slate.
    """

    rewards: Sequence[float]
    propensities: Sequence[float]
    targets: Sequence[float]
    readers: Sequence[str]
    shown: Sequence[str] = ()
    would: Sequence[str] | None = None
    positions: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyValue:
    """A policy's value per slot shown, by three estimators; each unavailable where the log cannot tell.

    Attributes:
        agreement: The share of slots in which the policy would have shown just what was shown.
        found: All figures, also those behind a refusal; None when nothing could be computed.
    """

    policy: str
    ips: ClusteredMean | Unavailable
    snips: ClusteredMean | Unavailable
    dr: ClusteredMean | Unavailable
    gain: ClusteredMean | Unavailable
    agreement: float
    clip: float
    found: OffPolicyValue


def policy_value(decisions: LoggedDecisions, *, policy: str, clip: float = 0.0) -> PolicyValue:
    """Value a policy on what another showed.

    Slots count by themselves: what a slot earns is taken not to depend on the others of its slate. Readers are the
    independent units. The doubly robust estimate models the reward by article, and article and position, from
    other readers.

    Args:
        decisions: The log.
        policy: Its name.
        clip: The largest weight; 0 for none. Cutting biases towards what was shown; by how much is told.
    """
    readers = _numbered(decisions.readers)
    modelled = None
    if decisions.would is not None:
        modelled = _modelled(decisions, decisions.would, readers)
    found = off_policy_value(
        decisions.rewards,
        propensity=decisions.propensities,
        target=decisions.targets,
        cluster=readers,
        modelled=modelled,
        clip=clip or math.inf,
    )
    refusal = _refusal(decisions, found, policy)
    no_model = unavailable(PHRASES, "no_model")
    return PolicyValue(
        policy=policy,
        ips=refusal or found.ips,
        snips=refusal or found.snips,
        dr=refusal or found.dr or no_model,
        gain=refusal or found.gain,
        agreement=sum(target > 0 for target in decisions.targets) / len(decisions.targets),
        clip=clip,
        found=found,
    )


def _refusal(decisions: LoggedDecisions, found: OffPolicyValue, policy: str) -> Unavailable | None:
    if all(propensity == 1 for propensity in decisions.propensities):
        return unavailable(PHRASES, "certain", policy=policy)
    if found.effective < FEWEST_DECISIONS or found.effective_clusters < FEWEST_READERS:
        return unavailable(
            PHRASES, "few_effective", policy=policy, slots=round(found.effective), readers=round(found.effective_clusters),
            needed=FEWEST_DECISIONS, needed_readers=FEWEST_READERS, all=found.decisions,
        )  # fmt: skip
    off = found.weight.value - 1.0
    if abs(off) > max(UNSUPPORTED, critical_value(0.999) * found.weight.se):
        code = "no_support" if off < 0 else "wrong_propensities"
        return unavailable(PHRASES, code, policy=policy, share=f"{100 * abs(off):.0f}", weight=f"{1 + off:.2f}")
    return None


def _modelled(
    decisions: LoggedDecisions, would: Sequence[str], readers: Sequence[int]
) -> tuple[list[float], list[float]]:
    positions = decisions.positions or [1] * len(decisions.shown)
    levels: tuple[list[Sequence[object]], list[Sequence[object]]] = (
        [decisions.shown, list(zip(decisions.shown, positions, strict=True))],
        [would, list(zip(would, positions, strict=True))],
    )
    shown, wanted = [], []
    for one, other in zip(*levels, strict=True):
        code = {cell: place for place, cell in enumerate(dict.fromkeys(one))}
        shown.append([code[cell] for cell in one])
        wanted.append([code.get(cell, -1) for cell in other])
    one_rewards, other_rewards = modelled_rewards(
        decisions.rewards, shown=tuple(shown), would=tuple(wanted), cluster=readers
    )
    # Where nothing would be shown, nothing is earned: no model needs to say so.
    return one_rewards.tolist(), [float(q) if name else 0.0 for q, name in zip(other_rewards, would, strict=True)]


def _numbered(names: Sequence[str]) -> list[int]:
    code: dict[str, int] = {}
    return [code.setdefault(name, len(code)) for name in names]


def value_sentences(value: PolicyValue, language: str = "en") -> list[str]:
    """Say what a policy would have earned."""
    found = value.found
    said = [
        phrase(
            PHRASES, "log", language, slots=_count(found.decisions, language), readers=_count(found.clusters, language),
            logged=_figure(found.logged, language), agreement=share_text(value.agreement, language),
            effective=_count(round(found.effective), language),
            effective_readers=_count(round(found.effective_clusters), language), policy=value.policy,
        )
    ]  # fmt: skip
    best = value.snips if isinstance(value.dr, Unavailable) else value.dr
    if isinstance(best, Unavailable):
        said.append(unavailable_text(PHRASES, best, language))
        return said
    said.append(phrase(PHRASES, "value", language, policy=value.policy, value=_figure(best, language)))
    if isinstance(value.gain, ClusteredMean):
        key = "more" if value.gain.low > 0 else "less" if value.gain.high < 0 else "open"
        said.append(phrase(PHRASES, key, language, gain=_figure(value.gain, language, signed=True)))
    if found.clipped:
        said.append(
            phrase(
                PHRASES, "clipped", language, share=share_text(found.clipped, language, decimals=1),
                clip=f"{value.clip:g}", bias=number_text(found.clip_bias, found.ips.se or 1.0, language),
            )
        )  # fmt: skip
    said.append(phrase(PHRASES, "caution", language))
    return said


def _figure(found: ClusteredMean, language: str, *, signed: bool = False) -> str:
    step = (found.high - found.low) / 2
    return f"{number_text(found.value, step, language, signed=signed)} ({range_text(found.low, found.high, language, signed=signed)})"


def _count(n: int, language: str) -> str:
    return f"{n:,}".replace(",", "\u202f" if language.lower().startswith("fr") else ",")


def values_picture(value: PolicyValue, language: str = "en") -> list[str]:
    """Draw what was earned and the three estimates, a line each on one axis; nothing where the log cannot tell."""
    rows: list[tuple[str, ClusteredMean]] = [(phrase(PHRASES, "as_logged", language), value.found.logged)]
    rows += [
        (name, found)
        for name, found in (("ips", value.ips), ("snips", value.snips), ("dr", value.dr))
        if isinstance(found, ClusteredMean)
    ]
    if len(rows) == 1:
        return []
    return interval_lines([(name, one.value, one.low, one.high) for name, one in rows], language)


PHRASES: Phrases = {
    "log": (
        "{slots} slots of {readers} readers earned {logged} each. `{policy}` would have shown the same in {agreement} of them: worth {effective} slots and {effective_readers} readers.",
        "{slots} emplacements de {readers} lecteurs ont rapporté {logged} chacun. `{policy}` aurait montré la même chose dans {agreement} : l’équivalent de {effective} emplacements et {effective_readers} lecteurs.",
    ),
    "value": (
        "`{policy}` would have earned {value} per slot.",
        "`{policy}` aurait rapporté {value} par emplacement.",
    ),
    "more": ("That is {gain} more than was earned.", "C’est {gain} de plus que ce qui a été obtenu."),
    "less": ("That is {gain}: less than was earned.", "C’est {gain} : moins que ce qui a été obtenu."),
    "open": (
        "Against what was earned: {gain}; too little to tell them apart.",
        "Par rapport à ce qui a été obtenu : {gain} ; trop peu pour les distinguer.",
    ),
    "clipped": (
        "Weights above {clip} were cut ({share} of slots); that took {bias} off the plain estimate.",
        "Les poids au-dessus de {clip} ont été coupés ({share} des emplacements) ; l’estimation simple y a perdu {bias}.",
    ),
    "caution": (
        "Each slot is taken by itself, and readers as they were then: a reason to run an experiment, not its result.",
        "Chaque emplacement est pris isolément, et les lecteurs tels qu’ils étaient : une raison de mener une expérience, pas son résultat.",
    ),
    "as_logged": ("as logged", "obtenu"),
    "certain": (
        "The log's policy was certain of everything it showed (every propensity is 1): what `{policy}` would have shown instead was never tried.",
        "La politique du journal était certaine de tout ce qu’elle montrait (propensions toutes à 1) : ce que `{policy}` aurait montré à la place n’a jamais été essayé.",
    ),
    "certain!": (
        "Let a release explore, a small share of the time (ε), and log its chances; or run an experiment.",
        "Laissez une version explorer, une petite part du temps (ε), et notez ses chances ; ou menez une expérience.",
    ),
    "few_effective": (
        "Of {all} slots, those that tell something of `{policy}` are worth {slots} slots of {readers} readers; {needed} of {needed_readers} are needed.",
        "Sur {all} emplacements, ceux qui renseignent sur `{policy}` en valent {slots} de {readers} lecteurs ; il en faut {needed} de {needed_readers}.",
    ),
    "few_effective!": (
        "Log longer, explore more, or value a policy closer to the one that was live.",
        "Observez plus longtemps, explorez davantage, ou évaluez une politique plus proche de celle en place.",
    ),
    "no_support": (
        "About {share} % of what `{policy}` would show had no chance of being shown (mean weight {weight} instead of 1).",
        "Environ {share} % de ce que `{policy}` montrerait n’avait aucune chance d’être montré (poids moyen {weight} au lieu de 1).",
    ),
    "no_support!": (
        "Explore over every article that may be shown, or check the logged propensities.",
        "Explorez parmi tous les articles possibles, ou vérifiez les propensions notées.",
    ),
    "wrong_propensities": (
        "The mean weight is {weight} instead of 1: the logged propensities are smaller than the truth.",
        "Le poids moyen est {weight} au lieu de 1 : les propensions notées sont plus petites que les vraies.",
    ),
    "wrong_propensities!": (
        "Log the chance of what was shown, at its position, as it was when it was drawn.",
        "Notez la chance de ce qui a été montré, à sa place, telle qu’au tirage.",
    ),
    "no_model": (
        "Without knowing which article the policy would have shown, no reward can be modelled.",
        "Sans savoir quel article la politique aurait montré, aucun gain ne peut être modélisé.",
    ),
    "no_model!": ("Add the column `would`.", "Ajoutez la colonne `would`."),
}
"""What is said about a policy's value, in English and French."""
