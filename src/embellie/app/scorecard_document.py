"""The scorecard as a document: `embellie/scorecard/1`, its history as `embellie/scorecard-series/1`, and as rows."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from embellie.domain.errors import unknown_name
from embellie.domain.scorecard import (
    Check,
    Effect,
    Guardrail,
    MoneyEffect,
    RelativeEffect,
    SampleRatio,
    Scorecard,
    Shrunk,
    Slice,
    UnavailableEffect,
)
from embellie.domain.unavailable import Unavailable

__all__ = [
    "COLUMNS",
    "Format",
    "check_document",
    "file_bytes",
    "scorecard_document",
    "scorecard_rows",
    "series_document",
    "srm_document",
    "write_rows",
]

Format = Literal["csv", "parquet"]

SCHEMA = "embellie/scorecard/1"
SERIES_SCHEMA = "embellie/scorecard-series/1"

COLUMNS: Mapping[str, type] = {
    "experiment": str,
    "dimension": str,
    "value": str,
    "metric": str,
    "role": str,
    "proxy": bool,
    "variant": str,
    "control": str,
    "adjusted": bool,
    "units": int,
    "control_units": int,
    "control_value": float,
    "variant_value": float,
    "effect": float,
    "se": float,
    "p_value": float,
    "p_many": float,
    "log_e": float,
    "interval": str,
    "level": float,
    "low": float,
    "high": float,
    "relative": float,
    "relative_low": float,
    "relative_high": float,
    "theta": float,
    "saved": float,
    "money": float,
    "money_low": float,
    "money_high": float,
    "currency": str,
    "guardrail": str,
    "margin": float,
    "shrunk": float,
    "shrunk_low": float,
    "shrunk_high": float,
    "unavailable": str,
}
"""The columns of a scorecard as a table, with what they hold; a cell may be empty."""


def scorecard_document(card: Scorecard) -> dict[str, Any]:
    """Return the JSON form of a scorecard, `embellie/scorecard/1`; what there is nothing of is left out."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "experiment": card.experiment or None,
        "unit": card.unit,
        "control": card.control,
        "variants": {variant: {"units": units} for variant, units in card.units.items()},
        "excluded": dict(card.excluded),
        "srm": srm_document(card.srm),
        "effects": [_effect_document(effect) for effect in card.effects],
    }
    if card.planned is not None:
        document["planned"] = card.planned
    if card.checks:
        document["checks"] = [check_document(check) for check in card.checks]
    if card.slices:
        document["slices"] = [_slice_document(part) for part in card.slices]
    return document


def srm_document(srm: SampleRatio | Unavailable) -> dict[str, Any]:
    """Return the JSON form of the check of the split."""
    if isinstance(srm, Unavailable):
        return dict(srm.document())
    return {"p_value": srm.p_value, "log_e": srm.log_e, "alarm": srm.alarm}


def check_document(check: Check) -> dict[str, Any]:
    """Return the JSON form of a check."""
    return {
        "check": check.check,
        "state": check.state,
        "code": check.code,
        "values": dict(check.values),
        "figures": dict(check.figures),
    }


def series_document(history: Sequence[tuple[datetime, Scorecard]], metric: str) -> dict[str, Any]:
    """Return one metric's effects over time, oldest first: the whole sequence of intervals.

    Args:
        history: The scorecard at moments since the start.
        metric: One of the scorecard's.

    Raises:
        UnknownName: The last scorecard has no such metric.
    """
    last = history[-1][1] if history else None
    known = list(dict.fromkeys(row.metric for row in last.effects)) if last else []
    if metric not in known:
        raise unknown_name("metric", metric, known, at="?metric")
    document: dict[str, Any] = {
        "schema": SERIES_SCHEMA,
        "experiment": (last.experiment or None) if last else None,
        "metric": metric,
        "control": last.control if last else "",
    }
    if last is not None and last.planned is not None:
        document["planned"] = last.planned
    document["points"] = [
        {
            "at": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "units": dict(card.units),
            "effects": [_effect_document(row) for row in card.effects if row.metric == metric],
        }
        for at, card in history
    ]
    return document


