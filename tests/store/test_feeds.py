"""Feeds: what newspapers publish becomes articles, whatever its faults."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.store.feeds import read_feed, write_feed

RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dcterms="http://purl.org/dc/terms/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"><channel>
<language>fr</language><title>La Gazette</title>{items}</channel></rss>"""

ITEM = """<item><guid isPermaLink="false">a-1</guid>
<title>L’été &amp;amp; la mer [vidéo]</title><link>https://gazette.example/été_(Drôme)?a=1&amp;b='2'</link>
<description>&lt;p&gt;Il fait &lt;b&gt;beau&lt;/b&gt;.&lt;script&gt;x()&lt;/script&gt;&lt;/p&gt;</description>
<category>Planète</category><category>Météo</category><dc:creator>Anne</dc:creator><dc:creator>Bo</dc:creator>
<pubDate>Tue, 06 Sep 2016 02:01:00 +0200</pubDate><dcterms:valid>end=2027-01-01T00:00:00Z</dcterms:valid>
<enclosure url="https://gazette.example/i.jpg" type="image/jpeg" length="1"/></item>"""

ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:at="http://purl.org/atompub/tombstones/1.0" xml:lang="en">
<title>Gazette</title><id>urn:g</id><updated>2026-01-01T00:00:00Z</updated>{entries}</feed>"""


def entry(name: str, *, updated: str = "2026-01-02T00:00:00Z") -> str:
    return (
        f'<entry><id>{name}</id><title>T {name}</title><link href="https://gazette.example/{name}"/>'
        f"<published>2026-01-01T00:00:00Z</published><updated>{updated}</updated></entry>"
    )


def rss(items: str) -> bytes:
    return RSS.format(items=items).encode()


def test_an_rss_item_becomes_an_article():
    """Every field is read: HTML out of the summary, times in UTC, first category as section, enclosure as image."""
    (article,) = read_feed(rss(ITEM)).articles
    assert article == Article(
        article="a-1",
        url="https://gazette.example/été_(Drôme)?a=1&b='2'",
        title="L’été & la mer [vidéo]",
        summary="Il fait beau.",
        section="Planète",
        tags=("Météo",),
        authors=("Anne", "Bo"),
        language="fr",
        published_at=datetime(2016, 9, 6, 0, 1, tzinfo=UTC),
        expires_at=datetime(2027, 1, 1, tzinfo=UTC),
        image="https://gazette.example/i.jpg",
    )


def test_an_atom_entry_becomes_an_article():
    """Atom gives the same article: id, link, both dates and the language of the feed."""
    (article,) = read_feed(ATOM.format(entries=entry("a")).encode()).articles
    assert (article.article, article.url, article.language) == ("a", "https://gazette.example/a", "en")
    assert article.updated_at == datetime(2026, 1, 2, tzinfo=UTC)


def test_a_tombstone_removes_an_entry():
    """A deleted entry is reported as removed, with its time, and is no article even if it still stands there."""
    stone = '<at:deleted-entry ref="a" when="2026-01-03T00:00:00Z"/>'
    reading = read_feed(ATOM.format(entries=stone + entry("a") + entry("b")).encode())
    assert [article.article for article in reading.articles] == ["b"]
    assert [(stone.article, stone.removed_at) for stone in reading.removed] == [("a", datetime(2026, 1, 3, tzinfo=UTC))]


def test_an_entry_newer_than_its_tombstone_stands():
    """An article published again after its removal is an article."""
    stone = '<at:deleted-entry ref="a" when="2026-01-01T12:00:00Z"/>'
    reading = read_feed(ATOM.format(entries=stone + entry("a")).encode())
    assert ([article.article for article in reading.articles], reading.removed) == (["a"], ())


def test_without_guid_the_address_names_the_article():
    """Identity falls back on the canonical address; the link itself is kept as written."""
    item = "<item><title>T</title><link>https://Gazette.example/a?utm_source=rss#x</link></item>"
    (article,) = read_feed(rss(item)).articles
    assert (article.article, article.url) == (
        "https://gazette.example/a", "https://Gazette.example/a?utm_source=rss#x",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["rss", "atom"])
def test_ids_are_no_addresses(kind):
    """An id is kept as written wherever the feed stands; a relative link is made absolute."""
    written = Article(article="a-1", url="/a", title="T")
    (article,) = read_feed(write_feed([written], kind=kind), url="https://gazette.example/feed").articles
    assert (article.article, article.url) == ("a-1", "https://gazette.example/a")


def test_a_named_section_wins_over_the_first_category():
    """A category of domain `section` is the section; the others stay tags."""
    item = ITEM.replace("<category>Météo</category>", '<category domain="section">Climat</category>')
    (article,) = read_feed(rss(item)).articles
    assert (article.section, article.tags) == ("Climat", ("Planète",))


def test_a_naive_date_is_utc_and_said():
    """A date without a zone is taken as UTC, and the reading notes it."""
    reading = read_feed(rss(ITEM.replace("02:01:00 +0200", "02:01:00")))
    assert reading.articles[0].published_at == datetime(2016, 9, 6, 2, 1, tzinfo=UTC)
    assert "taken as UTC" in reading.notes[0]


def test_a_wrong_date_is_said_and_the_article_kept():
    """A date that is none is reported; the article has no date then, never a made-up one."""
    reading = read_feed(rss(ITEM.replace("Tue, 06 Sep 2016 02:01:00 +0200", "yesterday")))
    assert reading.articles[0].published_at is None
    assert "`published` is no date" in reading.notes[0]


def test_a_future_date_holds_the_article_back():
    """An article dated in the future is live but not showable until then."""
    (article,) = read_feed(rss(ITEM)).articles
    assert not article.showable(article.published_at - timedelta(seconds=1))
    assert article.showable(article.published_at)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "ftp://h/x", ""])
def test_an_item_without_a_web_address_is_left_out(link):
    """Only `http` and `https` addresses reach readers; the item is reported, the others stay."""
    reading = read_feed(
        rss(f"<item><guid isPermaLink='false'>x</guid><title>X</title><link>{link}</link></item>" + ITEM)
    )
    assert [article.article for article in reading.articles] == ["a-1"]
    assert "Item 1" in reading.problems[0]


def test_broken_xml_keeps_what_parses():
    """A feed cut in the middle of an item yields the items before it, and says so."""
    content = rss(ITEM + ITEM.replace("a-1", "a-2"))
    reading = read_feed(content[: content.rindex(b"<description>")])
    assert "a-1" in [article.article for article in reading.articles]
    assert "Not well-formed" in reading.problems[0]


def test_a_bomb_of_entities_is_refused():
    """XML entities are refused before any parser sees them."""
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + rss(ITEM)
    with pytest.raises(InputError, match="entities"):
        read_feed(bomb)


@pytest.mark.parametrize("content", [b"", b"not a feed", b"/etc/passwd", b"<html><body>Maintenance</body></html>"])
def test_what_is_no_feed_is_an_error(content):
    """An error page or an empty answer is never an empty feed."""
    with pytest.raises(InputError, match="Neither RSS nor Atom"):
        read_feed(content)


def test_an_empty_feed_is_a_feed():
    """A feed with no item reads as no article and no problem."""
    reading = read_feed(rss(""))
    assert (reading.articles, reading.problems) == ((), ())


def on_one_line(text: str) -> str:
    return " ".join(part for part in text.split(" ") if part)


def mistaken(text: str) -> bool:
    """Tell whether a text looks like UTF-8 read as Latin-1 (`Ã©` for `é`), which the parser mends."""
    try:
        return text.encode("latin-1").decode("utf-8") != text
    except UnicodeError:
        return False


ANY = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufffe\uffff")
words = (
    st.text(ANY, min_size=1, max_size=30)
    .map(on_one_line)
    .filter(lambda text: text == text.strip() != "" and not mistaken(text))
)
times = st.integers(631_152_000, 3_786_912_000).map(lambda second: datetime.fromtimestamp(second, UTC))


@st.composite
def articles(draw):
    name = draw(st.text("abcdefghijklmnopqrstuvwxyz0123456789-_éà'()[]", min_size=1, max_size=12))
    published = draw(times)
    updated = draw(st.none() | times.filter(lambda time: time != published))
    section = draw(st.just("") | words)
    tags = draw(st.lists(words, max_size=3, unique=True))
    return Article(
        article=name,
        url=f"https://gazette.example/{name}?a=1&b=2",
        title=draw(words),
        summary=draw(st.just("") | words),
        section=section,
        tags=tuple(tags),
        authors=tuple(draw(st.lists(words, max_size=2, unique=True))),
        language=draw(st.sampled_from(["fr", "en", "pt-BR"])),
        published_at=published,
        updated_at=updated,
        expires_at=draw(st.none() | times),
        image=draw(st.sampled_from(["", "https://gazette.example/i.jpg"])),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(articles(), max_size=4, unique_by=lambda one: one.article), st.sampled_from(["rss", "atom"]))
def test_a_feed_reads_back_as_written(written, kind):
    """Writing articles as a feed and reading it changes nothing, in any script, with any punctuation."""
    reading = read_feed(write_feed(written, kind=kind, title="Gazette", url="https://gazette.example/"))
    assert list(reading.articles) == written
    assert reading.problems == ()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_do_no_harm(noise, place):
    """Noise anywhere in a feed is an error or a problem, never a crash."""
    content = rss(ITEM)
    with contextlib.suppress(InputError):
        read_feed(content[:place] + noise + content[place:])
