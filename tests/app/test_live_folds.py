"""What is in memory is what is in the log, whoever wrote it."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from embellie.app.live_folds import LiveFolds
from embellie.domain.article import Article
from embellie.domain.errors import Busy, UnknownName
from embellie.domain.event import Event, fact_id
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Read
from embellie.domain.release import Release
from embellie.domain.rule import Rule
from embellie.domain.site import Placement, Site
from embellie.domain.slate import SlateRequest
from embellie.recommend.built_in import POLICIES
from embellie.recommend.policies import Latest
from embellie.recommend.signals import Silent
from embellie.store.log import SqliteLog

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SITES = {"gazette": Site(site="gazette", name="Gazette", placements={"bottom": Placement(placement="bottom")})}
LATEST = Release(release="latest-1", policy="latest")
REQUEST = SlateRequest(site="gazette", placement="bottom", n=3, now=NOON)


def event(name, body, *, site="gazette"):
    return Event(id=fact_id(site, name), site=site, at=NOON, body=body)


def seen(live):
    """All that there is to see of a site."""
    titles = [one.title for one in live.state.articles("gazette", NOON)]
    return live.operations("gazette"), live.snapshot("gazette").releases, titles, live.exposed


@pytest.fixture
def opened(tmp_path):
    """Opens the folds of one log, as a process would."""
    logs = []

    def open_():
        logs.append(SqliteLog(tmp_path / "log.sqlite"))
        live = LiveFolds(logs[-1], SITES, stable="latest-1", clock=lambda: NOON)
        live.replay()
        return live

    yield open_
    for log in logs:
        log.close()


@pytest.fixture
def live(opened):
    """The folds of a log with an article, a release and an exposure."""
    folds = opened()
    exposure = Exposure(experiment="e", unit="r", variant="v")
    article = Article(article="a", title="Rain ends", published_at=NOON - timedelta(hours=1))
    folds.submit([event("x", exposure), event("a", article), event("l", LATEST)]).result()
    return folds


class Counted(Silent):
    """Counts what was opened."""

    name = "counted"

    def __init__(self):
        self.opened = 0

    def open(self, opened):
        self.opened += 1


class Counting(Latest):
    """A policy that looks at it."""

    name = "counting"
    signals = (Counted,)


def reads(first, count):
    return [
        event(f"read-{number}", Read(article="a", reader="r", visit=f"v{number}", engaged_seconds=20.0))
        for number in range(first, first + count)
    ]


def test_a_release_whose_policy_needs_another_fold_gets_it_with_all_that_came_before(live, opened, monkeypatch):
    """While the server runs and readers read on; each read counts once. Opened again, the fold is there at once."""
    monkeypatch.setitem(POLICIES, "counting", Counting)
    live.submit(reads(0, 50)).result()
    assert Counted not in live.state.signals
    live.submit([event("c", Release(release="counting-1", policy="counting"))]).result()
    done = 50
    deadline = time.monotonic() + 20
    while Counted not in live.state.signals and time.monotonic() < deadline:
        live.submit(reads(done, 5)).result()
        done += 5
    live.submit(reads(done, 5)).result()
    for folds in (live, opened()):
        site = folds.state.site("gazette")
        assert site.signal(Counted).opened == done + 5
        assert float(site.counters.totals(0)[-1]) == pytest.approx(
            float(opened().state.site("gazette").counters.totals(0)[-1])
        )
    assert live.snapshot("gazette").rankers["counting-1"](REQUEST, SITES["gazette"].placements["bottom"])


def test_closing_gives_up_a_fold_under_way(live, monkeypatch):
    """A command that builds a release and ends does not leave a thread behind that reads the log."""
    monkeypatch.setitem(POLICIES, "counting", Counting)
    live.submit(reads(0, 200)).result()
    live.submit([event("c", Release(release="counting-1", policy="counting"))]).result()
    live.close()
    assert "embellie-refold" not in {thread.name for thread in threading.enumerate()}


def test_what_is_submitted_is_live_when_it_is_durable(live):
    """The release can answer, the article can be shown, the reader is known to be exposed."""
    operations, releases, titles, exposed = seen(live)
    assert operations.releases == releases == {"latest-1": LATEST}
    assert titles == ["Rain ends"]
    assert exposed == {("gazette", "e", "r", "v")}


def test_replay_gives_what_was_live(live, opened):
    """To stop and start changes nothing."""
    assert seen(opened()) == seen(live)


@pytest.mark.parametrize(("enough", "written"), [(3, True), (4, False)])
def test_after_a_long_fold_the_next_start_is_warm(live, opened, monkeypatch, tmp_path, enough, written):
    """The file is written before anyone is served; after a short fold it is not worth it."""
    monkeypatch.setattr("embellie.app.live_folds.ENOUGH", enough)
    live.submit(reads(0, 1)).result()
    file = tmp_path / "state.bin"
    cold = opened()
    assert cold.replay(file).taken == 0
    assert file.exists() == written
    again = opened()
    start = again.replay(file)
    assert (start.taken, start.folded) == ((4, 0) if written else (0, 3))
    assert seen(again) == seen(live)


def test_a_release_that_cannot_be_built_stands_in_nobodys_way(live, opened):
    """Another version's policy, or a setting that has gone: the rest goes on, now and after a restart."""
    live.submit([event("o", Release(release="other-1", policy="of_another_version"))]).result()
    live.file("gazette", Rule(rule="r", action="ban", article="a"))
    request = SlateRequest(site="gazette", placement="bottom", n=1, now=NOON)
    for folds in (live, opened()):
        rankers = folds.snapshot("gazette").rankers
        with pytest.raises(UnknownName, match="of_another_version"):
            rankers["other-1"](request, SITES["gazette"].placements["bottom"])
        assert rankers["latest-1"](request, SITES["gazette"].placements["bottom"]) == []


def test_another_sites_events_are_left_alone(live):
    """A site that the configuration no longer names stays in the log."""
    before = seen(live)
    receipt = live.submit([event("n", LATEST, site="herald")]).result()
    assert len(receipt.accepted) == 1
    assert seen(live) == before
    with pytest.raises(UnknownName, match="gazette"):
        live.snapshot("herald")


def test_what_another_process_files_is_picked_up(live, opened):
    """The command line changes a running server through the log."""
    other = opened()
    other.follow()
    live.file("gazette", Rule(rule="r", action="ban", article="a"))
    started = time.monotonic()
    while not other.operations("gazette").rules and time.monotonic() - started < 5:
        time.sleep(0.01)
    other.close()
    assert list(other.operations("gazette").rules) == ["r"]


def test_what_could_not_be_read_at_once_is_live_the_next_time(live, opened, monkeypatch):
    """The log fails in the middle of what another process wrote."""
    other = opened()
    read, failures = other._log.following, [Busy("The log is locked.", hint="Retry.")]

    def read_the_second_time(**which):
        found = read(**which)
        if found[0] and failures:
            raise failures.pop()
        return found

    monkeypatch.setattr(other._log, "following", read_the_second_time)
    live.file("gazette", Release(release="popular-1", policy="popular"))
    other.follow()
    started = time.monotonic()
    while "popular-1" not in other.snapshot("gazette").releases and time.monotonic() - started < 2:
        time.sleep(0.01)
    other.close()
    assert not failures
    assert "popular-1" in other.snapshot("gazette").releases


def test_what_was_looked_at_does_not_change(live):
    """Who lists the rules gets those of that moment."""
    before = live.operations("gazette")
    live.file("gazette", Rule(rule="r", action="ban", article="a"))
    assert not before.rules
