"""Handing over: what was shown reaches the log, in order, in as few lots as the log's own pace makes of it."""

import threading
import time
from concurrent.futures import Future
from datetime import UTC, datetime

import pytest

from embellie.app import handing_over
from embellie.app.handing_over import Handover
from embellie.domain.errors import Busy, Conflict
from embellie.domain.event import Event
from embellie.domain.reading import Click
from embellie.ports import Receipt

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def event(number: int) -> Event:
    return Event(id=f"e{number}", site="gazette", at=NOW, body=Click(slate_id="s", article="a", position=number))


class Log:
    """Takes lots, and writes each when told to."""

    def __init__(self) -> None:
        self.lots: list[list[str]] = []
        self.flying: list[Future[Receipt]] = []
        self.refusing: Exception | None = None

    def submit(self, events):
        if self.refusing is not None:
            raise self.refusing
        self.lots.append([one.id for one in events])
        self.flying.append(Future())
        return self.flying[-1]

    def write(self, error: Exception | None = None) -> None:
        done = self.flying.pop(0)
        if error is None:
            done.set_result(Receipt(accepted=(), duplicates=0, quarantined=()))
        else:
            done.set_exception(error)


def test_what_comes_while_a_lot_is_written_goes_together():
    """The first goes at once; the three that come meanwhile are the next lot, in their order."""
    log = Log()
    handover = Handover(log.submit)
    for number in range(4):
        handover.put([event(number)])
    assert log.lots == [["e0"]]
    log.write()
    assert log.lots == [["e0"], ["e1", "e2", "e3"]]
    log.write()
    assert handover.settle(0.0)


def test_a_flush_does_not_wait_for_the_lot_before():
    """Who must stand after what was shown sends it off first."""
    log = Log()
    handover = Handover(log.submit)
    handover.put([event(0)])
    handover.put([event(1)])
    handover.flush()
    assert log.lots == [["e0"], ["e1"]]


def test_what_a_busy_log_refuses_is_kept_and_tried_again():
    """Nothing is lost when the log has no room for a while."""
    log = Log()
    handover = Handover(log.submit)
    log.refusing = Busy("Full.", hint="Wait.")
    told = threading.Event()
    handover.put([event(0)], lost=told.set)
    handover.put([event(1)])
    assert log.lots == []
    log.refusing = None
    handover.flush()
    assert log.lots == [["e0", "e1"]]
    log.write()
    assert not told.is_set()
    assert handover.settle(0.0)


def test_what_cannot_be_written_now_is_kept_in_its_order_and_written_later(monkeypatch):
    """The log is locked, or its disk full: what comes meanwhile stands behind, and all of it gets there by itself."""
    monkeypatch.setattr(handing_over, "FAILED_SECONDS", 0.01)
    log, lost = Log(), []
    handover = Handover(log.submit)
    handover.put([event(0)], lost=lambda: lost.append(0))
    log.write(error=Busy("Locked.", hint="Wait."))
    handover.put([event(1)])
    wait_until(lambda: len(log.lots) > 1)
    assert log.lots[1] == ["e0", "e1"]
    log.write()
    assert (lost, handover.dropped) == ([], 0)
    assert handover.settle(0.0)


@pytest.mark.parametrize("closed", [True, False])
def test_who_asked_is_told_of_what_did_not_get_there(closed):
    """A lot that never will be written, or finds the log closed, is told to those whose it was, and the next one goes."""
    log, lost = Log(), []
    handover = Handover(log.submit)
    if closed:
        log.refusing = Conflict("Closed.", hint="Open it.")
    handover.put([event(0)], lost=lambda: lost.append(0))
    handover.put([event(1)], lost=lambda: lost.append(1))
    if not closed:
        log.write(error=OSError("gone"))
        assert lost == [0]
        assert log.lots == [["e0"], ["e1"]]
    else:
        assert lost == [0, 1]
    assert handover.dropped == len(lost)


def test_when_too_much_waits_the_oldest_is_dropped_and_counted():
    """Memory is bounded and no reader refused: what waits longest goes, and who asked is told."""
    log, lost = Log(), []
    handover = Handover(log.submit, limit=2)
    for number in range(5):
        handover.put([event(number)], lost=lambda number=number: lost.append(number))
    log.write()
    assert log.lots == [["e0"], ["e3", "e4"]]
    assert (lost, handover.dropped) == ([1, 2], 2)


def test_a_log_that_stays_locked_bounds_what_waits(monkeypatch):
    """What comes back from it counts among what waits."""
    monkeypatch.setattr(handing_over, "FAILED_SECONDS", 60.0)
    log = Log()
    handover = Handover(log.submit, limit=2)
    handover.put([event(0)])
    handover.put([event(1)])
    handover.put([event(2)])
    log.write(error=Busy("Locked.", hint="Wait."))
    assert handover.dropped == 1
    handover.flush()
    assert log.lots[-1] == ["e1", "e2"]


def wait_until(holds) -> None:
    until = time.monotonic() + 10
    while not holds() and time.monotonic() < until:
        time.sleep(0.005)
    assert holds()
