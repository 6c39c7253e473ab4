"""A small installation in a folder, on a clock the test moves."""

from datetime import UTC, datetime, timedelta

import pytest

from embellie.app.newsroom import Newsroom
from embellie.domain.article import Article
from embellie.domain.event import new_id
from embellie.domain.slate import SlateRequest

CONFIG = """
[sites.gazette]
name = "The Gazette"
languages = ["en"]

[sites.gazette.placements.article-bottom]
slots = 3

[experiments.first-light]
"""

QUESTION = """
question = "Should we recommend articles below each article?"
currency = "EUR"
horizon  = "24 months"

[unknowns]
interest = { range = "-40 % to 80 %", ask = "Do readers want recommendations?", kind = "reader" }

[quantities]
base = "50k EUR/month"

[scenarios.status_quo]
benefit = "0 EUR/month"
[scenarios.heuristic]
build   = "200k EUR"
run     = "500 EUR/month"
benefit = "base * interest"

[studies.ab_heuristic]
kind     = "experiment"
measures = "interest"
scenario = "heuristic"
metric   = "articles_per_visit"
se       = 0.005
cost     = "1k EUR"
"""


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self):
        self.now = datetime(2026, 3, 2, 8, tzinfo=UTC)

    def __call__(self):
        return self.now

    def wait(self, **time):
        self.now += timedelta(**time)


@pytest.fixture
def clock():
    """A clock that stands still until moved."""
    return Hands()


@pytest.fixture
def folder(tmp_path):
    """A project's folder."""
    (tmp_path / "embellie.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "question.toml").write_text(QUESTION, encoding="utf-8")
    return tmp_path


@pytest.fixture
def engine_down(folder):
    """The configuration names an engine that is not there."""
    file = folder / "embellie.toml"
    file.write_text(file.read_text() + '\n[analysis]\nengine = "postgresql://nobody@127.0.0.1:1/none"\n')


@pytest.fixture
def newsroom(folder, clock):
    """The project, opened."""
    with Newsroom.open(folder, clock=clock) as opened:
        yield opened


class Gazette:
    """The Gazette's articles, and readers who ask for slates and read; of another site as well."""

    def __init__(self, clock):
        self.clock = clock

    def articles(self, count=12):
        return [
            Article(
                article=f"a{number}",
                title=f"Article {number}",
                url=f"https://gazette.example/a{number}",
                section="sport" if number % 2 else "culture",
                language="en",
                published_at=self.clock() - timedelta(hours=number),
            )
            for number in range(count)
        ]

    def request(self, reader, *, article="a0", consent="profiling", site="gazette"):
        return SlateRequest(
            site=site,
            placement="article-bottom",
            n=3,
            now=self.clock(),
            article=article,
            reader=reader,
            visit=f"v-{reader}",
            consent=consent,
        )

    def read(self, reader, article, number=0, *, site="gazette"):
        """A read as a page sends it."""
        return {
            "id": new_id(self.clock(), site[:1].encode() + number.to_bytes(9, "big")),
            "site": site,
            "kind": "read",
            "at": self.clock().isoformat(),
            "consent": "profiling",
            "article": article,
            "reader": reader,
            "visit": f"v-{reader}",
            "engaged_seconds": 30.0,
        }

    def publish(self, newsroom, *, site="gazette"):
        newsroom.publish(site, self.articles()).result()

    def simulate(self, newsroom, *, readers=400, site="gazette"):
        """Every reader reads one article; those shown a slate read one more in every second visit."""
        raw = []
        for number in range(readers):
            reader = f"r{number}"
            slate = newsroom.slate(self.request(reader, site=site))
            raw.append(self.read(reader, "a0", 2 * number, site=site))
            if slate.items and number % 2:
                raw.append(self.read(reader, slate.items[0].article, 2 * number + 1, site=site))
        for start in range(0, len(raw), 500):
            assert not newsroom.receive(raw[start : start + 500], site=site, public=True).result().quarantined


@pytest.fixture
def gazette(clock):
    """The newspaper of the project."""
    return Gazette(clock)
