"""One installation: everything live is a fold over the log, and a change is live at once."""

import time
from datetime import timedelta

import pytest

from embellie.app.newsroom import Newsroom
from embellie.domain.article import Article
from embellie.domain.errors import Conflict, EmbellieError, EngineError
from embellie.domain.event import new_id
from embellie.domain.rule import Rule
from embellie.domain.slate import SlateRequest


@pytest.fixture
def newsroom(folder, clock):
    opened = Newsroom.open(folder, clock=clock)
    yield opened
    opened.close()


def articles(clock, count=12):
    return [
        Article(
            article=f"a{number}",
            title=f"Article {number}",
            url=f"https://gazette.example/a{number}",
            section="sport" if number % 2 else "culture",
            language="en",
            published_at=clock() - timedelta(hours=number),
        )
        for number in range(count)
    ]


def request(clock, reader, *, article="a0", consent="profiling", site="gazette"):
    return SlateRequest(
        site=site,
        placement="article-bottom",
        n=3,
        now=clock(),
        article=article,
        reader=reader,
        visit=f"v-{reader}",
        consent=consent,
    )


def read(clock, reader, article, number=0, *, site="gazette"):
    return {
        "id": new_id(clock(), site[:1].encode() + number.to_bytes(9, "big")),
        "site": site,
        "kind": "read",
        "at": clock().isoformat(),
        "consent": "profiling",
        "article": article,
        "reader": reader,
        "visit": f"v-{reader}",
        "engaged_seconds": 30.0,
    }


def simulate(newsroom, clock, *, readers=400, site="gazette"):
    """Every reader reads one article; those shown a slate read one more in every second visit."""
    raw = []
    for number in range(readers):
        reader = f"r{number}"
        slate = newsroom.slate(request(clock, reader, site=site))
        raw.append(read(clock, reader, "a0", 2 * number, site=site))
        if slate.items and number % 2:
            raw.append(read(clock, reader, slate.items[0].article, 2 * number + 1, site=site))
    for start in range(0, len(raw), 500):
        assert not newsroom.receive(raw[start : start + 500], site=site, public=True).result().quarantined


def test_half_the_readers_see_a_slate_and_all_are_exposed(newsroom, clock):
    """The control sees nothing, the heuristic a full slate; both are in the log."""
    newsroom.publish("gazette", articles(clock)).result()
    slates = [newsroom.slate(request(clock, f"r{number}")) for number in range(200)]
    by_variant = {variant: [s for s in slates if s.variant == variant] for variant in ("status_quo", "heuristic")}
    assert all(not slate.items for slate in by_variant["status_quo"])
    assert all(len(slate.items) == 3 for slate in by_variant["heuristic"])
    assert 60 < len(by_variant["heuristic"]) < 140
    newsroom.file("gazette", Rule(rule="r", action="ban", article="a1"))
    assert newsroom.counts("gazette")["exposure"] == 200
    assert newsroom.counts("gazette")["served"] == 200


def test_a_reader_is_exposed_once(newsroom, clock):
    """Ten slates of one reader, one exposure."""
    for _ in range(10):
        newsroom.slate(request(clock, "r1"))
    newsroom.publish("gazette", articles(clock)).result()
    assert newsroom.counts("gazette")["exposure"] == 1


def test_a_bad_event_is_set_aside_alone(newsroom, clock):
    """The batch around it is kept, the reason names the field, the ledger balances."""
    good, bad = read(clock, "r1", "a0", 1), read(clock, "r1", "a0", 2) | {"engaged_seconds": "long"}
    receipt = newsroom.receive([good, bad], site="gazette", public=True).result()
    assert len(receipt.accepted) == 1
    assert receipt.quarantined[0].at == "$.events[1].engaged_seconds"
    rows = newsroom.ledger()
    assert all(row.received == row.accepted + row.duplicates + row.quarantined for row in rows)


def test_publishing_again_changes_nothing_and_a_change_back_is_a_change(newsroom, clock):
    """The catalogue is idempotent, and follows an article that returns to an earlier title."""
    one, *_ = articles(clock)
    other = Article(article=one.article, title="Another title", published_at=one.published_at)
    counts = [len(newsroom.publish("gazette", [which]).result().accepted) for which in (one, one, other, one)]
    assert counts == [1, 0, 1, 1]
    assert newsroom.article("gazette", "a0").title == one.title


def test_a_preview_leaves_no_trace(newsroom, clock):
    """An editor sees what a scenario would show; the log does not change."""
    newsroom.publish("gazette", articles(clock)).result()
    before = newsroom.log.last()
    assert len(newsroom.preview(request(clock, "r1"), "heuristic")) == 3
    assert newsroom.preview(request(clock, "r1"), "status_quo") == []
    assert newsroom.log.last() == before


