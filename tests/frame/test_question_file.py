"""A question as a file: read whole, or refused with file, line and what to write."""

import dataclasses
import math
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embellie.app
from embellie.domain.errors import EmbellieError, QuestionError
from embellie.frame.question_file import parse_question, question_from, read_question
from embellie.stats.distributions import mean

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

REVENUE = 'revenue = "0.006 to 0.011 EUR/visit"'
LIFT = 'lift = "-1 % to 3 %"'
BENEFIT = 'benefit = "base * lift"'
BASE = 'base = "visits * revenue"'
MEASURES = 'measures = "lift"'
STUDY = "[studies.ab]"

WRONG = [
    ('currency = "EUR"', 'currency = "euros"', 2, "`euros` is not a currency", "a code such as `EUR`"),
    ('currency = "EUR"', 'currency = "EUR', 2, "Not valid TOML", "between quotes"),
    ('horizon = "24 months"', 'horizon = "24"', 3, "`24` is no duration", "24 months"),
    ('horizon = "24 months"', 'horizon = "0 months"', 3, "`horizon` is `0 months`", "up to 50 years"),
    ('horizon = "24 months"', 'horizon = "24 visits"', 3, "is no duration", "24 months"),
    ('discount = "8 %/year"', 'discount = "8"', 4, "would be 800% a year", "8 %/year"),
    ('discount = "8 %/year"', 'discount = "8 %/month"', 4, "is no discount", "a yearly rate"),
    ('discount = "8 %/year"', 'discount = "8 %/year"\nseed = -3', 5, "`seed` is `-3`", "from 0"),
    ('question = "Ship it?"', "question = [1]", 1, "must be a text", "between quotes"),
    ('question = "Ship it?"', 'qestion = "Ship it?"', 1, "Unknown key `qestion`", "Did you mean `question`"),
    ('visits = "4M visit/month"', 'visits = "4M to 5M visit/month"', 6, "has one value", "[unknowns]"),
    ('visits = "4M visit/month"', 'visits = "4m visit/month"', 6, "milli or million", "Write `M`"),
    ('visits = "4M visit/month"', 'visits = { source = "me" }', 6, "has no value", "value ="),
    ('visits = "4M visit/month"', "visits = [4]", 6, "not `list`", "between quotes"),
    ('visits = "4M visit/month"', f'visits = "{"4" * 3000}"', 6, "3000 characters", "At most 2000"),
    (REVENUE, 'revenue = "900-1150 EUR/visit"', 8, "a range or a subtraction", "900 to 1150"),
    (REVENUE, 'revenue = "0.006 EUR/visit"', 8, "is no range", "[quantities]"),
    (REVENUE, 'revenue = "0.006 to 0.011 EUR / "', 8, "is no range", "3 to 7 EUR"),
    (REVENUE, 'revenue = "0.006 to 0.011 USD/visit"', 8, "another currency", "write EUR"),
    (REVENUE, 'revenue = "0.006 to 0.011 EUR/article"', 16, "where EUR/month is expected", "Check the units"),
    (REVENUE, 'revenue = "60kEUR to 70kEUR"', 8, "belongs to the number", "60k EUR"),
    (REVENUE, 'revenue = "3 billion to 5 billion EUR/visit"', 8, "is unclear", "Write `bn`"),
    (REVENUE, 'revenue = "1,234 to 2,000 EUR/visit"', 8, "can be read two ways", "Write 1234"),
    (REVENUE, 'revenue = "6 to 11k EUR/visit"', 8, "only the last number", "250k to 450k"),
    (REVENUE, 'revenue = "1 / 1.1 / 9 EUR/visit (unbounded)"', 8, "too close to one end", "Change the numbers"),
    (REVENUE, 'revenue = "1 / 2 / 3 EUR/visit (0 to 2.5)"', 8, "above the last point", "Change the numbers"),
    (REVENUE, "revenue = { p05 = 1, p90 = 2 }", 8, "has p05, p90", "`p10` and `p90`"),
    (REVENUE, 'revenue = { ask = "how much?" }', 8, "has no range", 'range = "3 to 7"'),
    (REVENUE, 'revenue = { range = "1 to 2", p50 = 1.5 }', 8, "both `range` and `p50`", "Keep one"),
    (REVENUE, 'revenue = { range = "1 to 2", on = "yesterday" }', 8, "is no day", "2026-01-12"),
    (REVENUE, 'revenue = { range = "1 / 2 / 3", tails = "fat" }', 8, "three points", "two points"),
    (LIFT, 'lift = "3 % to -1 %"', 9, "do not rise", "low end first"),
    (LIFT, 'lift = "normal(0, 0)"', 9, "must be above 0", "Change the numbers"),
    (LIFT, 'lift = "norm(0, 1)"', 9, "Unknown distribution `norm`", "Did you mean `normal`"),
    (LIFT, 'lift = "discrete(1: 50 %, 2: 40 %)"', 9, "add up to 0.9", "add up to 100 %"),
    (LIFT, 'lift = "85%: 1 to 2"', 9, "85% is not understood", "80, 90"),
    (LIFT, 'lift = { range = "-1 % to 3 %", tail = "fat" }', 9, "key of an unknown `tail`", "Did you mean `tails`"),
    (LIFT, 'lift = { range = "-1 % to 3 %", kind = "readers" }', 9, "kind of unknown", "Did you mean `reader`"),
    (LIFT, '"my lift" = "-1 % to 3 %"', 9, "cannot be a name", "letters, digits and _"),
    (LIFT, 'max = "-1 % to 3 %"', 9, "already means something", "another name"),
    (BASE, 'base = "visits * revenu"', 11, "Unknown name `revenu`", "Did you mean `revenue`"),
    (BASE, 'base = "visits + revenue"', 11, "adds `visits` in visit/week", "same unit"),
    (BASE, 'base = "visits * base"', 11, "in a circle", "without the others"),
    (BASE, 'base = "visits * revenue ^ 2"', 11, "is no power", "Use `**`"),
    (BASE, "base = \"__import__('os')\"", 11, "Unknown function", "Available: abs"),
    (BASE, 'lift = "visits * revenue"', 11, "declared twice", "One name"),
    (BENEFIT, 'benefits = "base * lift"', 16, "key of a scenario `benefits`", "Did you mean `benefit`"),
    (BENEFIT, BENEFIT + '\nneeds = "nothin"', 17, "Unknown scenario", "Did you mean `nothing`"),
    (BENEFIT, BENEFIT + '\nneeds = "act"', 17, "in a circle", "Remove one `needs`"),
    (BENEFIT, 'benefit = "lift * visits"', 16, "where EUR/month is expected", "`visits` is visit/week"),
    (BENEFIT, BENEFIT + '\nvalue = "3"', 16, "both `value` and `benefit`", "A lump `value` has no time"),
    (BENEFIT, "", 14, "says nothing of what it brings", "in money per month"),
    (BENEFIT, BENEFIT + '\nramp = "3"', 17, "without a unit", "3 months"),
    (BENEFIT, BENEFIT + '\nramp = "3 to 9 EUR"', 17, "in EUR", "3 months"),
    (BENEFIT, BENEFIT + '\nobsolescence = "20 %"', 17, "without a unit", "20 %/year"),
    (BENEFIT, BENEFIT + '\nobsolescence = "-10 %/year"', 17, "does not grow", "in `benefit`"),
    (BENEFIT, BENEFIT + '\nobsolescence = "120 %/year"', 17, "more than all of it", "below 100 %/year"),
    (BENEFIT, BENEFIT + '\nbuilt = "yes"', 17, "is `yes`", "without quotes"),
    (BENEFIT, BENEFIT + '\nbuilt = true\nneeds = "nothing"', 18, "which it needs, is not", "Add `built = true`"),
    (MEASURES, 'measures = "lft"', 18, "No unknown or formula is called `lft`", "Did you mean `lift`"),
    (MEASURES, 'measures = "visits"', 18, "one known value", "Give it a range"),
    (MEASURES, 'scenario = "act"', 17, "does not say what it measures", 'measures = "interest"'),
    (MEASURES, MEASURES + '\nkind = "abtest"', 19, "Unknown kind of study", "Available"),
    (MEASURES, MEASURES + '\nneeds = "atc"', 19, "Unknown scenario `atc`", "Did you mean `act`"),
    (MEASURES, MEASURES + "\nbias = -0.1", 19, "`bias` is -0.1", "0 or above"),
    (MEASURES, MEASURES + '\nbias = "1 EUR"', 19, "`bias` is in EUR", "the unit of what is measured"),
    (MEASURES, MEASURES + '\ntransfer = "revenu"', 19, "No unknown is called `revenu`", "Did you mean `revenue`"),
    (MEASURES, MEASURES + "\ntransfer = 0.5", 19, "`transfer` of `ab` is `0.5`", "0.3 to 0.9"),
    (MEASURES, MEASURES + "\nweeks = [1, 0]", 19, "`weeks` is `[1, 0]`", "above 0, up to 520"),
    (MEASURES, MEASURES + "\nshare = 2", 19, "`share` is `2`", "up to 1"),
    (MEASURES, MEASURES + "\nn = 2.5", 19, "`n` is `2.5`", "whole numbers"),
    (MEASURES, MEASURES + "\nsignals = { a = [0.5, 0.5] }", 19, "has a few values", "discrete("),
    (MEASURES, MEASURES + '\nmesures = "lift"', 19, "key of a study `mesures`", "Did you mean `measures`"),
    ("se = 0.01", "se = -1", 19, "`se` is -1", "above 0"),
    ("se = 0.01", "se = nan", 19, "is no number", "0.05"),
    (STUDY, "[studies.ab", 17, "Not valid TOML", "brackets"),
    (STUDY, f'[correlations]\n"lift ~ revenu" = 0.3\n{STUDY}', 18, "No unknown is called", "Did you mean `revenue`"),
    (STUDY, f'[correlations]\n"lift ~ revenue" = 1.3\n{STUDY}', 18, "is 1.3", "between -1 and 1"),
    (STUDY, f'[correlations]\n"lift" = 0.3\n{STUDY}', 18, "is no pair", '"interest ~ ml_gain" = 0.3'),
    (STUDY, f'[correlations]\n"lift~revenue" = 0.3\n"revenue ~ lift" = 0.2\n{STUDY}', 19, "given twice", "Keep one"),
    (STUDY, f'[groups]\nall = ["lift", "cost"]\n{STUDY}', 18, "No unknown is called `cost`", "Available"),
    (STUDY, f'[groups]\nall = "lift"\n{STUDY}', 18, "must list unknowns", 'costs = ["a", "b"]'),
    (STUDY, f'[cases.bad]\nlft = "1 %"\n{STUDY}', 18, "name to set in a case `lft`", "Did you mean `lift`"),
    (STUDY, f'[cases.bad]\nrevenue = "1 EUR/article"\n{STUDY}', 18, "this case sets it in", "EUR/visit"),
    (STUDY, f'[cases]\nbad = "1 %"\n{STUDY}', 18, "must be a table", "[cases.bad]"),
]  # fmt: skip


