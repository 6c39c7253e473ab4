"""What breaks around a running server costs nothing that was acknowledged, and readers get slates meanwhile."""

import asyncio
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest

from embellie.app.health import health_of
from embellie.app.kept_models import models_of
from embellie.app.newsroom import Newsroom
from embellie.domain.article import Article
from embellie.domain.errors import Conflict
from embellie.domain.event import new_id
from embellie.domain.slate import SlateRequest
from embellie.recommend.built_in import POLICIES
from embellie.recommend.features import names_of
from embellie.recommend.learning import TrainingSet
from embellie.store.log import SqliteLog
from embellie.web.server import create_app, open_keys

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CONFIG = """
[sites.gazette]
[scenarios.heuristic]
policy = "popular"
"""


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "embellie.toml").write_text(CONFIG)
    return tmp_path


def publish(newsroom):
    articles = [
        Article(article=f"a{n}", title=f"Article {n}", published_at=NOON - timedelta(hours=n)) for n in range(6)
    ]
    newsroom.publish("gazette", articles).result()


@pytest.fixture
def newsroom(folder, clock):
    with Newsroom.open(folder, clock=clock) as opened:
        publish(opened)
        yield opened


def slate(newsroom, reader="r1"):
    request = SlateRequest(
        site="gazette", placement="article-bottom", n=3, now=newsroom.clock(), reader=reader, consent="measurement"
    )
    return newsroom.slate(request)


def reads(count, *, at=NOON, title=""):
    return [
        {
            "id": new_id(at, bytes([number]) * 10),
            "site": "gazette",
            "kind": "read",
            "at": at.isoformat(),
            "article": f"a{number % 6}",
            "reader": f"r{number}{title}",
            "consent": "measurement",
        }
        for number in range(count)
    ]


def asked(newsroom, method, path, **options):
    """Ask the server."""
    app, keys = create_app(newsroom), open_keys(newsroom)

    async def send():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.request(
                method, path, params={"key": keys.public["gazette"]} | options.pop("query", {}), **options
            )

    return asyncio.run(send())


def posted(newsroom, events):
    return asked(newsroom, "POST", "/v1/events", content=json.dumps({"events": events}))


def shown(newsroom):
    return asked(newsroom, "GET", "/v1/slate", query={"placement": "article-bottom", "reader": "r1"})


def kept(newsroom):
    return [event.id for _, event in newsroom.log.scan(kinds=["read"])]


def test_a_full_disk_refuses_events_for_a_while_and_no_slate(newsroom):
    """503 with `Retry-After`, slates all the same; once there is room the same posts are taken, each once, without a restart."""
    writer = newsroom.log._writer
    assert posted(newsroom, reads(3)).status_code == 202
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    many = reads(200, title=" " * 200)[3:]
    refused = posted(newsroom, many)
    assert (refused.status_code, refused.json()["error"]["code"], refused.headers["retry-after"]) == (
        503,
        "disk_full",
        "1",
    )
    assert shown(newsroom).json()["items"]
    assert kept(newsroom) == [one["id"] for one in reads(3)]
    writer.execute("PRAGMA max_page_count = 1000000")
    assert posted(newsroom, many).json()["accepted"] == 197
    assert posted(newsroom, many).json()["duplicates"] == 197
    assert sorted(kept(newsroom)) == sorted(one["id"] for one in [*reads(3), *many])
    assert not newsroom.log.verify()


