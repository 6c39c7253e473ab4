"""Correcting: what a finding is worth when several comparisons were made at once. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from embellie.domain.scorecard import Effect, UnavailableEffect
from embellie.stats.multiplicity import benjamini_hochberg, holm

Row = Effect | UnavailableEffect


def leading(rows: Sequence[Row]) -> list[Row]:
    """Return one row per metric and variant: the adjusted one where it could be computed.

    This is the row that decides; the other stands beside it for comparison.
    """
    chosen: dict[tuple[str, str], Row] = {}
    for row in rows:
        if isinstance(row, Effect) or (row.metric, row.variant) not in chosen:
            chosen[row.metric, row.variant] = row
    return list(chosen.values())


def corrected(rows: Sequence[Row]) -> list[Row]:
    """Give p-values for all comparisons together.

    Holm's over the primary metrics and their variants: not one false finding. Benjamini and Hochberg's over the others: few of the
    findings false; where intervals hold at every look their p-values are 1/e, so that this is the e-BH procedure, valid under any
    dependence and whenever one stops. Guardrails must all hold, so nothing is corrected there. Rows that decide form one family, the
    unadjusted rows another.
    """
    found = {id(row): row for row in rows}
    plain = [row for row in rows if isinstance(row, Effect) and not row.adjusted]
    deciding = [row for row in leading(rows) if isinstance(row, Effect)]
    for family in (plain, deciding):
        for chosen, correct in (
            ([row for row in family if row.role == "primary"], holm),
            ([row for row in family if row.role not in {"primary", "guardrail"}], benjamini_hochberg),
        ):
            if len(chosen) > 1:
                for row, p_value in zip(chosen, correct([row.p_value for row in chosen]), strict=True):
                    found[id(row)] = replace(row, p_many=p_value)
    return [found[id(row)] for row in rows]


def corrected_exploring(rows: Sequence[Row]) -> list[Row]:
    """Give p-values for all comparisons together, whatever their role: Benjamini and Hochberg's, e-BH where they are 1/e."""
    places = [place for place, row in enumerate(rows) if isinstance(row, Effect)]
    found = list(rows)
    chosen = [row for row in rows if isinstance(row, Effect)]
    if len(chosen) > 1:
        p_values = benjamini_hochberg([row.p_value for row in chosen])
        for place, row, p_value in zip(places, chosen, p_values, strict=True):
            found[place] = replace(row, p_many=p_value)
    return found
