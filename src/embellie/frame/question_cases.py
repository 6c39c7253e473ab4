"""Cases of a question: the same question with some of its texts set otherwise."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from embellie.domain.question import Question
from embellie.frame.amounts import parse_amount, parse_range
from embellie.frame.question_scenarios import SCENARIO_KEYS
from embellie.frame.question_studies import STUDY_KEYS
from embellie.frame.question_tables import Tables
from embellie.frame.question_unknowns import POINTS, SHAPE, UNKNOWN_KEYS, pair_of
from embellie.frame.units import parse_unit, unit_text

MOST_CASES = 20
MOST_UNKNOWNS_AND_CASES = 2_000
"""Unknowns times cases: each case is read whole."""

_WHOLE = ("horizon", "discount")
_INSIDE = {"scenarios": ("scenario", SCENARIO_KEYS), "studies": ("study", STUDY_KEYS)}


@dataclass(frozen=True, slots=True)
class Changed:
    """A case before it is read: what it sets, its tables, and where its texts stand in the file."""

    sets: dict[str, str]
    raw: dict[str, Any]
    lines: dict[str, int]


def changed_by(tables: Tables, question: Question, name: str) -> Changed:
    """Return the tables of a question as a case sets them.

    Args:
        tables: The question's own.
        question: As read from them.
        name: The case's.

    Raises:
        QuestionError: It sets what does not exist, or cannot be set; says where and what to write.
    """
    place = f"cases.{name}"
    given = list(_flat(tables.table("cases")[name]))
    if not given:
        raise tables.wrong(f"Case `{name}` sets nothing.", 'Write `interest = "0 % to 2 %"`.', place)
    changed = Changed({}, _copied(tables.raw), dict(tables.lines))
    for key, value in given:
        where = f"{place}.{key}"
        text = str(value).lower() if isinstance(value, bool) else tables.text(value, where)
        setting = _Setting(tables, question, changed.raw, where)
        target = setting.write(key.split("."), value if isinstance(value, bool) else text)
        changed.sets[key] = text
        if tables.lines:
            changed.lines[target] = tables.line(where) or tables.line(place)
    return changed


def _copied(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the tables a case may write in, without the cases."""
    return {
        name: copy.deepcopy(dict(given)) if isinstance(given, Mapping) else given
        for name, given in raw.items()
        if name != "cases"
    }


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Return what a case sets by dotted name, however its tables are nested."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


