"""`embellie frame` and `embellie decide`, as they are typed."""

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from embellie.cli.main import cli
from embellie.domain.errors import EmbellieError

EXAMPLE = Path(__file__).parents[2] / "examples" / "question.toml"

NORMAL = '[unknowns]\nx = "normal(0, 1)"\n[scenarios.nothing]\nvalue = "0"\n[scenarios.act]\nvalue = "x"\n'


def run(*arguments):
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    if isinstance(done.exception, EmbellieError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def question(tmp_path):
    path = tmp_path / "question.toml"
    path.write_text(NORMAL)
    return path


def test_decide_prints_one_document(question):
    """EVPI of {0, N(0, 1)} is 0.39894, within its stated error."""
    document = json.loads(run("decide", question, "--json"))
    assert abs(document["evpi"]["value"] - 0.3989422804) <= document["evpi"]["error"] < 0.001
    assert document["draws"] == 16384


def test_draws_and_seed_are_taken(question):
    """They are in the answer, and change it."""
    one, two = (json.loads(run("decide", question, "--json", "--draws", 1024, "--seed", seed)) for seed in (1, 2))
    assert (one["draws"], one["seed"], two["seed"]) == (1024, 1, 2)
    assert one["scenarios"] != two["scenarios"]


def test_evidence_moves_the_belief(question, tmp_path):
    """JSON lines in, a posterior out; the prior stays."""
    evidence = tmp_path / "evidence.jsonl"
    evidence.write_text(
        '{"measures": "x", "estimate": 1.0, "se": 1.0, "source": "a test", "at": "2026-03-01T00:00:00Z"}\n'
    )
    unknown = json.loads(run("decide", question, "--json", "--evidence", evidence))["unknowns"][0]
    assert unknown["prior"]["mean"] == 0.0
    assert unknown["posterior"]["mean"] == pytest.approx(0.5, abs=1e-3)


def test_a_line_of_evidence_ends_at_the_line_feed_alone(question, tmp_path):
    """A source may hold a line separator of its own, as JSON allows."""
    evidence = tmp_path / "evidence.jsonl"
    found = json.dumps({"measures": "x", "estimate": 1.0, "se": 1.0, "source": "a\u2028b"}, ensure_ascii=False)
    evidence.write_text(f"{found}\r\n", encoding="utf-8")
    unknown = json.loads(run("decide", question, "--json", "--evidence", evidence))["unknowns"][0]
    assert unknown["posterior"]["mean"] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("line", ["{", '{"measures": "x"}', '{"measures": "x", "estimate": "a", "se": 1}'])
def test_wrong_evidence_says_its_line(question, tmp_path, line):
    """File and line."""
    evidence = tmp_path / "evidence.jsonl"
    evidence.write_text(f"\n{line}\n")
    with pytest.raises(EmbellieError, match=r"evidence\.jsonl:2"):
        run("decide", question, "--evidence", evidence)


@pytest.mark.parametrize(("language", "word"), [("en", "LEARN MORE"), ("fr", "APPRENDRE D'ABORD")])
def test_the_verdict_comes_first(language, word):
    """After the question: the word, then why."""
    lines = run("decide", EXAMPLE, "--lang", language, "--draws", 2048).splitlines()
    assert lines[1] == word
    assert "EUR" in lines[2]


def test_the_report_is_one_page_that_loads_nothing(tmp_path):
    """No address in it, and the verdict is."""
    page = tmp_path / "report.html"
    run("decide", EXAMPLE, "--html", page, "--draws", 2048)
    text = page.read_text(encoding="utf-8")
    assert "Learn more first" in text
    assert "http" not in text
    assert "<script" not in text


def test_frame_echoes_each_range_as_understood():
    """Its family and its chance of being negative."""
    said = run("frame", EXAMPLE, "--draws", 2048)
    assert "fat-tailed" in said
    assert "mean 7.5 %, median 7.5 %, negative with a chance of 24 %" in said


CASES = (
    '[unknowns]\nx = { range = "-2 to 6 EUR", kind = "world" }\n[scenarios.nothing]\nvalue = "0 EUR"\n[scenarios.act]\n'
    'value = "x"\n[cases.gloomy]\nx = "-6 to 1 EUR"\n'
)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "en",
            [
                "About the world; nobody can settle it",
                "leads its nearest rival",
                "`act` wins above 0 EUR",
                "Open questions",
                "What if",
                "gloomy",
            ],
        ),
        (
            "fr",
            [
                "Sur le monde ; personne",
                "devance son plus proche rival",
                "`act` l'emporte au-dessus de",
                "Questions ouvertes",
                "Et si",
                "gloomy",
            ],
        ),
    ],
)
def test_frame_shows_what_moves_the_choice(tmp_path, language, words):
    """Kinds, open questions, the tornado and the tipping point, in both languages."""
    path = tmp_path / "question.toml"
    path.write_text(CASES)
    said = run("frame", path, "--draws", 1024, "--lang", language)
    assert [word for word in words if word not in said] == []
    assert "░" in said


def test_frame_gives_one_document(question):
    """With the unknowns as they were understood."""
    document = json.loads(run("frame", question, "--json"))
    assert (document["schema"], document["unknowns"][0]["family"]) == ("embellie/frame/1", "normal")
    assert document["tornado"][0]["unknown"] == "x"
    assert document["tipping"][0]["value"] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_question_is_one_page_that_loads_nothing(tmp_path, language):
    """How uncertain each scenario is, what it hangs on, who could know; no address in it and no script."""
    page = tmp_path / "question.html"
    run("frame", EXAMPLE, "--html", page, "--draws", 2048, "--lang", language)
    text = page.read_text(encoding="utf-8")
    assert {"en": "Who could know", "fr": "Qui pourrait savoir"}[language] in text
    assert "http" not in text
    assert "<script" not in text


@pytest.mark.slow
def test_a_thousand_unknowns_are_framed(tmp_path):
    """Within seconds of computing; the widest swings are drawn and the others counted."""
    unknowns = "".join(f'x{at} = "1 to {at + 2} EUR"\n' for at in range(1_000))
    sums = "".join(f's{k} = "{" + ".join(f"x{at}" for at in range(50 * k, 50 * k + 50))}"\n' for k in range(20))
    total = " + ".join(f"s{k}" for k in range(20))
    path = tmp_path / "question.toml"
    path.write_text(
        f'[unknowns]\n{unknowns}[formulas]\n{sums}[scenarios.a]\nvalue = "0 EUR"\n[scenarios.b]\nvalue = "{total} - 130k EUR"\n'
    )
    begun = time.process_time()
    said = run("frame", path)
    assert "990 more that swing it less" in said
    assert time.process_time() - begun < 10