def test_a_locked_log_refuses_events_for_a_while_and_no_slate(newsroom):
    """Another process writes and does not end: 503, not ready, slates all the same; then everything is as before."""
    newsroom.log._writer.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(newsroom.log.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    refused = posted(newsroom, reads(3))
    assert (refused.status_code, refused.json()["error"]["code"], refused.headers["retry-after"]) == (
        503,
        "log_locked",
        "1",
    )
    assert asked(newsroom, "GET", "/readyz").status_code == 503
    assert shown(newsroom).json()["items"]
    other.execute("ROLLBACK")
    other.close()
    assert asked(newsroom, "GET", "/readyz").status_code == 200
    assert posted(newsroom, reads(3)).json()["accepted"] == 3
    assert len(kept(newsroom)) == 3


def test_a_server_starts_while_the_log_takes_no_writes(folder, clock):
    """Another process holds it: readers get slates all the same, and what they were shown is written down after."""
    with Newsroom.open(folder, clock=clock) as before:
        publish(before)
    other = sqlite3.connect(folder / "embellie-data" / "log.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with Newsroom.open(folder, clock=clock) as newsroom:
        answer = slate(newsroom)
        assert len(answer.items) == 3
        other.execute("ROLLBACK")
        other.close()
    with Newsroom.open(folder, clock=clock) as newsroom:
        assert answer.slate_id in [event.id for _, event in newsroom.log.scan(kinds=["served"])]


@pytest.mark.parametrize(
    "said", ["disk I/O error", "attempt to write a readonly database", "database disk image is malformed"]
)
def test_whatever_ails_the_disk_the_sender_is_told_to_come_back(newsroom, monkeypatch, said):
    """It is never 4xx: a page would take it that its events are wrong, and drop them."""

    def fails(*_, **__):
        raise sqlite3.OperationalError(said)

    with monkeypatch.context() as broken:
        broken.setattr("embellie.store.log.write", fails)
        refused = posted(newsroom, reads(2))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert posted(newsroom, reads(2)).json()["accepted"] == 2


def test_to_be_ready_the_log_must_take_a_write(newsroom):
    """Asking with nothing to write changes the file all the same, so that a disk that takes nothing is found; no event comes of it."""
    looking = sqlite3.connect(newsroom.log.path)
    version = "PRAGMA data_version"
    before, last = looking.execute(version).fetchone(), newsroom.log.last()
    newsroom.log.append([], received_at=NOON)
    assert looking.execute(version).fetchone() != before
    assert newsroom.log.last() == last
    assert not newsroom.log.verify()
    looking.close()


def model():
    """A small model's bytes."""
    pytest.importorskip("lightgbm", reason="LightGBM is not installed: make test-all installs it.")
    from embellie.recommend.ranker_trees import fit_trees

    rng, lists, long, names = np.random.default_rng(1), 40, 5, names_of()
    training = TrainingSet(
        features=rng.normal(size=(lists * long, len(names))).astype(np.float32),
        labels=np.tile(np.array([1, 0, 0, 0, 0]), lists),
        positions=np.tile(np.arange(1, long + 1), lists),
        propensities=np.ones(lists * long, np.float32),
        weights=np.ones(lists * long, np.float32),
        groups=np.full(lists, long),
        at=np.arange(lists),
        feature_names=names,
    )
    return fit_trees(training, seed=1, trees=5).dump()


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:-100], lambda whole: whole[:500] + b"?" + whole[501:], lambda _: b""]
)
def test_a_model_that_is_damaged_at_the_start_is_told_and_taken_up_once_it_is_whole(folder, clock, damage):
    """Readers get slates by the heuristic, `/readyz` says so; with the right bytes back the model serves without a restart."""
    whole = model()
    data = folder / "embellie-data"
    run = models_of(data, "gazette").keep(whole, {}, state="accepted", now=NOON)
    file = next((data / "models").rglob(f"{run.model}.model"))
    file.write_bytes(damage(whole))
    (folder / "embellie.toml").write_text(
        CONFIG.replace('"popular"', f'"ranker"\nsettings = {{ model = "{run.model}" }}')
    )
    with Newsroom.open(folder, clock=clock) as newsroom:
        publish(newsroom)
        assert len(slate(newsroom).items) == 3
        assert [one.code for one in health_of(newsroom).concerns] == ["model_missing"]
        file.write_bytes(whole)
        assert health_of(newsroom).concerns == ()
        assert newsroom.without_model("gazette") == []
        assert len(slate(newsroom).items) == 3
        file.write_bytes(damage(whole))
        assert [one.code for one in health_of(newsroom).concerns] == ["model_missing"]


