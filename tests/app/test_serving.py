"""A reader is answered with what is live, and the log knows what they were shown."""

import contextlib
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace

import pytest

from embellie.app.health import health_of
from embellie.app.newsroom import Newsroom
from embellie.domain.errors import Busy, EngineError, InputError
from embellie.domain.rule import Rule
from embellie.recommend.built_in import POLICIES
from embellie.recommend.policies import Popular
from embellie.serve.breaking import PATIENCE


def test_half_the_readers_see_a_slate_and_all_are_exposed(newsroom, gazette):
    """The control sees nothing, the heuristic a full slate; both are in the log."""
    gazette.publish(newsroom)
    slates = [newsroom.slate(gazette.request(f"r{number}")) for number in range(200)]
    by_variant = {variant: [s for s in slates if s.variant == variant] for variant in ("status_quo", "heuristic")}
    assert all(not slate.items for slate in by_variant["status_quo"])
    assert all(len(slate.items) == 3 for slate in by_variant["heuristic"])
    assert 60 < len(by_variant["heuristic"]) < 140
    newsroom.file("gazette", Rule(rule="r", action="ban", article="a1"))
    assert newsroom.counts("gazette")["exposure"] == 200
    assert newsroom.counts("gazette")["served"] == 200


def test_a_reader_is_exposed_once(newsroom, gazette):
    """Ten slates of one reader, one exposure."""
    for _ in range(10):
        newsroom.slate(gazette.request("r1"))
    gazette.publish(newsroom)
    assert newsroom.counts("gazette")["exposure"] == 1


def refuses(*_, **__):
    raise Busy("The log has too many events waiting to be written.", hint="Retry after 1 second.")


def fails(*_, **__):
    failed = Future()
    failed.set_exception(InputError("The disk is full.", hint="Make room."))
    return failed


@pytest.mark.parametrize("submit", [refuses, fails])
def test_an_exposure_that_never_reached_the_log_is_told_again(newsroom, gazette, monkeypatch, submit):
    """The log is busy, or its disk full, at a reader's first slate: with the next one they take part."""
    with monkeypatch.context() as at_first, contextlib.suppress(Busy):
        at_first.setattr(newsroom.log, "submit", submit)
        newsroom.slate(gazette.request("r1"))
    newsroom.slate(gazette.request("r1"))
    gazette.publish(newsroom)
    assert newsroom.counts("gazette")["exposure"] == 1


def test_a_preview_leaves_no_trace(newsroom, gazette):
    """An editor sees what a scenario would show; the log does not change."""
    gazette.publish(newsroom)
    before = newsroom.log.last()
    assert len(newsroom.preview(gazette.request("r1"), "heuristic")) == 3
    assert newsroom.preview(gazette.request("r1"), "status_quo") == []
    assert newsroom.log.last() == before


def test_some_readers_are_held_out_for_good(folder, clock, gazette):
    """The configuration holds a fifth of the readers out; both sides are compared, and an experiment runs beside."""
    file = folder / "embellie.toml"
    file.write_text(file.read_text() + "\n[holdout]\nshare = 0.2\n")
    with Newsroom.open(folder, clock=clock) as newsroom:
        gazette.publish(newsroom)
        slates = [newsroom.slate(gazette.request(f"r{number}")) for number in range(300)]
        held = [one for one in slates if one.variant == "held_out"]
        assert 35 < len(held) < 85
        assert all(not one.items for one in held)
        newsroom.file("gazette", Rule(rule="r", action="ban", article="a1"))  # what was queued is in the log now
        units = newsroom.scorecard("holdout").units
        assert units == {"held_out": len(held), "everyone": 300 - len(held)}
        assert [one.experiment for one in newsroom.experiments("gazette")][-1] == "holdout"


@pytest.mark.usefixtures("engine_down")
def test_an_engine_that_is_down_keeps_no_reader_waiting(newsroom, gazette):
    """Slates are served; only who asks for a scorecard is told that the engine named in the configuration fails."""
    gazette.publish(newsroom)
    assert newsroom.slate(gazette.request("r1")).slate_id
    with pytest.raises(EngineError):
        newsroom.scorecard("first-light")


def test_a_site_without_profiling_profiles_nobody(folder, clock, gazette):
    """`profiling = false`: readers who agreed to profiling get slates, and leave events, as without; the log says so."""
    config = folder / "embellie.toml"
    config.write_text(config.read_text().replace('languages = ["en"]', 'languages = ["en"]\nprofiling = false'))
    with Newsroom.open(folder, clock=clock) as newsroom:
        gazette.publish(newsroom)
        read = {"id": "01890a5d-ac96-774b-bcce-b302099a8057", "site": "gazette", "kind": "read", "at": "2026-03-02T08:00:00Z",
                "consent": "profiling", "article": "a1", "reader": "r1", "visit": "v0", "engaged_seconds": 30}  # fmt: skip
        newsroom.receive([read], site="gazette", public=True).result()
        asked = replace(gazette.request("r1"), consent="profiling", visit="v1")
        shown = [item.article for item in newsroom.preview(asked, "heuristic")]
        assert shown == [item.article for item in newsroom.preview(replace(asked, reader="r2"), "heuristic")]
        newsroom.slate(asked)
        gazette.publish(newsroom)
        kept = [event.consent for _, event in newsroom.log.scan(kinds=("read", "served"))]
        assert kept == ["measurement", "measurement"]


@dataclass(frozen=True)
class Unwell(Popular):
    """A policy that sleeps, or raises."""

    name = "unwell"

    how: str = "sleeps"

    def __call__(self, request, view):
        if self.how == "raises":
            raise ZeroDivisionError
        time.sleep(0.02)
        return super().__call__(request, view)


@pytest.mark.parametrize("how", ["sleeps", "raises"])
def test_a_policy_that_sleeps_or_raises_soon_rests_and_readers_are_served(folder, gazette, monkeypatch, how):
    """Three slates feel it, the others do not: something stands in, nobody is compared, and the operator is told."""
    monkeypatch.setitem(POLICIES, "unwell", Unwell)
    config = (folder / "embellie.toml").read_text().replace("slots = 3", "slots = 3\nbudget_ms = 10")
    (folder / "embellie.toml").write_text(
        f'''{config}
[scenarios.status_quo]
policy = "status_quo"
[scenarios.heuristic]
policy = "unwell"
settings = {{ how = "{how}" }}
'''
    )
    with Newsroom.open(folder, clock=gazette.clock) as newsroom:
        gazette.publish(newsroom)
        slates = [newsroom.slate(gazette.request(f"r{number}")) for number in range(100)]
        concerns = [one.code for one in health_of(newsroom).concerns]
    stood_in = [slate for slate in slates if slate.fallback]
    felt = [slate for slate in slates if slate.policy == "unwell"]
    assert len(felt) == (PATIENCE if how == "sleeps" else 0)
    assert {(slate.fallback, slate.experiment, slate.policy) for slate in stood_in} == {("stable", "", "status_quo")}
    assert len(stood_in) > 30
    assert "policy_resting" in concerns
