"""Evaluation: in order of time, without a leak, ranked exactly as slates are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.domain.article import Article
from embellie.domain.errors import InputError
from embellie.domain.moment import micros, moment
from embellie.domain.reading import Read
from embellie.domain.slate import Recommended
from embellie.domain.unavailable import Unavailable
from embellie.recommend.built_in import build_policy
from embellie.recommend.evaluation import clustered_mean, evaluate
from embellie.recommend.replaying import (
    SITE,
    ClickLog,
    Protocol,
    Replay,
    choose_targets,
    events_of,
    rank,
    targets_of,
)
from embellie.recommend.state import State

HOUR = 3_600_000_000
START = 400_000 * HOUR
SHOWING = ["latest", "popular", "same_section", "affinity"]


def still():
    """A clock that stands."""
    return 0.0


def log_of(*clicks, catalogue=None):
    """Build a log of (reader, visit, article, minutes after the start)."""
    readers, visits, articles, at = zip(*clicks, strict=True)
    return ClickLog(
        readers=readers,
        visits=visits,
        articles=articles,
        at=np.array([START + round(m * 60_000_000) for m in at]),
        catalogue=catalogue or {},
    )


@st.composite
def logs(draw):
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["ann", "bob", ""]),
                st.integers(0, 5),
                st.sampled_from([f"a{i}" for i in range(7)]),
                st.integers(0, 600),
            ),
            min_size=2,
            max_size=40,
        )
    )
    rows.sort(key=lambda row: row[3])
    sections = {
        f"a{i}": Article(article=f"a{i}", section=draw(st.sampled_from(["", "Sport", "Culture"]))) for i in range(7)
    }
    return log_of(*[(r, f"{r}-{v}", a, m) for r, v, a, m in rows], catalogue=sections)


def test_targets_are_the_clicks_of_a_visit_after_its_first():
    """Not the first of a visit, not a click on the page one is on; `last` keeps the last one of each visit."""
    log = log_of(
        ("ann", "v", "a", 0), ("bob", "w", "a", 1), ("ann", "v", "a", 2), ("ann", "v", "b", 3), ("bob", "w", "c", 4),
        ("ann", "v", "a", 5), ("ann", "", "d", 6),
    )  # fmt: skip
    assert [(t.click, t.before) for t in targets_of(log)] == [(3, (0,)), (4, (1,)), (5, (0, 3))]
    assert [t.click for t in targets_of(log, "last")] == [4, 5]
    assert [t.click for t in targets_of(log, seen="drop")] == [3, 4]


def test_the_sample_is_the_same_for_the_same_seed():
    """A sample is drawn without replacement, stays in order of time, and depends on its seed alone."""
    log = log_of(*[("r", "v", f"a{i}", i) for i in range(60)])
    one, same, other = (choose_targets(log, Protocol(sample=20, seed=s)) for s in (1, 1, 2))
    assert [t.click for t in one] == [t.click for t in same] != [t.click for t in other]
    assert [t.click for t in one] == sorted({t.click for t in one})
    assert len(one) == 20


@given(logs(), st.sampled_from([HOUR // 2, HOUR, 3 * HOUR]))
@settings(max_examples=60, deadline=None)
def test_a_policy_never_sees_the_window_but_its_own_visit(log, window):
    """The state handed over is bit for bit the fold of the events before the window's start, nothing else."""
    replay = Replay(log, Protocol(window=window), timer=still)
    for target, request in replay.requests(targets_of(log)):
        at = int(log.at[target.click])
        start = at - at % window
        before = State(from_reads=True).fold(event for event in events_of(log) if micros(event.at) < start)
        site, expected = replay.state.site(SITE), before.site(SITE)
        assert site.shelf.ids == expected.shelf.ids
        assert site.counters.reads(at, 3).tobytes() == expected.counters.reads(at, 3).tobytes()
        assert site.history(request) == expected.history(request)
        earlier = {log.articles[i] for i in range(target.click) if log.visits[i] == log.visits[target.click]}
        assert set(request.visit_articles) <= earlier


