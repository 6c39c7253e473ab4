"""Studies of a question: the ways to learn, what each measures, how well, and what it costs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from embellie.domain.errors import QuestionError
from embellie.domain.question import Scenario, Study, StudyKind, Unknown
from embellie.frame.question_tables import Tables
from embellie.frame.question_unknowns import unknown_of
from embellie.frame.states import written_order
from embellie.frame.units import parse_unit, unit_text

STUDY_KEYS = (
    "kind", "measures", "scenario", "needs", "metric", "weeks", "share", "n", "se", "sd", "bias", "transfer", "signals",
    "traffic", "cost", "delay", "note",
)  # fmt: skip
STUDY_KINDS: tuple[StudyKind, ...] = (
    "experiment", "measurement", "count", "offline", "survey", "fake_door", "expert",
)  # fmt: skip

_LONGEST_WEEKS = 520
_LARGEST_N = 1e12


@dataclass(frozen=True, slots=True)
class Around:
    """What a study may speak of; `noises` gathers the formulas whose noise has a unit, to be checked when they are compiled."""

    unknowns: dict[str, Unknown]
    scenarios: Mapping[str, Scenario]
    formulas: Mapping[str, str]
    quantities: Mapping[str, str]
    noises: list[tuple[str, str, Mapping[str, float]]] = field(default_factory=list)


def read_studies(tables: Tables, around: Around) -> dict[str, Study]:
    """Read `[studies.NAME]`, and add the unknowns their transfers make.

    Raises:
        QuestionError: With file and line, what was expected and what to write.
    """
    return {name: _study(tables, name, table, around) for name, table in tables.tables("studies")}


def _study(tables: Tables, name: str, table: Mapping[str, Any], around: Around) -> Study:
    place = f"studies.{name}"
    tables.keys(table, STUDY_KEYS, place, kind="key of a study")
    kind = table.get("kind", "experiment")
    if kind not in STUDY_KINDS:
        raise tables.unknown_word("kind of study", str(kind), STUDY_KINDS, f"{place}.kind")
    measures = _measures(tables, name, table, around)
    unknown = around.unknowns.get(measures)
    noise = {
        key: _noise(tables, table[key], f"{place}.{key}", measures, around)
        for key in ("se", "sd", "bias")
        if key in table
    }
    return Study(
        name=name,
        kind=kind,
        measures=measures,
        scenario=_scenario(tables, table, f"{place}.scenario", around.scenarios),
        needs=_scenario(tables, table, f"{place}.needs", around.scenarios),
        bias=noise.get("bias", 0.0),
        transfer=_transfer(tables, name, table, around),
        signals=_signals(tables, table, f"{place}.signals", unknown),
        metric=tables.text(table.get("metric", ""), f"{place}.metric"),
        weeks=tables.several(table, "weeks", place, most=_LONGEST_WEEKS),
        share=tables.several(table, "share", place, most=1),
        n=_whole(tables, table, place),
        se=noise.get("se"),
        sd=noise.get("sd"),
        traffic=tables.text(table.get("traffic", ""), f"{place}.traffic"),
        cost=tables.text(table.get("cost", ""), f"{place}.cost"),
        delay=tables.text(table.get("delay", ""), f"{place}.delay"),
        line=tables.line(place),
    )


def _measures(tables: Tables, name: str, table: Mapping[str, Any], around: Around) -> str:
    place = f"studies.{name}"
    measures = tables.text(table.get("measures", ""), f"{place}.measures")
    if not measures:
        raise tables.wrong(f"Study `{name}` does not say what it measures.", 'Add `measures = "interest"`.', place)
    if measures in around.quantities:
        raise tables.wrong(
            f"Study `{name}` measures `{measures}`, a quantity of one known value.",
            "Give it a range under [unknowns] if there is something to learn.",
            f"{place}.measures",
        )
    if measures not in around.unknowns and measures not in around.formulas:
        known = [*around.unknowns, *around.formulas]
        raise tables.no_such("unknown or formula", measures, known, f"{place}.measures")
    return measures


def _scenario(tables: Tables, table: Mapping[str, Any], place: str, scenarios: Iterable[str]) -> str:
    name = tables.text(table.get(place.rpartition(".")[2], ""), place)
    if name and name not in scenarios:
        raise tables.unknown_word("scenario", name, scenarios, place)
    return name


def _transfer(tables: Tables, name: str, table: Mapping[str, Any], around: Around) -> str:
    """Return the unknown k in truth = k × what the study shows; a range becomes one of its own."""
    place = f"studies.{name}.transfer"
    text = tables.text(table.get("transfer", ""), place)
    if not text or text in around.unknowns:
        return text
    prior = tables.prior(text, place)
    if prior is None and text.isidentifier():
        raise tables.no_such("unknown", text, around.unknowns, place)
    if prior is None:
        raise tables.wrong(
            f"`transfer` of `{name}` is `{text}`.",
            "Write a range above 0 such as `0.3 to 0.9`, or the name of an unknown.",
            place,
        )
    own = f"{name}.transfer"
    ask = f"How much of what `{name}` shows holds in truth?"
    around.unknowns[own] = unknown_of(prior, own, written=text, line=tables.line(place), ask=ask)
    return own


def _noise(tables: Tables, given: Any, place: str, measures: str, around: Around) -> float:
    """Read `se`, `sd` or `bias`: a number in the unit of what is measured, which may be written beside it."""
    key = place.rpartition(".")[2]
    amount = tables.amount(given, place)
    value = amount.value
    if amount.unit:
        try:
            unit, scale = parse_unit(amount.unit, currency=tables.currency)
        except QuestionError as error:
            raise tables.wrong(error.message, error.hint, place) from None
        unknown = around.unknowns.get(measures)
        if unknown is None:
            around.noises.append((measures, place, unit))
        else:
            check_noise(tables, place, unit, measures, unknown.unit)
        value *= scale / (unknown.scale if unknown else 1.0)
    if value < 0 or (value == 0 and key != "bias"):
        wanted = "It is 0 or above." if key == "bias" else "Noise is above 0."
        raise tables.wrong(f"`{key}` is {value:g}.", wanted, place)
    return value


def check_noise(
    tables: Tables, place: str, unit: Mapping[str, float], measures: str, wanted: Mapping[str, float]
) -> None:
    """Refuse noise in another unit than what is measured."""
    if dict(unit) != dict(wanted):
        raise tables.wrong(
            f"`{place.rpartition('.')[2]}` is in {unit_text(unit)}, and `{measures}` in {unit_text(wanted)}.",
            "Write it in the unit of what is measured, or the number alone.",
            place,
        )


def _whole(tables: Tables, table: Mapping[str, Any], place: str) -> tuple[int, ...]:
    found = tables.several(table, "n", place, most=_LARGEST_N)
    if any(x < 1 or x != round(x) for x in found):
        raise tables.wrong(f"`n` is `{table['n']}`.", "Write whole numbers from 1.", f"{place}.n")
    return tuple(round(x) for x in found)


def _signals(
    tables: Tables, table: Mapping[str, Any], place: str, unknown: Unknown | None
) -> dict[str, tuple[float, ...]]:
    """Read the chances of each signal, one per value of the unknown in the order it is written; kept in rising order."""
    given = table.get("signals", {})
    if not given:
        return {}
    form = "Write `[studies.NAME.signals]` with `open = [0.3, 0.4, 0.4]`: its chance under each value."
    if not isinstance(given, Mapping):
        raise tables.wrong("`signals` must be a table.", form, place)
    if unknown is None or unknown.prior.family != "discrete":
        what = f"`{unknown.name}` is `{unknown.written}`" if unknown else "a formula has not"
        raise tables.wrong(
            f"Signals tell of an unknown that has a few values, and {what}.",
            "Give the unknown values such as `discrete(-70: 50 %, 200: 50 %)`, or leave out `signals`.",
            place,
        )
    order = written_order(unknown.written)
    found: dict[str, tuple[float, ...]] = {}
    for signal, chances in given.items():
        where = f"{place}.{signal}"
        if not isinstance(chances, list | tuple) or len(chances) != len(order):
            raise tables.wrong(f"Signal `{signal}` needs {len(order)} chances, one per value.", form, where)
        numbers = [tables.number(chance, where) for chance in chances]
        if any(not 0 <= chance <= 1 for chance in numbers):
            raise tables.wrong(f"Signal `{signal}` is `{chances}`.", "A chance lies between 0 and 1.", where)
        found[signal] = tuple(numbers[at] for at in order)
    for at, spot in enumerate(order):
        total = sum(chances[at] for chances in found.values())
        if abs(total - 1) > 1e-6:
            raise tables.wrong(
                f"Under value {spot + 1} of `{unknown.name}` the signals add up to {total:.4g}.",
                "One of the signals always comes: each column adds up to 1.",
                place,
            )
    return found
