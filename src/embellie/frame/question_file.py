"""`question.toml`: read, check and say what is wrong, where, and what to write instead."""

import keyword
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from embellie.domain.errors import EmbellieError, QuestionError, unknown_name
from embellie.domain.question import Question, Scenario, Study, StudyKind, Unknown, UnknownKind
from embellie.frame.amounts import parse_amount, parse_range
from embellie.frame.priors import Prior, read_prior
from embellie.frame.units import currency_code
from embellie.frame.valuing import FIELDS, Model, duration_weeks

LARGEST = 1_000_000
"""Bytes in a file."""

MOST_UNKNOWNS = 1_000

_TOP = ("question", "currency", "horizon", "discount", "seed")
_TABLES = ("quantities", "unknowns", "correlations", "formulas", "scenarios", "studies", "groups")
_UNKNOWN_KEYS = ("range", "p05", "p50", "p95", "tails", "family", "ask", "kind", "source", "asked", "on", "note")
_SCENARIO_KEYS = (*FIELDS, "needs", "note", "source")
_STUDY_KEYS = (
    "kind", "measures", "scenario", "metric", "weeks", "share", "n", "se", "sd", "traffic", "cost", "delay", "note",
)  # fmt: skip
_UNKNOWN_KINDS: tuple[UnknownKind, ...] = ("reader", "business", "software", "ml", "world", "")
_STUDY_KINDS: tuple[StudyKind, ...] = (
    "experiment", "measurement", "count", "offline", "survey", "fake_door", "expert",
)  # fmt: skip
_ASKS = {
    "value": "What is `{0}` worth?", "benefit": "What does `{0}` bring?", "build": "What does building `{0}` cost?",
    "run": "What does running `{0}` cost?", "ready": "When can `{0}` be ready?",
}  # fmt: skip


