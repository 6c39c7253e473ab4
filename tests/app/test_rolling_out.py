"""What readers are shown changes step by step, and goes back at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from embellie.app.releasing import pass_gates
from embellie.domain.errors import Conflict


def test_a_rollout_takes_over_from_the_experiment_and_goes_back_at_once(newsroom, gazette):
    """Start files the evidence and stops the experiment; rollback gives everyone the status quo."""
    gazette.publish(newsroom)
    gazette.simulate(newsroom)
    release = newsroom.build("gazette", "popular", {})
    rollout = newsroom.start("gazette", "article-bottom", release.release, steps=[0.5, 1.0], by="ana")
    assert newsroom.experiments("gazette")[0].state == "stopped"
    assert [one.source for one in newsroom.evidence()] == ["first-light"]
    variants = {newsroom.slate(gazette.request(f"r{number}")).variant for number in range(40)}
    assert variants == {"canary", "stable"}
    newsroom.complete("gazette", rollout.rollout, by="ana")
    assert newsroom.slate(gazette.request("r1")).policy == "popular"
    newsroom.rollback("gazette", rollout.rollout, by="ana", reason="The editors do not like it.")
    assert newsroom.slate(gazette.request("r1")).policy == "status_quo"
    assert [event.kind for event in newsroom.rollout_history("gazette")][-3:] == ["rollout"] * 3


def test_a_rollout_can_start_while_the_question_cannot_be_read(newsroom, folder):
    """A wrong question.toml never stands in the way of a release."""
    (folder / "question.toml").write_text("horizn = 1", encoding="utf-8")
    release = newsroom.build("gazette", "popular", {})
    assert newsroom.start("gazette", "article-bottom", release.release).state == "running"
    assert newsroom.experiments("gazette")[0].state == "stopped"


@pytest.mark.usefixtures("engine_down")
def test_a_rollout_can_start_while_the_engine_is_down(newsroom):
    """What the experiment found can be computed when the engine is back."""
    release = newsroom.build("gazette", "popular", {})
    assert newsroom.start("gazette", "article-bottom", release.release).state == "running"
    assert newsroom.experiments("gazette")[0].state == "stopped"


def test_building_the_same_twice_is_one_release(newsroom):
    """The second time the history gains nothing."""
    first = newsroom.build("gazette", "popular", {"half_life": 6.0})
    before = len(newsroom.rollout_history("gazette"))
    assert newsroom.build("gazette", "popular", {"half_life": 6.0}) == first
    assert len(newsroom.rollout_history("gazette")) == before


def test_two_rollouts_of_one_placement_are_refused(newsroom):
    """The error names the open one."""
    first, second = newsroom.build("gazette", "popular", {}), newsroom.build("gazette", "latest", {})
    newsroom.start("gazette", "article-bottom", first.release)
    with pytest.raises(Conflict, match="article-bottom-1"):
        newsroom.start("gazette", "article-bottom", second.release)


def test_who_asks_twice_starts_once(newsroom, gazette):
    """Two clicks on one button: one rollout, and what the experiment found is evidence once."""
    gazette.publish(newsroom)
    gazette.simulate(newsroom)
    release = newsroom.build("gazette", "popular", {}).release
    with ThreadPoolExecutor() as clicks:
        asked = [clicks.submit(newsroom.start, "gazette", "article-bottom", release) for _ in range(2)]
    assert sorted(isinstance(one.exception(), Conflict) for one in asked) == [False, True]
    assert len(newsroom.evidence()) == 1


def test_a_gate_undoes_nothing_that_was_done_while_it_looked(newsroom, monkeypatch):
    """It reckons for seconds; who rolls back meanwhile has rolled back."""
    release = newsroom.build("gazette", "popular", {})
    rollout = newsroom.start("gazette", "article-bottom", release.release, steps=[0.5, 1.0])
    scorecard = newsroom.scorecard

    def reckon(*asked, **more):
        newsroom.rollback("gazette", rollout.rollout, by="ana")
        return scorecard(*asked, **more)

    monkeypatch.setattr(newsroom, "scorecard", reckon)
    assert pass_gates(newsroom, "gazette", metric="articles_per_visit", margin=0.0) == []
    (now,) = newsroom.rollouts("gazette")
    assert (now.state, now.by) == ("rolled_back", "ana")
