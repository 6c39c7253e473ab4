"""The mailed report and the question's page: whole, self-contained, in both languages; and the notebook's door."""

import importlib.util
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import embellie
from embellie.app.deciding import decide, verdict_document
from embellie.app.report import evpi_history, frame_page, report_page
from embellie.domain.evidence import Evidence

_spec = importlib.util.spec_from_file_location("whole_answer", Path(__file__).parents[1] / "whole_answer.py")
answer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(answer)

VOID = {"meta", "link", "br", "hr", "img", "input"}
LANGUAGES = ["en", "fr"]


class Page(HTMLParser):
    """A page read strictly: its tags in order, and whether each is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.said, self.wrong = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.said.append(data)


@pytest.fixture(scope="module")
def question():
    return answer.question()


@pytest.fixture(scope="module")
def verdict():
    return answer.whole()


@pytest.fixture(scope="module", params=LANGUAGES)
def pages(request, question, verdict):
    known = answer.evidence()
    return (
        request.param,
        report_page(question, verdict, evidence=known, language=request.param),
        frame_page(question, verdict, evidence=known, language=request.param),
    )


def test_the_pages_are_well_formed_and_whole(pages):
    """Every tag is closed in its place; one first heading, one main region, the language said."""
    language, *texts = pages
    for text in texts:
        page = Page(text)
        assert (page.wrong, page.open) == ([], [])
        names = [tag for tag, _ in page.tags]
        assert names.count("h1") == names.count("main") == 1
        assert dict(page.tags[0][1])["lang"] == language


def test_the_pages_load_nothing_and_run_nothing(pages):
    """No script, no address, no file, so that they can be mailed."""
    for text in pages[1:]:
        assert not re.search(r"http|<script|<link|<img|<iframe|@import|url\(|\bon\w+=|src=|href=", text)


def test_the_pages_are_small_enough_to_mail(pages):
    """At most 300 kB each."""
    assert all(len(text.encode()) <= 300_000 for text in pages[1:])


def test_each_picture_is_said_before_it_is_drawn(pages):
    """A figure has its sentence, its drawing for a desk and for a phone, and its table."""
    for text in pages[1:]:
        figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
        assert len(figures) > 6
        for figure in figures:
            assert figure.index("<figcaption>") < figure.index("<svg")
            assert figure.count("<svg") == figure.count('role="img"') == 2
            assert "<table" in figure


def test_ids_are_unique(pages):
    """Titles and descriptions belong to their own drawing."""
    for text in pages[1:]:
        ids = [attributes["id"] for _, attributes in Page(text).tags if "id" in attributes]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("language", "headline", "first"),
    [
        ("en", "Learn more first", "Run <code>ab_heuristic</code> for 2 weeks on 50% of the traffic"),
        ("fr", "Apprenez d’abord", "Lancez <code>ab_heuristic</code> pendant 2 semaines sur 50\u202f% du trafic"),
    ],
)
def test_the_verdict_comes_first_then_the_plan_in_words(question, verdict, language, headline, first):
    """What to do, why, the plan; then the pictures; how it was computed at the end."""
    text = report_page(question, verdict, language=language)
    places = [text.index(part) for part in (f"<h1>{headline}</h1>", 'class="because"', first, "<svg", 'class="how"')]
    assert places == sorted(places)
    assert "`" not in text


def test_it_says_how_it_was_computed(question, verdict):
    """Draws, seed, version, numerical errors and the noise floor."""
    how = report_page(question, verdict).split('class="how"')[1]
    assert f"embellie {embellie.__version__}, 1,024 draws, seed 7" in how
    assert "Numerical error" in how


def test_evidence_and_warnings_are_listed(question, verdict):
    """Each finding with its result, source and day; each warning."""
    warned = replace(verdict, warnings=("A range of `x` is narrow.",))
    text = report_page(question, warned, evidence=answer.evidence())
    assert "0.0135 €/article, give or take 0.001" in text
    assert "2026-03-09" in text
    assert "A range of <code>x</code> is narrow." in text
    assert "all of this is judgement" in report_page(question, verdict)


def test_the_price_of_not_knowing_is_told_study_by_study(question):
    """A point before any evidence, one after each study, the last one today's."""
    known = answer.evidence()
    verdict = decide(question, evidence=known, draws=1024)
    history = evpi_history(question, verdict, evidence=known)
    assert [each.label for each in history] == ["as written", "ask_finance", "ab_heuristic"]
    assert history[0].evpi == decide(question, draws=1024).evpi.value
    assert history[-1].evpi == verdict.evpi.value


