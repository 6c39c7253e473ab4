"""Surrogate tables: a long-term effect foretold from an experiment's table and one of known outcomes."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embellie.app.number_columns import Columns, read_columns
from embellie.domain.errors import InputError, TableError, unknown_name
from embellie.domain.unavailable import Unavailable
from embellie.measure.surrogates import Foretold, Sample, foretell, foretold_picture, foretold_sentences
from embellie.stats.surrogate import IndexEffect, with_squares

__all__ = ["SurrogateSpec", "foretold_document", "foretold_from_tables", "foretold_picture", "foretold_sentences"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SurrogateSpec:
    """The names of columns.

    Attributes:
        unit: Of the unit; a row each.
        variant: Of the variant, in the experiment's table.
        surrogates: What is there early.
        outcome: What counts; in the experiment's table it may be absent, or empty where not known yet.
        covariates: What was known before, as further features.
        squares: Also squares and products of the features.
        control: The control's value; the earlier one in the alphabet when left out.
    """

    unit: str
    variant: str
    surrogates: tuple[str, ...]
    outcome: str
    covariates: tuple[str, ...] = ()
    squares: bool = False
    control: str = ""


def foretold_from_tables(table: str, history: str, *, spec: SurrogateSpec, seed: int = 0) -> Foretold:
    """Foretell an effect on an outcome from two tables.

    Args:
        table: The experiment: a row per unit.
        history: Units whose outcomes are known: of before, or of a holdout.
        spec: The columns.
        seed: Deals the history to folds.

    Raises:
        TableError: A column is missing, a cell is no number, a unit comes twice, or there are not two variants.
        InputError: No surrogate is named, or they do not vary independently.
    """
    features = [*spec.surrogates, *spec.covariates]
    if not spec.surrogates:
        raise InputError("No surrogate is named.", hint="Add `--surrogates visits,reads`.")
    past = read_columns(history, numbers=[*features, spec.outcome])
    found = read_columns(
        table,
        numbers=[*features, spec.outcome],
        texts=[spec.unit, spec.variant],
        optional=[spec.outcome],
        gaps=[spec.outcome],
    )
    units = found.texts[spec.unit]
    if len(set(units)) < len(units):
        seen: set[str] = set()
        twice = next(unit for unit in units if unit in seen or seen.add(unit))  # type: ignore[func-returns-value]
        raise TableError(
            f"Unit `{twice}` comes twice.", hint="Give a row per unit: sum them up first.", at=Path(table).name
        )
    variants = sorted(set(found.texts[spec.variant]))
    if len(variants) != 2:
        raise TableError(
            f"Column `{spec.variant}` has {len(variants)} values.",
            hint="A surrogate compares two variants.",
            at=Path(table).name,
        )
    control = spec.control or variants[0]
    if control not in variants:
        raise unknown_name("variant", control, variants, at="--control")
    (treatment,) = (one for one in variants if one != control)
    return foretell(
        _sample(past, features, spec),
        _sample(found, features, spec, variant=control),
        _sample(found, features, spec, variant=treatment),
        outcome=spec.outcome,
        surrogates=spec.surrogates,
        names=(control, treatment),
        seed=seed,
    )


def _sample(columns: Columns, features: list[str], spec: SurrogateSpec, *, variant: str = "") -> Sample:
    rows: list[Any] = list(zip(*(columns.numbers[name] for name in features), strict=True))
    outcomes = columns.numbers.get(spec.outcome, [math.nan] * len(rows))
    if spec.squares:
        rows = with_squares(rows).tolist()
    if not variant:
        return Sample(rows, outcomes)
    kept = [place for place, which in enumerate(columns.texts[spec.variant]) if which == variant]
    return Sample([rows[place] for place in kept], [outcomes[place] for place in kept])


def foretold_document(told: Foretold) -> dict[str, Any]:
    """Return the JSON form (`embellie/surrogate/1`)."""
    return {
        "schema": "embellie/surrogate/1",
        "outcome": told.outcome,
        "surrogates": list(told.surrogates),
        "control": told.control,
        "treatment": told.treatment,
        "effect": _figures(told.effect),
        "validation": told.validation,
        "index_effect": _figures(told.index_effect),
        "left_over": _figures(told.left_over),
        "direct": _figures(told.direct),
        "r_squared": told.r_squared,
        "distance": told.distance,
        "history": told.history,
        "units": dict(zip((told.control, told.treatment), told.units, strict=True)),
        "known_outcomes": dict(zip((told.control, told.treatment), told.known, strict=True)),
        "interval": {"level": 0.95, "unit": "unit"},
    }


def _figures(found: IndexEffect | Unavailable | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return dict(found.document()) if isinstance(found, Unavailable) else asdict(found)
