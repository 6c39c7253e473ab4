"""Whatever a feed or a page sends, it is read or refused: no other exception, no hang, no flood of memory."""

import json
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from embellie.domain.errors import InputError
from embellie.store.article_files import read_article_lines
from embellie.store.feeds import read_feed
from embellie.store.pages import read_page

RSS = b"""<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"
 xmlns:at="http://purl.org/atompub/tombstones/1.0"><channel><title>T</title><link>https://e.example/</link>
<item><guid isPermaLink="false">1</guid><title>One &amp; <![CDATA[<b>two</b>]]></title><link>https://e.example/1</link>
<pubDate>Mon, 02 Mar 2026 09:00:00 GMT</pubDate><category domain="section">City</category><dc:creator>A</dc:creator>
<media:content medium="image" url="https://e.example/1.jpg"/><description>&lt;p&gt;x&lt;/p&gt;</description></item>
<at:deleted-entry ref="2" when="2026-03-02T09:00:00Z"/></channel></rss>"""

ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><id>u:1</id><updated>2026-03-02T09:00:00Z</updated>
<entry><id>u:2</id><title type="html">A &lt;i&gt;b&lt;/i&gt;</title><link rel="alternate" href="/x"/>
<published>2026-03-02T09:00:00+01:00</published><summary type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">s</div></summary>
<category scheme="tag" term="t"/><author><name>N</name></author></entry></feed>"""

SITEMAP = b"""<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url><loc>https://e.example/1</loc><news:news>
<news:title>T</news:title><news:publication_date>2026-03-02</news:publication_date></news:news></url></urlset>"""

PAGE = """<!doctype html><html lang="en"><head><link rel="canonical" href="/a"><script type="application/ld+json">%s</script>"""

ARTICLE = {
    "@context": "https://schema.org", "@type": "NewsArticle", "headline": "H", "url": "https://e.example/a",
    "datePublished": "2026-03-02T09:00:00Z", "author": [{"name": "A"}, "B"], "image": {"url": "/i.jpg"},
    "articleSection": ["S", "T"], "keywords": "a, b", "identifier": {"value": 3}, "isAccessibleForFree": False,
}  # fmt: skip

TOKENS = [
    b"<", b">", b"&", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?xml", b"<!DOCTYPE x [", b"<!ENTITY a 'b'>", b"&a;", b"&#0;",
    b"&#xD800;", b"&#x110000;", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b'encoding="utf-7"', b'encoding="rot13"', b"<rss",
    b"</item>", b"<item>", b"<entry>", b"javascript:alert(1)", b"http://[", b"https://e.example:99999999/", b"<a" * 50,
    b"xmlns:", b"9" * 400, b"<svg onload=x>", b"1e999", b"-0001-01-01T00:00:00Z", b"<dc:date>24:61</dc:date>",
]  # fmt: skip


@st.composite
def mutated(draw, sources):
    """One of the sources, cut, doubled, overwritten and spliced with what breaks parsers."""
    text = bytearray(draw(st.sampled_from(sources)))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        piece = draw(st.sampled_from(TOKENS) | st.binary(max_size=8) | st.just(bytes(text[start:end]) * 3))
        text[start:end] = piece
    return bytes(text)


def read_or_refused(content, **known):
    try:
        reading = read_feed(content, **known)
    except InputError:
        return
    for article in reading.articles:
        assert article.url.startswith(("http://", "https://", "HTTP", "Http", "hTTP"))
        assert article.title
        assert not article.image or article.image.lower().startswith("http")
        # What is published must be possible to write down.
        json.dumps([article.title, article.summary, article.section, article.tags, article.authors]).encode()
        article.title.encode("utf-8")
        article.article.encode("utf-8")


@settings(max_examples=400, deadline=None)
@given(
    mutated([RSS, ATOM, SITEMAP]), st.sampled_from(["", "text/xml; charset=koi8-r", "x; charset=", "application/json"])
)
def test_a_broken_feed_is_read_or_refused(content, content_type):
    """RSS, Atom and sitemaps with anything done to them, in any encoding claimed."""
    read_or_refused(content, content_type=content_type, url="https://e.example/feed")


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["utf-16", "utf-32", "utf-7", "cp037", "shift_jis", "idna", "zlib_codec", "punycode"]),
    st.booleans(),
)
def test_any_encoding_is_read_or_refused(encoding, said):
    """The bytes in one encoding, the claim of another."""
    try:
        content = RSS.decode().encode(encoding)
    except (LookupError, UnicodeError):
        content = RSS
    read_or_refused(content, content_type=f"text/xml; charset={encoding}" if said else "")
    read_or_refused(RSS.replace(b"utf-8", encoding.encode()))


@settings(max_examples=300, deadline=None)
@given(mutated([(PAGE % json.dumps(ARTICLE)).encode()]))
@example((PAGE % ("[" * 200_000)).encode())
@example((PAGE % ('{"@graph":' * 900 + "1" + "}" * 900)).encode())
def test_a_broken_page_is_read_or_refused(content):
    """JSON-LD in a page with anything done to it."""
    for article in read_page(content.decode("utf-8", "replace"), url="https://e.example/").articles:
        assert article.url.lower().startswith("http")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["NewsArticle", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ARTICLE, "@id", "name"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(list(ARTICLE)), JSON, max_size=6))
def test_any_json_may_stand_where_an_article_is_described(changes):
    """Each of an article's fields replaced by any JSON at all."""
    page = PAGE % json.dumps(ARTICLE | {"@type": "NewsArticle"} | {k: v for k, v in changes.items() if k != "@type"})
    read_page(page, url="https://e.example/")


