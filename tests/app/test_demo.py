"""The demo: its project, what it says, and what counts as the loop having turned."""

from datetime import timedelta

import pytest

from embellie.app.config import read_config
from embellie.app.deciding import decide
from embellie.app.demo import START, Demo, DemoReport, DemoSettings, Found, article_text, demo_document, write_project
from embellie.domain.errors import Conflict
from embellie.domain.evidence import Evidence
from embellie.frame.question_file import read_question
from embellie.sandbox.newspaper import dated, pieces
from embellie.sandbox.truth import TrueEffect

NOTHING = TrueEffect(relative=0.0, se=float("inf"), visits=0, without=0.0, with_slates=0.0)


@pytest.fixture(params=["en", "fr"])
def project(request, tmp_path):
    write_project(tmp_path / "project", language=request.param, port=8400)
    return tmp_path / "project"


def test_the_project_is_one_that_the_other_commands_read(project):
    """Its configuration and its question are right, in both languages."""
    assert list(read_config(project).sites) == ["gazette"]
    assert set(read_question(project / "question.toml").scenarios) == {"status_quo", "heuristic", "ml"}


def test_the_first_verdict_is_to_learn_and_the_numbers_decide_the_next(project):
    """Before any evidence the experiment is worth its cost; a clear gain ships, a clear nothing does not."""
    question = read_question(project / "question.toml")
    first = decide(question)
    assert (first.verdict, first.next.study) == ("learn_more", "ab_heuristic")
    gain = decide(question, evidence=[Evidence(measures="interest", estimate=0.085, se=0.014)])
    assert (gain.verdict, gain.next.scenario) == ("ship", "heuristic")
    nothing = decide(question, evidence=[Evidence(measures="interest", estimate=0.0, se=0.008)])
    assert nothing.verdict in ("stop", "hold")
    assert gain.evpi.value < first.evpi.value


def test_a_folder_with_a_project_is_not_overwritten(project, tmp_path):
    """An earlier demo or another project in the folder is left as it is, and the error says what to do."""
    with pytest.raises(Conflict, match="earlier demo"):
        write_project(project, language="en", port=1)
    other = tmp_path / "other"
    other.mkdir()
    (other / "embellie.toml").write_text("[sites.herald]\n")
    with pytest.raises(Conflict, match="another project"):
        write_project(other, language="en", port=1)


def test_an_article_has_its_text():
    """The newspaper's pages find the paragraphs by the article's id."""
    piece = pieces()[3]
    article = dated(piece, START, number=2)
    assert article_text(article.article) == piece.body
    assert article_text("unknown-1") == ()


def report(**changes) -> DemoReport:
    values = {
        "simulated": timedelta(hours=3), "seconds": 4.0, "visits": 9, "pages": 12, "clicks": 1, "quarantined": 0, "verdict": None,
        "verdicts": (), "found": None, "truth": NOTHING,
    }  # fmt: skip
    return DemoReport(**(values | changes))


def test_what_is_missing_is_said():
    """No effect and no verdict: two lines; a failure of the demo comes first."""
    assert report().missing() == ["No effect was estimated.", "No verdict was given."]
    assert report(problem="The disk is full.").missing()[0] == "The disk is full."
    assert report(pages=0).missing()[0] == "No reader was served."


def test_the_document_never_holds_a_made_up_number():
    """What is not known is `unavailable`, with a remedy; what is known is there."""
    document = demo_document(report())
    assert set(document["effect"]) == set(document["truth"]) == set(document["verdict"]) == {"unavailable", "remedy"}
    found = Found(effect=0.08, low=0.05, high=0.11, readers=100)
    assert demo_document(report(found=found))["effect"]["low"] == 0.05


def test_a_demo_turns_the_loop_and_tells_the_truth(tmp_path):
    """In two seconds a small newspaper serves readers, estimates an effect and gives a verdict."""
    said: list[str] = []
    demo = Demo(tmp_path / "project", settings=DemoSettings(readers=1500), port=0, say=said.append)
    demo.start()
    assert demo.until_over(2.5)
    found = demo.stop()
    demo.newsroom.close()
    assert found.missing() == []
    assert found.quarantined == 0
    assert "[day 1, 06:00] Verdict (learn_more)" in said[0]
    assert "true effect" in demo.conclusion()
