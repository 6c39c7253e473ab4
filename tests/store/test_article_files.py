"""Article files: JSON lines, ours or with somebody else's columns."""

import json
from datetime import UTC, datetime

import pytest

from embellie.domain.article import Article
from embellie.domain.errors import UnknownName
from embellie.store.article_files import read_article_lines, write_article_lines

LINE = {
    "id": "2016_01_01-001",
    "date": "2016-01-01",
    "lang": "fr",
    "title": "France : l'été",
    "text": "1er janvier 2016, 14h30 . –\nIl a fait beau.\nPartout.",
    "url": "https://w.example/wiki/France_:_l'été_(Drôme)",
    "entities": [],
}


def lines(*rows: object) -> list[str]:
    return [json.dumps(row, ensure_ascii=False) for row in rows]


def test_the_usual_columns_are_mapped():
    """`id`, `date`, `lang` and `text` are read; the dateline is stripped, and nothing is made up."""
    reading = read_article_lines(lines(LINE))
    assert reading.articles == (
        Article(
            article="2016_01_01-001",
            url="https://w.example/wiki/France_:_l'été_(Drôme)",
            title="France : l'été",
            summary="Il a fait beau. Partout.",
            language="fr",
            published_at=datetime(2016, 1, 1, tzinfo=UTC),
        ),
    )
    assert reading.notes == ("Columns not used: entities.",)


def test_other_columns_can_be_named():
    """A field can be read from any column."""
    row = {"ref": 7, "name": "T", "link": "https://g.example/7"}
    (article,) = read_article_lines(lines(row), columns={"article": "ref", "title": "name"}).articles
    assert (article.article, article.title) == ("7", "T")


def test_an_unknown_field_is_refused():
    """A mapping to a field that does not exist names those that do."""
    with pytest.raises(UnknownName, match="titel"):
        read_article_lines([], columns={"titel": "x"})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "expected an object"),
        ('{"title": "T"}', "neither `id` nor `url`"),
        ('{"id": "a", "url": "file:///x", "title": "T"}', "lacks an `http`"),
        ('{"id": "a", "url": "https://g.example/a"}', "lacks a `title`"),
        ('{"id": "a", "url": "https://g.example/a", "title": "T", "date": "soon"}', "is no date"),
        ('{"id": "a", "url": "https://g.example/a", "title": "T", "state": "gone"}', "Unknown state `gone`"),
        ('{"id": "a", "url": "https://g.example/a", "title": 3}', "is no text"),
        ('{"id": "a", "url": "https://g.example/a", "title": "T", "tags": 3}', "no list of words"),
    ],
)
def test_a_bad_line_is_left_out_alone(line, reason):
    """The reason and the number of the line are given; the lines around it are kept."""
    reading = read_article_lines([*lines(LINE), line, *lines({**LINE, "id": "b"})])
    assert [article.article for article in reading.articles] == ["2016_01_01-001", "b"]
    assert reading.problems[0].startswith("Line 2: ")
    assert reason in reading.problems[0]


def test_a_withdrawal_needs_no_more_than_the_id():
    """A line with `state` `withdrawn` is an article to take out."""
    (article,) = read_article_lines(lines({"id": "a", "state": "withdrawn"})).articles
    assert article.state == "withdrawn"


def test_what_is_written_reads_back():
    """Writing and reading gives the same articles."""
    written = read_article_lines(lines({**LINE, "tags": ["a"], "paywalled": True})).articles
    assert read_article_lines(write_article_lines(written)).articles == written
