"""The scorecard as a document: `embellie/scorecard/1`."""

from typing import Any

from embellie.domain.scorecard import Effect, RelativeEffect, SampleRatio, Scorecard, UnavailableEffect
from embellie.domain.unavailable import Unavailable

SCHEMA = "embellie/scorecard/1"


def scorecard_document(card: Scorecard) -> dict[str, Any]:
    """Return the JSON form of a scorecard, `embellie/scorecard/1`."""
    return {
        "schema": SCHEMA,
        "experiment": card.experiment or None,
        "unit": card.unit,
        "control": card.control,
        "variants": {variant: {"units": units} for variant, units in card.units.items()},
        "excluded": dict(card.excluded),
        "srm": srm_document(card.srm),
        "effects": [_effect_document(effect) for effect in card.effects],
    }


def srm_document(srm: SampleRatio | Unavailable) -> dict[str, Any]:
    """Return the JSON form of the check of the split."""
    if isinstance(srm, Unavailable):
        return dict(srm.document())
    return {"p_value": srm.p_value, "log_e": srm.log_e, "alarm": srm.alarm}


def _effect_document(row: Effect | UnavailableEffect) -> dict[str, Any]:
    head: dict[str, Any] = {"metric": row.metric, "variant": row.variant}
    if row.proxy:
        head["proxy"] = True
    if isinstance(row, UnavailableEffect):
        return head | row.because.document()
    return head | {
        "control_value": row.control_value,
        "variant_value": row.variant_value,
        "adjusted": row.adjusted,
        "effect": row.effect,
        "se": row.se,
        "p_value": row.p_value,
        "interval": {
            "kind": row.interval.kind,
            "level": row.interval.level,
            "low": row.interval.low,
            "high": row.interval.high,
        },
        "relative": _relative_document(row.relative),
    }


def _relative_document(relative: RelativeEffect | Unavailable) -> dict[str, Any]:
    if isinstance(relative, Unavailable):
        return dict(relative.document())
    return {"effect": relative.effect, "low": relative.low, "high": relative.high, "se": relative.se}