def test_a_good_question_is_read():
    """Its numbers, its own unknowns, and the range of a cost as an unknown of its own."""
    question = parse_question(GOOD)
    assert list(question.scenarios) == ["nothing", "act"]
    assert set(question.unknowns) == {"revenue", "lift", "act.build"}
    assert question.horizon_weeks == pytest.approx(104.355)
    assert question.discount == pytest.approx(0.08)
    assert question.warnings == ()


@pytest.mark.parametrize(("good", "bad", "line", "said", "fix"), WRONG)
def test_a_wrong_file_says_where_what_and_what_to_write(good, bad, line, said, fix):
    """Each names the file, the line, what is wrong, and the way out."""
    assert good in GOOD
    with pytest.raises(EmbellieError) as error:
        parse_question(GOOD.replace(good, bad, 1), file="question.toml")
    assert isinstance(error.value, QuestionError)
    assert error.value.at == f"question.toml:{line}"
    assert said in error.value.message
    assert fix in error.value.hint


def test_files_of_other_systems_are_read():
    """With a mark of the encoding at the start, and other ends of lines."""
    assert parse_question("\ufeff" + GOOD.replace("\n", "\r\n")).unknowns == parse_question(GOOD).unknowns


def read_or_refused(text):
    try:
        return parse_question(text), None
    except QuestionError as error:
        return None, error


