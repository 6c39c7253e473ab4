"""The demo's newspaper: pages a person can read, carrying the real widget."""

import asyncio
import random
import re

import httpx
import numpy as np
import pytest

from embellie.app.demo import PLACEMENT, SITE, START, article_text, write_project
from embellie.app.newsroom import Newsroom
from embellie.app.traffic import SimulatedClock, Traffic
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import Readership
from embellie.web.server import create_app


class Browser:
    """Asks for pages as a browser on this machine would."""

    def __init__(self, newsroom: Newsroom) -> None:
        self.newsroom, self._app = newsroom, create_app(newsroom)

    def get(self, path: str) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("127.0.0.1", 50000))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8400") as client:
                return await client.get(path)

        return asyncio.run(send())


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gazette") / "project"
    write_project(folder, language="fr", port=8400)
    newsroom = Newsroom.open(folder, clock=(clock := SimulatedClock(START)), simulated=True)
    rng = np.random.default_rng(3)
    readers, calendar, entropy = Readership(100, rng, seed=3), Calendar(START, rng), random.Random(3)
    Traffic(newsroom, clock, readers=readers, calendar=calendar, site=SITE, placement=PLACEMENT, entropy=entropy).open()
    yield Browser(newsroom)
    newsroom.close()


def first_article(client, language: str) -> str:
    front = client.get(f"/gazette/?lang={language}").text
    return re.search(r'href="(/gazette/[^"?]+)"', front)[1]


def test_the_front_page_speaks_both_languages(client):
    """In French or English, with the sections' names, and a word that it is invented."""
    french, english = client.get("/gazette/?lang=fr").text, client.get("/gazette/?lang=en").text
    assert "La Gazette d&#39;Embellie" in french
    assert "Économie" in french
    assert "Economy" in english
    assert "invented" in english
    assert len(re.findall(r'<li><a href="/gazette/', english)) >= 20


def test_an_article_page_carries_the_widget(client):
    """The script tag with the site's public key, the article's id, and the element where the slate goes."""
    address = first_article(client, "en")
    page = client.get(address).text
    name = address.rpartition("/")[2]
    assert re.search(r'<script type="module" src="/widget/v1.js" data-site="gazette" data-key="pk_[^"]+"', page)
    assert f'data-article="{name}"' in page
    assert f'<embellie-slate placement="{PLACEMENT}" article="{name}">' in page
    assert all(paragraph.split("’")[0][:20].split("'")[0] in page for paragraph in article_text(name))


def test_an_article_that_is_gone_says_so(client):
    """An unknown or expired article is a page with status 404, not an error."""
    answer = client.get("/gazette/no-such-article-1?lang=en")
    assert answer.status_code == 404
    assert "no longer on the site" in answer.text


def test_what_a_browser_tells_is_dated_by_the_simulated_clock(client):
    """A person's read, dated by their own clock, enters the log at the simulated time."""
    newsroom = client.newsroom
    name = first_article(client, "fr").rpartition("/")[2]
    event = {
        "id": "0198f000-0000-7000-8000-000000000001", "site": SITE, "kind": "read", "at": "2031-01-01T12:00:00Z",
        "consent": "measurement", "reader": "someone", "visit": "v1", "article": name, "engaged_seconds": 30.0,
    }  # fmt: skip
    receipt = newsroom.receive([event], site=SITE, public=True).result()
    assert [one.at for one in receipt.accepted] == [START]
