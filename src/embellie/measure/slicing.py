"""Slicing: the same comparison among parts of the units, drawn together so that no part wins by chance. Pure.

A part is told to differ only where its `p_many`, corrected over all parts of its dimension, is small *and* its `shrunk` range lies
clear of zero. `shrunk` draws the parts of a dimension towards one another; days since exposure are left alone, for they stand in an
order and share units, and so is the one slice that puts bots back.
"""

from dataclasses import replace

from embellie.domain.scorecard import Effect, RelativeEffect, Slice
from embellie.measure.aggregates import Aggregates, columns_of
from embellie.measure.correcting import Row, corrected_exploring, leading
from embellie.measure.designing import Design
from embellie.measure.effect_rows import rows_of, shrunk_of
from embellie.stats.shrinkage import shrunk_together

ALIKE = frozenset({"since", "bot"})
"""Dimensions whose slices are not parts of one whole, so are not drawn together."""


def slices_of(design: Design, aggregates: Aggregates) -> tuple[Slice, ...]:
    """Score each slice of the aggregates, with the row that decides for each metric and variant.

    Parts are explored, not planned: a group-sequential plan gives way to intervals that hold at every look. They carry no money
    and no guardrail.
    """
    found: list[Slice] = []
    dimensions: dict[str, list[str]] = {}
    for dimension, value in aggregates.slices:
        dimensions.setdefault(dimension, []).append(value)
    for dimension, values in dimensions.items():
        rows = [(value, row) for value in values for row in _rows(design, aggregates, dimension, value)]
        corrected = corrected_exploring([row for _, row in rows]) if dimension != "bot" else [row for _, row in rows]
        told = _drawn_together(corrected) if dimension not in ALIKE else corrected
        for value in values:
            moments = aggregates.slices[dimension, value]
            found.append(
                Slice(
                    dimension=dimension,
                    value=value,
                    units={name: moments[name].n if name in moments else 0 for name in design.weights},
                    effects=tuple(row for (own, _), row in zip(rows, told, strict=True) if own == value),
                )
            )
    return tuple(found)


def _rows(design: Design, aggregates: Aggregates, dimension: str, value: str) -> list[Row]:
    looking = design.looking
    if looking.kind == "group_sequential" and dimension != "bot":
        looking = replace(looking, kind="always")
    part = replace(design, looking=looking, months=None, priors={})
    only = Aggregates(moments=aggregates.slices[dimension, value])
    rows: list[Row] = []
    for metric in design.metrics:
        if not all(name in side.means for side in only.moments.values() for name in columns_of(metric)):
            continue  # what came back a week later is not what happened on a day
        for variant in design.others:
            rows += rows_of(part, only, metric, variant)
    return [replace(row, guardrail=None) if isinstance(row, Effect) else row for row in leading(rows)]


def _drawn_together(rows: list[Row]) -> list[Row]:
    groups: dict[tuple[str, str], list[tuple[int, RelativeEffect]]] = {}
    for place, row in enumerate(rows):
        if isinstance(row, Effect) and isinstance(row.relative, RelativeEffect) and row.relative.se > 0:
            groups.setdefault((row.metric, row.variant), []).append((place, row.relative))
    told = list(rows)
    for group in groups.values():
        if len(group) < 2:
            continue
        beliefs = shrunk_together([each.effect for _, each in group], [each.se for _, each in group])
        for (place, _), belief in zip(group, beliefs, strict=True):
            row = rows[place]
            if isinstance(row, Effect):
                told[place] = replace(row, shrunk=shrunk_of(belief))
    return told
