"""The tables of a question, whether from a file or from Python: simple values, and what is wrong where."""

import keyword
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from embellie.domain.errors import QuestionError, unknown_name
from embellie.frame.amounts import Amount, parse_amount, parse_range
from embellie.frame.priors import Prior, read_prior
from embellie.frame.units import parse_unit, unit_text

LONGEST = 2_000
"""Characters in an amount, a range or a formula."""

MOST = {
    "unknowns": 1_000, "quantities": 1_000, "formulas": 1_000, "scenarios": 50, "studies": 200, "groups": 200,
    "correlations": 10_000,
}  # fmt: skip
"""Entries of a table."""

_TAKEN = frozenset({"horizon", "min", "max", "sqrt", "log", "exp", "abs", "clip", "weeks", "share", "n"})


class Tables:
    """Nested tables whose keys are known by place, such as `scenarios.ml.build`.

    Args:
        raw: What was written.
        file: The name of its file.
        lines: The line of each place; empty when the tables come from Python.
    """

    def __init__(self, raw: Mapping[str, Any], *, file: str, lines: Mapping[str, int]) -> None:
        self.raw = raw
        self.file = file
        self.lines = lines
        self.currency = "EUR"
        self.warnings: list[str] = []

    # errors

    def at(self, place: str) -> str:
        """Return `file:line` of a place, or of the table around it; without a file, the place itself."""
        if not self.lines:
            return f"{self.file}.{place}" if place else self.file
        name = place
        while name and name not in self.lines:
            name = name.rpartition(".")[0]
        return f"{self.file}:{self.lines.get(name, 1)}"

    def line(self, place: str) -> int:
        """Return the line of a place, 0 where it has none."""
        return self.lines.get(place, 0)

    def wrong(self, message: str, hint: str, place: str) -> QuestionError:
        """Build the error for what stands at a place."""
        return QuestionError(message, hint=hint, at=self.at(place))

    def unknown_word(self, kind: str, name: str, known: Iterable[str], place: str) -> QuestionError:
        """Build the error for a word that is none of those known."""
        wrong = unknown_name(kind, name, known)
        return self.wrong(wrong.message, wrong.hint, place)

    def no_such(self, what: str, name: str, known: Iterable[str], place: str) -> QuestionError:
        """Build the error for a name that nothing has."""
        return self.wrong(f"No {what} is called `{name}`.", unknown_name(what, name, known).hint, place)

    # tables

    def keys(self, table: Mapping[str, Any], known: Iterable[str], place: str, *, kind: str) -> None:
        """Refuse keys that mean nothing."""
        known = tuple(known)
        for key in table:
            if key not in known:
                raise self.unknown_word(kind, str(key), known, f"{place}.{key}" if place else str(key))

    def table(self, name: str) -> Mapping[str, Any]:
        """Return a table of the question, empty when it is not there."""
        table = self.raw.get(name, {})
        if not isinstance(table, Mapping):
            raise self.wrong(f"`{name}` must be a table.", f"Write `[{name}]` on a line of its own.", name)
        for key in table:
            if not isinstance(key, str):
                raise self.wrong(f"`{key!r}` of `{name}` cannot be a name.", "A name is a text.", name)
        self.check_count(name, len(table))
        return table

    def check_count(self, name: str, count: int) -> None:
        """Refuse more of something than anyone can hold in mind."""
        if count > MOST.get(name, count):
            raise self.wrong(
                f"{count} {name}.", f"At most {MOST[name]}: keep those that could change the choice.", name
            )

    def tables(self, name: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the tables inside a table, by name."""
        found = []
        for key, table in self.table(name).items():
            if not isinstance(table, Mapping):
                raise self.wrong(f"`{name}.{key}` must be a table.", f"Write `[{name}.{key}]`.", f"{name}.{key}")
            found.append((key, table))
        return found

    # simple values

    def name(self, name: str, place: str) -> str:
        """Check a name that formulas may use."""
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise self.wrong(
                f"`{name}` cannot be a name.", "Use letters, digits and _, beginning with a letter.", place
            )
        if name in _TAKEN:
            raise self.wrong(f"`{name}` already means something in formulas.", "Choose another name.", place)
        return name

    def text(self, given: Any, place: str) -> str:
        """Read a text; a number is one too."""
        if isinstance(given, str):
            return given
        if isinstance(given, int) and not isinstance(given, bool):
            return str(given)
        if isinstance(given, float):
            return repr(float(given))
        raise self.wrong(
            f"`{place}` must be a text or a number, not `{type(given).__name__}`.", "Put it between quotes.", place
        )

    def flag(self, given: Any, place: str) -> bool:
        """Read true or false."""
        if isinstance(given, bool):
            return given
        raise self.wrong(f"`{place}` is `{given}`.", "Write `true` or `false`, without quotes.", place)

    def day(self, given: Any, place: str) -> date | None:
        """Read a day: a date of TOML, or a text such as `2026-01-12`; None when nothing was given."""
        if given is None or given == "":
            return None
        if isinstance(given, datetime):
            return given.date()
        if isinstance(given, date):
            return given
        try:
            return date.fromisoformat(self.text(given, place).strip())
        except ValueError:
            raise self.wrong(f"`{given}` is no day.", "Write one such as `2026-01-12`.", place) from None

    def short(self, text: str, place: str) -> str:
        """Refuse what is too long to be read as an amount, a range or a formula."""
        if len(text) > LONGEST:
            raise self.wrong(
                f"`{place}` has {len(text)} characters.", f"At most {LONGEST}: split it into [formulas].", place
            )
        return text

    def amount(self, given: Any, place: str) -> Amount:
        """Read one number, with its unit if it has one."""
        amount = self.plain(self.text(given, place), place)
        if amount is None:
            key = place.rpartition(".")[2]
            raise self.wrong(f"`{given}` of `{key}` is no number.", "Write a number such as `0.05` or `5 %`.", place)
        return amount

    def number(self, given: Any, place: str) -> float:
        """Read one number without a unit."""
        amount = self.amount(given, place)
        if amount.unit:
            key = place.rpartition(".")[2]
            raise self.wrong(f"`{key}` has no unit, and `{given}` has one.", "Write the number alone.", place)
        return amount.value

    def several(self, table: Mapping[str, Any], key: str, place: str, *, most: float) -> tuple[float, ...]:
        """Read a number, or a list of them, all above 0 and up to `most`."""
        given = table.get(key, [])
        found = tuple(self.number(x, f"{place}.{key}") for x in (given if isinstance(given, list | tuple) else [given]))
        if any(not 0 < x <= most for x in found):
            raise self.wrong(f"`{key}` is `{given}`.", f"Write numbers above 0, up to {most:g}.", f"{place}.{key}")
        return found

    def prior(self, text: str, place: str, *, tails: str = "", family: str = "") -> Prior | None:
        """Read a range or a named distribution, None when the text is neither; keep what its writer should be told."""
        try:
            prior = read_prior(self.short(text, place), currency=self.currency, tails=tails, family=family)
        except QuestionError as error:
            raise self.wrong(error.message, error.hint, place) from None
        if prior:
            self.warnings += [f"{self.at(place)}: {warning}" for warning in prior.warnings]
        return prior

    def is_range(self, text: str, place: str) -> bool:
        """Whether a text is a range of two points or three."""
        try:
            return parse_range(self.short(text, place)) is not None
        except QuestionError as error:
            raise self.wrong(error.message, error.hint, place) from None

    def in_unit(self, text: str, place: str, *, unit: Mapping[str, float], hint: str) -> None:
        """Refuse an amount or a range in another unit; formulas are checked when they are compiled."""
        written = self.prior(text, place) if self.is_range(text, place) else None
        amount = None if written else self.plain(text, place)
        found = written.unit if written else parse_unit(amount.unit, currency=self.currency)[0] if amount else unit
        if dict(found) != dict(unit):
            key = place.rpartition(".")[2]
            told = f"in {unit_text(found)}" if found else "without a unit"
            raise self.wrong(f"`{key}` is `{text}`, {told}.", hint, place)

    def plain(self, text: str, place: str) -> Amount | None:
        """Read one amount, None when the text is none."""
        try:
            return parse_amount(self.short(text, place))
        except QuestionError as error:
            raise self.wrong(error.message, error.hint, place) from None


def lines_of(text: str) -> dict[str, int]:
    r"""Find the line of each key of a TOML text, by dotted name.

    >>> lines_of('[scenarios.ml]\nbuild = "3k"')
    {'scenarios': 1, 'scenarios.ml': 1, 'scenarios.ml.build': 2}
    """
    found: dict[str, int] = {}
    table = ""
    for number, whole in enumerate(text.splitlines(), start=1):
        line = whole[:LONGEST]
        header = re.match(r"\s*\[{1,2}([^\[\]#]+)\]", line)
        key = re.match(r"""\s*("[^"]*"|'[^']*'|[\w.\-]+)\s*=""", line)
        if header:
            table = header[1].replace('"', "").replace(" ", "")
            parts = table.split(".")
            for depth in range(1, len(parts) + 1):
                found.setdefault(".".join(parts[:depth]), number)
        elif key:
            name = key[1].strip("\"'")
            place = f"{table}.{name}" if table else name
            found.setdefault(place, number)
            for inner in re.findall(r"[{,]\s*([\w\-]+)\s*=", line):
                found.setdefault(f"{place}.{inner}", number)
    return found