PIECES = st.sampled_from(
    [*"0123456789.,-+ /%()~:^#'\\€$", "to", "à", " to ", " / ", "EUR", "visit", "k", "M", "%", "normal(", "discrete(", ")",
     "chance(", "80%:", "(0 to 1)", "(above ", "per", "d'", "million", "e9", "inf", "nan", "\u202f", "−", "lift", "base", "**"]
)  # fmt: skip


@settings(max_examples=300)
@given(
    pieces=st.lists(PIECES, max_size=12),
    place=st.sampled_from(["4M visit/month", "-1 % to 3 %", "base * lift", "0.01"]),
)
def test_whatever_stands_in_a_text_it_is_read_or_refused_with_a_hint(pieces, place):
    """No other error, no number that is none."""
    text = "".join(pieces).replace("\\", "\\\\")
    question, refusal = read_or_refused(GOOD.replace(f'"{place}"', f'"{text}"').replace(f"= {place}", f'= "{text}"'))
    assert refusal is None or (refusal.at and refusal.hint)
    for unknown in question.unknowns.values() if question else ():
        assert not any(math.isnan(number) for number in unknown.prior.parameters)
        assert math.isfinite(mean(unknown.prior.family, unknown.prior.parameters))


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


TWO = '[scenarios.a]\nvalue = "0"\n[scenarios.b]\nvalue = "1"\n'