@given(logs())
@settings(max_examples=40, deadline=None)
def test_the_future_cannot_change_a_rank(log):
    """Cutting the log after a target leaves its rank as it was: whatever comes later was not used."""
    targets = targets_of(log)
    if not targets:
        return
    policies = {name: build_policy(name) for name in SHOWING}
    whole = evaluate(log, policies, protocol=Protocol(), timer=still)
    middle = len(targets) // 2
    end = targets[middle].click + 1
    cut = ClickLog(
        readers=log.readers[:end], visits=log.visits[:end], articles=log.articles[:end], at=log.at[:end],
        catalogue=log.catalogue,
    )  # fmt: skip
    part = evaluate(cut, policies, protocol=Protocol(), timer=still)
    for name in SHOWING:
        assert part.policies[name].ranks[middle] == whole.policies[name].ranks[middle]


class Live:
    """Hides that a policy scores, so that its slates themselves are read through."""

    def __init__(self, policy):
        self.name = policy.name
        self._policy = policy

    def __call__(self, request, view):
        return self._policy(request, view)


@given(logs(), st.sampled_from(SHOWING))
@settings(max_examples=60, deadline=None)
def test_ranks_are_the_positions_in_the_live_slates(log, name):
    """With read articles dropped, the counted rank is the position in the slate that would be served."""
    protocol = Protocol(seen="drop")
    replay = Replay(log, protocol, timer=still)
    policy = build_policy(name)
    for target, request in replay.requests(targets_of(log, seen="drop")):
        article = log.articles[target.click]
        counted = rank(policy, request, replay.state, article=article, seen="drop")
        served = rank(Live(policy), request, replay.state, article=article, seen="drop")
        assert counted[0] == served[0]
        assert counted[1].tolist() == served[1].tolist()


def test_every_article_seen_so_far_is_ranked():
    """By default read articles stay in; the page's own does not; an article not seen before the window is a miss."""
    log = log_of(
        ("x", "o", "a", 0), ("x", "o", "b", 1), ("x", "o", "c", 2),
        ("ann", "v", "a", 60), ("ann", "v", "b", 61), ("ann", "v", "a", 62), ("ann", "v", "new", 63),
    )  # fmt: skip
    found = evaluate(log, {"latest": build_policy("latest")}, protocol=Protocol(), timer=still)
    assert [log.articles[t.click] for t in found.targets] == ["b", "c", "b", "a", "new"]
    assert found.policies["latest"].ranks.tolist() == [0, 0, 2, 2, 0]
    assert found.unseen == 3


def test_the_catalogue_makes_an_article_known_when_published():
    """With a time of publication, an article is ranked from the next window on, before anyone has clicked on it."""
    news = Article(article="news", section="Sport", published_at=moment(START + 30 * 60_000_000))
    log = log_of(("ann", "v", "a", 0), ("ann", "v", "b", 61), ("ann", "v", "news", 62), catalogue={"news": news})
    found = evaluate(log, {"latest": build_policy("latest")}, protocol=Protocol(), timer=still)
    assert found.policies["latest"].ranks.tolist() == [0, 1]


def test_a_catalogue_cannot_publish_after_the_first_click():
    """Clicked before its stated publication: it counts as published with its first click, whatever the catalogue says."""
    late = Article(article="b", published_at=moment(START + 900 * 60_000_000))
    log = log_of(
        ("x", "o", "a", 0), ("x", "o", "b", 1), ("ann", "v", "a", 61), ("ann", "v", "b", 62), catalogue={"b": late}
    )
    found = evaluate(log, {"latest": build_policy("latest")}, protocol=Protocol(), timer=still)
    assert found.policies["latest"].ranks.tolist() == [0, 1]


def test_affinity_says_when_it_had_no_sections():
    """Without sections the default heuristic is popularity, and the evaluation says so."""
    log = log_of(("ann", "v", "a", 0), ("ann", "v", "b", 61), ("bob", "w", "a", 70), ("bob", "w", "b", 190))
    policies = {name: build_policy(name) for name in ("popular", "affinity")}
    found = evaluate(log, policies, protocol=Protocol(), timer=still)
    assert found.notes == ["No section is known, so `affinity` ranks as `popular`. Give `--catalogue` to try it."]
    assert found.policies["affinity"].ranks.tolist() == found.policies["popular"].ranks.tolist()


