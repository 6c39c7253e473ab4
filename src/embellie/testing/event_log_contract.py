# ruff: noqa: S101 - a contract suite asserts
"""What any `EventLog` must hold. Subclass `EventLogContract` in a test module and give it a way to open one.

Example:
    ```python
    class TestMyLog(EventLogContract):
        def open(self, folder):
            return MyLog(folder / "log")
    ```
"""

import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from embellie.domain.event import Event
from embellie.domain.reading import Click, Erasure, Read
from embellie.ports import EventLog, Receipt, Rejected

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_read(number: int, *, site: str = "gazette", article: str = "", at: datetime = NOON) -> Event:
    """Make a small `read` event; the same number is the same event."""
    body = Read(article=article or f"a{number % 7}", reader=f"r{number % 5}", visit=f"v{number % 11}")
    return Event(id=f"e{number}", site=site, at=at + timedelta(seconds=number), body=body, consent="profiling")


def a_click(number: int, *, site: str = "gazette") -> Event:
    """Make a small `click` event."""
    body = Click(slate_id="s1", article=f"a{number % 7}", position=1, reader=f"r{number % 5}")
    return Event(id=f"c{number}", site=site, at=NOON + timedelta(seconds=number), body=body)


class EventLogContract:
    """The promises of an event log, each one a test."""

    def open(self, folder: Path) -> EventLog:
        """Open a log kept in `folder`; opening it again finds what was written."""
        raise NotImplementedError

    def test_what_is_appended_is_read_back_in_order(self, tmp_path: Path) -> None:
        """Every new event is accepted, in order, and scan gives it back whole with the time it was received."""
        log = self.open(tmp_path)
        events = [a_read(number) for number in range(20)] + [a_click(1)]
        receipt = log.append(events, received_at=NOON)
        found = list(log.scan())
        log.close()
        assert [event.id for event in receipt.accepted] == [event.id for event in events]
        assert tuple(event for _, event in found) == receipt.accepted
        assert [event.body for _, event in found] == [event.body for event in events]
        assert all(event.received_at == NOON for _, event in found)
        assert [seq for seq, _ in found] == sorted({seq for seq, _ in found})

    def test_an_empty_log_is_empty(self, tmp_path: Path) -> None:
        """Nothing to scan, last is 0, no line in the ledger; an empty batch changes nothing."""
        log = self.open(tmp_path)
        receipt = log.append([], received_at=NOON)
        found = (receipt, list(log.scan()), log.last(), list(log.ledger()))
        log.close()
        assert found == (Receipt(accepted=(), duplicates=0, quarantined=()), [], 0, [])

    def test_it_is_still_there_after_reopening(self, tmp_path: Path) -> None:
        """Closing and opening again loses nothing, and numbers go on from the last."""
        log = self.open(tmp_path)
        log.append([a_read(1), a_read(2)], received_at=NOON)
        last = log.last()
        log.close()
        log = self.open(tmp_path)
        log.append([a_read(3)], received_at=NOON)
        found = [(seq > last, event.id) for seq, event in log.scan()]
        log.close()
        assert found == [(False, "e1"), (False, "e2"), (True, "e3")]

    def test_scan_goes_on_from_where_one_stopped(self, tmp_path: Path) -> None:
        """`after` leaves out what has been read, and `kinds` what is not asked for; the order stays."""
        log = self.open(tmp_path)
        log.append([a_read(1), a_click(1), a_read(2), a_click(2)], received_at=NOON)
        first = next(iter(log.scan()))[0]
        rest = [event.id for _, event in log.scan(after=first)]
        clicks = [event.id for _, event in log.scan(kinds=["click"])]
        both = [event.id for _, event in log.scan(kinds=["click", "read"])]
        past_the_end = list(log.scan(after=log.last()))
        log.close()
        assert (rest, clicks) == (["c1", "e2", "c2"], ["c1", "c2"])
        assert (both, past_the_end) == (["e1", "c1", "e2", "c2"], [])

    def test_the_same_event_twice_is_one(self, tmp_path: Path) -> None:
        """A retry is counted as duplicates and adds nothing, within a batch or across batches."""
        log = self.open(tmp_path)
        log.append([a_read(1), a_read(1)], received_at=NOON)
        again = log.append([a_read(1), a_read(2)], received_at=NOON + timedelta(minutes=1))
        found = [(event.id, event.received_at) for _, event in log.scan()]
        log.close()
        assert ([event.id for event in again.accepted], again.duplicates, again.quarantined) == (["e2"], 1, ())
        assert found == [("e1", NOON), ("e2", NOON + timedelta(minutes=1))]

    def test_the_earliest_arrival_is_kept(self, tmp_path: Path) -> None:
        """Whatever the order of delivery, the log keeps the earliest `received_at` of an id."""
        log = self.open(tmp_path)
        log.append([a_read(1)], received_at=NOON + timedelta(hours=3))
        receipt = log.append([a_read(1)], received_at=NOON)
        found = [event.received_at for _, event in log.scan()]
        rows = log.ledger()
        log.close()
        assert (receipt.duplicates, found) == (1, [NOON])
        assert [(row.accepted, row.duplicates) for row in rows] == [(1, 0), (0, 1)]

    def test_an_id_belongs_to_its_site(self, tmp_path: Path) -> None:
        """Two sites may use the same id for different facts."""
        log = self.open(tmp_path)
        receipt = log.append([a_read(1), a_read(1, site="herald", article="other")], received_at=NOON)
        log.close()
        assert (len(receipt.accepted), receipt.duplicates, receipt.quarantined) == (2, 0, ())

    def test_another_fact_under_a_taken_id_is_put_aside(self, tmp_path: Path) -> None:
        """It is never dropped in silence, never overwrites the first, and the batch around it is kept."""
        log = self.open(tmp_path)
        log.append([a_read(1)], received_at=NOON)
        receipt = log.append([a_read(2), a_read(1, article="forged"), a_read(3)], received_at=NOON)
        kept = [event.body for _, event in log.scan()]
        log.close()
        assert [event.id for event in receipt.accepted] == ["e2", "e3"]
        assert [(each.index, "e1" in each.reason) for each in receipt.quarantined] == [(1, True)]
        assert kept == [a_read(1).body, a_read(2).body, a_read(3).body]

    def test_a_bad_event_is_quarantined_alone(self, tmp_path: Path) -> None:
        """What could not be decoded is counted, with its place in the batch; the rest is accepted."""
        log = self.open(tmp_path)
        bad = Rejected(index=1, payload='{"kind": "sneeze"}', reason="Unknown kind.", at="$.kind", site="gazette")
        receipt = log.append([a_read(1), a_read(2)], received_at=NOON, rejected=[bad])
        (row,) = log.ledger()
        log.close()
        assert (len(receipt.accepted), receipt.quarantined) == (2, (bad,))
        assert (row.received, row.accepted, row.duplicates, row.quarantined) == (3, 2, 0, 1)

    def test_the_ledger_is_by_site_and_hour(self, tmp_path: Path) -> None:
        """Each site and hour has its own line, in order; every line balances."""
        log = self.open(tmp_path)
        for hours in (0, 1, 1):
            events = [a_read(hours), a_read(hours, site="herald")]
            log.append(events, received_at=NOON + timedelta(hours=hours, minutes=59))
        rows = log.ledger()
        log.close()
        assert [(row.site, row.hour.hour, row.received) for row in rows] == [
            ("gazette", 12, 1),
            ("gazette", 13, 2),
            ("herald", 12, 1),
            ("herald", 13, 2),
        ]
        assert all(row.received == row.accepted + row.duplicates + row.quarantined for row in rows)

    @pytest.mark.parametrize("seed", range(3))
    def test_delivery_in_any_order_gives_the_same_set(self, tmp_path: Path, seed: int) -> None:
        """Permuted, repeated and cut into batches at random, the same events leave the same log."""
        chance = random.Random(seed)
        events = [a_read(number) for number in range(40)]
        sent = events + chance.choices(events, k=30)
        chance.shuffle(sent)
        log = self.open(tmp_path)
        futures = []
        while sent:
            size = chance.randint(1, 9)
            futures.append(log.submit(sent[:size], received_at=NOON))
            sent = sent[size:]
        receipts = [future.result() for future in futures]
        found = sorted(event.id for _, event in log.scan())
        (row,) = log.ledger()
        log.close()
        assert found == sorted(event.id for event in events)
        assert sum(receipt.duplicates for receipt in receipts) == 30
        assert (row.received, row.accepted, row.duplicates, row.quarantined) == (70, 40, 30, 0)

    def test_one_reads_on_from_any_number_by_any_steps(self, tmp_path: Path) -> None:
        """Two write one log in turn: each reads all of it, once and in order; up to a number, or only certain kinds."""
        log, other = self.open(tmp_path), self.open(tmp_path)
        for number in range(12):
            events = [a_read(2 * number), a_read(2 * number + 1)]
            (log if number % 3 else other).append(events, received_at=NOON)
        heard: list[str] = []
        after, events = 0, [a_read(0)]
        while events:
            told, after = log.following(after=after, limit=3)
            events = list(told)
            heard += [event.id for event in events]
        reached = (after, log.following(after=after, limit=3), log.last())
        numbers = [number for number, _ in log.scan()]
        some, upto = other.following(after=numbers[3], upto=numbers[9], limit=100)
        reads = other.following(after=0, limit=100, kinds=["read", "click"])
        none = other.following(after=0, limit=100, kinds=["click"])
        log.close()
        other.close()
        assert heard == [f"e{n}" for n in range(24)]
        assert reached == (reached[2], ([], reached[2]), reached[2])
        assert ([event.id for event in some], upto) == ([f"e{n}" for n in range(4, 10)], numbers[9])
        assert ([event.id for event in reads[0]], reads[1]) == (heard, reached[2])
        assert none == ([], reached[2])

    def test_a_receipt_tells_which_numbers_its_events_have(self, tmp_path: Path) -> None:
        """Batches written together, with duplicates among them: each event stands within its receipt's numbers, and no other does."""
        log, other = self.open(tmp_path), self.open(tmp_path)
        other.append([a_read(90)], received_at=NOON)
        given = [[a_read(1), a_read(2)], [a_read(2), a_read(3)], [a_read(1)], [], [a_read(4)]]
        receipts = [one.result() for one in [log.submit(batch, received_at=NOON) for batch in given]]
        other.append([a_read(91)], received_at=NOON)
        receipts.append(log.append([a_read(5)], received_at=NOON))
        found = [
            [event.id for number, event in log.scan() if receipt.after < number <= receipt.upto] for receipt in receipts
        ]
        log.close()
        other.close()
        assert found == [[event.id for event in receipt.accepted] for receipt in receipts]
        assert found == [["e1", "e2"], ["e3"], [], [], ["e4"], ["e5"]]

    def test_a_follower_misses_nothing_and_hears_nothing_twice(self, tmp_path: Path) -> None:
        """While several write at once, whoever reads on from the last number seen gets every event, in order, once."""
        log, others = self.open(tmp_path), [self.open(tmp_path) for _ in range(3)]

        def write(writer: EventLog, first: int) -> None:
            for number in range(first, first + 60, 2):
                writer.append([a_read(number), a_read(number + 1)], received_at=NOON)

        writing = [threading.Thread(target=write, args=(one, 100 * place)) for place, one in enumerate((log, *others))]
        for thread in writing:
            thread.start()
        followed: list[tuple[int, str]] = []
        heard: list[str] = []
        reached, done = 0, False
        while not done:
            done = not any(thread.is_alive() for thread in writing)
            followed += [(seq, event.id) for seq, event in log.scan(after=followed[-1][0] if followed else 0)]
            events, reached = log.following(after=reached, limit=7)
            heard += [event.id for event in events]
            done = done and reached == log.last()
        whole = [(seq, event.id) for seq, event in log.scan()]
        for one in (log, *others):
            one.close()
        assert followed == whole
        assert len(whole) == 240
        assert heard == [name for _, name in whole]

    def test_closing_finishes_what_is_queued(self, tmp_path: Path) -> None:
        """Whatever was submitted before `close` is durable after it; closing twice does no harm."""
        log = self.open(tmp_path)
        futures = [log.submit([a_read(number)], received_at=NOON) for number in range(50)]
        log.close()
        log.close()
        assert all(future.done() and len(future.result().accepted) == 1 for future in futures)
        log = self.open(tmp_path)
        count = len(list(log.scan()))
        log.close()
        assert count == 50

    def test_an_erased_reader_is_gone_and_a_mark_stands_for_them(self, tmp_path: Path) -> None:
        """All of theirs is removed, with what was put aside that names them; others stay, and no id is left in the log."""
        log = self.open(tmp_path)
        bad = Rejected(index=0, payload='{"kind": "sneeze", "reader": "r1"}', reason="Unknown kind.", site="gazette")
        other = Rejected(index=0, payload='{"kind": "sneeze", "reader": "r10"}', reason="Unknown kind.", site="gazette")
        log.append([a_read(number) for number in range(20)], received_at=NOON, rejected=[])
        log.append([a_read(1, site="herald")], received_at=NOON, rejected=[bad, other])
        before = log.traces("gazette", "r1")
        gone = log.erase("gazette", "r1", now=NOON + timedelta(days=1))
        after = log.traces("gazette", "r1")
        found = [event for _, event in log.scan()]
        (mark,) = [event for event in found if event.kind == "erasure"]
        readers = {site: sorted(log.readers(site)) for site in ("gazette", "herald")}
        own = list(log.of_reader("gazette", "r1"))
        log.close()
        assert (before.events, before.quarantined) == (gone.events, gone.quarantined) == (4, 1)
        assert sorted(before.ids) == sorted(gone.ids) == ["e1", "e11", "e16", "e6"]
        assert (after.events, after.quarantined, own) == (0, 0, [])
        assert readers == {"gazette": ["r0", "r2", "r3", "r4"], "herald": ["r1"]}
        assert isinstance(mark.body, Erasure)
        assert (mark.body.reader, len(mark.body.mark), dict(mark.body.removed)) == ("", 64, {"read": 4})
        assert len(found) == 16 + 1 + 1

    def test_what_is_erased_stays_in_the_ledger(self, tmp_path: Path) -> None:
        """What was received is told as it was; how much of it is no longer there stands beside it."""
        log = self.open(tmp_path)
        bad = Rejected(index=0, payload='{"kind": "sneeze", "reader": "r1"}', reason="Unknown kind.", site="gazette")
        log.append([a_read(number) for number in range(10)], received_at=NOON, rejected=[bad])
        log.erase("gazette", "r1", now=NOON + timedelta(hours=2))
        rows = log.ledger()
        log.close()
        told = [(row.hour.hour, row.received, row.accepted, row.quarantined, row.erased) for row in rows]
        assert told == [(12, 11, 10, 1, 3), (14, 1, 1, 0, 0)]

    def test_events_of_an_erased_reader_are_refused(self, tmp_path: Path) -> None:
        """Late or new, good or bad, they are counted and not kept, after reopening too; the batch around them is."""
        log = self.open(tmp_path)
        log.append([a_read(1), a_read(2)], received_at=NOON)
        log.erase("gazette", "r1", now=NOON)
        log.close()
        log = self.open(tmp_path)
        bad = Rejected(index=0, payload='{"kind": "sneeze", "reader": "r1"}', reason="Unknown kind.", site="gazette")
        batch = [a_read(1), a_read(3), a_click(6), a_read(1, site="herald")]
        receipt = log.append(batch, received_at=NOON + timedelta(hours=1), rejected=[bad])
        traces, rows = log.traces("gazette", "r1"), log.ledger()
        log.close()
        assert ([event.id for event in receipt.accepted], receipt.refused) == (["e3", "e1"], 3)
        assert (receipt.duplicates, receipt.quarantined) == (0, ())
        assert (traces.events, traces.quarantined) == (0, 0)
        assert [(row.site, row.hour.hour, row.received, row.refused) for row in rows if row.hour.hour == 13] == [
            ("gazette", 13, 1, 3),
            ("herald", 13, 1, 0),
        ]

    def test_erasing_again_changes_nothing(self, tmp_path: Path) -> None:
        """A second erasure finds nothing; someone nobody knows can be erased, and is refused from then on."""
        log = self.open(tmp_path)
        log.append([a_read(1)], received_at=NOON)
        log.erase("gazette", "r1", now=NOON)
        last = log.last()
        again = log.erase("gazette", "r1", now=NOON + timedelta(days=1))
        same = log.last() == last
        log.erase("gazette", "stranger", now=NOON)
        marks = [event.body for _, event in log.scan(kinds=["erasure"])]
        log.close()
        assert (again.events, again.quarantined, same) == (0, 0, True)
        assert len({body.mark for body in marks if isinstance(body, Erasure)}) == 2

    def test_what_a_reader_did_without_a_name_goes_with_them(self, tmp_path: Path) -> None:
        """An event that names only a visit is its reader's, unless another reader is of that visit too."""
        log = self.open(tmp_path)
        visits = [("v1", "mine"), ("v2", "mine"), ("v2", "other"), ("v1", ""), ("v2", ""), ("v3", "")]
        events = [
            Event(id=f"n{number}", site="gazette", at=NOON, body=Read(article="a", reader=reader, visit=visit))
            for number, (visit, reader) in enumerate(visits)
        ]
        log.append(events, received_at=NOON)
        gone = log.erase("gazette", "mine", now=NOON)
        left = [event.id for _, event in log.scan() if event.kind == "read"]
        log.close()
        assert (gone.events, gone.visits) == (3, ("v1",))
        assert left == ["n2", "n4", "n5"]
