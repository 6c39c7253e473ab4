"""Real articles: two Wikinews sets become feeds, are served, and come back unchanged."""

import json
from pathlib import Path

import pytest

from embellie.app.syncing import export_feed, sync_site
from embellie.testing.feed_server import Answer, feed_server

DATA = Path(__file__).parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.real_data


def rows_of(name: str) -> tuple[Path, list[dict]]:
    file = DATA / name / "articles.jsonl"
    if not file.is_file():
        pytest.skip(f"needs the `{name}` set in ../shared/data/{name} (not part of this repository)")
    return file, [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


@pytest.mark.parametrize("kind", ["rss", "atom"])
@pytest.mark.parametrize(("name", "count"), [("wikinews_fr", 1191), ("wikinews_en", 279)])
def test_a_real_catalogue_survives_its_feed(tmp_path, name, count, kind):
    """Addresses and titles are unchanged, a second sync is conditional and adds none, nor does a full one."""
    from embellie.app.newsroom import Newsroom

    file, rows = rows_of(name)
    content, exported = export_feed(file, kind=kind, title="Wikinews", url="https://www.wikinews.org/")
    with feed_server() as server:
        feed = server.put("/feed", Answer(content, gzipped=True))
        (tmp_path / "embellie.toml").write_text(f'[sites.wikinews]\nname = "Wikinews"\nfeeds = ["{feed}"]\n')
        newsroom = Newsroom.open(tmp_path)
        try:
            (first,) = sync_site(newsroom, "wikinews")
            (second,) = sync_site(newsroom, "wikinews")
            server.answers["/feed"].etag = False
            (third,) = sync_site(newsroom, "wikinews")
            shown = {one.article: (one.url, one.title, one.language) for one in newsroom.articles("wikinews")}
        finally:
            newsroom.close()
        sent = [headers.get("if-none-match") for _, headers in server.requests]
    assert (exported.new, first.new, first.problems) == (count, count, ())
    assert (second.status, second.new) == ("not_modified", 0)
    assert (third.new, third.updated, third.unchanged) == (0, 0, count)
    assert (sent[0], bool(sent[1]), bool(sent[2])) == (None, True, True)
    assert shown == {row["id"]: (row["url"], row["title"], row["lang"]) for row in rows}


def test_the_dateline_is_no_summary():
    """French dispatches open with a date: 1,087 of them lose it before a summary is made."""
    from embellie.store.article_files import read_article_lines

    file, rows = rows_of("wikinews_fr")
    reading = read_article_lines(file.read_text(encoding="utf-8").split("\n"))
    texts = {row["id"]: row["text"] for row in rows}
    stripped = [
        one for one in reading.articles if not " ".join(texts[one.article].split()).startswith(one.summary[:30])
    ]
    assert len(stripped) > 1000
    assert not [one for one in reading.articles if one.section or one.tags]
