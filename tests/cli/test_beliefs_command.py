"""`embellie beliefs`: who believed what, when, and how it turned out."""

import json

import pytest
from click.testing import CliRunner

from embellie.cli.main import cli

QUESTION = """
question = "Should we?"
[unknowns]
interest = {{ range = "{range}", asked = "{author}", on = {on}, ask = "Do readers want it?" }}
[scenarios.nothing]
value = "0"
[scenarios.act]
value = "1000 * interest"
"""


def run(*words):
    """The text on standard output."""
    result = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def versions(tmp_path):
    """Two versions of one question, and a result."""
    told = [("-3 % to 7 %", "data team", "2026-01-12"), ("-1 % to 1 %", "chief", "2026-02-12")]
    files = []
    for number, (text, author, on) in enumerate(told):
        file = tmp_path / f"question-{number}.toml"
        file.write_text(QUESTION.format(range=text, author=author, on=on), encoding="utf-8")
        files.append(file)
    evidence = tmp_path / "evidence.jsonl"
    evidence.write_text('{"measures": "interest", "estimate": 0.03, "se": 0.004, "at": "2026-03-01T00:00:00Z"}\n')
    return [*files, "--evidence", evidence]


def test_each_range_is_drawn_with_how_it_turned_out(versions):
    """One line per entry, on one scale, and the truth below."""
    lines = run("beliefs", *versions).splitlines()
    assert lines[1] == "Ranges: 2; unknowns: 1, of which known well enough to judge: 1."
    wide, narrow, found = lines[5:8]
    assert wide.split()[:3] == ["2026-01-12", "data", "team"]
    assert wide.endswith("-3 % to 7 %  held")
    assert narrow.endswith("-1 % to 1 %  missed")
    assert found.endswith("3 % (2.34 % to 3.66 %)")
    assert wide.index("├") < narrow.index("├") < narrow.index("┤") < found.index("◆") < wide.index("┤")
    assert any("chief: 0 of 1 held" in line for line in lines)


def test_the_words_are_french_when_asked(versions):
    """Every one of them."""
    said = run("beliefs", *versions, "--lang", "fr")
    assert "Fourchettes : 2 ; inconnues : 1, dont" in said
    assert "3 % (2,34 % à 3,66 %)" in said
    assert "manquée" in said
    assert "chief : 0 sur 1 tenues" in said


def test_without_evidence_nothing_is_judged(versions):
    """And that is said, with what it takes."""
    assert "Nothing can be judged yet" in run("beliefs", *versions[:2])


def test_one_document(versions):
    """With its schema, and nothing else on standard output."""
    document = json.loads(run("beliefs", *versions, "--json"))
    assert document["schema"] == "embellie/beliefs/1"
    assert [one["author"] for one in document["calibration"]] == ["chief", "data team"]
