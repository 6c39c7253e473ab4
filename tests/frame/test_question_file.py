"""A question as a file: read whole, or refused with file, line and what to write."""

import dataclasses
import tomllib
from pathlib import Path

import pytest

import embellie.app
from embellie.domain.errors import EmbellieError, QuestionError
from embellie.frame.question_file import parse_question, question_from, read_question

TEMPLATES = Path(embellie.app.__file__).parent / "templates"
EXAMPLES = Path(__file__).parents[2] / "examples"

GOOD = """\
question = "Ship it?"
currency = "EUR"
horizon = "24 months"
discount = "8 %/year"
[quantities]
visits = "4M visit/month"
[unknowns]
revenue = "0.006 to 0.011 EUR/visit"
lift = "-1 % to 3 %"
[formulas]
base = "visits * revenue"
[scenarios.nothing]
benefit = "0 EUR/month"
[scenarios.act]
build = "8k to 20k EUR"
benefit = "base * lift"
[studies.ab]
measures = "lift"
se = 0.01
"""

WRONG = [
    ('currency = "EUR"', 'currency = "euros"', 2, "not a currency"),
    ('horizon = "24 months"', 'horizon = "24"', 3, "24 months"),
    ('discount = "8 %/year"', 'discount = "8"', 4, "8 %/year"),
    ('question = "Ship it?"', "question = [1]", 1, "between quotes"),
    ('question = "Ship it?"', 'qestion = "Ship it?"', 1, "Did you mean `question`"),
    ('visits = "4M visit/month"', 'visits = "4M to 5M visit/month"', 6, "[unknowns]"),
    ('visits = "4M visit/month"', 'visits = "4m visit/month"', 6, "Write `M`"),
    ('revenue = "0.006 to 0.011 EUR/visit"', 'revenue = "900-1150 EUR/visit"', 8, "900 to 1150"),
    ('revenue = "0.006 to 0.011 EUR/visit"', 'revenue = "0.006 EUR/visit"', 8, "[quantities]"),
    ('revenue = "0.006 to 0.011 EUR/visit"', 'revenue = "0.006 to 0.011 USD/visit"', 8, "another currency"),
    ('revenue = "0.006 to 0.011 EUR/visit"', 'revenue = "0.006 to 0.011 EUR/article"', 16, "benefit"),
    ('lift = "-1 % to 3 %"', 'lift = "3 % to -1 %"', 9, "low end first"),
    ('lift = "-1 % to 3 %"', 'lift = "normal(0, 0)"', 9, "above 0"),
    ('lift = "-1 % to 3 %"', 'lift = { range = "-1 % to 3 %", tail = "fat" }', 9, "Did you mean `tails`"),
    ('lift = "-1 % to 3 %"', 'lift = { range = "-1 % to 3 %", kind = "readers" }', 9, "Did you mean `reader`"),
    ('lift = "-1 % to 3 %"', '"my lift" = "-1 % to 3 %"', 9, "cannot be a name"),
    ('base = "visits * revenue"', 'base = "visits * revenu"', 11, "Did you mean `revenue`"),
    ('base = "visits * revenue"', 'base = "visits + revenue"', 11, "same unit"),
    ('base = "visits * revenue"', 'base = "visits * base"', 11, "in a circle"),
    ('base = "visits * revenue"', 'base = "visits * revenue ^ 2"', 11, "Use `**`"),
    ('base = "visits * revenue"', 'base = "__import__(\'os\')"', 11, "function"),
    ('base = "visits * revenue"', 'lift = "visits * revenue"', 11, "declared twice"),
    ('benefit = "base * lift"', 'benefits = "base * lift"', 16, "Did you mean `benefit`"),
    ('benefit = "base * lift"', 'benefit = "base * lift"\nneeds = "nothin"', 17, "Did you mean `nothing`"),
    ('benefit = "base * lift"', 'benefit = "base * lift"\nneeds = "act"', 17, "in a circle"),
    ('benefit = "base * lift"', 'benefit = "lift * visits"', 16, "expected"),
    ('benefit = "base * lift"', 'benefit = "base * lift"\nvalue = "3"', 16, "lump"),
    ('benefit = "base * lift"', "", 14, "what it brings"),
    ('measures = "lift"', 'measures = "lft"', 18, "Did you mean `lift`"),
    ('measures = "lift"', 'measures = "lift"\nkind = "abtest"', 19, "Available"),
    ("se = 0.01", "se = -1", 19, "above 0"),
    ("[studies.ab]", "[studies.ab", 17, "TOML"),
    ("[studies.ab]", '[correlations]\n"lift ~ revenu" = 0.3\n[studies.ab]', 18, "Did you mean `revenue`"),
    ("[studies.ab]", '[correlations]\n"lift ~ revenue" = 1.3\n[studies.ab]', 18, "between -1 and 1"),
    ("[studies.ab]", '[groups]\nall = ["lift", "cost"]\n[studies.ab]', 18, "Unknown unknown"),
]  # fmt: skip