def test_very_long_histories_are_not_recomputed(question, verdict):
    """Many findings would take minutes: then only today's price is told."""
    many = [Evidence(measures="interest", estimate=0.01, se=0.02, study=f"s{k}") for k in range(40)]
    assert len(evpi_history(question, verdict, evidence=many)) == 1


def test_a_quick_answer_makes_a_report_too(question):
    """Without plan, curves and stress, the rest is told."""
    quick = decide(question, draws=1024)
    text = report_page(question, quick)
    assert Page(text).wrong == []
    assert "What each scenario may bring" in text


def test_a_question_without_unknowns_makes_both_pages():
    """Nothing to learn, nothing to draw but the scenarios."""
    certain = embellie.parse_question('[scenarios.a]\nvalue = "0 EUR"\n[scenarios.b]\nvalue = "5 EUR"\n')
    for text in (report_page(certain, decide(certain, draws=64)), frame_page(certain, decide(certain, draws=64))):
        assert Page(text).wrong == []
        assert "€5" in text


def test_what_others_wrote_is_escaped(question, verdict):
    """A question, a source, a warning: text, never markup."""
    evil = "<img src=x onerror=alert(1)>"
    asked = replace(question, question=evil)
    known = [Evidence(measures="interest", estimate=0.01, se=0.01, source=evil)]
    for page in (report_page, frame_page):
        assert "<img" not in page(asked, replace(verdict, question=evil, warnings=(evil,)), evidence=known)


def test_the_same_answer_gives_the_same_bytes(question, verdict):
    """No clock and no chance in a report."""
    assert report_page(question, verdict) == report_page(question, verdict)


# the door from Python


def test_a_path_or_a_question_is_answered_alike(question, tmp_path):
    """`embellie.answer` takes either, and says the same as `decide`."""
    path = tmp_path / "question.toml"
    path.write_text(answer.TEXT, encoding="utf-8")
    from_path = embellie.answer(str(path), draws=1024)
    assert isinstance(from_path, embellie.Answer)
    assert from_path.document() == embellie.answer(question, draws=1024).document()
    assert from_path.document("fr") == verdict_document(from_path.verdict, language="fr")


def test_evidence_may_be_a_file(question, tmp_path):
    """JSON lines, as for the command."""
    path = tmp_path / "evidence.jsonl"
    path.write_text(json.dumps({"measures": "interest", "estimate": 0.01, "se": 0.01}) + "\n", encoding="utf-8")
    found = embellie.answer(question, evidence=path, draws=1024)
    assert found.evidence == (Evidence(measures="interest", estimate=0.01, se=0.01),)


@pytest.mark.parametrize(("language", "word"), [("en", "Learn more first."), ("fr", "Apprenez d’abord.")])
def test_an_answer_prints_as_its_verdict_in_words(question, verdict, language, word):
    """`print(answer)` says what to do, why, and the plan."""
    said = str(embellie.Answer(question=question, evidence=(), verdict=verdict, language=language))
    assert said.startswith(word)
    assert len(said.splitlines()) == 5
    assert "EUR" not in said


def test_a_notebook_shows_a_compact_report(question, verdict):
    """Verdict, plan and the first pictures, in a box whose style touches nothing else."""
    shown = embellie.Answer(question=question, evidence=(), verdict=verdict)._repr_html_()
    page = Page(shown)
    assert page.wrong == []
    assert shown.startswith("<style>")
    assert '<div class="embellie" lang="en">' in shown
    style = shown[: shown.index("</style>")]
    selectors = [part.strip() for part in re.findall(r"([^{}]+)\{", style.replace("<style>", ""))]
    assert all(".embellie" in each or each.startswith("@media") for group in selectors for each in group.split(", "))
    assert len(shown) < len(embellie.Answer(question=question, evidence=(), verdict=verdict).report())


def test_the_representation_is_short(question, verdict):
    """One line for a console."""
    assert repr(embellie.Answer(question=question, evidence=(), verdict=verdict)) == "<Answer: learn_more, heuristic>"