LARGE = {
    "digits": "seed = " + "1" * 990_000,
    "digits in a line that may be": "seed = " + "1" * 19_000,
    "a name of many dots": ".".join("a" * 9_000) + " = 1",
    "many names of many dots": "\n".join(f"a{'.a' * 200}.b{i} = 1" for i in range(2_000)),
    "brackets": "x = " + "[" * 19_000,
    "tables in tables": "x = " + "{a=" * 6_000,
    "tables": "[[a]]\n" * 150_000,
    "spaces after a bracket": 'question = """\n' + ("[" + " " * 19_000 + "\n") * 50 + '"""',
    "spaces in a range": TWO + '[unknowns]\nx = "1' + " " * 19_000 + '"',
    "a formula": TWO + '[formulas]\nx = "' + "1+" * 9_000 + '1"',
    "formulas in a chain": '[formulas]\nx0 = "1"\n' + "".join(f'x{i} = "x{i - 1}"\n' for i in range(1, 35_000)) + TWO,
    "unknowns": TWO + "[unknowns]\n" + "".join(f'x{i} = "1 to 2"\n' for i in range(50_000)),
    "scenarios": "".join(f'[scenarios.s{i}]\nvalue = "1"\n' for i in range(25_000)),
    "studies": TWO + '[unknowns]\nx = "1 to 2"\n' + "".join(f'[studies.s{i}]\nmeasures = "x"\n' for i in range(25_000)),
    "units": TWO + "[unknowns]\n" + "".join(f'x{i} = "1 to 2 {"a/" * 450}!"\n' for i in range(900)),
    "groups": TWO + "[groups]\n" + "".join(f'g{i} = ["a"]\n' for i in range(60_000)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_refused_within_seconds(name):
    """However it is nested or repeated, up to a megabyte."""
    begun = time.process_time()
    with pytest.raises(QuestionError) as error:
        parse_question(LARGE[name])
    assert error.value.hint
    assert len(LARGE[name]) <= 1_000_000
    assert time.process_time() - begun < 5


def test_a_thousand_unknowns_are_read():
    """Within seconds; a thousand and one are refused."""
    unknowns = "".join(f'x{i} = "1 to {i + 2}"\n' for i in range(1_000))
    begun = time.process_time()
    question = parse_question(f"{TWO}[unknowns]\n{unknowns}")
    assert time.process_time() - begun < 5
    assert len(question.unknowns) == 1_000
    with pytest.raises(QuestionError, match="1001 unknowns"):
        parse_question(f'{TWO}[unknowns]\n{unknowns}one_more = "1 to 2"')


def test_a_long_text_is_broken_into_lines():
    """A megabyte of comment is nobody's question, and a thousand lines of it are one that reads."""
    note = "\n".join(["why we ask " * 50] * 1_000)
    question = parse_question(f'{TWO}[unknowns]\nx = {{ range = "1 to 2", note = """{note}""" }}')
    assert question.unknowns["x"].written == "1 to 2"


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


def test_noise_about_a_formula_is_in_base_units():
    """As formulas are: weeks, and the question's currency; another unit is refused."""
    written = WHOLE.replace('measures = "base"\nse = 0.01', 'measures = "base"\nse = "52.1775 EUR/year"')
    assert parse_question(written).studies["ab"].se == pytest.approx(1.0)
    with pytest.raises(QuestionError, match="`se` is in EUR, and `base` in EUR/week") as error:
        parse_question(written.replace("EUR/year", "EUR"))
    assert error.value.at == "question.toml:23"


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


def test_a_mistake_in_a_formula_from_python_names_its_place_too():
    """The units are checked when everything is read."""
    tables = tomllib.loads(WHOLE)
    tables["scenarios"]["act"]["rollback"] = "3 weeks"
    with pytest.raises(QuestionError, match="Write it in EUR") as error:
        question_from(tables)
    assert error.value.at == "question.scenarios.act.rollback"


@pytest.mark.parametrize("wrong", [None, [("a", 1)], {1: {}}, {"unknowns": {1: "3 to 7"}}, {"scenarios": 3}])
def test_what_is_no_table_is_refused(wrong):
    """A question is a dictionary of dictionaries with names."""
    with pytest.raises(QuestionError):
        question_from(wrong)