def test_a_good_question_is_read():
    """Its numbers, its own unknowns, and the range of a cost as an unknown of its own."""
    question = parse_question(GOOD)
    assert list(question.scenarios) == ["nothing", "act"]
    assert set(question.unknowns) == {"revenue", "lift", "act.build"}
    assert question.horizon_weeks == pytest.approx(104.355)
    assert question.discount == pytest.approx(0.08)
    assert question.warnings == ()


@pytest.mark.parametrize(("good", "bad", "line", "said"), WRONG)
def test_a_wrong_file_says_where_and_what_to_write(good, bad, line, said):
    """Each names the file, the line, and the way out."""
    with pytest.raises(EmbellieError) as error:
        parse_question(GOOD.replace(good, bad, 1), file="question.toml")
    assert isinstance(error.value, QuestionError)
    assert said in str(error.value)
    assert error.value.at == f"question.toml:{line}"


def test_one_scenario_is_no_choice():
    """Two at least."""
    with pytest.raises(QuestionError, match="choice needs two"):
        parse_question("[scenarios.a]\nvalue = 1")


def test_an_unused_unknown_is_a_warning():
    """It may be a slip, and stops nothing."""
    question = parse_question(GOOD.replace("[formulas]", 'idle = "1 to 2"\n[formulas]'))
    assert "idle" in question.warnings[0]


def test_a_missing_file_says_how_to_start(tmp_path):
    """`embellie init` writes one."""
    with pytest.raises(QuestionError, match="embellie init"):
        read_question(tmp_path / "question.toml")


def test_a_file_of_a_megabyte_is_refused_at_once(tmp_path):
    """Nothing is parsed."""
    path = tmp_path / "question.toml"
    path.write_text("#" * 1_100_000)
    with pytest.raises(QuestionError, match="1 MB"):
        read_question(path)


def test_the_example_is_the_file_that_init_writes():
    """One text, in two places."""
    assert (EXAMPLES / "question.toml").read_text(encoding="utf-8") == (TEMPLATES / "question.toml").read_text(
        encoding="utf-8"
    )


def test_the_french_question_is_the_english_one():
    """Other words and other forms of numbers, the same question."""
    english, french = (read_question(TEMPLATES / name) for name in ("question.toml", "question.fr.toml"))
    assert [u.prior for u in english.unknowns.values()] == [u.prior for u in french.unknowns.values()]
    assert english.warnings == french.warnings == ()


WHOLE = """\
question = "Which?"
[quantities]
visits = "4M visit/month"
[unknowns]
revenue = { range = "0.006 to 0.011 EUR/visit", asked = "finance", on = 2026-01-12 }
lift = { range = "-1 % to 3 %", tails = "fat", on = "2026-02-01" }
season = "discrete(3: 20 %, 1: 50 %, 2: 30 %)"
[correlations]
"lift ~ revenue" = 0.2
[formulas]
base = "visits * revenue * season"
[scenarios.nothing]
benefit = "0 EUR/month"
[scenarios.act]
build = "8k to 20k EUR"
benefit = "base * lift"
ramp = "2 to 6 weeks"
obsolescence = "20 %/year"
rollback = "2k EUR"
built = true
[studies.ab]
measures = "base"
se = 0.01
[studies.survey]
kind = "survey"
measures = "lift"
needs = "act"
bias = "0.5 %"
transfer = "0.3 to 0.9"
se = "1 %"
[studies.omen]
kind = "expert"
measures = "season"
[studies.omen.signals]
bad = [0.1, 0.6, 0.2]
good = [0.9, 0.4, 0.8]
[groups]
all = ["lift", "revenue"]
"""


