"""Switchbacks: one shared thing, switched over time; designed, checked and told."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from embellie.domain.errors import InputError
from embellie.domain.unavailable import Unavailable
from embellie.measure.phrasing import Phrases, phrase, range_text, unavailable, unavailable_text
from embellie.measure.telling import number_text
from embellie.stats.switchback import (
    SwitchbackEstimate,
    blocks_of,
    carry_over_sign,
    randomisation_points,
    switchback_effect,
)

FEWEST_COINS = 6
"""Coins below which even the clearest result cannot reach 5 %: its p-value is at least 2 / 2^coins."""

SUSPICIOUS = 3.0
"""Standard errors from which outcomes are said to carry over further than assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchbackDesign:
    """When coins are thrown, and how far an arm reaches on; periods count from 1."""

    periods: int
    carry_over: int
    points: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switchback:
    """What a switchback found.

    Attributes:
        arms: Of each period, True for the treatment.
        carries: How many standard errors outcomes still depend on the arm before the carry-over that was assumed; None
            where too few periods tell.
        longer: The same with a carry-over of one more period, where the design still allows for it.
    """

    design: SwitchbackDesign
    control: str
    treatment: str
    outcomes: tuple[float, ...]
    arms: tuple[bool, ...]
    found: SwitchbackEstimate | Unavailable
    carries: float | None = None
    longer: SwitchbackEstimate | None = None

    @property
    def verdict(self) -> Literal["higher", "lower", "open", "unknown"]:
        """What the interval and the coins say; both must."""
        if isinstance(self.found, Unavailable):
            return "unknown"
        if self.found.p_value < 0.05 and self.found.low > 0:
            return "higher"
        return "lower" if self.found.p_value < 0.05 and self.found.high < 0 else "open"


def design_switchback(periods: int, *, carry_over: int, every: int = 0) -> SwitchbackDesign:
    """Choose when to throw coins: where it costs least for this carry-over, or every so many periods.

    Raises:
        InputError: There are too few periods for this carry-over.
    """
    if carry_over < 0 or every < 0 or periods < 4 * max(1, carry_over):
        raise InputError(
            f"{periods} periods are too few for a carry-over of {carry_over}.",
            hint=f"Plan at least {4 * max(1, carry_over)}, or make periods longer so that less carries over.",
        )
    points = tuple(range(1, periods + 1, every)) if every else randomisation_points(periods, carry_over)
    return SwitchbackDesign(periods=periods, carry_over=carry_over, points=points)


def planned_arms(design: SwitchbackDesign, *, seed: int) -> tuple[bool, ...]:
    """Throw the coins of a design: each period's arm, True for the treatment."""
    draw = random.Random(seed)
    coins = [draw.random() < 0.5 for _ in design.points]
    return tuple(coins[block] for block in blocks_of(design.periods, design.points))


def read_switchback(
    design: SwitchbackDesign,
    outcomes: Sequence[float],
    arms: Sequence[bool],
    *,
    control: str,
    treatment: str,
    baseline: float | None = None,
    seed: int = 0,
) -> Switchback:
    """Estimate a switchback, and look for more carry-over than it was designed for.

    Args:
        design: As it was run.
        outcomes: One per period, in order.
        arms: True for the treatment.
        control: The name of the other arm.
        treatment: The name of the treatment.
        baseline: A number known beforehand, near the outcomes; their mean when left out.
        seed: Of the sample of paths, for long designs.

    Raises:
        InputError: The arm changes where no coin was thrown.
    """
    points = set(design.points)
    for period in range(2, design.periods + 1):
        if arms[period - 1] != arms[period - 2] and period not in points:
            raise InputError(
                f"The arm changes at period {period}, where no coin was thrown.",
                hint=f"Coins fell at {', '.join(map(str, design.points))}; give the design as it was run (`--carryover`, `--every`).",
            )
    told = Switchback(
        design=design, control=control, treatment=treatment, outcomes=tuple(outcomes), arms=tuple(arms),
        found=unavailable(PHRASES, "few_coins", coins=len(design.points), needed=FEWEST_COINS),
    )  # fmt: skip
    if len(design.points) < FEWEST_COINS:
        return told
    given = {"points": design.points, "baseline": baseline, "seed": seed}
    found = switchback_effect(outcomes, arms, carry_over=design.carry_over, **given)  # type: ignore[arg-type]
    carries = carry_over_sign(outcomes, arms, design.carry_over)
    longer = None
    if found.used and design.carry_over + 1 < design.periods // 2:
        more = switchback_effect(outcomes, arms, carry_over=design.carry_over + 1, **given)  # type: ignore[arg-type]
        longer = more if more.used and more.se > 0 else None
    if not found.used or not found.se > 0:
        return Switchback(
            design=design, control=control, treatment=treatment, outcomes=told.outcomes, arms=told.arms,
            found=unavailable(PHRASES, "no_stretch", length=design.carry_over + 1),
        )  # fmt: skip
    return Switchback(
        design=design, control=control, treatment=treatment, outcomes=told.outcomes, arms=told.arms, found=found,
        carries=None if math.isnan(carries) else carries, longer=longer,
    )  # fmt: skip


def carries_further(told: Switchback) -> bool:
    """Whether outcomes show more carry-over than the design allows for."""
    return told.carries is not None and told.carries > SUSPICIOUS