def test_the_effect_is_found_and_becomes_evidence(newsroom, clock):
    """Frame to verdict: readers shown a slate read half an article more, and the verdict knows."""
    newsroom.publish("gazette", articles(clock)).result()
    simulate(newsroom, clock)
    effect = next(one for one in newsroom.scorecard("first-light").effects if one.metric == "articles_per_visit")
    assert effect.relative.low < 0.5 < effect.relative.high
    (evidence,) = newsroom.evidence()
    assert (evidence.measures, evidence.source) == ("interest", "first-light")
    assert newsroom.verdict().verdict == "ship"


def test_what_happens_after_an_experiment_is_not_its_doing(newsroom, clock):
    """Once stopped, an experiment's scorecard stands: what its readers do under what follows does not count."""
    newsroom.publish("gazette", articles(clock)).result()
    simulate(newsroom, clock)
    newsroom.stop("gazette", "first-light", reason="Enough.")
    settled = newsroom.scorecard("first-light")
    clock.wait(hours=48)
    late = [read(clock, f"r{number}", "a1", number=90_000 + number) for number in range(200)]
    newsroom.receive(late, site="gazette", public=True).result()
    time.sleep(2.1)
    assert newsroom.scorecard("first-light") == settled
    assert newsroom.scorecard_history("first-light")[-1][0] < clock()


def test_a_rollout_takes_over_from_the_experiment_and_goes_back_at_once(newsroom, clock):
    """Start files the evidence and stops the experiment; rollback gives everyone the status quo."""
    newsroom.publish("gazette", articles(clock)).result()
    simulate(newsroom, clock)
    release = newsroom.build("gazette", "popular", {})
    rollout = newsroom.start("gazette", "article-bottom", release.release, steps=[0.5, 1.0], by="ana")
    assert newsroom.experiments("gazette")[0].state == "stopped"
    assert [one.source for one in newsroom.evidence()] == ["first-light"]
    variants = {newsroom.slate(request(clock, f"r{number}")).variant for number in range(40)}
    assert variants == {"canary", "stable"}
    newsroom.complete("gazette", rollout.rollout, by="ana")
    assert newsroom.slate(request(clock, "r1")).policy == "popular"
    newsroom.rollback("gazette", rollout.rollout, by="ana", reason="The editors do not like it.")
    assert newsroom.slate(request(clock, "r1")).policy == "status_quo"
    assert [event.kind for event in newsroom.rollout_history("gazette")][-3:] == ["rollout"] * 3


def test_what_one_site_has_filed_says_nothing_of_anothers_experiment(folder, clock):
    """Two sites run an experiment of the same name: when the first one's ends, the second one's is still evidence."""
    file = folder / "embellie.toml"
    file.write_text(file.read_text() + "\n[sites.herald.placements.article-bottom]\nslots = 3\n")
    with Newsroom.open(folder, clock=clock) as newsroom:
        for site in ("gazette", "herald"):
            newsroom.publish(site, articles(clock)).result()
            simulate(newsroom, clock, site=site)
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


def test_a_rollout_can_start_while_the_question_cannot_be_read(newsroom, folder):
    """A wrong question.toml never stands in the way of a release."""
    (folder / "question.toml").write_text("horizn = 1", encoding="utf-8")
    release = newsroom.build("gazette", "popular", {})
    assert newsroom.start("gazette", "article-bottom", release.release).state == "running"
    assert newsroom.experiments("gazette")[0].state == "stopped"


def test_building_the_same_twice_is_one_release(newsroom):
    """The second time the history gains nothing."""
    first = newsroom.build("gazette", "popular", {"half_life": 6.0})
    before = len(newsroom.rollout_history("gazette"))
    assert newsroom.build("gazette", "popular", {"half_life": 6.0}) == first
    assert len(newsroom.rollout_history("gazette")) == before


def test_two_rollouts_of_one_placement_are_refused(newsroom, clock):
    """The error names the open one."""
    first, second = newsroom.build("gazette", "popular", {}), newsroom.build("gazette", "latest", {})
    newsroom.start("gazette", "article-bottom", first.release)
    with pytest.raises(Conflict, match="article-bottom-1"):
        newsroom.start("gazette", "article-bottom", second.release)


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


def test_opening_again_gives_the_same_state(folder, clock):
    """Restart: the same slates, the same scorecard, the same releases, and nobody is exposed twice."""
    first = Newsroom.open(folder, clock=clock)
    first.publish("gazette", articles(clock)).result()
    simulate(first, clock, readers=100)
    before = [first.slate(request(clock, f"r{number}")).items for number in range(100)]
    card, releases = first.scorecard("first-light"), first.releases("gazette")
    first.close()
    second = Newsroom.open(folder, clock=clock)
    after = [second.slate(request(clock, f"r{number}")).items for number in range(100)]
    assert before == after
    assert (card, releases) == (second.scorecard("first-light"), second.releases("gazette"))
    second.close()


