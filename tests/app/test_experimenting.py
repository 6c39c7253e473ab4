"""An experiment stands as the log tells it, until it is over; what it found stays."""

import time
from datetime import timedelta

import pytest

from embellie.app.newsroom import Newsroom


def test_the_effect_is_found_and_becomes_evidence(newsroom, gazette):
    """Frame to verdict: readers shown a slate read half an article more, and the verdict knows."""
    gazette.publish(newsroom)
    gazette.simulate(newsroom)
    effect = next(one for one in newsroom.scorecard("first-light").effects if one.metric == "articles_per_visit")
    assert effect.relative.low < 0.5 < effect.relative.high
    (evidence,) = newsroom.evidence()
    assert (evidence.measures, evidence.source) == ("interest", "first-light")
    assert newsroom.verdict().verdict == "ship"


def test_what_happens_after_an_experiment_is_not_its_doing(newsroom, clock, gazette):
    """Once stopped, an experiment's scorecard stands: what its readers do under what follows does not count."""
    gazette.publish(newsroom)
    gazette.simulate(newsroom)
    newsroom.stop("gazette", "first-light", reason="Enough.")
    settled = newsroom.scorecard("first-light")
    clock.wait(hours=48)
    late = [gazette.read(f"r{number}", "a1", number=90_000 + number) for number in range(200)]
    newsroom.receive(late, site="gazette", public=True).result()
    time.sleep(2.1)
    assert newsroom.scorecard("first-light") == settled
    assert newsroom.scorecard_history("first-light")[-1][0] < clock()


def test_each_step_of_a_rollout_is_found_as_an_experiment(newsroom):
    """By its own name, beside what was declared, which comes last once it has stopped."""
    release = newsroom.build("gazette", "popular", {})
    rollout = newsroom.start("gazette", "article-bottom", release.release, steps=[0.5, 1.0])
    site, step = newsroom.placed(f"{rollout.rollout}/step-1")
    assert (site, step.control, step.state) == ("gazette", "stable", "running")
    assert [(one.experiment, one.state) for one in newsroom.experiments("gazette")] == [("first-light", "stopped")]


def test_what_one_site_has_filed_says_nothing_of_anothers_experiment(folder, clock, gazette, monkeypatch):
    """Two sites run an experiment of the same name: when the first one's ends, the second one's is still evidence."""
    monkeypatch.setattr("embellie.app.observing.HISTORY_SECONDS", 60.0)
    file = folder / "embellie.toml"
    file.write_text(file.read_text() + "\n[sites.herald.placements.article-bottom]\nslots = 3\n")
    with Newsroom.open(folder, clock=clock) as newsroom:
        for site in ("gazette", "herald"):
            gazette.publish(newsroom, site=site)
            gazette.simulate(newsroom, site=site)
        clock.wait(hours=2)
        both = newsroom.evidence()
        newsroom.stop("gazette", "first-light", reason="Enough.")
        clock.wait(hours=2)
    with Newsroom.open(folder, clock=clock) as newsroom:
        filed, running = newsroom.evidence()
        assert [one.source for one in (filed, running)] == [one.source for one in both] == ["first-light"] * 2
        assert (filed.at, running.at) == (clock() - timedelta(hours=2), clock())
        assert running.estimate == both[1].estimate
        before, now = (verdict.unknowns[0].posterior for _, verdict in newsroom.verdict_history()[-2:])
        assert before.p95 - before.p05 == pytest.approx(now.p95 - now.p05, rel=0.05)
        newsroom.stop("herald", "first-light", reason="Enough.")
        assert {one.at for one in newsroom.evidence()} == {filed.at, clock()}
        assert len(newsroom.evidence()) == 2
