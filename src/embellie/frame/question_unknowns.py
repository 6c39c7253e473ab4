"""Unknowns of a question: their ranges, how they move together, and which are settled together."""

from collections.abc import Mapping
from typing import Any

from embellie.domain.question import Unknown, UnknownKind
from embellie.frame.priors import Prior
from embellie.frame.question_tables import Tables

PAIRS = {("p05", "p95"): "", ("p10", "p90"): "80%: ", ("p25", "p75"): "50%: "}
"""The outer points a range may be given by, and the level they stand for as it is written before a range."""

POINTS = ("p05", "p10", "p25", "p50", "p75", "p90", "p95")
SHAPE = ("range", *POINTS, "tails", "family")
"""The keys that say what is believed."""

UNKNOWN_KEYS = (*SHAPE, "ask", "kind", "source", "asked", "on", "note")
UNKNOWN_KINDS: tuple[UnknownKind, ...] = ("reader", "business", "software", "ml", "world")


def read_unknowns(tables: Tables) -> dict[str, Unknown]:
    """Read `[unknowns]`.

    Raises:
        QuestionError: With file and line, what was expected and what to write.
    """
    return {name: _unknown(tables, name, given) for name, given in tables.table("unknowns").items()}


def unknown_of(
    prior: Prior, name: str, *, written: str, line: int, kind: UnknownKind = "", ask: str = "", **told: Any
) -> Unknown:
    """Return the unknown a range makes."""
    return Unknown(
        name=name,
        prior=prior.distribution,
        written=written,
        unit=prior.unit,
        scale=prior.scale,
        label=prior.label,
        kind=kind,
        ask=ask,
        line=line,
        **told,
    )


def _unknown(tables: Tables, name: str, given: Any) -> Unknown:
    place = f"unknowns.{name}"
    tables.name(name, place)
    table = given if isinstance(given, Mapping) else {"range": given}
    tables.keys(table, UNKNOWN_KEYS, place, kind="key of an unknown")
    written = _written(tables, table, place)
    tails, family = (tables.text(table.get(key, ""), f"{place}.{key}") for key in ("tails", "family"))
    prior = tables.prior(written, place, tails=tails, family=family)
    if prior is None:
        raise tables.wrong(
            f"`{written}` of `{name}` is no range.",
            "Write `3 to 7 EUR`, `60k / 110k / 220k EUR`, or a distribution such as `normal(0, 1)`; "
            "a single known value goes under [quantities].",
            place,
        )
    kind = table.get("kind", "")
    if kind and kind not in UNKNOWN_KINDS:
        raise tables.unknown_word("kind of unknown", str(kind), UNKNOWN_KINDS, f"{place}.kind")
    texts = {key: tables.text(table.get(key, ""), f"{place}.{key}") for key in ("ask", "source", "asked", "note")}
    return unknown_of(
        prior,
        name,
        written=written,
        line=tables.line(place),
        kind=kind,
        ask=texts["ask"],
        source=texts["source"],
        asked=texts["asked"],
        on=tables.day(table.get("on"), f"{place}.on"),
    )


def _written(tables: Tables, table: Mapping[str, Any], place: str) -> str:
    if "range" in table:
        odd = [key for key in POINTS if key in table]
        if odd:
            raise tables.wrong(f"`{place}` has both `range` and `{odd[0]}`.", "Keep one of them.", f"{place}.{odd[0]}")
        return tables.text(table["range"], f"{place}.range")
    given = {key: tables.text(table[key], f"{place}.{key}") for key in POINTS if key in table}
    for (low, high), level in PAIRS.items():
        if {low, high} == given.keys() - {"p50"}:
            return level + (" / " if "p50" in given else " to ").join(given.values())
    raise tables.wrong(
        f"`{place}` has no range." if not given else f"`{place}` has {', '.join(given)}.",
        'Write `range = "3 to 7"`, or `p05` and `p95` (or `p10` and `p90`), with `p50` or without.',
        place,
    )


def read_correlations(tables: Tables, unknowns: Mapping[str, Unknown]) -> dict[tuple[str, str], float]:
    """Read `[correlations]`: pairs such as `"interest ~ ml_gain" = 0.3`."""
    found: dict[tuple[str, str], float] = {}
    for key, given in tables.table("correlations").items():
        place = f"correlations.{key}"
        pair = pair_of(key)
        if len(pair) != 2 or pair[0] == pair[1]:
            raise tables.wrong(f"`{key}` is no pair.", 'Write `"interest ~ ml_gain" = 0.3`.', place)
        for name in pair:
            if name not in unknowns:
                raise tables.no_such("unknown", name, unknowns, place)
        if (pair[0], pair[1]) in found or (pair[1], pair[0]) in found:
            raise tables.wrong(f"`{key}` is given twice.", "Keep one of them.", place)
        value = tables.number(given, place)
        if not -1 < value < 1:
            raise tables.wrong(f"The correlation `{key}` is {value:g}.", "It lies between -1 and 1.", place)
        found[pair[0], pair[1]] = value
    return found


def pair_of(key: str) -> list[str]:
    """Return the names a key of `[correlations]` joins."""
    return [part.strip() for part in key.split("~")]


def read_groups(tables: Tables, unknowns: Mapping[str, Unknown]) -> dict[str, tuple[str, ...]]:
    """Read `[groups]`: unknowns that would be settled together."""
    found = {}
    for name, members in tables.table("groups").items():
        place = f"groups.{name}"
        if not isinstance(members, list | tuple) or not members:
            raise tables.wrong(f"`{place}` must list unknowns.", 'Write `costs = ["a", "b"]`.', place)
        for member in members:
            if member not in unknowns:
                raise tables.no_such("unknown", str(member), unknowns, place)
        found[name] = tuple(dict.fromkeys(members))
    return found