def test_a_change_made_by_another_process_is_live_in_under_a_second(folder, clock):
    """The command line changes a running server through the log."""
    running = Newsroom.open(folder, clock=clock)
    running.publish("gazette", articles(clock)).result()
    clock.wait(seconds=1)
    other = Newsroom.open(folder, clock=clock)
    release = other.build("gazette", "latest", {})
    rollout = other.start("gazette", "article-bottom", release.release, steps=[1.0])
    started = time.monotonic()
    while running.slate(request(clock, "r1")).policy != "latest" and time.monotonic() - started < 5:
        time.sleep(0.01)
    assert time.monotonic() - started < 1
    other.rollback("gazette", rollout.rollout)
    started = time.monotonic()
    while running.slate(request(clock, "r1")).policy != "status_quo" and time.monotonic() - started < 5:
        time.sleep(0.01)
    assert time.monotonic() - started < 1
    other.close()
    running.close()


def test_the_verdicts_history_keeps_how_it_came_about(newsroom, clock):
    """The burn-down starts before the evidence and ends with what is known now."""
    newsroom.publish("gazette", articles(clock)).result()
    for _ in range(3):
        clock.wait(hours=1)
        simulate(newsroom, clock, readers=300)
    history = newsroom.verdict_history()
    assert history[0][1].evpi.value > history[-1][1].evpi.value
    assert [at for at, _ in history] == sorted(at for at, _ in history)


def test_nobody_waits_for_a_long_history(newsroom, clock, monkeypatch):
    """What there is no time for is left out, then filled in; what is known already is always there."""
    newsroom.publish("gazette", articles(clock)).result()
    clock.wait(hours=5)
    simulate(newsroom, clock, readers=300)
    monkeypatch.setattr("embellie.app.observing.HISTORY_SECONDS", 0.0)
    assert len(newsroom.verdict_history()) == 1
    monkeypatch.setattr("embellie.app.observing.HISTORY_SECONDS", 60.0)
    whole = [at for at, _ in newsroom.verdict_history()]
    assert len(whole) == 7
    monkeypatch.setattr("embellie.app.observing.HISTORY_SECONDS", 0.0)
    assert [at for at, _ in newsroom.verdict_history()] == whole


def test_some_readers_are_held_out_for_good(folder, clock):
    """The configuration holds a fifth of the readers out; both sides are compared, and an experiment runs beside."""
    file = folder / "embellie.toml"
    file.write_text(file.read_text() + "\n[holdout]\nshare = 0.2\n")
    with Newsroom.open(folder, clock=clock) as newsroom:
        newsroom.publish("gazette", articles(clock)).result()
        slates = [newsroom.slate(request(clock, f"r{number}")) for number in range(300)]
        held = [one for one in slates if one.variant == "held_out"]
        assert 35 < len(held) < 85
        assert all(not one.items for one in held)
        newsroom.file("gazette", Rule(rule="r", action="ban", article="a1"))  # what was queued is in the log now
        units = newsroom.scorecard("holdout").units
        assert units == {"held_out": len(held), "everyone": 300 - len(held)}
        assert [one.experiment for one in newsroom.experiments("gazette")][-1] == "holdout"


def test_an_engine_that_is_down_keeps_no_reader_waiting(folder, clock):
    """Slates are served; only who asks for a scorecard is told that the engine named in the configuration fails."""
    file = folder / "embellie.toml"
    file.write_text(file.read_text() + '\n[analysis]\nengine = "postgresql://nobody@127.0.0.1:1/none"\n')
    with Newsroom.open(folder, clock=clock) as newsroom:
        newsroom.publish("gazette", articles(clock)).result()
        assert newsroom.slate(request(clock, "r1")).slate_id
        with pytest.raises(EngineError):
            newsroom.scorecard("first-light")


@pytest.mark.parametrize(("threads", "expected"), [(1, 1), (3, 3)])
def test_scorecards_are_bounded_in_memory_and_threads(folder, clock, threads, expected):
    """One thread where readers wait for slates; 1.5 GiB, and what does not fit waits in the data folder until it closes."""
    with Newsroom.open(folder, clock=clock, threads=threads) as opened:
        (row,) = opened.analysis.rows(
            "SELECT current_setting('threads') AS threads, current_setting('memory_limit') AS memory,"
            " current_setting('temp_directory') AS spill"
        )
    assert (row["threads"], row["memory"]) == (expected, "1.5 GiB")
    assert row["spill"].startswith(f"{opened.data}/.spill-")
    assert not list(opened.data.glob(".spill-*"))