def switchback_sentences(told: Switchback, language: str = "en") -> list[str]:
    """Say what a switchback found."""
    if isinstance(told.found, Unavailable):
        return [unavailable_text(PHRASES, told.found, language)]
    found = told.found
    step = (found.high - found.low) / 2
    said = [
        phrase(
            PHRASES, told.verdict, language, treatment=told.treatment, control=told.control,
            effect=number_text(found.effect, step, language, signed=True),
            interval=range_text(found.low, found.high, language), p=f"{found.p_value:.2g}",
        ),
        phrase(
            PHRASES, "exact" if found.exact else "sampled", language, coins=found.coins, used=found.used,
            periods=told.design.periods, carry_over=told.design.carry_over,
        ),
    ]  # fmt: skip
    if told.carries is None:
        said.append(phrase(PHRASES, "cannot_carry", language, carry_over=told.design.carry_over))
    elif carries_further(told):
        said.append(
            phrase(
                PHRASES, "carries", language, carry_over=told.design.carry_over, z=number_text(told.carries, 5, language),
            )
        )  # fmt: skip
        if told.longer is not None:
            limits = range_text(told.longer.low, told.longer.high, language)
            value = number_text(told.longer.effect, (told.longer.high - told.longer.low) / 2, language, signed=True)
            said.append(
                phrase(
                    PHRASES, "longer", language, carry_over=told.design.carry_over + 1, effect=value, interval=limits
                )
            )
    return said


_BARS = "▁▂▃▄▅▆▇█"
_LINE = 60


def switchback_picture(told: Switchback) -> list[str]:
    """Draw the outcome of each period as a bar, the arm beneath it (`█` treatment, `·` control), 60 periods a line."""
    low, high = min(told.outcomes), max(told.outcomes)
    bars = [
        _BARS[round((value - low) / (high - low) * (len(_BARS) - 1)) if high > low else 0] for value in told.outcomes
    ]
    arms = ["█" if arm else "·" for arm in told.arms]
    lines = []
    for start in range(0, len(bars), _LINE):
        lines += ["".join(bars[start : start + _LINE]), "".join(arms[start : start + _LINE])]
    return [*lines, f"█ {told.treatment}  · {told.control}"]


PHRASES: Phrases = {
    "higher": (
        "`{treatment}` all along, against `{control}`: {effect} per period (95 % interval {interval}), p = {p}. Higher.",
        "`{treatment}` tout du long, contre `{control}` : {effect} par période (intervalle à 95 % {interval}), p = {p}. Plus élevé.",
    ),
    "lower": (
        "`{treatment}` all along, against `{control}`: {effect} per period (95 % interval {interval}), p = {p}. Lower.",
        "`{treatment}` tout du long, contre `{control}` : {effect} par période (intervalle à 95 % {interval}), p = {p}. Plus bas.",
    ),
    "open": (
        "`{treatment}` all along, against `{control}`: {effect} per period (95 % interval {interval}), p = {p}. Too early to tell them apart.",
        "`{treatment}` tout du long, contre `{control}` : {effect} par période (intervalle à 95 % {interval}), p = {p}. Trop tôt pour les distinguer.",
    ),
    "exact": (
        "{coins} coins over {periods} periods, all their paths gone through; {used} periods count, the rest being within {carry_over} of a change.",
        "{coins} tirages sur {periods} périodes, tous leurs chemins parcourus ; {used} périodes comptent, les autres étant à {carry_over} ou moins d’un changement.",
    ),
    "sampled": (
        "{coins} coins over {periods} periods, 10,000 of their paths drawn; {used} periods count, the rest being within {carry_over} of a change.",
        "{coins} tirages sur {periods} périodes, 10 000 de leurs chemins tirés ; {used} périodes comptent, les autres étant à {carry_over} ou moins d’un changement.",
    ),
    "carries": (
        "Outcomes still depend on the arm more than {carry_over} periods before ({z} standard errors): the effect above is too small. Design for more carry-over.",
        "Les résultats dépendent encore du bras plus de {carry_over} périodes avant ({z} erreurs types) : l’effet ci-dessus est trop petit. Prévoyez un report plus long.",
    ),
    "longer": (
        "With a carry-over of {carry_over} it would be {effect} ({interval}).",
        "Avec un report de {carry_over}, il serait de {effect} ({interval}).",
    ),
    "cannot_carry": (
        "Too few periods to tell whether more than {carry_over} carries over.",
        "Trop peu de périodes pour dire si le report dépasse {carry_over}.",
    ),
    "few_coins": (
        "{coins} coins were thrown; {needed} are needed for any result to be clear.",
        "{coins} tirages ; il en faut {needed} pour qu’un résultat puisse être net.",
    ),
    "few_coins!": (
        "Run it longer, or in shorter periods.",
        "Prolongez l’expérience, ou raccourcissez les périodes.",
    ),
    "no_stretch": (
        "No stretch of {length} periods of one arm tells the two apart.",
        "Aucune suite de {length} périodes d’un même bras ne les distingue.",
    ),
    "no_stretch!": (
        "Throw coins less often than things carry over, or wait for more periods.",
        "Tirez moins souvent que la durée du report, ou attendez plus de périodes.",
    ),
}
"""What is said about a switchback, in English and French."""
