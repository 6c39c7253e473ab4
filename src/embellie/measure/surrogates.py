"""Surrogates: a long-term effect foretold from early behaviour; told only where the foretelling holds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from embellie.domain.errors import InputError
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
from embellie.stats.surrogate import IndexEffect, SurrogateIndex, fit_index, index_effect, left_over_effect

FEWEST_HISTORY = 100
"""Units of the history, and ten for each feature, below which no index is fitted."""

FEWEST_UNITS = 30
"""Units per side below which nothing is compared, and outcomes known below which nothing is validated."""

FAR = 0.5
"""Standard deviations of the history by which the control may differ from it before that is pointed out."""

Validation = Literal["holds", "weak", "fails", "none"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Units of one side: their features (rows), and their outcomes, NaN where not known yet."""

    features: Sequence[Sequence[float]]
    outcomes: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """A long-term effect by a surrogate index.

    Attributes:
        effect: On the outcome, foretold; unavailable where the index cannot be trusted.
        index_effect: The same figure whatever the validation said; None when none could be formed.
        left_over: What the treatment did to known outcomes beside the index.
        direct: The effect on known outcomes, as it is.
        validation: `holds`: what is left over is at most half of the effect, and its interval holds zero; `weak`: too few known
            outcomes to say so; `fails`: it is not zero; `none`: hardly any outcome is known.
        r_squared: Of the index, on units it was not fitted on.
        distance: How far the control's mean features lie from the history's, in its standard deviations, at most.
        history: Units of the history.
        units: Of each side.
        known: Outcomes known of each side.
    """

    outcome: str
    surrogates: tuple[str, ...]
    control: str
    treatment: str
    effect: IndexEffect | Unavailable
    validation: Validation
    history: int
    units: tuple[int, int]
    known: tuple[int, int]
    index_effect: IndexEffect | None = None
    left_over: IndexEffect | None = None
    direct: IndexEffect | None = None
    r_squared: float | None = None
    distance: float | None = None


def foretell(
    history: Sample,
    control: Sample,
    treatment: Sample,
    *,
    outcome: str,
    surrogates: Sequence[str],
    names: tuple[str, str],
    seed: int = 0,
) -> Foretold:
    """Foretell an effect on an outcome that is not there yet.

    Args:
        history: Units of before, or of a holdout, whose outcomes are all known.
        control: The experiment's control.
        treatment: Its treatment.
        outcome: The name of the outcome.
        surrogates: The names of the features.
        names: Those of control and treatment.
        seed: Deals the history to folds.

    Raises:
        InputError: A feature does not vary, or is a sum of others.
    """
    units = (len(control.outcomes), len(treatment.outcomes))
    known = (_known(control), _known(treatment))
    frame = {
        "outcome": outcome, "surrogates": tuple(surrogates), "control": names[0], "treatment": names[1],
        "history": len(history.outcomes), "units": units, "known": (len(known[0].outcomes), len(known[1].outcomes)),
    }  # fmt: skip
    needed = max(FEWEST_HISTORY, 10 * (len(history.features[0]) + 1 if history.features else 1))
    if len(history.outcomes) < needed or min(units) < FEWEST_UNITS:
        few = unavailable(
            PHRASES, "few_units", history=len(history.outcomes), needed=needed, fewest=FEWEST_UNITS, units=min(units)
        )
        return Foretold(effect=few, validation="none", **frame)  # type: ignore[arg-type]
    try:
        index = fit_index(history.features, history.outcomes, seed=seed)
    except ValueError:
        raise InputError(
            "The surrogates do not vary independently in the history.",
            hint="Leave out one that is constant, or that follows from the others.",
        ) from None
    if not index.r_squared > 0:
        nothing = unavailable(PHRASES, "no_prediction", outcome=outcome)
        return Foretold(effect=nothing, validation="none", r_squared=index.r_squared, **frame)  # type: ignore[arg-type]
    found = index_effect(index, treatment.features, control.features)
    validation, left_over, direct = _validated(index, known, found)
    effect: IndexEffect | Unavailable = found
    if validation == "fails":
        effect = unavailable(PHRASES, "not_through", outcome=outcome, treatment=names[1])
    return Foretold(
        effect=effect, index_effect=found, left_over=left_over, direct=direct, validation=validation,
        r_squared=index.r_squared, distance=_distance(history, control), **frame,  # type: ignore[arg-type]
    )  # fmt: skip


