"""A question as a file: read whole, or refused with file, line and what to write."""

from pathlib import Path

import pytest

import embellie.app
from embellie.domain.errors import EmbellieError, QuestionError
from embellie.frame.question_file import parse_question, read_question

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
