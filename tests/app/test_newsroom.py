"""One installation: everything live is a fold over the log, and a change is live at once."""

import threading
import time

import pytest

from embellie.app.newsroom import Newsroom
from embellie.domain.errors import EmbellieError


def test_a_bad_event_is_set_aside_alone(newsroom, gazette):
    """The batch around it is kept, the reason names the field, the ledger balances."""
    good, bad = gazette.read("r1", "a0", 1), gazette.read("r1", "a0", 2) | {"engaged_seconds": "long"}
    receipt = newsroom.receive([good, bad], site="gazette", public=True).result()
    assert len(receipt.accepted) == 1
    assert receipt.quarantined[0].at == "$.events[1].engaged_seconds"
    rows = newsroom.ledger()
    assert all(row.received == row.accepted + row.duplicates + row.quarantined for row in rows)


def test_what_was_set_aside_on_a_site_is_listed_newest_first(folder, clock, gazette):
    """However much another site sets aside meanwhile."""
    file = folder / "embellie.toml"
    file.write_text(file.read_text() + '\n[sites.herald]\nname = "The Herald"\n')
    with Newsroom.open(folder, clock=clock) as newsroom:
        for number, site in enumerate(["gazette", "gazette", "herald", "herald"]):
            bad = gazette.read("r1", "a0", number) | {"site": site, "engaged_seconds": f"long-{number}"}
            newsroom.receive([bad], site=site, public=True).result()
        found = newsroom.quarantined("gazette", 2)
    assert ["long-1" in one.payload for one in found] == [True, False]
    assert {one.site for one in found} == {"gazette"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda newsroom: newsroom.start("gazette", "article-botom", "x"), "Did you mean `article-bottom`"),
        (lambda newsroom: newsroom.start("gazette", "article-bottom", "x"), "Unknown release"),
        (lambda newsroom: newsroom.build("gazette", "popularr", {}), "Did you mean `popular`"),
        (lambda newsroom: newsroom.scorecard("first-ligt"), "Did you mean `first-light`"),
        (lambda newsroom: newsroom.articles("gazete"), "Did you mean `gazette`"),
        (lambda newsroom: newsroom.advance("gazette", "none"), "None is defined yet"),
    ],
)
def test_an_unknown_name_is_answered_with_those_that_exist(newsroom, call, message):
    """Each lookup teaches."""
    with pytest.raises(EmbellieError, match=message):
        call(newsroom)


def test_opening_again_gives_the_same_state(folder, clock, gazette):
    """Restart: the same slates, the same scorecard, the same releases, and nobody is exposed twice."""
    first = Newsroom.open(folder, clock=clock)
    gazette.publish(first)
    gazette.simulate(first, readers=100)
    before = [first.slate(gazette.request(f"r{number}")).items for number in range(100)]
    card, releases = first.scorecard("first-light"), first.releases("gazette")
    first.close()
    second = Newsroom.open(folder, clock=clock)
    after = [second.slate(gazette.request(f"r{number}")).items for number in range(100)]
    assert before == after
    assert (card, releases) == (second.scorecard("first-light"), second.releases("gazette"))
    second.close()


def test_what_cannot_be_opened_is_let_go(folder, clock):
    """A policy that does not exist: nothing holds the log's file."""
    file = folder / "embellie.toml"
    policies = {"status_quo": "status_quo", "heuristic": "latestt"}
    file.write_text(
        file.read_text() + "".join(f'[scenarios.{name}]\npolicy = "{policies[name]}"\n' for name in policies)
    )
    before = threading.enumerate()
    with pytest.raises(EmbellieError, match="Did you mean `latest`"):
        Newsroom.open(folder, clock=clock)
    assert [one.name for one in threading.enumerate() if one not in before] == []


def test_opening_again_leaves_the_log_as_it_was(folder, clock):
    """A command that only looks adds nothing to the ledger."""
    with Newsroom.open(folder, clock=clock) as first:
        before = first.ledger()
    with Newsroom.open(folder, clock=clock) as second:
        assert second.ledger() == before


def test_a_change_made_by_another_process_is_live_in_under_a_second(folder, clock, gazette):
    """The command line changes a running server through the log."""
    running = Newsroom.open(folder, clock=clock)
    gazette.publish(running)
    clock.wait(seconds=1)
    other = Newsroom.open(folder, clock=clock)
    release = other.build("gazette", "latest", {})
    rollout = other.start("gazette", "article-bottom", release.release, steps=[1.0])
    started = time.monotonic()
    while running.slate(gazette.request("r1")).policy != "latest" and time.monotonic() - started < 5:
        time.sleep(0.01)
    assert time.monotonic() - started < 1
    other.rollback("gazette", rollout.rollout)
    started = time.monotonic()
    while running.slate(gazette.request("r1")).policy != "status_quo" and time.monotonic() - started < 5:
        time.sleep(0.01)
    assert time.monotonic() - started < 1
    other.close()
    running.close()
