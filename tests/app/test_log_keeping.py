"""Keeping the log: imports add each click once, replay lets in only what may come in."""

import json
import time
from pathlib import Path

import pytest

from embellie.app.log_keeping import (
    Place,
    import_clicks,
    ledger_document,
    place_of,
    quarantine_document,
    replay_log,
)
from embellie.domain.errors import ConfigError, InputError, UnknownName
from embellie.measure.visit_rows import visits_view
from embellie.ports import Rejected
from embellie.store.log import FILE, SqliteLog
from embellie.testing.event_log_contract import NOON

COLUMNS = {"reader": "who", "visit": "sitting", "article": "what", "at": "when"}
DESKDROP = Path(__file__).parents[3] / "shared" / "data" / "deskdrop" / "users_interactions.csv.gz"


@pytest.fixture
def place(tmp_path):
    return Place(log=tmp_path / "data" / FILE, sites=("gazette",))


def clicks(folder: Path, rows: str) -> Path:
    path = folder / "clicks.csv"
    path.write_text("who,sitting,what,when\n" + rows, encoding="utf-8")
    return path


def scanned(place: Place) -> list[tuple[str, str, str]]:
    with SqliteLog(place.log) as log:
        return [(event.body.reader, event.body.visit, event.body.article) for _, event in log.scan()]


def test_clicks_become_reads_once(place, tmp_path):
    """Exact repeats in the file are as many events; the same file again, or one that overlaps, adds none of them."""
    path = clicks(tmp_path, "r1,v1,a,10\nr1,v1,a,10\nr2,v2,b,5\n")
    first = import_clicks(place, path, site="gazette", columns=COLUMNS)
    again = import_clicks(place, path, site="gazette", columns=COLUMNS)
    more = import_clicks(place, clicks(tmp_path, "r1,v1,a,10\nr3,v3,c,11\n"), site="gazette", columns=COLUMNS)
    assert [(each.accepted, each.duplicates) for each in (first, again, more)] == [(3, 0), (0, 3), (1, 1)]
    assert scanned(place) == [("r2", "v2", "b"), ("r1", "v1", "a"), ("r1", "v1", "a"), ("r3", "v3", "c")]
    assert not ledger_document(place, verify=True)["imbalances"]


def test_bad_rows_are_put_aside_once_with_their_line(place, tmp_path):
    """They are found in quarantine with file, line and cells; importing again does not pile them up."""
    path = clicks(tmp_path, "r1,v1,a,10\n,v1,b,11\nr1,v1,c,soon\n")
    first = import_clicks(place, path, site="gazette", columns=COLUMNS, unit="s")
    again = import_clicks(place, path, site="gazette", columns=COLUMNS, unit="s")
    found = quarantine_document(place)
    assert (first.accepted, first.quarantined, again.quarantined, len(again.bad_rows)) == (1, 2, 0, 2)
    assert [each["at"] for each in found["events"]] == ["clicks.csv:4", "clicks.csv:3"]
    assert json.loads(found["events"][0]["payload"])["when"] == "soon"
    assert not ledger_document(place, verify=True)["imbalances"]


def test_a_log_is_no_table_of_clicks(place):
    """Its reads would come in under other ids and count twice: refused, with what to do instead."""
    SqliteLog(place.log).close()
    with pytest.raises(InputError, match="is a log"):
        import_clicks(place, place.log, site="gazette", columns={})


def test_consent_is_what_one_says_it_was(place, tmp_path):
    """Without a word the readers had agreed to nothing."""
    path = clicks(tmp_path, "r1,v1,a,10\n")
    import_clicks(place, path, site="gazette", columns=COLUMNS)
    import_clicks(place, path, site="herald", columns=COLUMNS, consent="profiling")
    with SqliteLog(place.log) as log:
        assert [(event.site, event.consent) for _, event in log.scan()] == [
            ("gazette", "none"),
            ("herald", "profiling"),
        ]


def aside(place: Place, raw: object, *, site: str = "gazette") -> None:
    payload = raw if isinstance(raw, str) else json.dumps(raw)
    with SqliteLog(place.log) as log:
        log.append([], received_at=NOON, rejected=[Rejected(index=0, payload=payload, reason="Was bad.", site=site)])


