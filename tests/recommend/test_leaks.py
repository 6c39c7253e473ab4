"""Leaks: a policy that knows what it cannot is refused; those that look only at the past pass."""

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest

from embellie.domain.article import Article
from embellie.domain.moment import micros, moment
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.leaks import Leak, check_leaks, cut_before, renamed
from embellie.recommend.policies import Popular, Scored
from embellie.recommend.replaying import ClickLog, Protocol, events_of
from embellie.recommend.signals import Silent
from embellie.recommend.state import State

HOUR = 3_600_000_000
START = 400_000 * HOUR


@pytest.fixture(scope="module")
def log():
    """Two days of a small newspaper: 60 articles that come one after another, 600 visits of three clicks."""
    rng = np.random.default_rng(5)
    rows = []
    for visit in range(600):
        at = START + int(visit * 48 / 600 * HOUR)
        rows += [
            (f"r{rng.integers(40)}", f"v{visit}", f"a{max(0, visit // 10 - rng.integers(12))}", at + click * 7_000_000)
            for click in range(3)
        ]
    rows.sort(key=lambda row: row[3])
    readers, visits, articles, at = zip(*rows, strict=True)
    catalogue = {
        f"a{i}": Article(
            article=f"a{i}", title=f"Title {i}", section=["Sport", "Culture"][i % 2],
            published_at=moment(START + i * HOUR * 48 // 60 - 20 * 60_000_000),
        )
        for i in range(60)
    }  # fmt: skip
    return ClickLog(readers=readers, visits=visits, articles=articles, at=np.array(at), catalogue=catalogue)


def check(log, build, **protocol):
    return check_leaks(log, build, protocol=Protocol(**protocol), timer=lambda: 0.0)


@dataclass(frozen=True)
class Peeking(Popular):
    """Closes over the log, and lifts what the visit will open next."""

    name: ClassVar[str] = "peeking"
    coming: Any = field(default_factory=dict)

    def score(self, request, site):
        popular = super().score(request, site)
        rows = site.shelf.rows(self.coming.get(request.visit, ()))
        values = popular.values.copy()
        values[rows] += 1e6
        return Scored(values, popular.reason)


def coming_of(log):
    coming = {}
    for visit, article in zip(log.visits, log.articles, strict=True):
        coming.setdefault(visit, []).append(article)
    return coming


def test_a_policy_that_closes_over_the_log_is_caught(log):
    """It ranks the next click first; with other names it cannot, and the error says so."""
    with pytest.raises(Leak, match=r"`mine` leaks: with readers, visits and articles called otherwise"):
        check(log, lambda: {"popular": build_policy("popular"), "mine": Peeking(coming=coming_of(log))})


def test_a_policy_that_reads_a_file_is_caught(log, tmp_path):
    """A file of clicks is found out like the log itself."""
    file = tmp_path / "clicks.json"
    file.write_text(json.dumps(coming_of(log)))

    @dataclass(frozen=True)
    class Reading(Peeking):
        def score(self, request, site):
            return Peeking(coming=json.loads(file.read_text())).score(request, site)

    with pytest.raises(Leak):
        check(log, lambda: {"mine": Reading()})


def test_a_feature_that_counts_the_whole_log_is_caught(log):
    """A signal that knows each article's reads of all time, instead of those so far, is a leak too."""

    class AllTime(Silent):
        name = "all_time"

    totals = {name: log.articles.count(name) for name in set(log.articles)}

    @dataclass(frozen=True)
    class Total(Popular):
        name: ClassVar[str] = "total"
        signals: ClassVar = (AllTime,)

        def score(self, request, site):
            return Scored(np.array([float(totals.get(name, 0)) for name in site.shelf.ids]), lambda _: "total")

    with pytest.raises(Leak):
        check(log, lambda: {"total": Total()})


def test_a_policy_that_learns_from_others_requests_is_caught(log):
    """What it picked up from requests of the same window is not in the log that ends before it."""

    class Listening:
        name = "listening"

        def __init__(self):
            self.heard = {}

        def __call__(self, request, view):
            for article in request.visit_articles:
                self.heard[article] = self.heard.get(article, 0) + 1
            ranking = list(build_policy("latest")(request, view))
            return sorted(ranking, key=lambda item: -self.heard.get(item.article, 0))

    with pytest.raises(Leak, match="with the log cut where the window starts"):
        check(log, lambda: {"listening": Listening()})


@pytest.mark.parametrize("name", [name for name in POLICIES if name != "factors"])
def test_the_built_in_policies_do_not_leak(log, name):
    """Every policy ranks as it did, cut or renamed; those whose draws or lists go by name are told apart."""
    found = check(log, lambda: {name: build_policy(name)})
    assert found.targets > 50
    assert found.cuts == 6
    assert found.names_matter == ((name,) if name in ("status_quo", "interleaved", "exploring", "thompson") else ())


def test_matrix_factorisation_does_not_leak(log):
    """Nor does the one by the library."""
    pytest.importorskip("implicit", reason="The extra `ml` is not installed.")
    assert check(log, lambda: {"factors": build_policy("factors")}).targets > 50


def test_a_cut_log_tells_what_the_whole_one_had_told(log):
    """Folding a log cut at a time is folding the whole one's events before that time."""
    start = START + 17 * HOUR
    cut = State(from_reads=True).fold(events_of(cut_before(log, start))).site("log")
    whole = State(from_reads=True).fold(event for event in events_of(log) if micros(event.at) < start).site("log")
    assert cut.shelf.ids == whole.shelf.ids
    assert cut.counters.reads(start, 0).tobytes() == whole.counters.reads(start, 0).tobytes()


def test_other_names_keep_their_order(log):
    """So that ties by name fall as they did; nobody stays nobody."""
    other = renamed(log)
    assert (
        np.argsort(np.array(other.articles), kind="stable").tolist()
        == np.argsort(np.array(log.articles), kind="stable").tolist()
    )
    assert set(other.catalogue) == {f"~{name}" for name in log.catalogue}
    nobody = ClickLog(readers=[""], visits=["v"], articles=["a"], at=np.array([0]))
    assert list(renamed(nobody).readers) == [""]