@dataclass(frozen=True, slots=True)
class _Setting:
    """One line of a case, on its way into the tables of the question."""

    tables: Tables
    question: Question
    raw: dict[str, Any]
    where: str

    def write(self, path: list[str], value: str | bool) -> str:
        """Write a value where it belongs; return its place."""
        place = self._inside(path)
        if place is not None:
            return self._write_inside(*place, value)
        first, *rest = path
        if first in self.raw.get("unknowns", {}) and len(rest) == 1 and rest[0] in UNKNOWN_KEYS:
            return self._write_shape(first, rest[0], value)
        if not rest and isinstance(value, str):
            if first in _WHOLE:
                self.raw[first] = value
                return first
            if first in self.question.formulas:
                self.raw["formulas"][first] = value
                return f"formulas.{first}"
            if first in self.question.unknowns or first in self.question.quantities:
                return self._write_name(first, value)
        raise self._no_such(".".join(path))

    def _inside(self, path: list[str]) -> tuple[str, str, str] | None:
        """Return table, name and key of a scenario's or a study's text; `heuristic.build` is short for its place."""
        if path[0] in _INSIDE and len(path) == 3:
            return path[0], path[1], path[2]
        if len(path) == 2 and path[0] in self.question.scenarios:
            return "scenarios", path[0], path[1]
        if len(path) == 2 and path[0] in self.question.studies and path[1] == "transfer":
            return "studies", path[0], path[1]
        return None

    def _write_inside(self, table: str, name: str, key: str, value: str | bool) -> str:
        word, keys = _INSIDE[table]
        known = self.raw.get(table, {})
        if name not in known:
            raise self.tables.unknown_word(word, name, known, self.where)
        if key not in keys:
            raise self.tables.unknown_word(f"key of a {word}", key, keys, self.where)
        known[name][key] = value
        return f"{table}.{name}.{key}"

    def _write_shape(self, name: str, key: str, value: str | bool) -> str:
        """Write one key of an unknown, such as its tails."""
        given = self.raw["unknowns"][name]
        table = dict(given) if isinstance(given, Mapping) else {"range": given}
        if key == "range":
            table = {told: text for told, text in table.items() if told not in POINTS}
        self.raw["unknowns"][name] = {**table, key: value}
        return f"unknowns.{name}.{key}"

    def _write_name(self, name: str, text: str) -> str:
        """Give an unknown or a quantity another range, or one known value: it moves to the table where that belongs."""
        reading = Tables({}, file=self.tables.file, lines=self.tables.lines)
        reading.currency = self.question.currency
        written = self._with_unit(reading, name, text)
        prior = reading.prior(written, self.where)
        if prior is not None:
            self._check_unit(name, prior.unit)
            return self._make_unknown(name, written)
        amount = reading.plain(written, self.where)
        if amount is not None:
            self._check_unit(name, parse_unit(amount.unit, currency=self.question.currency)[0])
        self._forget(name)
        self.raw.setdefault("quantities", {})[name] = written
        return f"quantities.{name}"

    def _with_unit(self, reading: Tables, name: str, text: str) -> str:
        """A value without a unit is in the unit of what it replaces."""
        known = self.question.unknowns.get(name)
        old = None if known else parse_amount(self.question.quantities[name])
        label = known.label if known else old.unit if old else ""
        prior = reading.prior(text, self.where)
        amount = None if prior else reading.plain(text, self.where)
        has_unit = bool(prior.label if prior else amount.unit if amount else True)
        if not label or has_unit:
            return text
        body, bracket, end = text.partition(" (") if reading.is_range(text, self.where) else (text, "", "")
        return f"{body} {label}{bracket}{end}"

    def _check_unit(self, name: str, unit: Mapping[str, float]) -> None:
        known = self.question.unknowns.get(name)
        if known is not None and dict(unit) != dict(known.unit):
            raise self.tables.wrong(
                f"`{name}` is in {unit_text(known.unit)}, and this case sets it in {unit_text(unit)}.",
                f"Write it in {known.label or unit_text(known.unit)}.",
                self.where,
            )

    def _make_unknown(self, name: str, written: str) -> str:
        """A new range keeps who asks and who said so, and fat tails where two points are given."""
        told = self.raw.get("unknowns", {}).get(name, {})
        told = told if isinstance(told, Mapping) else {}
        keep = {key: value for key, value in told.items() if key not in SHAPE}
        points = parse_range(written)
        if "tails" in told and points and len(points.points) == 2:
            keep["tails"] = told["tails"]
        self.raw.get("quantities", {}).pop(name, None)
        self.raw.setdefault("unknowns", {})[name] = {**keep, "range": written}
        return f"unknowns.{name}"

    def _forget(self, name: str) -> None:
        """Take what is known in this case out of what is still to learn: correlations, groups and studies of it."""
        if name not in self.raw.get("unknowns", {}):
            return
        del self.raw["unknowns"][name]
        for study, table in list(self.raw.get("studies", {}).items()):
            if table.get("transfer") == name:
                raise self.tables.wrong(
                    f"`{name}` is what `{study}` is transferred by, and cannot be one value in a case.",
                    "Give it a narrow range instead.",
                    self.where,
                )
            if table.get("measures") == name:
                del self.raw["studies"][study]
        pairs = self.raw.get("correlations", {})
        self.raw["correlations"] = {pair: number for pair, number in pairs.items() if name not in pair_of(pair)}
        groups = {
            group: [one for one in members if one != name] for group, members in self.raw.get("groups", {}).items()
        }
        self.raw["groups"] = {group: members for group, members in groups.items() if members}

    def _no_such(self, name: str) -> Exception:
        known = [*self.question.unknowns, *self.question.quantities, *self.question.formulas, *_WHOLE]
        known += [f"scenarios.{scenario}.build" for scenario in self.question.scenarios]
        return self.tables.unknown_word("name to set in a case", name, known, self.where)