GOOD = {"id": "1", "site": "gazette", "kind": "read", "at": "2026-03-01T12:00:00Z", "article": "a"}


def test_replay_accepts_what_is_now_good_and_keeps_the_rest(place):
    """Good again, also without its site; nonsense stays; a second replay finds nothing more to do."""
    without_site = {name: value for name, value in GOOD.items() if name != "site"} | {"id": "2"}
    for raw in (GOOD, without_site, {**GOOD, "id": "3", "kind": "sneeze"}, "{broken", "[" * 100_000):
        aside(place, raw)
    done, again = replay_log(place), replay_log(place)
    assert (len(done.accepted), done.still_quarantined) == (2, 3)
    assert (len(again.accepted), again.still_quarantined) == (0, 3)
    assert ledger_document(place, verify=True)["total"] == {
        "received": 5, "accepted": 2, "duplicates": 0, "quarantined": 3, "erased": 0, "refused": 0,
    }  # fmt: skip


def test_replay_is_no_back_door(place):
    """What a page may not send, or another site's event, does not come in because it was put aside first."""
    conversion = {"id": "9", "site": "gazette", "kind": "conversion", "at": "2026-03-01T12:00:00Z", "goal": "x"}
    aside(place, conversion)
    aside(place, {**GOOD, "site": "herald"})
    aside(place, {**GOOD, "site": "herald"}, site="herald")
    assert (replay_log(place).accepted, scanned_kinds(place)) == ((), [])
    assert len(replay_log(place, kinds={"conversion"}).accepted) == 1
    with pytest.raises(UnknownName, match="conversion"):
        replay_log(place, kinds={"conversions"})


def scanned_kinds(place: Place) -> list[str]:
    with SqliteLog(place.log) as log:
        return [event.kind for _, event in log.scan()]


def test_the_log_of_a_folder_is_found(tmp_path):
    """By `embellie.toml` (its data folder, its sites, what makes a read), or where the log itself lies; else one is told."""
    (tmp_path / "embellie.toml").write_text('data = "kept"\nread_seconds = 7\n[sites.gazette]\n')
    assert place_of(tmp_path) == Place(log=tmp_path / "kept" / FILE, sites=("gazette",), views=(visits_view(7.0),))
    SqliteLog(tmp_path / "kept" / FILE).close()
    assert place_of(tmp_path / "kept") == Place(log=tmp_path / "kept" / FILE)
    with pytest.raises(ConfigError, match="Neither"):
        place_of(tmp_path / "elsewhere")


def test_the_only_site_needs_no_name():
    """With one site it is that one; with several one must say; an unknown one is refused."""
    one, two = Place(log=Path("x"), sites=("gazette",)), Place(log=Path("x"), sites=("gazette", "herald"))
    assert (one.site(""), two.site("herald"), Place(log=Path("x")).site("any")) == ("gazette", "herald", "any")
    with pytest.raises(InputError, match="gazette, herald"):
        two.site("")
    with pytest.raises(UnknownName, match="gazette"):
        one.site("gazete")


def test_no_log_yet_is_said(place):
    """Asking about a log that does not exist creates none."""
    with pytest.raises(InputError, match="No log here yet"):
        ledger_document(place)
    assert not place.log.exists()


@pytest.mark.real_data
@pytest.mark.skipif(not DESKDROP.is_file(), reason="The set `deskdrop` is not in ../shared/data.")
def test_deskdrop_is_imported_whole_and_once(place):
    """All its 72,312 rows, exact repeats included, are events; a second import adds 0."""
    columns = {"reader": "personId", "visit": "sessionId", "article": "contentId", "at": "timestamp"}
    began = time.perf_counter()
    first = import_clicks(place, DESKDROP, site="deskdrop", columns=columns, unit="s")
    seconds = time.perf_counter() - began
    again = import_clicks(place, DESKDROP, site="deskdrop", columns=columns, unit="s")
    assert (first.accepted, first.duplicates, first.bad_rows) == (72_312, 0, ())
    assert (again.accepted, again.duplicates) == (0, 72_312)
    assert not ledger_document(place, verify=True)["imbalances"]
    assert seconds < 30