def read_question(path: Path) -> Question:
    """Read a question from its file.

    Raises:
        QuestionError: With file and line, what was expected and what to write.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise QuestionError(
                f"`{path.name}` is larger than 1 MB.", hint="A question fits on a few pages.", at=path.name
            )
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise QuestionError(
            f"No file `{path.name}` here.", hint="Run `embellie init` to write one, or give its path.", at=str(path)
        ) from None
    except IsADirectoryError:
        raise QuestionError(f"`{path}` is a folder.", hint="Give the path of a question.toml.", at=str(path)) from None
    except UnicodeDecodeError:
        raise QuestionError(f"`{path.name}` is not UTF-8 text.", hint="Save it as UTF-8.", at=str(path)) from None
    return parse_question(text, file=path.name)


def parse_question(text: str, *, file: str = "question.toml") -> Question:
    """Read a question from the text of its file.

    Raises:
        QuestionError: With file and line, what was expected and what to write.
    """
    if len(text) > LARGEST:
        raise QuestionError(f"`{file}` is larger than 1 MB.", hint="A question fits on a few pages.", at=file)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise QuestionError(
            f"Not valid TOML: {error}.",
            hint="Texts such as 250k to 450k stand between quotes; check brackets and quotes there.",
            at=f"{file}:{line[1]}" if line else file,
        ) from None
    except RecursionError:
        raise QuestionError(
            "Nested too deep to be a question.", hint="See docs/reference/question.md.", at=file
        ) from None
    return _Reader(raw, file, lines_of(text)).read()


def lines_of(text: str) -> dict[str, int]:
    r"""Find the line of each key of a TOML text, by dotted name.

    >>> lines_of('[scenarios.ml]\nbuild = "3k"')
    {'scenarios': 1, 'scenarios.ml': 1, 'scenarios.ml.build': 2}
    """
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+\s*([^\]#]+?)\s*\]+", line)
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


class _Reader:
    """Reads the tables of a question in turn, remembering where each key stands."""

    def __init__(self, raw: Mapping[str, Any], file: str, lines: Mapping[str, int]) -> None:
        self.raw = raw
        self.file = file
        self.lines = lines
        self.currency = "EUR"
        self.unknowns: dict[str, Unknown] = {}
        self.warnings: list[str] = []

    def read(self) -> Question:
        """Read it all."""
        self._keys(self.raw, (*_TOP, *_TABLES), "", "key")
        self.currency = self._currency()
        self._read_unknowns()
        quantities = self._texts("quantities", amounts=True)
        formulas = self._texts("formulas")
        scenarios = self._scenarios()
        self._names_once(quantities, formulas)
        question = Question(
            question=self._text(self.raw.get("question", self.file.removesuffix(".toml")), "question"),
            currency=self.currency,
            scenarios=scenarios,
            unknowns=self.unknowns,
            quantities=quantities,
            formulas=formulas,
            correlations=self._correlations(),
            studies={name: self._study(name, table, scenarios) for name, table in self._tables("studies")},
            groups=self._groups(),
            horizon_weeks=self._duration("horizon", "24 months"),
            discount=self._discount(),
            seed=self._seed(),
            file=self.file,
            lines=self.lines,
        )
        return self._with_warnings(question)

    # errors

    def _at(self, place: str) -> str:
        name = place
        while name and name not in self.lines:
            name = name.rpartition(".")[0]
        return f"{self.file}:{self.lines.get(name, 1)}"

    def _wrong(self, message: str, hint: str, place: str) -> QuestionError:
        return QuestionError(message, hint=hint, at=self._at(place))

    def _unknown_word(self, kind: str, name: str, known: Any, place: str) -> QuestionError:
        wrong = unknown_name(kind, name, known)
        return self._wrong(wrong.message, wrong.hint, place)

    def _keys(self, table: Mapping[str, Any], known: tuple[str, ...], place: str, kind: str) -> None:
        for key in table:
            if key not in known:
                raise self._unknown_word(kind, key, known, f"{place}.{key}" if place else key)

    # simple values

    def _table(self, name: str) -> Mapping[str, Any]:
        table = self.raw.get(name, {})
        if not isinstance(table, Mapping):
            raise self._wrong(f"`{name}` must be a table.", f"Write `[{name}]` on a line of its own.", name)
        return table

    def _tables(self, name: str) -> list[tuple[str, Mapping[str, Any]]]:
        found = []
        for key, table in self._table(name).items():
            if not isinstance(table, Mapping):
                raise self._wrong(f"`{name}.{key}` must be a table.", f"Write `[{name}.{key}]`.", f"{name}.{key}")
            found.append((key, table))
        return found

    def _text(self, given: Any, place: str) -> str:
        if isinstance(given, str):
            return given
        if isinstance(given, int | float) and not isinstance(given, bool):
            return repr(given)
        raise self._wrong(
            f"`{place}` must be a text or a number, not `{type(given).__name__}`.", "Put it between quotes.", place
        )

    def _number(self, given: Any, place: str) -> float:
        try:
            amount = parse_amount(self._text(given, place))
        except QuestionError as error:
            raise self._wrong(error.message, error.hint, place) from None
        if amount is None:
            raise self._wrong(f"`{given}` of `{place}` is no number.", "Write a number such as `0.05` or `5 %`.", place)
        return amount.value

    def _currency(self) -> str:
        code = currency_code(self._text(self.raw.get("currency", "EUR"), "currency"))
        if not re.fullmatch(r"[A-Z]{3}", code):
            raise self._wrong(f"`{code}` is not a currency.", "Write a code such as `EUR`, or €, $, £.", "currency")
        return code

    def _duration(self, name: str, default: str) -> float:
        text = self._text(self.raw.get(name, default), name)
        try:
            weeks = duration_weeks(text, currency=self.currency)
        except EmbellieError as error:
            raise self._wrong(error.message, "Write something like `24 months`.", name) from None
        if not 0 < weeks <= 2610:
            raise self._wrong(f"`{name}` is `{text}`.", "Write a duration above 0 and up to 50 years.", name)
        return weeks

    def _discount(self) -> float:
        text = self._text(self.raw.get("discount", "0 %"), "discount")
        try:
            amount = parse_amount(text)
        except QuestionError as error:
            raise self._wrong(error.message, error.hint, "discount") from None
        year = amount and amount.unit.replace(" ", "") in {"", "/year", "/an", "/years"}
        if amount is None or not year or not -0.5 < amount.value < 10:
            raise self._wrong(f"`{text}` is no discount.", "Write a yearly rate such as `8 %/year`.", "discount")
        if amount.value >= 1 and not amount.percent:
            raise self._wrong(f"`{text}` would be {amount.value:.0%} a year.", f"Write `{text} %/year`?", "discount")
        return amount.value

    def _seed(self) -> int | None:
        seed = self.raw.get("seed")
        if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or seed < 0):
            raise self._wrong(f"`seed` is `{seed}`.", "Write a whole number from 0.", "seed")
        return seed

    # unknowns

    def _name(self, name: str, place: str) -> str:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise self._wrong(
                f"`{name}` cannot be a name.", "Use letters, digits and _, beginning with a letter.", place
            )
        if name in {"horizon", "min", "max", "sqrt", "log", "exp", "abs", "clip", "weeks", "share", "n"}:
            raise self._wrong(f"`{name}` already means something in formulas.", "Choose another name.", place)
        return name

    def _read_unknowns(self) -> None:
        table = self._table("unknowns")
        if len(table) > MOST_UNKNOWNS:
            raise self._wrong(
                f"{len(table)} unknowns.",
                f"At most {MOST_UNKNOWNS}: keep those that could change the choice.",
                "unknowns",
            )
        for name, given in table.items():
            place = f"unknowns.{name}"
            self._name(name, place)
            self.unknowns[name] = self._unknown(name, given if isinstance(given, Mapping) else {"range": given}, place)

    def _unknown(self, name: str, table: Mapping[str, Any], place: str) -> Unknown:
        self._keys(table, _UNKNOWN_KEYS, place, "key of an unknown")
        written = self._written(table, place)
        tails, family = (self._text(table.get(key, ""), f"{place}.{key}") for key in ("tails", "family"))
        prior = self._prior(written, place, tails=tails, family=family)
        if prior is None:
            raise self._wrong(
                f"`{written}` of `{name}` is no range.",
                "Write `3 to 7 EUR`, `60k / 110k / 220k EUR`, or a distribution such as `normal(0, 1)`; "
                "a single known value goes under [quantities].",
                place,
            )
        kind = table.get("kind", "")
        if kind not in _UNKNOWN_KINDS:
            raise self._unknown_word("kind of unknown", str(kind), [k for k in _UNKNOWN_KINDS if k], place)
        return Unknown(
            name=name,
            prior=prior.distribution,
            written=written,
            unit=prior.unit,
            scale=prior.scale,
            label=prior.label,
            kind=kind,
            ask=self._text(table.get("ask", ""), place),
            source=self._text(table.get("source", ""), place),
            line=self.lines.get(place, 0),
        )

    def _written(self, table: Mapping[str, Any], place: str) -> str:
        if "range" in table:
            return self._text(table["range"], place)
        points = [self._text(table[key], place) for key in ("p05", "p50", "p95") if key in table]
        if "p05" not in table or "p95" not in table:
            raise self._wrong(f"`{place}` has no range.", 'Write `range = "3 to 7"`, or `p05` and `p95`.', place)
        return (" / " if len(points) == 3 else " to ").join(points)

    def _prior(self, text: str, place: str, *, tails: str = "", family: str = "") -> Prior | None:
        try:
            prior = read_prior(text, currency=self.currency, tails=tails, family=family)
        except QuestionError as error:
            raise self._wrong(error.message, error.hint, place) from None
        if prior:
            self.warnings += [f"{self._at(place)}: {warning}" for warning in prior.warnings]
        return prior

    # names and formulas

    def _texts(self, name: str, *, amounts: bool = False) -> dict[str, str]:
        found = {}
        for key, given in self._table(name).items():
            place = f"{name}.{key}"
            self._name(key, place)
            value = given
            if isinstance(given, Mapping):
                self._keys(given, ("value", "source", "note"), place, f"key of `{name}`")
                if "value" not in given:
                    raise self._wrong(f"`{place}` has no value.", 'Write `value = "4M visit/month"`.', place)
                value = given["value"]
            text = self._text(value, place)
            if amounts and self._is_range(text, place):
                raise self._wrong(f"`{key}` is a range, and a quantity has one value.", "Move it to [unknowns].", place)
            found[key] = text
        return found

    def _is_range(self, text: str, place: str) -> bool:
        try:
            return parse_range(text) is not None
        except QuestionError as error:
            raise self._wrong(error.message, error.hint, place) from None

    def _names_once(self, quantities: Mapping[str, str], formulas: Mapping[str, str]) -> None:
        for name in formulas:
            if name in self.unknowns or name in quantities:
                raise self._wrong(f"`{name}` is declared twice.", "One name is one quantity.", f"formulas.{name}")
        for name in quantities:
            if name in self.unknowns:
                raise self._wrong(f"`{name}` is declared twice.", "One name is one quantity.", f"quantities.{name}")

    def _correlations(self) -> dict[tuple[str, str], float]:
        found: dict[tuple[str, str], float] = {}
        for key, given in self._table("correlations").items():
            place = f"correlations.{key}"
            pair = [part.strip() for part in key.split("~")]
            if len(pair) != 2 or pair[0] == pair[1]:
                raise self._wrong(f"`{key}` is no pair.", 'Write `"interest ~ ml_gain" = 0.3`.', place)
            for name in pair:
                if name not in self.unknowns:
                    raise self._unknown_word("unknown", name, self.unknowns, place)
            value = self._number(given, place)
            if not -1 < value < 1:
                raise self._wrong(f"The correlation `{key}` is {value:g}.", "It lies between -1 and 1.", place)
            found[pair[0], pair[1]] = value
        return found

    # scenarios

    def _scenarios(self) -> dict[str, Scenario]:
        tables = self._tables("scenarios")
        if len(tables) < 2:
            raise self._wrong(
                f"{'Only one scenario is' if tables else 'No scenario is'} given; a choice needs two.",
                'Write `[scenarios.status_quo]` with `benefit = "0 EUR/month"` first, then the others.',
                "scenarios",
            )
        found = {name: self._scenario(name, table) for name, table in tables}
        for name in found:
            self._check_needs(name, found)
        return found

    def _scenario(self, name: str, table: Mapping[str, Any]) -> Scenario:
        place = f"scenarios.{name}"
        self._name(name, place)
        self._keys(table, _SCENARIO_KEYS, place, "key of a scenario")
        if "value" in table:
            odd = [key for key in ("benefit", "run", "ready", "needs") if key in table]
            if odd:
                raise self._wrong(
                    f"`{name}` has both `value` and `{odd[0]}`.",
                    "A lump `value` has no time; use `benefit`, `build`, `run` and `ready` instead.",
                    f"{place}.{odd[0]}",
                )
        elif "benefit" not in table:
            raise self._wrong(
                f"`{name}` says nothing of what it brings.",
                'Write `benefit = "…"` in money per month, or one lump sum `value = "…"`.',
                place,
            )
        texts = {field: self._field(name, field, table[field]) for field in FIELDS if field in table}
        needs = self._text(table.get("needs", ""), f"{place}.needs")
        return Scenario(name=name, needs=needs, built=False, line=self.lines.get(place, 0), **texts)

    def _field(self, scenario: str, field: str, given: Any) -> str:
        """Return a formula; a range becomes an unknown of its own, named after scenario and field."""
        place = f"scenarios.{scenario}.{field}"
        text = self._text(given, place)
        prior = self._prior(text, place)
        if prior is None:
            return text
        name = f"{scenario}.{field}"
        self.unknowns[name] = Unknown(
            name=name,
            prior=prior.distribution,
            written=text,
            unit=prior.unit,
            scale=prior.scale,
            label=prior.label,
            kind="software" if field in {"build", "run", "ready"} else "",
            ask=_ASKS[field].format(scenario),
            line=self.lines.get(place, 0),
        )
        return name

    def _check_needs(self, name: str, scenarios: Mapping[str, Scenario]) -> None:
        seen = [name]
        while needed := scenarios[seen[-1]].needs:
            place = f"scenarios.{seen[-1]}.needs"
            if needed not in scenarios:
                raise self._unknown_word("scenario", needed, scenarios, place)
            if needed in seen:
                raise self._wrong(
                    f"Scenarios need one another in a circle: {' → '.join([*seen, needed])}.",
                    "Remove one `needs`.",
                    place,
                )
            if scenarios[needed].value:
                raise self._wrong(
                    f"`{seen[-1]}` needs `{needed}`, which is a lump `value` without time.",
                    "Give it `benefit`, `build`, `run` and `ready`.",
                    place,
                )
            seen.append(needed)

    # studies and groups

    def _study(self, name: str, table: Mapping[str, Any], scenarios: Mapping[str, Scenario]) -> Study:
        place = f"studies.{name}"
        self._keys(table, _STUDY_KEYS, place, "key of a study")
        kind = table.get("kind", "experiment")
        if kind not in _STUDY_KINDS:
            raise self._unknown_word("kind of study", str(kind), _STUDY_KINDS, f"{place}.kind")
        measures = self._text(table.get("measures", ""), place)
        if not measures:
            raise self._wrong(f"Study `{name}` does not say what it measures.", 'Add `measures = "interest"`.', place)
        if measures not in self.unknowns:
            raise self._unknown_word("unknown to measure", measures, self.unknowns, f"{place}.measures")
        scenario = self._text(table.get("scenario", ""), place)
        if scenario and scenario not in scenarios:
            raise self._unknown_word("scenario", scenario, scenarios, f"{place}.scenario")
        return Study(
            name=name,
            kind=kind,
            measures=measures,
            scenario=scenario,
            metric=self._text(table.get("metric", ""), place),
            weeks=self._several(table, "weeks", place, most=520),
            share=self._several(table, "share", place, most=1),
            n=tuple(round(x) for x in self._several(table, "n", place, most=1e12)),
            se=self._positive(table, "se", place),
            sd=self._positive(table, "sd", place),
            traffic=self._text(table.get("traffic", ""), f"{place}.traffic"),
            cost=self._text(table.get("cost", ""), f"{place}.cost"),
            delay=self._text(table.get("delay", ""), f"{place}.delay"),
            line=self.lines.get(place, 0),
        )

    def _several(self, table: Mapping[str, Any], key: str, place: str, *, most: float) -> tuple[float, ...]:
        given = table.get(key, [])
        found = tuple(self._number(x, f"{place}.{key}") for x in (given if isinstance(given, list) else [given]))
        if any(not 0 < x <= most for x in found):
            raise self._wrong(f"`{key}` is `{given}`.", f"Write numbers above 0, up to {most:g}.", f"{place}.{key}")
        return found

    def _positive(self, table: Mapping[str, Any], key: str, place: str) -> float | None:
        if key not in table:
            return None
        value = self._number(table[key], f"{place}.{key}")
        if value <= 0:
            raise self._wrong(f"`{key}` is {value:g}.", "Noise is above 0.", f"{place}.{key}")
        return value

    def _groups(self) -> dict[str, tuple[str, ...]]:
        found = {}
        for name, members in self._table("groups").items():
            place = f"groups.{name}"
            if not isinstance(members, list) or not members:
                raise self._wrong(f"`{place}` must list unknowns.", 'Write `costs = ["a", "b"]`.', place)
            for member in members:
                if member not in self.unknowns:
                    raise self._unknown_word("unknown", str(member), self.unknowns, place)
            found[name] = tuple(dict.fromkeys(members))
        return found

    # what is odd, but no error

    def _with_warnings(self, question: Question) -> Question:
        model = Model(question)
        used = frozenset().union(*(model.used_by(name) for name in question.scenarios))
        for name in question.unknowns:
            if name not in used:
                self.warnings.append(f"{self._at(f'unknowns.{name}')}: `{name}` is used by no scenario.")
        return replace(question, warnings=tuple(self.warnings))