@settings(max_examples=200, deadline=None)
@given(st.lists(JSON.map(json.dumps) | st.text(max_size=30), max_size=5))
def test_any_lines_may_stand_in_an_import(lines):
    """JSON lines that are none."""
    read_article_lines(lines)


def bombs():
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(9))
    yield (
        "billion laughs",
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY l0 "lol">' + laughs + b"]><rss><channel>&l9;</channel></rss>",
    )
    yield (
        "a file of the machine",
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><rss><channel><title>&f;</title></channel></rss>',
    )
    yield "parameter entity", b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1/x">%p;]><rss/>'
    yield (
        "declared in UTF-16",
        ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x [<!ENTITY a "' + "b" * 99 + '">]><rss>&a;</rss>').encode(
            "utf-16"
        ),
    )
    yield "declared in UTF-16, no mark", '<!DOCTYPE x [<!ENTITY a "b">]><rss>&a;</rss>'.encode("utf-16-be")
    yield "declared in UTF-32", '<!DOCTYPE x [<!ENTITY a "b">]><rss>&a;</rss>'.encode("utf-32")
    yield (
        "declared in EBCDIC",
        '<?xml version="1.0" encoding="cp037"?><!DOCTYPE x [<!ENTITY a "b">]><rss>&a;</rss>'.encode("cp037"),
    )
    yield (
        "declared in UTF-7",
        b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE x [+ADwAIQ-ENTITY a "b"+AD4-]><rss>&a;</rss>',
    )


@pytest.mark.parametrize(("name", "content"), list(bombs()), ids=[name for name, _ in bombs()])
def test_a_bomb_does_not_go_off(name, content):
    """Entities are refused in whatever encoding they are declared, before anything is parsed."""
    with pytest.raises(InputError):
        read_feed(content)


def test_what_would_take_the_square_of_its_size_is_refused():
    """An element of very many attributes is not given to the parser; one of many is read."""
    item = "<rss version='2.0'><channel><item %s><title>x</title><link>https://e.example/</link></item></channel></rss>"
    with pytest.raises(InputError, match="more than 200 attributes"):
        read_feed((item % " ".join(f"a{n}='>'" for n in range(201))).encode())
    assert len(read_feed((item % " ".join(f"a{n}='>'" for n in range(200))).encode()).articles) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"<rss><channel>" + b"<a>" * 5_000,
        b"<rss><channel>" + b"<item>" * 5_000,
        b"<rss version='2.0'><channel><item><title>" + b"<div>" * 5_000 + b"</title></item></channel></rss>",
        b"<rss version='2.0'><channel><item " + b"a" * 200_000 + b"='1'><title>x</title></item></channel></rss>",
        b"<rss version='2.0'><channel><item " + b" ".join(b"a%d='1'" % n for n in range(100)) + b"/></channel></rss>",
        b"<rss version='2.0'><channel><item><title>" + b"&lt;" * 100_000 + b"</title></item></channel></rss>",
        b"<rss version='2.0'><channel><item><title>" + b"<![CDATA[" * 20_000,
        b"<rss version='2.0'><channel><item><title>" + b"<!--" * 20_000,
        b"<rss version='2.0'><channel><item><pubDate>" + b"9" * 200_000 + b"</pubDate></item></channel></rss>",
        b"<rss version='2.0'><channel>" + b"&" * 20_000 + b"</channel></rss>",
    ],
    ids=[
        "deep",
        "items in items",
        "deep HTML",
        "long name",
        "many attributes",
        "escaped",
        "CDATA",
        "comments",
        "digits",
        "ampersands",
    ],
)
def test_what_is_huge_or_deep_costs_no_more_than_its_size(content):
    """Nesting and repetition: memory stays within a fixed multiple of what was sent."""
    tracemalloc.start()
    try:
        read_or_refused(content, url="https://e.example/feed")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000 + 60 * len(content)
