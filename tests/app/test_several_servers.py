"""Several servers on one log agree on what is in it, whoever of them wrote it."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from hashlib import blake2s

import pytest
from tests.app.test_live_folds import NOON, SITES, event, reads, seen

from embellie.app.live_folds import LiveFolds
from embellie.app.warm_start import keep
from embellie.domain.article import Article
from embellie.domain.experiment import Exposure
from embellie.domain.release import Release
from embellie.store.log import SqliteLog
from embellie.store.postgres_log import PostgresLog


class Servers:
    """The folds of several processes on one log, each following it."""

    def __init__(self, open_log):
        self.logs = [open_log() for _ in range(3)]
        self.folds = []
        for log in self.logs:
            self.folds.append(LiveFolds(log, SITES, stable="latest-1", clock=lambda: NOON))
            self.folds[-1].replay()
            self.folds[-1].follow()

    def agree(self):
        """Wait until all have folded all of the log."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if all(one._followed == log.last() for one, log in zip(self.folds, self.logs, strict=True)):
                return
            time.sleep(0.01)
        pytest.fail("They do not catch up.")

    def close(self):
        for one in self.folds:
            one.close()
        for log in self.logs:
            log.close()


@pytest.fixture
def on_a_file(tmp_path):
    servers = Servers(lambda: SqliteLog(tmp_path / "log.sqlite"))
    yield servers
    servers.close()


@pytest.fixture
def on_postgres(postgres_url, tmp_path):
    name = blake2s(str(tmp_path).encode(), digest_size=8).hexdigest()
    servers = Servers(lambda: PostgresLog(postgres_url, schema=f"several_{name}"))
    yield servers
    servers.close()


@pytest.fixture(params=["on_a_file", pytest.param("on_postgres", marks=pytest.mark.engines)])
def servers(request):
    return request.getfixturevalue(request.param)


def total(folds):
    return float(folds.state.site("gazette").counters.totals(0)[-1])


def test_each_knows_what_the_others_were_told(servers):
    """Releases, articles, reads and exposures, given to any of three, are live on all of them."""
    first, second, third = servers.folds
    first.submit([event("a", Article(article="a", title="Rain ends", published_at=NOON - timedelta(hours=1)))]).result()
    second.submit([event("l", Release(release="latest-1", policy="latest"))]).result()
    third.submit([event("x", Exposure(experiment="e", unit="r", variant="v"))]).result()
    servers.agree()
    assert seen(first) == seen(second) == seen(third)
    assert seen(first)[2:] == (["Rain ends"], {("gazette", "e", "r", "v")})


def test_each_read_counts_once_on_each(servers):
    """Three post at once, some reads twice and on two servers: all count the same, as a server started afterwards does."""
    article = Article(article="a", title="Rain ends", published_at=NOON - timedelta(hours=1))
    servers.folds[0].submit([event("a", article)]).result()

    def post(folds, place):
        for start in range(40 * place, 40 * place + 60, 5):  # the last twenty are the first of the next one's
            folds.submit(reads(start, 5)).result()

    posting = [threading.Thread(target=post, args=(one, place)) for place, one in enumerate(servers.folds)]
    for thread in posting:
        thread.start()
    for thread in posting:
        thread.join()
    servers.agree()
    fresh = LiveFolds(servers.logs[0], SITES, stable="latest-1", clock=lambda: NOON)
    fresh.replay()
    counted = [total(one) for one in servers.folds]
    assert counted == pytest.approx([total(fresh)] * 3)
    assert fresh.state.site("gazette").heard == servers.folds[1].state.site("gazette").heard == 1 + 140
    (row,) = servers.logs[0].ledger()
    assert (row.received, row.accepted, row.duplicates) == (181, 141, 40)


def test_two_that_expose_one_reader_at_once_tell_one_exposure(servers):
    """Each thinks it is the first to show a variant: the fact has one name, and the log holds it once."""
    exposure = event("x", Exposure(experiment="e", unit="r", variant="v"))
    later = replace(exposure, at=NOON + timedelta(seconds=1))
    told = [servers.folds[0].submit([exposure]), servers.folds[1].submit([later])]
    receipts = [one.result() for one in told]
    servers.agree()
    assert sorted(len(one.accepted) for one in receipts) == [0, 1]
    assert [len(one.quarantined) for one in receipts] == [0, 0]
    assert servers.folds[2].exposed == {("gazette", "e", "r", "v")}


def test_who_is_erased_on_one_is_forgotten_on_all_and_refused_by_all(servers):
    """One server removes a reader: no other keeps or takes in anything of theirs, nor still counts them as exposed."""
    first, second, third = servers.folds
    for folds, log in zip(servers.folds, servers.logs, strict=True):
        folds.erased._mark_of = log.marks.known
    first.submit([event("a", Article(article="a", title="Rain ends", published_at=NOON - timedelta(hours=1)))]).result()
    second.submit([event("l", Release(release="latest-1", policy="latest"))]).result()
    second.submit([event("x", Exposure(experiment="e", unit="r1", variant="v"))]).result()
    third.submit([replace(one, body=replace(one.body, reader="r1", visit="")) for one in reads(0, 3)]).result()
    servers.agree()
    gone = servers.logs[0].erase("gazette", "r1", now=NOON)
    assert gone.events == 4
    servers.agree()
    for folds, log in zip(servers.folds, servers.logs, strict=True):
        assert "r1" not in folds.state.site("gazette").readers()
        assert not set(folds.exposed)
        assert ("gazette", "r1") in folds.erased
        late = [replace(one, body=replace(one.body, reader="r1", visit="")) for one in reads(10, 2)]
        receipt = log.append(late, received_at=NOON)
        assert (receipt.accepted, receipt.refused) == ((), 2)
        assert not list(log.verify())


def test_a_server_that_starts_warm_takes_in_what_others_wrote_once(servers, tmp_path):
    """From the state file one goes on with what came since, whoever wrote it, while it starts or after."""
    first, second, _ = servers.folds
    second.submit([event("l", Release(release="latest-1", policy="latest"))]).result()
    first.submit([event("a", Article(article="a", title="Rain ends", published_at=NOON - timedelta(hours=1)))]).result()
    first.submit(reads(0, 5)).result()
    servers.agree()
    file = tmp_path / "state.bin"
    with first.lock:
        keep(
            file,
            servers.logs[0],
            state=first.state,
            exposed=first.exposed,
            sequence=first._followed,
            sites=SITES,
        )
    second.submit(reads(5, 4)).result()
    warm = LiveFolds(servers.logs[2], SITES, stable="latest-1", clock=lambda: NOON)
    start = warm.replay(file)
    assert (start.taken > 0, start.folded) == (True, 4)
    first.submit(reads(9, 3)).result()
    warm._catch_up()
    warm._catch_up()
    cold = LiveFolds(servers.logs[2], SITES, stable="latest-1", clock=lambda: NOON)
    cold.replay()
    servers.agree()
    assert total(warm) == pytest.approx(total(cold)) == pytest.approx(total(first)) == pytest.approx(total(second))
    assert seen(warm) == seen(first)
