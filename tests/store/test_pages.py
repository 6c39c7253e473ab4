"""Pages: the JSON-LD a newspaper writes for search engines is enough to know its articles."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.article import Article
from embellie.store.pages import read_page

NODE = {
    "@context": "https://schema.org",
    "@type": "NewsArticle",
    "headline": "L’été &amp; la mer",
    "url": "/ete",
    "description": "Il fait <b>beau</b>.",
    "articleSection": ["Planète", "Climat"],
    "keywords": "météo, mer",
    "author": [{"@type": "Person", "name": "Anne"}, "Bo"],
    "datePublished": "2026-05-04T08:00:00+02:00",
    "dateModified": "2026-05-04T09:00:00Z",
    "expires": "2027-05-04T09:00:00Z",
    "image": {"@type": "ImageObject", "url": "/i.jpg"},
    "isAccessibleForFree": False,
    "identifier": "g-1",
}


def page(*documents: object, head: str = "") -> str:
    scripts = "".join(f'<script type="application/ld+json">{json.dumps(one)}</script>' for one in documents)
    return f'<!doctype html><html lang="fr"><head>{head}{scripts}</head><body><p>Texte</p></body></html>'


def test_a_page_gives_its_article():
    """Every field is read, addresses made absolute, HTML taken out, the language taken from the page."""
    (article,) = read_page(page(NODE), url="https://gazette.example/x").articles
    assert article == Article(
        article="g-1",
        url="https://gazette.example/ete",
        title="L’été & la mer",
        summary="Il fait beau.",
        section="Planète",
        tags=("Climat", "météo", "mer"),
        authors=("Anne", "Bo"),
        language="fr",
        published_at=datetime(2026, 5, 4, 6, tzinfo=UTC),
        updated_at=datetime(2026, 5, 4, 9, tzinfo=UTC),
        expires_at=datetime(2027, 5, 4, 9, tzinfo=UTC),
        image="https://gazette.example/i.jpg",
        paywalled=True,
    )


@pytest.mark.parametrize(
    "nested",
    [
        [NODE],
        {"@graph": [{"@type": "WebSite"}, NODE]},
        {"@type": "WebPage", "mainEntity": NODE},
        {"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "position": 1, "item": NODE}]},
        {**NODE, "@type": ["ReportageNewsArticle", "CreativeWork"]},
    ],
)
def test_an_article_is_found_where_pages_nest_it(nested):
    """Lists, graphs, web pages and item lists are looked into."""
    assert [article.article for article in read_page(page(nested), url="https://gazette.example/").articles] == ["g-1"]


def test_the_canonical_link_names_an_article_without_address():
    """Without `url` and `identifier`, the page's canonical link is both."""
    node = {name: value for name, value in NODE.items() if name not in {"url", "identifier"}}
    html = page(node, head='<link rel="canonical" href="/ete?utm_source=x">')
    (article,) = read_page(html, url="https://gazette.example/y").articles
    assert article.article == "https://gazette.example/ete"


def test_a_broken_script_is_reported_and_the_next_is_read():
    """One bad script does not hide the others."""
    html = page(NODE).replace("<body>", '<script type="application/ld+json">{"@type":</script><body>')
    reading = read_page(html, url="https://gazette.example/")
    assert len(reading.articles) == 1
    assert "not JSON" in reading.problems[0]


def test_an_article_with_a_hostile_address_takes_the_pages():
    """A `javascript:` address never becomes an article's address."""
    (article,) = read_page(page({**NODE, "url": "javascript:alert(1)"}), url="https://gazette.example/x").articles
    assert article.url == "https://gazette.example/x"


def test_a_page_without_json_ld_says_so():
    """Nothing found is a problem with a reason, not silence."""
    assert "No schema.org article" in read_page("<html><p>x</p></html>").problems[0]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NODE, "@id", "name"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(list(NODE)), json_values, max_size=8))
def test_any_shape_of_json_does_no_harm(strange):
    """Whatever stands in the fields, the page is read without a crash."""
    read_page(page({**NODE, **strange, "@type": "NewsArticle"}), url="https://gazette.example/")
