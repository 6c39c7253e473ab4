# ruff: noqa: S101 - a contract suite asserts
"""What a log that an installation keeps (`KeptLog`) must hold beyond `EventLogContract`: names go when their time is over."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, ConsentChange, Conversion, Impression, Read
from embellie.domain.slate import Consent, Slate
from embellie.ports import Rejected
from embellie.testing.event_log_contract import NOON, EventLogContract, a_read

LONG_AGO = NOON - timedelta(days=400)


def acts(name: str, *, consent: Consent = "measurement") -> list[Event]:
    """Make one event of each kind that names a reader."""
    own: dict[str, Any] = {"reader": f"reader-{name}", "visit": f"visit-{name}"}
    bodies: tuple[Any, ...] = (
        Read(article="a1", engaged_seconds=20.25, **own),
        Click(slate_id="s1", article="a1", position=1, **own),
        Impression(slate_id="s1", article="a1", position=1, **own),
        Slate(slate_id="s1", placement="bottom", article="é1", variant="ml", release="r", policy="p", **own),
        ConsentChange(reader=own["reader"], state="measurement"),
        Conversion(goal="subscription", **own),
        Exposure(experiment="first-light", unit=own["reader"], variant="heuristic"),
    )
    return [
        Event(id=f"{name}-{number}", site="gazette", at=NOON, body=body, consent=consent)
        for number, body in enumerate(bodies)
    ]


def before(days: int) -> Mapping[str, datetime]:
    """Keep names of all consents for so many days before noon."""
    return dict.fromkeys(("none", "measurement", "profiling"), NOON - timedelta(days=days))


class KeptLogContract(EventLogContract):
    """The promises of a log that an installation keeps, each one a test."""

    def open(self, folder: Path) -> Any:
        """Open a log kept in `folder`; opening it again finds what was written."""
        raise NotImplementedError

    def test_names_past_their_time_go_and_events_stay(self, tmp_path: Path) -> None:
        """Each keeps its number, its kind and all it says but who it was; exposures go, and what was put aside then."""
        log = self.open(tmp_path)
        bad = Rejected(index=0, payload='{"reader": "reader-old"}', reason="No kind.", site="gazette")
        log.append(acts("old"), received_at=LONG_AGO, rejected=[bad])
        log.append(acts("new"), received_at=NOON, rejected=[bad])
        told = list(log.scan())
        expected = log.look_past(before(30))
        unchanged = list(log.scan()) == told
        done = log.forget_past(before(30))
        found = list(log.scan())
        aside, wrong, rows = log.quarantine_size(), list(log.verify()), log.ledger()
        log.close()
        assert (expected.nameless, expected.exposures, expected.quarantined) == (6, 1, 1)
        assert dict(expected.units) == {("gazette", "first-light"): 1}
        assert (unchanged, done, aside, wrong) == (True, 8, 1, [])
        assert [row.erased for row in rows] == [2, 0]
        assert found == [
            (seq, event if event.id.startswith("new") else without_name(seq, event))
            for seq, event in told
            if event.id != "old-6"
        ]

    def test_names_go_by_what_their_reader_agreed_to(self, tmp_path: Path) -> None:
        """Of three readers of one day, who agreed to more is kept longer; what is not named is kept for good."""
        log = self.open(tmp_path)
        consents: tuple[Consent, ...] = ("none", "measurement", "profiling")
        for consent in consents:
            log.append(acts(consent, consent=consent), received_at=NOON - timedelta(days=20))
        log.forget_past({"none": NOON - timedelta(days=7), "measurement": NOON - timedelta(days=30)})
        readers = sorted(log.readers("gazette"))
        log.forget_past({"measurement": NOON})
        later = sorted(log.readers("gazette"))
        log.close()
        assert readers == ["reader-measurement", "reader-profiling"]
        assert later == ["reader-profiling"]

    def test_forgetting_again_changes_nothing(self, tmp_path: Path) -> None:
        """What is nameless is not past its time any more; a log with nothing old is left as it is."""
        log = self.open(tmp_path)
        log.append([*acts("old"), a_read(1)], received_at=LONG_AGO)
        first = log.forget_past(before(30))
        told = list(log.scan())
        again = log.forget_past(before(30))
        looked = log.look_past(before(30))
        same = list(log.scan()) == told
        log.close()
        assert (first, again, same) == (8, 0, True)
        assert (looked.nameless, looked.exposures, looked.quarantined, dict(looked.units)) == (0, 0, 0, {})

    def test_an_event_that_is_spared_stays_as_it_is(self, tmp_path: Path) -> None:
        """Those on which lakes end keep their ids: by them a lake knows its log."""
        log = self.open(tmp_path)
        log.append([a_read(number) for number in range(5)], received_at=LONG_AGO)
        log.forget_past(before(30), spare={2, 5})
        found = [event.id for _, event in log.scan()]
        log.close()
        assert found == ["kept-1", "e1", "kept-3", "kept-4", "e4"]

    def test_an_id_that_a_sender_took_holds_nothing_up(self, tmp_path: Path) -> None:
        """Who sends an event under the very id that another will get keeps nobody's name in the log."""
        log = self.open(tmp_path)
        log.append([a_read(1), replace(a_read(2), id="kept-1")], received_at=LONG_AGO)
        log.append([replace(a_read(3), id="kept-2")], received_at=NOON)
        log.forget_past(before(30))
        found = [(event.id, getattr(event.body, "reader", "")) for _, event in log.scan()]
        log.close()
        assert len({identity for identity, _ in found}) == 3
        assert [reader for _, reader in found] == ["", "", "r3"]

    def test_what_goes_on_meanwhile_is_counted_right(self, tmp_path: Path) -> None:
        """Names go and a reader is erased by one process while another writes: nothing is lost, and the ledger balances."""
        log, other = self.open(tmp_path), self.open(tmp_path)
        chance = random.Random(3)
        for start in range(0, 3_000, 500):
            log.append([a_read(start + number) for number in range(500)], received_at=LONG_AGO)
        futures = []
        for start in range(10_000, 10_600, 20):
            events = [a_read(start + number) for number in range(20)]
            futures.append(other.submit(events, received_at=NOON - timedelta(hours=chance.randint(0, 50))))
        log.erase("gazette", "r1", now=NOON)
        log.forget_past(before(30))
        accepted = sum(len(future.result().accepted) + future.result().refused for future in futures)
        kinds = [event.kind for _, event in log.scan()]
        readers = {getattr(event.body, "reader", "") for _, event in log.scan(kinds=["read"])}
        wrong = list(log.verify())
        log.close()
        other.close()
        assert (accepted, wrong) == (600, [])
        assert kinds.count("erasure") == 1
        assert readers == {"", "r0", "r2", "r3", "r4"}


def without_name(seq: int, event: Event) -> Event:
    """Make of an event what stays of it."""
    names: dict[str, Any] = {name: "" for name in ("reader", "visit") if hasattr(event.body, name)}
    return replace(event, id=f"kept-{seq}", body=replace(event.body, **names))
