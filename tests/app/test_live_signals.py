"""Live signals: a release built while the server runs finds what it looks at, as if it had always been there."""

import time
from typing import ClassVar

import pytest

from embellie.app.demo import PLACEMENT, SITE, START, write_project
from embellie.app.newsroom import Newsroom
from embellie.app.traffic import SimulatedClock
from embellie.domain.article import Article
from embellie.domain.slate import SlateRequest
from embellie.recommend.built_in import POLICIES
from embellie.recommend.policies import Popular
from embellie.recommend.signals import Silent


class Opened(Silent):
    """Counts what was opened."""

    name: ClassVar[str] = "opened"

    def __init__(self):
        self.count = 0

    def open(self, opened):
        self.count += 1


class Counting(Popular):
    """Popular, and remembers how much its signal had heard when it was asked last."""

    name: ClassVar[str] = "counting"
    signals: ClassVar = (Opened,)
    heard: ClassVar[int] = -1

    def score(self, request, site):
        Counting.heard = site.signal(Opened).count
        return super().score(request, site)


@pytest.fixture
def newsroom(tmp_path, monkeypatch):
    monkeypatch.setitem(POLICIES, "counting", Counting)
    write_project(tmp_path / "gazette", language="en", port=8400)
    with Newsroom.open(tmp_path / "gazette", clock=SimulatedClock(START), simulated=True) as opened:
        yield opened


def read(newsroom, number):
    one = {
        "id": f"00000000-0000-4000-8000-{number:012}", "site": SITE, "kind": "read", "at": START.isoformat(),
        "article": "a", "consent": "profiling", "reader": "ann", "visit": f"v{number}",
    }  # fmt: skip
    assert newsroom.receive([one], site=SITE, public=True).result().quarantined == ()


def test_a_new_release_finds_its_signal_and_goes_on_hearing(newsroom):
    """Built after three reads, it knows of three; after one more, of four."""
    newsroom.publish(SITE, [Article(article=name, title=name, published_at=START) for name in "abcdef"]).result()
    for number in range(3):
        read(newsroom, number)
    release = newsroom.build(SITE, "counting", {})
    newsroom.start(SITE, PLACEMENT, release.release, steps=(1.0,))
    request = SlateRequest(site=SITE, placement=PLACEMENT, n=4, now=START, reader="bob", consent="profiling")
    deadline = time.monotonic() + 20
    while Counting.heard < 0 and time.monotonic() < deadline:  # the log is being folded again
        assert len(newsroom.slate(request).items) == 4
    assert Counting.heard == 3
    read(newsroom, 3)
    newsroom.slate(request)
    assert Counting.heard == 4
