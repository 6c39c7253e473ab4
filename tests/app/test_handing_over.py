"""Handing over: what was shown reaches the log, in order, in few lots."""

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
        self.refused = 0

    def submit(self, events):
        if self.refusing is not None:
            self.refused += 1
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


@pytest.fixture
def at_hand():
    """Handovers that gather for so short a time that tests need not wait; closed at the end."""
    opened = []

    def open_(log: Log, **settings) -> Handover:
        opened.append(Handover(log.submit, **{"gather_seconds": 0.001, **settings}))
        return opened[-1]

    yield open_
    for one in opened:
        one.close(0.0)


def test_what_is_shown_within_a_moment_goes_together(at_hand):
    """Nothing goes at once: one write serves them all, in their order."""
    log = Log()
    handover = at_hand(log, gather_seconds=0.1)
    for number in range(4):
        handover.put([event(number)])
    assert log.lots == []
    wait_until(lambda: log.lots)
    assert log.lots == [["e0", "e1", "e2", "e3"]]
    log.write()
    assert handover.settle(0.0)


def test_what_comes_while_a_lot_is_written_waits_for_it(at_hand):
    """However long the log takes, it has one lot at a time, and gets the next by itself."""
    log = Log()
    handover = at_hand(log)
    handover.put([event(0)])
    wait_until(lambda: log.lots)
    for number in range(1, 4):
        handover.put([event(number)])
        time.sleep(0.01)
    assert log.lots == [["e0"]]
    log.write()
    wait_until(lambda: len(log.lots) > 1)
    assert log.lots == [["e0"], ["e1", "e2", "e3"]]
    log.write()
    assert handover.settle(0.0)


def test_after_its_close_what_is_handed_over_goes_at_once(at_hand):
    """Nothing is left lying that nobody would carry."""
    log = Log()
    handover = at_hand(log, gather_seconds=60.0)
    handover.put([event(0)])
    assert not handover.close(0.0)
    handover.put([event(1)])
    assert log.lots == [["e0"], ["e1"]]


def test_a_log_that_fails_unexpectedly_does_not_end_the_carrying(at_hand):
    """That lot is dropped and counted; the next one goes by itself."""
    log = Log()
    handover = at_hand(log)
    log.refusing = RuntimeError("a bug")
    handover.put([event(0)])
    wait_until(lambda: handover.dropped)
    log.refusing = None
    handover.put([event(1)])
    wait_until(lambda: log.lots)
    assert log.lots == [["e1"]]


def test_a_flush_does_not_wait_for_the_lot_before(at_hand):
    """Who must stand after what was shown sends it off first."""
    log = Log()
    handover = at_hand(log, gather_seconds=60.0)
    for number in range(2):
        handover.put([event(number)])
        handover.flush()
    assert log.lots == [["e0"], ["e1"]]


def test_what_a_busy_log_refuses_is_kept_and_tried_again(at_hand):
    """Nothing is lost when the log has no room for a while."""
    log = Log()
    handover = at_hand(log)
    log.refusing = Busy("Full.", hint="Wait.")
    told = threading.Event()
    handover.put([event(0)], lost=told.set)
    wait_until(lambda: log.refused)
    handover.put([event(1)])
    log.refusing = None
    wait_until(lambda: log.lots)
    assert log.lots == [["e0", "e1"]]
    log.write()
    assert not told.is_set()
    assert handover.settle(0.0)


def test_what_cannot_be_written_now_is_kept_in_its_order_and_written_later(at_hand, monkeypatch):
    """The log is locked, or its disk full: what comes meanwhile stands behind, and all of it gets there by itself."""
    monkeypatch.setattr(handing_over, "FAILED_SECONDS", 0.01)
    log, lost = Log(), []
    handover = at_hand(log)
    handover.put([event(0)], lost=lambda: lost.append(0))
    handover.flush()
    log.write(error=Busy("Locked.", hint="Wait."))
    handover.put([event(1)])
    wait_until(lambda: len(log.lots) > 1)
    assert log.lots[1] == ["e0", "e1"]
    log.write()
    assert (lost, handover.dropped) == ([], 0)
    assert handover.settle(0.0)


@pytest.mark.parametrize("closed", [True, False])
def test_who_asked_is_told_of_what_did_not_get_there(at_hand, closed):
    """A lot that never will be written, or finds the log closed, is told to those whose it was, and the next one goes."""
    log, lost = Log(), []
    handover = at_hand(log)
    if closed:
        log.refusing = Conflict("Closed.", hint="Open it.")
    handover.put([event(0)], lost=lambda: lost.append(0))
    handover.flush()
    handover.put([event(1)], lost=lambda: lost.append(1))
    if closed:
        wait_until(lambda: lost == [0, 1])
    else:
        log.write(error=OSError("gone"))
        assert lost == [0]
        wait_until(lambda: len(log.lots) > 1)
        assert log.lots == [["e0"], ["e1"]]
    assert handover.dropped == len(lost)


def test_when_too_much_waits_the_oldest_is_dropped_and_counted(at_hand):
    """Memory is bounded and no reader refused: what waits longest goes, and who asked is told."""
    log, lost = Log(), []
    handover = at_hand(log, limit=2, gather_seconds=60.0)
    for number in range(5):
        handover.put([event(number)], lost=lambda number=number: lost.append(number))
    handover.flush()
    assert log.lots == [["e3", "e4"]]
    assert (lost, handover.dropped) == ([0, 1, 2], 3)


def test_a_log_that_stays_locked_bounds_what_waits(at_hand, monkeypatch):
    """What comes back from it counts among what waits."""
    monkeypatch.setattr(handing_over, "FAILED_SECONDS", 60.0)
    log = Log()
    handover = at_hand(log, limit=2, gather_seconds=60.0)
    handover.put([event(0)])
    handover.flush()
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
