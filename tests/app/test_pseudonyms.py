"""The word that a page sends for a reader reaches no file; the one that is kept is always the same, until it is rotated."""

import threading
from datetime import UTC, datetime

import pytest

from embellie.app.erasing import erase_reader
from embellie.app.log_keeping import place_of
from embellie.app.newsroom import Newsroom
from embellie.app.pseudonyms import FILE, Pseudonyms, require_no_experiment
from embellie.app.reader_data import reader_document
from embellie.domain.errors import Conflict, InputError
from embellie.domain.slate import SlateRequest
from embellie.store.leftovers import find_leftovers

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CUSTOMER = "customer-4711"


@pytest.fixture
def project(tmp_path):
    (tmp_path / "embellie.toml").write_text(
        'data = "data"\n[sites.gazette]\npseudonyms = "salted"\n[sites.herald]\n[experiments.first-light]\n'
    )
    return tmp_path


def opened(project):
    return Newsroom.open(project, clock=lambda: NOW)


def read(number: int, *, site: str = "gazette", **more) -> dict:
    return {
        "id": f"e{number}", "site": site, "kind": "read", "at": NOW.isoformat(), "article": "a1", "reader": CUSTOMER,
        "visit": "v1", "consent": "profiling", **more,
    }  # fmt: skip


def visit(newsroom: Newsroom) -> None:
    request = SlateRequest(
        site="gazette", placement="article-bottom", n=2, now=NOW, reader=CUSTOMER, visit="v1", consent="measurement"
    )
    newsroom.slate(request)
    raw = [read(1), read(2, engaged_seconds="long"), {"kind": "consent", **{key: read(3)[key] for key in ("id", "at")}}]
    raw[2] |= {"site": "gazette", "reader": CUSTOMER, "state": "profiling"}
    newsroom.receive(raw, site="gazette", public=True).result()


def test_the_pages_word_is_in_no_file(project):
    """Slate, exposure, events, what is put aside: all under one other word."""
    with opened(project) as newsroom:
        visit(newsroom)
        kept = set(newsroom.log.readers("gazette"))
        kinds = {event.kind for _, event in newsroom.log.scan()}
    assert find_leftovers(project / "data", [CUSTOMER]) == []
    assert len(kept) == 1
    assert {"served", "exposure", "read", "consent"} <= kinds
    assert (project / "data" / FILE).stat().st_mode & 0o077 == 0


def test_it_is_the_same_word_after_a_restart_and_another_on_another_site(project):
    """One reader stays one reader; a site that keeps words keeps them."""
    first = Pseudonyms(project / FILE, salted=["gazette", "other"], now=NOW)
    again = Pseudonyms(project / FILE, salted=["gazette", "other"], now=NOW)
    assert first.of("gazette", CUSTOMER) == again.of("gazette", CUSTOMER) != CUSTOMER
    assert first.of("gazette", CUSTOMER) != first.of("other", CUSTOMER)
    assert (first.of("herald", CUSTOMER), first.of("gazette", "")) == (CUSTOMER, "")


def test_export_and_erasure_take_the_pages_word(project):
    """Nobody needs to know the other one."""
    with opened(project) as newsroom:
        visit(newsroom)
    place = place_of(project)
    document = reader_document(place, CUSTOMER, now=NOW)
    assert {one["kind"] for one in document["events"]} == {"served", "exposure", "read", "consent"}
    assert len(document["put_aside"]) == 1
    report = erase_reader(place, CUSTOMER, now=NOW)
    assert report.gone
    assert sum(one.before.log for one in report.sites) == 4
    assert reader_document(place, CUSTOMER, now=NOW)["events"] == []


def test_a_rotation_makes_everybody_new_at_once(project):
    """In a process that runs, too; the former salt is gone from the file."""
    running = Pseudonyms(project / FILE, salted=["gazette"], now=NOW)
    before, file = running.of("gazette", CUSTOMER), (project / FILE).read_text()
    Pseudonyms(project / FILE, salted=["gazette"], now=NOW).rotate("gazette", now=NOW)
    assert running.of("gazette", CUSTOMER) != before
    assert not set(file.split('"salt": "')[1:][0].split('"')[:1]) & set((project / FILE).read_text().split('"'))
    with pytest.raises(InputError, match="pseudonyms"):
        running.rotate("herald", now=NOW)


def test_nothing_is_rotated_while_an_experiment_runs(project):
    """Its readers would be counted twice; on another site it may."""
    with opened(project) as newsroom:
        with pytest.raises(Conflict, match="first-light"):
            require_no_experiment(newsroom.log, "gazette")
        newsroom.stop("gazette", "first-light", reason="over")
        require_no_experiment(newsroom.log, "gazette")


def test_two_that_open_the_same_folder_first_make_one_salt(tmp_path):
    """Workers that start at once: a reader has one word, whichever of them answers."""
    words = []

    def start():
        words.append(Pseudonyms(tmp_path / FILE, salted=["gazette"], now=NOW).of("gazette", CUSTOMER))

    starting = [threading.Thread(target=start) for _ in range(6)]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    assert len(set(words)) == 1