def scorecard_rows(card: Scorecard) -> list[dict[str, Any]]:
    """Return a scorecard as rows of `COLUMNS`: one per metric, variant, adjusted or not, and slice."""
    return list(_rows(card))


def write_rows(path: Path, card: Scorecard, *, as_: Format) -> None:
    """Write a scorecard's rows to a file, whole or not at all; see `write_table`."""
    from embellie.store.scorecard_table import write_table

    write_table(path, COLUMNS, scorecard_rows(card), as_=as_)


def file_bytes(card: Scorecard, *, as_: Format) -> bytes:
    """Return a scorecard's rows as the content of a file."""
    from embellie.store.scorecard_table import table_bytes

    return table_bytes(COLUMNS, scorecard_rows(card), as_=as_)


def _rows(card: Scorecard) -> Iterator[dict[str, Any]]:
    whole = Slice(dimension="", value="", units=card.units, effects=card.effects)
    for part in (whole, *card.slices):
        for row in part.effects:
            yield (
                dict.fromkeys(COLUMNS)
                | {
                    "experiment": card.experiment,
                    "dimension": part.dimension,
                    "value": part.value,
                    "metric": row.metric,
                    "role": row.role,
                    "proxy": row.proxy,
                    "variant": row.variant,
                    "control": card.control,
                    "adjusted": row.adjusted,
                    "units": part.units.get(row.variant),
                    "control_units": part.units.get(card.control),
                }
                | (_cells(row) if isinstance(row, Effect) else {"unavailable": row.because.reason})
            )


def _cells(row: Effect) -> dict[str, Any]:
    cells: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("control_value", "variant_value", "effect", "se", "p_value", "p_many", "log_e", "theta", "saved")
    }
    cells |= {"interval": row.interval.kind, "level": row.interval.level}
    cells |= {"low": row.interval.low, "high": row.interval.high}
    if isinstance(row.relative, RelativeEffect):
        cells |= _three("relative", row.relative)
    if row.money is not None:
        cells |= _three("money", row.money) | {"currency": row.money.currency}
    if row.guardrail is not None:
        cells |= {"guardrail": row.guardrail.state, "margin": row.guardrail.margin}
    if row.shrunk is not None:
        cells |= _three("shrunk", row.shrunk)
    return cells


def _three(name: str, found: RelativeEffect | MoneyEffect | Shrunk) -> dict[str, float]:
    return {name: found.effect, f"{name}_low": found.low, f"{name}_high": found.high}


def _slice_document(part: Slice) -> dict[str, Any]:
    return {
        "dimension": part.dimension,
        "value": part.value,
        "variants": {variant: {"units": units} for variant, units in part.units.items()},
        "effects": [_effect_document(effect) for effect in part.effects],
    }


def _effect_document(row: Effect | UnavailableEffect) -> dict[str, Any]:
    head: dict[str, Any] = {"metric": row.metric, "variant": row.variant, "role": row.role}
    if row.proxy:
        head["proxy"] = True
    if isinstance(row, UnavailableEffect):
        return head | ({"adjusted": True} if row.adjusted else {}) | row.because.document()
    document = head | {
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
    more = {name: getattr(row, name) for name in ("theta", "saved", "p_many", "log_e")}
    more["money"] = _given(row.money, ("effect", "low", "high", "currency"))
    more["guardrail"] = _given(row.guardrail, ("state", "margin", "money", "low", "high"))
    more["shrunk"] = _given(row.shrunk, ("effect", "low", "high", "above_zero", "above_margin"))
    return document | {name: value for name, value in more.items() if value is not None}


def _given(record: MoneyEffect | Guardrail | Shrunk | None, names: Sequence[str]) -> dict[str, Any] | None:
    """The fields that hold something."""
    if record is None:
        return None
    return {name: value for name in names if (value := getattr(record, name)) is not None}


def _relative_document(relative: RelativeEffect | Unavailable) -> dict[str, Any]:
    if isinstance(relative, Unavailable):
        return dict(relative.document())
    return {"effect": relative.effect, "low": relative.low, "high": relative.high, "se": relative.se}