def test_time_and_what_is_built_are_read():
    """Ranges become unknowns named after scenario and key; texts stay; `built` is a flag."""
    question = parse_question(WHOLE)
    act = question.scenarios["act"]
    assert (act.ramp, act.obsolescence, act.rollback, act.built) == ("act.ramp", "20 %/year", "2k EUR", True)
    assert question.unknowns["act.ramp"].unit == {"week": 1.0}
    assert not question.scenarios["nothing"].built


def test_who_said_it_and_when_is_kept():
    """A date of TOML and a text of one are the same day."""
    unknowns = parse_question(WHOLE).unknowns
    assert (unknowns["revenue"].asked, str(unknowns["revenue"].on)) == ("finance", "2026-01-12")
    assert str(unknowns["lift"].on) == "2026-02-01"
    assert unknowns["season"].on is None


def test_a_study_may_measure_a_formula_with_a_bias_and_a_transfer():
    """The transfer's range is an unknown of its own; no warning that no scenario uses it."""
    question = parse_question(WHOLE)
    study = question.studies["survey"]
    assert question.studies["ab"].measures == "base"
    assert (study.needs, study.bias, study.transfer) == ("act", 0.005, "survey.transfer")
    assert question.unknowns["survey.transfer"].prior.family == "lognormal"
    assert question.warnings == ()


def test_signals_follow_the_values_however_they_are_written():
    """Chances are written beside the values in the order of the file, and kept in rising order."""
    question = parse_question(WHOLE)
    assert question.unknowns["season"].prior.parameters == (1.0, 2.0, 3.0, 0.5, 0.3, 0.2)
    assert question.studies["omen"].signals == {"bad": (0.6, 0.2, 0.1), "good": (0.4, 0.8, 0.9)}


def test_noise_may_be_written_in_its_unit():
    """It is kept in the unit of what is measured."""
    changed = WHOLE.replace('measures = "base"\nse = 0.01', 'measures = "act.ramp"\nse = "7 days"')
    assert parse_question(changed).studies["ab"].se == pytest.approx(1.0)


def test_a_question_from_python_is_the_question_from_its_file():
    """The same tables through the same reader; lists may be tuples."""
    tables = tomllib.loads(WHOLE)
    tables["groups"]["all"] = ("lift", "revenue")
    lineless = question_from(tables, file="question.toml")
    assert without_lines(lineless) == without_lines(parse_question(WHOLE))


def without_lines(record):
    """A record as a dictionary, where nothing says on which line it stood."""
    if dataclasses.is_dataclass(record):
        names = [field.name for field in dataclasses.fields(record) if field.name not in {"line", "lines"}]
        return {name: without_lines(getattr(record, name)) for name in names}
    return {key: without_lines(value) for key, value in record.items()} if isinstance(record, dict) else record


def test_a_mistake_in_python_names_its_place():
    """There is no line; the place says where to look."""
    tables = tomllib.loads(WHOLE)
    tables["unknowns"]["lift"] = "3 % to 1 %"
    with pytest.raises(QuestionError, match="low end first") as error:
        question_from(tables)
    assert error.value.at == "question.unknowns.lift"


@pytest.mark.parametrize("wrong", [None, [("a", 1)], {1: {}}, {"unknowns": {1: "3 to 7"}}, {"scenarios": 3}])
def test_what_is_no_table_is_refused(wrong):
    """A question is a dictionary of dictionaries with names."""
    with pytest.raises(QuestionError):
        question_from(wrong)
