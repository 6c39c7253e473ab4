"""The Gazette: what is written, and when it appears."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from embellie.domain.errors import InputError
from embellie.sandbox.newspaper import NAMES, SECTIONS, Calendar, _piece, dated, piece_of, pieces

START = datetime(2026, 3, 2, 6, tzinfo=UTC)


def calendar(seed: int = 1) -> Calendar:
    return Calendar(START, np.random.default_rng(seed))


def test_there_are_articles_in_every_section_and_language():
    """At least 150 articles, ten sections, two languages, evenly."""
    count = Counter((piece.section, piece.language) for piece in pieces())
    assert len(pieces()) >= 150
    assert set(count) == {(section, language) for section in SECTIONS for language in NAMES}
    assert min(count.values()) >= 8


def test_every_article_is_whole():
    """A title, an author, tags, a summary of a sentence or more, two paragraphs; no two addresses alike."""
    assert len({piece.slug for piece in pieces()}) == len(pieces())
    for piece in pieces():
        assert piece.title
        assert piece.author
        assert all(piece.tags)
        assert len(piece.body) == 2
        assert 45 <= len(f"{piece.summary} {' '.join(piece.body)}".split()) <= 120


def test_no_text_occurs_twice():
    """Each summary and paragraph was written once."""
    texts = [text for piece in pieces() for text in (piece.summary, *piece.body)]
    assert len(set(texts)) == len(texts)


def test_an_article_without_a_byline_is_refused():
    """A half-written article says what it lacks, and where."""
    with pytest.raises(InputError, match=r"sport\.fr\.md: Article `Un titre` is not whole"):
        _piece("Un titre\n\nUne phrase.\n", section="sport", language="fr", at="sport.fr.md")


def test_a_day_brings_between_25_and_40_articles():
    """The newspaper publishes at the pace of a regional one, for as long as one likes."""
    days = [calendar().between(START + timedelta(days=day), START + timedelta(days=day + 1)) for day in range(14)]
    assert all(25 <= len(day) <= 40 for day in days)


def test_ids_never_repeat_and_titles_are_never_on_show_twice():
    """When an edition comes round, its articles have new ids, and the old ones have expired."""
    issues = [*calendar().backlog(), *calendar().between(START, START + timedelta(days=16))]
    assert len({issue.article.article for issue in issues}) == len(issues)
    expiry: dict[str, datetime] = {}
    for issue in issues:
        article = issue.article
        assert expiry.get(article.title, START - timedelta(days=9)) < article.published_at
        expiry[article.title] = article.expires_at


def test_splitting_time_changes_nothing():
    """Asking hour by hour gives what asking for the day gives."""
    whole = calendar().between(START, START + timedelta(days=1))
    hours = [START + timedelta(hours=hour) for hour in range(25)]
    parts = [one for a, b in pairwise(hours) for one in calendar().between(a, b)]
    assert parts == whole


def test_an_article_leads_back_to_its_piece():
    """The page of an article finds its text by the id."""
    piece = pieces()[17]
    assert piece_of(dated(piece, START, number=31).article) == piece
    assert piece_of("somebody-elses") is None