def _known(side: Sample) -> Sample:
    rows = [
        (features, outcome)
        for features, outcome in zip(side.features, side.outcomes, strict=True)
        if not math.isnan(outcome)
    ]
    return Sample([features for features, _ in rows], [outcome for _, outcome in rows])


def _validated(
    index: SurrogateIndex, known: tuple[Sample, Sample], found: IndexEffect
) -> tuple[Validation, IndexEffect | None, IndexEffect | None]:
    control, treatment = known
    if min(len(control.outcomes), len(treatment.outcomes)) < FEWEST_UNITS:
        return "none", None, None
    left_over = left_over_effect(index, (treatment.features, treatment.outcomes), (control.features, control.outcomes))
    nothing = SurrogateIndex(index.coefficients * 0, index.covariance * 0, 0.0, index.n)
    direct = left_over_effect(nothing, (treatment.features, treatment.outcomes), (control.features, control.outcomes))
    if left_over.low > 0 or left_over.high < 0:
        return "fails", left_over, direct
    small = max(abs(left_over.low), abs(left_over.high)) <= abs(found.effect) / 2
    return "holds" if small else "weak", left_over, direct


def _distance(history: Sample, control: Sample) -> float:
    farthest = 0.0
    for one, other in zip(zip(*history.features, strict=True), zip(*control.features, strict=True), strict=True):
        mean = sum(one) / len(one)
        sd = math.sqrt(sum((value - mean) ** 2 for value in one) / (len(one) - 1))
        farthest = max(farthest, abs(sum(other) / len(other) - mean) / sd)
    return farthest


def foretold_sentences(told: Foretold, language: str = "en") -> list[str]:
    """Say what is foretold, and how far it can be trusted."""
    names = {"outcome": told.outcome, "treatment": told.treatment, "control": told.control}
    if isinstance(told.effect, Unavailable):
        said = [unavailable_text(PHRASES, told.effect, language)]
    else:
        key = "higher" if told.effect.low > 0 else "lower" if told.effect.high < 0 else "open"
        said = [phrase(PHRASES, key, language, **names, value=_figure(told.effect, language))]
    if told.index_effect is not None and told.r_squared is not None:
        more = 1 - (told.index_effect.se_units / told.index_effect.se) ** 2 if told.index_effect.se > 0 else 0.0
        said.append(
            phrase(
                PHRASES, "index", language, surrogates=", ".join(told.surrogates), explained=share_text(told.r_squared, language),
                history=told.history, share=share_text(more, language), outcome=told.outcome,
            )
        )  # fmt: skip
    if told.left_over is not None:
        said.append(
            phrase(
                PHRASES, f"validation_{told.validation}", language, value=_figure(told.left_over, language),
                known=sum(told.known), **names,
            )
        )  # fmt: skip
    elif told.index_effect is not None:
        said.append(phrase(PHRASES, "validation_none", language, known=sum(told.known), needed=FEWEST_UNITS, **names))
    if told.distance is not None and told.distance > FAR:
        said.append(phrase(PHRASES, "far", language, distance=number_text(told.distance, 1, language)))
    return said


def _figure(found: IndexEffect, language: str) -> str:
    step = (found.high - found.low) / 2
    return f"{number_text(found.effect, step, language, signed=True)} ({range_text(found.low, found.high, language)})"