def test_the_metrics_of_a_replay_one_can_follow():
    """Two hits of four at positions 1 and 2: the values are those worked out by hand."""
    log = log_of(
        ("x", "o", "a", 0), ("y", "p", "b", 1), ("z", "q", "c", 2),
        ("ann", "v", "a", 61), ("ann", "v", "c", 62), ("ann", "v", "b", 63),
        ("bob", "w", "c", 64), ("bob", "w", "d", 65), ("bob", "w", "e", 66),
    )  # fmt: skip
    found = evaluate(log, {"latest": build_policy("latest")}, protocol=Protocol(k=2), timer=still).policies["latest"]
    assert found.ranks.tolist() == [1, 1, 0, 0]
    assert found.hr.value == found.mrr.value == found.ndcg.value == 0.5
    assert found.coverage == pytest.approx(1.0)


class FromTheList:
    """Somebody's own policy: it gives a ranking and no scores."""

    name = "from_the_list"

    def __call__(self, request, view):
        return [Recommended(article, "listed") for article in ("c", "b", "b", "nowhere", "a")]


def test_somebodys_own_policy_is_ranked_too():
    """A policy without scores is called, its doubles and unknown articles left out."""
    log = log_of(
        ("x", "o", "a", 0), ("x", "o", "b", 1), ("x", "o", "c", 2), ("ann", "v", "c", 61), ("ann", "v", "a", 62)
    )
    found = evaluate(log, {"own": FromTheList()}, protocol=Protocol(), timer=still)
    assert found.policies["own"].ranks.tolist() == [0, 0, 2]


def test_intervals_widen_when_readers_are_alike():
    """The same targets: fewer, more alike readers give a wider interval; independent ones the binomial's."""
    values = np.array([1.0, 0.0] * 200)
    alone = clustered_mean(values, np.arange(400))
    alike = clustered_mean(np.sort(values), np.arange(400) // 10)
    assert alone.value == alike.value == 0.5
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 399), rel=1e-3)
    assert alike.high - alike.low > 2.5 * (alone.high - alone.low)


def test_intervals_cover_the_truth_when_readers_differ():
    """95 % intervals hold the truth about 95 times in 100, although a reader's targets are alike."""
    rng, held = np.random.default_rng(5), 0
    for _ in range(400):
        taste = rng.beta(1, 3, 150)
        sizes = rng.geometric(0.2, 150)
        readers = np.repeat(np.arange(150), sizes)
        found = clustered_mean((rng.random(len(readers)) < taste[readers]).astype(float), readers)
        held += found.low <= 0.25 <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_no_hit_at_all_is_not_certainty():
    """Twenty readers without a hit: the interval reaches up to what twenty trials allow."""
    found = clustered_mean(np.zeros(100), np.arange(100) % 20)
    assert found.low == 0.0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_one_reader_gives_no_interval():
    """With a single reader there is no independent unit to compare with: unavailable, not a guess."""
    assert isinstance(clustered_mean(np.ones(3), np.zeros(3, np.int64)), Unavailable)


def test_a_log_without_targets_is_refused():
    """Visits of one article have nothing to predict: the error names the columns to check."""
    with pytest.raises(InputError, match="visit and article columns"):
        evaluate(log_of(("ann", "v", "a", 0)), {}, protocol=Protocol(), timer=still)


def test_the_replay_tells_the_log_as_events():
    """Every click is a read of its reader and visit, told once, in order of time."""
    log = log_of(("ann", "v", "a", 0), ("bob", "w", "b", 1))
    told = list(events_of(log))
    assert [event.body for event in told] == [
        Read(article="a", reader="ann", visit="v"),
        Read(article="b", reader="bob", visit="w"),
    ]
    assert [micros(event.at) for event in told] == log.at.tolist()
