"""`question.toml`: read, check and say what is wrong, where, and what to write instead."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from embellie.domain.errors import EmbellieError, QuestionError
from embellie.domain.question import Case, Question
from embellie.frame.question_cases import MOST_CASES, MOST_UNKNOWNS_AND_CASES, changed_by
from embellie.frame.question_scenarios import read_scenarios
from embellie.frame.question_studies import Around, check_noise, read_studies
from embellie.frame.question_tables import Tables, lines_of
from embellie.frame.question_unknowns import read_correlations, read_groups, read_unknowns
from embellie.frame.units import currency_code
from embellie.frame.valuing import Model, duration_weeks

LARGEST = 1_000_000
"""Bytes in a file."""

LONGEST_LINE = 20_000
DEEPEST_NAME = 30

_TOP = ("question", "currency", "horizon", "discount", "seed")
_TABLES = ("quantities", "unknowns", "correlations", "formulas", "scenarios", "studies", "groups", "cases")


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
    text = text.removeprefix("\ufeff")  # some editors begin a file with a mark of its encoding
    _check_lines(text, file)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise QuestionError(
            f"Not valid TOML: {error}.",
            hint="Texts such as 250k to 450k stand between quotes; check brackets and quotes there.",
            at=f"{file}:{line[1]}" if line else file,
        ) from None
    except ValueError:
        raise QuestionError(
            "Holds a number of thousands of digits.", hint="Write it as `1e9`, or `4M`.", at=file
        ) from None
    except RecursionError:
        raise QuestionError(
            "Nested too deep to be a question.", hint="See docs/reference/question.md.", at=file
        ) from None
    return _read(Tables(raw, file=file, lines=lines_of(text) or {"": 1}))


def _check_lines(text: str, file: str) -> None:
    """Refuse lines and dotted names so long that reading them alone would take minutes."""
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > LONGEST_LINE:
            raise QuestionError(
                f"A line of {len(line)} characters.", hint=f"At most {LONGEST_LINE}: break it.", at=f"{file}:{number}"
            )
        dots = 0
        for part in line.split(".") if line.count(".") > DEEPEST_NAME else ():
            dots = 0 if re.search(r"\s", part.strip()) else dots + 1
            if dots > DEEPEST_NAME:
                raise QuestionError(
                    f"A name with more than {DEEPEST_NAME} dots.",
                    hint="Names have a few, as in `cases.late.scenarios.ml.ready`.",
                    at=f"{file}:{number}",
                )


def question_from(tables: Mapping[str, object], *, file: str = "question") -> Question:
    """Read a question from Python: the tables of a question.toml, as dictionaries.

    Args:
        tables: The same names and values as in a file; lists may be tuples.
        file: What errors call it.

    Raises:
        QuestionError: Names the place, such as `question.unknowns.lift`, what was expected and what to write.

    >>> question = question_from(
    ...     {
    ...         "unknowns": {"lift": "-1 % to 3 %"},
    ...         "scenarios": {"nothing": {"value": 0}, "act": {"build": "10k EUR", "value": "1M EUR * lift"}},
    ...     }
    ... )
    >>> list(question.scenarios), question.unknowns["lift"].prior.family
    (['nothing', 'act'], 'normal')
    """
    given: object = tables
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise QuestionError(
            f"A question is a dictionary of tables, not `{type(tables).__name__}`.",
            hint='Write `{"unknowns": {…}, "scenarios": {…}}`, or `parse_question` for a text.',
            at=file,
        )
    return _read(Tables(tables, file=file, lines={}))


def _read(tables: Tables) -> Question:
    """Read it all, then each of its cases."""
    question = _read_one(tables)
    return replace(question, cases=_cases(tables, question), warnings=tuple(tables.warnings))


def _read_one(tables: Tables) -> Question:
    """Read everything but the cases."""
    tables.keys(tables.raw, (*_TOP, *_TABLES), "", kind="key")
    tables.currency = _currency(tables)
    unknowns = read_unknowns(tables)
    quantities = _texts(tables, "quantities", amounts=True)
    formulas = _texts(tables, "formulas")
    scenarios = read_scenarios(tables, unknowns)
    for table, names in (("formulas", formulas), ("quantities", quantities)):
        for name in names:
            if name in unknowns or (table == "formulas" and name in quantities):
                raise tables.wrong(f"`{name}` is declared twice.", "One name is one quantity.", f"{table}.{name}")
    around = Around(unknowns, scenarios, formulas, quantities)
    studies = read_studies(tables, around)
    tables.check_count("unknowns", len(unknowns))
    question = Question(
        question=tables.text(tables.raw.get("question", tables.file.removesuffix(".toml")), "question"),
        currency=tables.currency,
        scenarios=scenarios,
        unknowns=unknowns,
        quantities=quantities,
        formulas=formulas,
        correlations=read_correlations(tables, unknowns),
        studies=studies,
        groups=read_groups(tables, unknowns),
        horizon_weeks=_duration(tables, "horizon", "24 months"),
        discount=_discount(tables),
        seed=_seed(tables),
        file=tables.file,
        lines=tables.lines,
    )
    model = Model(question)
    for measures, place, unit in around.noises:
        check_noise(tables, place, unit, measures, model.expression(measures, place, names={})[1])
    _warn_of_the_unused(tables, model)
    return replace(question, warnings=tuple(tables.warnings))


def _cases(tables: Tables, question: Question) -> dict[str, Case]:
    given = tables.tables("cases")
    if len(given) > MOST_CASES or len(given) * len(question.unknowns) > MOST_UNKNOWNS_AND_CASES:
        raise tables.wrong(
            f"{len(given)} cases of {len(question.unknowns)} unknowns.",
            f"At most {MOST_CASES} cases, and {MOST_UNKNOWNS_AND_CASES} unknowns over all of them.",
            "cases",
        )
    found = {}
    for name, _ in given:
        changed = changed_by(tables, question, name)
        inner = Tables(changed.raw, file=tables.file, lines=changed.lines)
        found[name] = Case(name=name, sets=changed.sets, question=_read_one(inner))
        tables.warnings += [
            told for told in inner.warnings if told not in tables.warnings and " is used by" not in told
        ]
    return found


def _texts(tables: Tables, name: str, *, amounts: bool = False) -> dict[str, str]:
    """Read `[quantities]` or `[formulas]`: a text each, or a table with `value`, `source` and `note`."""
    found = {}
    for key, given in tables.table(name).items():
        place = f"{name}.{key}"
        tables.name(key, place)
        value = given
        if isinstance(given, Mapping):
            tables.keys(given, ("value", "source", "note"), place, kind=f"key of `{name}`")
            if "value" not in given:
                raise tables.wrong(f"`{place}` has no value.", 'Write `value = "4M visit/month"`.', place)
            value = given["value"]
        text = tables.text(value, place)
        if amounts and tables.is_range(text, place):
            raise tables.wrong(f"`{key}` is a range, and a quantity has one value.", "Move it to [unknowns].", place)
        found[key] = text
    return found


def _currency(tables: Tables) -> str:
    code = currency_code(tables.text(tables.raw.get("currency", "EUR"), "currency"))
    if not re.fullmatch(r"[A-Z]{3}", code):
        raise tables.wrong(f"`{code}` is not a currency.", "Write a code such as `EUR`, or €, $, £.", "currency")
    return code


def _duration(tables: Tables, name: str, default: str) -> float:
    text = tables.text(tables.raw.get(name, default), name)
    try:
        weeks = duration_weeks(text, currency=tables.currency)
    except EmbellieError as error:
        raise tables.wrong(error.message, "Write something like `24 months`.", name) from None
    if not 0 < weeks <= 2610:
        raise tables.wrong(f"`{name}` is `{text}`.", "Write a duration above 0 and up to 50 years.", name)
    return weeks


def _discount(tables: Tables) -> float:
    text = tables.text(tables.raw.get("discount", "0 %"), "discount")
    amount = tables.plain(text, "discount")
    year = amount and amount.unit.replace(" ", "") in {"", "/year", "/an", "/years"}
    if amount is None or not year or not -0.5 < amount.value < 10:
        raise tables.wrong(f"`{text}` is no discount.", "Write a yearly rate such as `8 %/year`.", "discount")
    if amount.value >= 1 and not amount.percent:
        raise tables.wrong(f"`{text}` would be {amount.value:.0%} a year.", f"Write `{text} %/year`?", "discount")
    return amount.value


def _seed(tables: Tables) -> int | None:
    seed = tables.raw.get("seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool) or seed < 0):
        raise tables.wrong(f"`seed` is `{seed}`.", "Write a whole number from 0.", "seed")
    return seed


def _warn_of_the_unused(tables: Tables, model: Model) -> None:
    """What no scenario uses is odd, but no error."""
    question = model.question
    used = frozenset().union(*(model.used_by(name) for name in question.scenarios))
    transfers = {study.transfer for study in question.studies.values()}
    for name in question.unknowns:
        if name not in used and name not in transfers and "." not in name:
            tables.warnings.append(f"{tables.at(f'unknowns.{name}')}: `{name}` is used by no scenario.")
