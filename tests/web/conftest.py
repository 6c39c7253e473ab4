"""A real newsroom with two sites and two articles, and a client that speaks to the application without a network."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from embellie.app.keys import ROLES, Keys
from embellie.app.newsroom import Newsroom
from embellie.domain.article import Article
from embellie.web.server import create_app, open_keys

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

CONFIG = """
question = "question.toml"
[sites.gazette]
name = "The Gazette"
origins = ["https://gazette.example"]
[sites.gazette.placements.article-bottom]
slots = 2
[sites.gazette.placements.sidebar]
[sites.herald]
name = "The Herald"
[scenarios.status_quo]
policy = "status_quo"
[scenarios.heuristic]
policy = "latest"
[experiments.first-light]
placement = "article-bottom"
variants = { status_quo = 1, heuristic = 3 }
"""

QUESTION = """
question = "Should we recommend articles?"
currency = "EUR"
horizon = "12 months"
[unknowns]
interest = "-0.5 % to 3 %"
[scenarios.nothing]
value = "0 EUR"
[scenarios.heuristic]
value = "interest * 100000 EUR"
"""

ARTICLES = [
    Article(article="a1", url="https://gazette.example/a1", title="Rain ends", section="city", published_at=NOW),
    Article(
        article="a2",
        url="https://gazette.example/a2",
        title="Bridge opens",
        image="https://i.example/2.jpg",
        section="city",
    ),
]


@dataclass
class Client:
    """Calls the application; each call is a whole event loop, so nothing is shared by accident."""

    app: Any
    address: str = "203.0.113.9"
    host: str = "embellie.example"
    cookies: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, path: str, *, token: str = "", **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if token:
            headers["authorization"] = f"Bearer {token}"

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(self.address, 1))
            async with httpx.AsyncClient(
                transport=transport, base_url=f"http://{self.host}", cookies=self.cookies
            ) as client:
                return await client.request(method, path, headers=headers, **options)

        return asyncio.run(send())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's folder."""
    (tmp_path / "embellie.toml").write_text(CONFIG)
    (tmp_path / "question.toml").write_text(QUESTION)
    return tmp_path


@pytest.fixture
def open_newsroom(project: Path) -> Iterator[Callable[..., Newsroom]]:
    """Opens the project; closed at the end."""
    opened = []

    def open_(*, simulated: bool = False) -> Newsroom:
        newsroom = Newsroom.open(project, clock=lambda: NOW, simulated=simulated)
        newsroom.publish("gazette", ARTICLES).result()
        opened.append(newsroom)
        return newsroom

    yield open_
    for newsroom in opened:
        newsroom.close()


@pytest.fixture
def newsroom(open_newsroom: Callable[..., Newsroom]) -> Newsroom:
    """The newsroom, with its articles."""
    return open_newsroom()


@pytest.fixture
def keys(newsroom: Newsroom) -> Keys:
    """Its keys."""
    return open_keys(newsroom)


@pytest.fixture
def tokens(keys: Keys) -> dict[str, str]:
    """A token for each role."""
    return {role: keys.issue(role, name=role) for role in ROLES}


@pytest.fixture
def call(newsroom: Newsroom, keys: Keys) -> Client:
    """A client far away, with no key."""
    return Client(create_app(newsroom, keys=keys))


@pytest.fixture
def click() -> Callable[..., dict[str, Any]]:
    """Makes a click as a page sends it."""

    def make(number: int = 1, **changes: Any) -> dict[str, Any]:
        return {
            "id": f"00000000-0000-7000-8000-{number:012d}",
            "kind": "click",
            "at": "2026-03-02T09:00:00Z",
            "consent": "measurement",
            "slate_id": "s",
            "article": "a1",
            "position": 1,
            "reader": "r1",
        } | changes

    return make


@pytest.fixture
def simulated(open_newsroom: Callable[..., Newsroom]) -> Client:
    """A client of a simulated newsroom, sitting at its machine."""
    return Client(create_app(open_newsroom(simulated=True)), address="127.0.0.1", host="127.0.0.1:8400")
