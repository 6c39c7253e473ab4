"""Scenarios of a question: what can be chosen, what each brings and costs, and what it is built on."""

from collections.abc import Mapping
from typing import Any

from embellie.domain.question import Scenario, Unknown, UnknownKind
from embellie.frame.question_tables import Tables
from embellie.frame.question_unknowns import unknown_of
from embellie.frame.units import WEEKS_PER_YEAR, parse_unit

SCENARIO_TEXTS = ("value", "benefit", "build", "run", "ready", "ramp", "obsolescence", "rollback")
"""Each a formula, an amount or a range; a range becomes an unknown of its own."""

SCENARIO_KEYS = (*SCENARIO_TEXTS, "needs", "built", "note", "source")

_IN_TIME = ("benefit", "run", "ready", "ramp", "obsolescence", "rollback", "needs")
_ASKS = {
    "value": "What is `{0}` worth?", "benefit": "What does `{0}` bring?", "build": "What does building `{0}` cost?",
    "run": "What does running `{0}` cost?", "ready": "When can `{0}` be ready?",
    "ramp": "How long does `{0}` take to bring all it can?", "obsolescence": "How fast does what `{0}` brings fade?",
    "rollback": "What does taking `{0}` back cost?",
}  # fmt: skip
_SOFTWARE = frozenset({"build", "run", "ready", "rollback"})


def read_scenarios(tables: Tables, unknowns: dict[str, Unknown]) -> dict[str, Scenario]:
    """Read `[scenarios.NAME]`, and add the unknowns their ranges make.

    Raises:
        QuestionError: With file and line, what was expected and what to write.
    """
    given = tables.tables("scenarios")
    if len(given) < 2:
        raise tables.wrong(
            f"{'Only one scenario is' if given else 'No scenario is'} given; a choice needs two.",
            'Write `[scenarios.status_quo]` with `benefit = "0 EUR/month"` first, then the others.',
            "scenarios",
        )
    found = {name: _scenario(tables, name, table, unknowns) for name, table in given}
    for name in found:
        _check_needs(tables, name, found)
    return found


def _scenario(tables: Tables, name: str, table: Mapping[str, Any], unknowns: dict[str, Unknown]) -> Scenario:
    place = f"scenarios.{name}"
    tables.name(name, place)
    tables.keys(table, SCENARIO_KEYS, place, kind="key of a scenario")
    if "value" in table:
        odd = [key for key in _IN_TIME if key in table]
        if odd:
            raise tables.wrong(
                f"`{name}` has both `value` and `{odd[0]}`.",
                "A lump `value` has no time; use `benefit`, `build`, `run` and `ready` instead.",
                f"{place}.{odd[0]}",
            )
    elif "benefit" not in table:
        raise tables.wrong(
            f"`{name}` says nothing of what it brings.",
            'Write `benefit = "…"` in money per month, or one lump sum `value = "…"`.',
            place,
        )
    texts = {key: _text(tables, name, key, table[key], unknowns) for key in SCENARIO_TEXTS if key in table}
    return Scenario(
        name=name,
        needs=tables.text(table.get("needs", ""), f"{place}.needs"),
        built=tables.flag(table.get("built", False), f"{place}.built"),
        line=tables.line(place),
        **texts,
    )


def _text(tables: Tables, scenario: str, key: str, given: Any, unknowns: dict[str, Unknown]) -> str:
    """Return a formula; a range becomes an unknown of its own, named after scenario and key."""
    place = f"scenarios.{scenario}.{key}"
    text = tables.text(given, place)
    _check_time(tables, key, text, place)
    prior = tables.prior(text, place)
    if prior is None:
        return text
    name = f"{scenario}.{key}"
    kind: UnknownKind = "software" if key in _SOFTWARE else ""
    unknowns[name] = unknown_of(
        prior, name, written=text, line=tables.line(place), kind=kind, ask=_ASKS[key].format(scenario)
    )
    return name


def _check_time(tables: Tables, key: str, text: str, place: str) -> None:
    """A ramp is a duration, obsolescence a yearly rate: said here, where the right way to write it is known."""
    if key == "ramp":
        tables.in_unit(text, place, unit={"week": 1.0}, hint="Write a duration such as `3 months`.")
    elif key == "obsolescence":
        tables.in_unit(text, place, unit={"week": -1.0}, hint="Write a yearly rate such as `20 %/year`.")
        _check_rate(tables, text, place)


def _check_rate(tables: Tables, text: str, place: str) -> None:
    """One plain rate of obsolescence: from nothing to less than all of it a year."""
    if tables.is_range(text, place) or (amount := tables.plain(text, place)) is None:
        return
    yearly = amount.value * parse_unit(amount.unit, currency=tables.currency)[1] * WEEKS_PER_YEAR
    if yearly < 0:
        raise tables.wrong(
            f"`obsolescence` is `{text}`, and what fades does not grow.", "Write the growth in `benefit`.", place
        )
    if yearly >= 1:
        raise tables.wrong(
            f"`obsolescence` is `{text}`: more than all of it fades in a year.", "Write a rate below 100 %/year.", place
        )


def _check_needs(tables: Tables, name: str, scenarios: Mapping[str, Scenario]) -> None:
    seen = [name]
    while needed := scenarios[seen[-1]].needs:
        place = f"scenarios.{seen[-1]}.needs"
        if needed not in scenarios:
            raise tables.unknown_word("scenario", needed, scenarios, place)
        if needed in seen:
            raise tables.wrong(
                f"Scenarios need one another in a circle: {' → '.join([*seen, needed])}.", "Remove one `needs`.", place
            )
        if scenarios[needed].value:
            raise tables.wrong(
                f"`{seen[-1]}` needs `{needed}`, which is a lump `value` without time.",
                "Give it `benefit`, `build`, `run` and `ready`.",
                place,
            )
        if scenarios[seen[-1]].built and not scenarios[needed].built:
            raise tables.wrong(
                f"`{seen[-1]}` is built, and `{needed}`, which it needs, is not.",
                f"Add `built = true` to `{needed}`, or leave out `needs`.",
                place,
            )
        seen.append(needed)