def foretold_picture(told: Foretold, language: str = "en") -> list[str]:
    """Draw the foretold effect, and where outcomes are known the effect on them and what is left over."""
    rows = [
        (phrase(PHRASES, name, language), found.effect, found.low, found.high)
        for name, found in (("foretold", told.index_effect), ("known", told.direct), ("left_over", told.left_over))
        if found is not None
    ]
    return interval_lines(rows, language, zero=True) if rows else []


PHRASES: Phrases = {
    "higher": (
        "`{treatment}`, against `{control}`: {value} on {outcome}, foretold. Higher.",
        "`{treatment}`, contre `{control}` : {value} sur « {outcome} », prévu. Plus élevé.",
    ),
    "lower": (
        "`{treatment}`, against `{control}`: {value} on {outcome}, foretold. Lower.",
        "`{treatment}`, contre `{control}` : {value} sur « {outcome} », prévu. Plus bas.",
    ),
    "open": (
        "`{treatment}`, against `{control}`: {value} on {outcome}, foretold. Too early to tell them apart.",
        "`{treatment}`, contre `{control}` : {value} sur « {outcome} », prévu. Trop tôt pour les distinguer.",
    ),
    "index": (
        "The index of {surrogates} explains {explained} of {outcome} among {history} units of the history; its own error makes up {share} of the variance.",
        "L’indice de {surrogates} explique {explained} de « {outcome} » parmi {history} unités de l’historique ; sa propre erreur fait {share} de la variance.",
    ),
    "validation_holds": (
        "Held up by {known} known outcomes: beside the index the variant did {value}.",
        "Confirmé par {known} résultats connus : hors de l’indice, la variante a fait {value}.",
    ),
    "validation_weak": (
        "{known} known outcomes do not speak against it, but are too few to hold it up: beside the index the variant did {value}.",
        "{known} résultats connus ne le contredisent pas, mais sont trop peu pour le confirmer : hors de l’indice, la variante a fait {value}.",
    ),
    "validation_fails": (
        "Among {known} known outcomes the variant did {value} beside the index.",
        "Parmi {known} résultats connus, la variante a fait {value} hors de l’indice.",
    ),
    "validation_none": (
        "NOT validated: {known} outcomes are known, {needed} a side are needed. It holds only if the variant works on {outcome} through the surrogates alone.",
        "NON validé : {known} résultats connus, il en faut {needed} par côté. Il ne vaut que si la variante agit sur « {outcome} » par les seuls indices.",
    ),
    "far": (
        "The control lies up to {distance} standard deviations from the history: the index is used on other units than it was fitted on.",
        "Le témoin est jusqu’à {distance} écarts types de l’historique : l’indice sert sur d’autres unités que celles où il a été ajusté.",
    ),
    "few_units": (
        "{history} units in the history ({needed} are needed), {units} on the smaller side ({fewest}).",
        "{history} unités dans l’historique (il en faut {needed}), {units} du plus petit côté ({fewest}).",
    ),
    "few_units!": (
        "Wait for traffic, or give a longer history.",
        "Attendez du trafic, ou donnez un historique plus long.",
    ),
    "no_prediction": (
        "The surrogates do not foretell {outcome}: on units left out of the fit they do worse than its mean.",
        "Les indices n’annoncent pas « {outcome} » : hors de l’ajustement, ils font moins bien que sa moyenne.",
    ),
    "no_prediction!": ("Choose others, or add some.", "Choisissez-en d’autres, ou ajoutez-en."),
    "not_through": (
        "`{treatment}` changed {outcome} by other ways than the surrogates: the index cannot stand in for it.",
        "`{treatment}` a changé « {outcome} » par d’autres voies que les indices : ils ne peuvent le remplacer.",
    ),
    "not_through!": (
        "Add what it works through to the surrogates, or wait for the outcome itself.",
        "Ajoutez aux indices ce par quoi elle agit, ou attendez le résultat lui-même.",
    ),
    "foretold": ("foretold", "prévu"),
    "known": ("on known outcomes", "sur les résultats connus"),
    "left_over": ("beside the index", "hors de l’indice"),
}
"""What is said about surrogates, in English and French."""