def test_a_policy_that_cannot_be_built_does_not_keep_the_server_from_starting(folder, clock, monkeypatch):
    """Once released, its package may break: others stand in for it."""

    class Broken:
        def __init__(self):
            raise ZeroDivisionError

    with Newsroom.open(folder, clock=clock) as newsroom:
        publish(newsroom)
        monkeypatch.setitem(POLICIES, "third", "policies:Latest")
        release = newsroom.build("gazette", "third", {})
        newsroom.start("gazette", "article-bottom", release.release, steps=[0.5, 1.0])
        newsroom.complete("gazette", "article-bottom-1")
    monkeypatch.setitem(POLICIES, "third", Broken)
    with Newsroom.open(folder, clock=clock) as newsroom:
        answer = slate(newsroom)
    assert (answer.fallback, len(answer.items)) == ("popular", 3)


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=1), timedelta(days=-400)])
def test_a_clock_that_jumps_and_comes_back_loses_nothing(folder, clock, jump):
    """Each event once, with the time it was received by the clock of then; slates go on, each with a name of its own, and are the same after a restart."""
    with Newsroom.open(folder, clock=clock) as newsroom:
        publish(newsroom)
        newsroom.receive(reads(50), site="gazette", public=True).result()
        clock.now = NOON + jump
        ids = {slate(newsroom, f"r{number}").slate_id for number in range(20)}
        during = reads(60)[50:]
        assert len(newsroom.receive(during, site="gazette", public=True, sent_at=NOON).result().accepted) == 10
        clock.now = NOON + timedelta(minutes=1)
        ids |= {slate(newsroom, f"r{number}").slate_id for number in range(20)}
        assert len(ids) == 40
        after = slate(newsroom)
        assert len(after.items) == 3
        received = {event.received_at for _, event in newsroom.log.scan(kinds=["read"])}
        assert received == {NOON, NOON + jump}
        assert sorted(kept(newsroom)) == sorted(one["id"] for one in reads(60))
        assert not newsroom.log.verify()
    with Newsroom.open(folder, clock=clock) as again:
        assert [item.article for item in slate(again).items] == [item.article for item in after.items]
        assert again.receive(during, site="gazette", public=True, sent_at=NOON).result().accepted == ()
        assert len(kept(again)) == 60


def test_two_servers_on_one_folder_write_each_event_and_exposure_once(folder, clock):
    """The same posts to both at once, the same readers asking both: one of each in the log, and one variant for each reader."""
    with (folder / "embellie.toml").open("a") as config:
        config.write('[scenarios.status_quo]\npolicy = "status_quo"\n[experiments.first-light]\n')
    with Newsroom.open(folder, clock=clock) as one, Newsroom.open(folder, clock=clock) as other:
        publish(one)
        posts = [reads(60)[start : start + 6] for start in range(0, 60, 6)]
        with ThreadPoolExecutor(4) as at_once:
            sent = [
                at_once.submit(server.receive, post, site="gazette", public=True)
                for post in posts
                for server in (one, other)
            ]
            answers = [[at_once.submit(slate, server, f"r{number}") for server in (one, other)] for number in range(40)]
        receipts = [future.result().result() for future in sent]
        variants = [{future.result().variant for future in pair} for pair in answers]
        assert sum(len(receipt.accepted) for receipt in receipts) == 60
        assert sum(receipt.duplicates for receipt in receipts) == 60
        assert {len(told) for told in variants} == {1}
    with SqliteLog(folder / "embellie-data" / "log.sqlite") as log:
        exposures = [event.body.unit for _, event in log.scan(kinds=["exposure"])]
        assert sorted(exposures) == sorted({f"r{number}" for number in range(40)})
        assert not log.verify()


def test_two_releases_started_on_two_servers_at_once_are_one_everywhere(folder, clock):
    """Both servers, and one started later, put the same release before readers, whichever was told which first."""
    with Newsroom.open(folder, clock=clock) as one, Newsroom.open(folder, clock=clock) as other:
        names = [
            server.build("gazette", policy, {}).release for server, policy in ((one, "latest"), (other, "trending"))
        ]
        _until(lambda: all(len(server.releases("gazette")) == 3 for server in (one, other)))

        def start(server, release):
            try:
                return server.start("gazette", "article-bottom", release, steps=[0.5, 1.0]).canary
            except Conflict:
                return ""

        with ThreadPoolExecutor(2) as at_once:
            told = list(at_once.map(start, (one, other), names))
        last = one.log.last()
        _until(lambda: all(server._live._followed >= last for server in (one, other)))
        stands = [server.rollouts("gazette") for server in (one, other)]
    with Newsroom.open(folder, clock=clock) as later:
        stands.append(later.rollouts("gazette"))
    assert len(stands[0]) == 1
    assert stands[0] == stands[1] == stands[2]
    assert stands[0][0].canary in told


def _until(what):
    for _ in range(600):
        if what():
            return
        asyncio.run(asyncio.sleep(0.02))
    pytest.fail("It does not come about.")
