"""Refitted policies: fitted in the log's own time, the same live and in replay; popularity where they know nothing."""

import numpy as np
import pytest

from embellie.domain.errors import InputError
from embellie.domain.reading import ConsentChange, Erasure
from embellie.recommend.built_in import build_policy
from embellie.recommend.ease import Ease, ease_weights
from embellie.recommend.factors import Factors
from embellie.recommend.policies import Popular
from embellie.recommend.recent_reads import RecentReads
from embellie.recommend.state import State
from embellie.testing.policy_contract import PolicyContract

KINDS = [Ease, Factors]


def make(kind, **settings):
    if kind is Factors:
        pytest.importorskip("implicit", reason="The extra `ml` is not installed.")
    return kind(**settings)


@pytest.fixture
def told(gazette):
    """Ten articles; three tens of readers who read even or odd ones; a day later one more, and two new readers."""
    rng = np.random.default_rng(4)
    events = [gazette.publish(f"a{i}") for i in range(10)]
    for reader in range(30):
        for step in range(4):
            article = f"a{2 * rng.integers(5) + reader % 2}"
            events.append(gazette.read(article, 1 + reader + step / 10, reader=f"r{reader}", visit=f"v{reader}"))
    events.append(gazette.publish("late", 1440))
    events.append(gazette.read("a0", 1441, reader="even", visit="e"))
    events.append(gazette.read("a1", 1442, reader="odd", visit="o"))
    return events


def state_of(events):
    return State(signals=(RecentReads,)).fold(events)


def scores(policy, state, request):
    site = state.site(request.site)
    found = policy.score(request, site)
    return dict(zip(site.shelf.ids, found.values.tolist(), strict=True)), found


def everyone(state):
    """Who is in the freeze."""
    return [who for part in state.site("gazette").signal(RecentReads).taken.parts for who in part.who]


def coming(state):
    """Whose reads came since."""
    return state.site("gazette").signal(RecentReads).snapshot()["coming"]["who"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_together_stands_above(gazette, told, kind):
    """A reader of even articles is shown even ones, one of odd articles odd ones; the reason says so."""
    state = state_of(told)
    for reader, own, other in (("even", "a2", "a3"), ("odd", "a3", "a2")):
        values, found = scores(make(kind, beneath=0.2), state, gazette.request(1450, reader=reader))
        assert values[own] > values[other]
        best = max((row for row in range(10)), key=lambda row: found.values[row])
        assert found.reason(best) == "read_together"


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_known_is_shown_what_is_popular(gazette, told, kind):
    """A new reader, a reader without consent, a site without a fit: all get exactly the popular ranking."""
    policy, state = make(kind), state_of(told)
    for request in (
        gazette.request(1450, reader="stranger"),
        gazette.request(1450, reader="even", consent="measurement"),
    ):
        assert scores(policy, state, request)[0] == scores(Popular(), state, request)[0]
    young = state_of(told[:30])
    request = gazette.request(20, reader="r0")
    assert scores(policy, young, request)[0] == scores(Popular(), young, request)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_new_since_the_fit_still_has_a_score(gazette, told, kind):
    """The model cannot rank it; popularity beneath does."""
    values, _ = scores(make(kind), state_of(told), gazette.request(1450, reader="even"))
    assert values["late"] > 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_live_and_replay_agree_bit_for_bit(gazette, told, kind):
    """Asked after every event or only at the end, with a snapshot taken up in between or not: the same bits."""
    asked, live = make(kind), State(signals=(RecentReads,))
    request = gazette.request(1450, reader="even")
    for event in told:
        live.apply(event)
        asked.score(request, live.site("gazette"))
    replayed = state_of(told)
    resumed = state_of(told)
    between = RecentReads()
    between.restore(resumed.site("gazette").signal(RecentReads).snapshot())
    signal = resumed.site("gazette").signal(RecentReads)
    signal.restore(RecentReads().snapshot())  # it remembers nothing now
    assert everyone(resumed) == coming(resumed) == []
    signal.restore(between.snapshot())
    for event in (gazette.read("a4", 3000, reader="x", visit="x"),):
        for state in (live, replayed, resumed):
            state.apply(event)
    request = gazette.request(3001, reader="even")
    found = [make(kind).score(request, state.site("gazette")).values.tobytes() for state in (live, replayed, resumed)]
    assert found[0] == found[1] == found[2]
    assert asked.score(request, live.site("gazette")).values.tobytes() == found[0]


def test_the_freeze_comes_with_the_clock_of_the_log(gazette, told):
    """Reads of the last six hours are not in the fit; the next read after the hour freezes all before it."""
    state = state_of(told)
    assert len(everyone(state)) > 60
    before = state.site("gazette").signal(RecentReads).taken
    state.apply(gazette.read("a5", 1443, reader="z", visit="z"))
    assert state.site("gazette").signal(RecentReads).taken is before
    state.apply(gazette.read("a5", 1441 + 361, reader="z", visit="zz"))
    assert "r z" in everyone(state)


@pytest.mark.parametrize("body", [ConsentChange(reader="r3", state="none"), Erasure(reader="r3")])
def test_who_leaves_leaves_the_fit_at_once(gazette, told, body):
    """After withdrawal or erasure nothing of the reader is in the reads or in the freeze."""
    state = state_of(told)
    assert "r r3" in everyone(state)
    state.apply(gazette.event(1445, body))
    assert "r r3" not in everyone(state)
    assert "r r3" not in coming(state)


def test_reads_without_consent_count_by_visit(gazette):
    """What one visit read together may be known; that two visits are one reader's may not."""
    state = state_of([
        gazette.publish("a"), gazette.read("a", 1, reader="ann", visit="v", consent="measurement"),
        gazette.read("a", 2, reader="ann", visit="", consent="measurement"),
    ])  # fmt: skip
    assert coming(state) == ["v v"]


def test_memory_is_bounded(gazette, monkeypatch):
    """Only the last reads are kept, and of the last ninety days, however many there were."""
    monkeypatch.setattr(RecentReads, "most", 5)
    state = state_of([gazette.publish("a"), *(gazette.read("a", i, visit=f"v{i}") for i in range(9))])
    assert len(coming(state)) == 5
    for hour in range(0, 30, 3):
        state.apply(gazette.read("a", 60 * hour, reader=f"x{hour}", visit=f"x{hour}"))
    assert 0 < len(everyone(state)) <= 5
    state.apply(gazette.read("a", 100 * 1440, reader="y", visit="y"))
    assert everyone(state) == []


def test_ease_is_the_ridge_regression_of_each_column_on_the_others():
    """The closed form solves what it says it solves: column by column, without the column itself."""
    rng = np.random.default_rng(1)
    x = (rng.random((50, 6)) < 0.4).astype(float)
    found = ease_weights(x.T @ x, 3.0)
    for j in range(6):
        others = [i for i in range(6) if i != j]
        a = x[:, others]
        expected = np.linalg.solve(a.T @ a + 3.0 * np.eye(5), a.T @ x[:, j])
        assert found[others, j] == pytest.approx(expected)
        assert found[j, j] == 0.0


def test_folding_in_is_the_librarys_own():
    """A reader folded in by hand has the factors that `implicit` gives."""
    pytest.importorskip("implicit", reason="The extra `ml` is not installed.")
    from scipy import sparse
    from threadpoolctl import threadpool_limits

    from embellie.recommend.factors import ArticleFactors

    with threadpool_limits(limits=1):
        from implicit.cpu.als import AlternatingLeastSquares

        rng = np.random.default_rng(1)
        reads = sparse.csr_matrix((rng.random((40, 12)) < 0.3).astype(np.float32))
        model = AlternatingLeastSquares(factors=4, regularization=0.5, alpha=8.0, num_threads=1, random_state=0)
        model.fit(reads, show_progress=False)
        expected = model.recalculate_user(0, reads[0])
    y = np.asarray(model.item_factors, float)
    ours = ArticleFactors(np.arange(12), np.arange(12), y, y.T @ y + 0.5 * np.eye(4)).fold_in(reads[0].indices, 8.0)
    assert ours == pytest.approx(expected, rel=1e-2, abs=1e-3)


def test_a_missing_library_says_what_to_install(monkeypatch):
    """Without the extra, the error names it."""
    monkeypatch.setitem(__import__("sys").modules, "implicit.cpu.als", None)
    pytest.importorskip("threadpoolctl", reason="The extra `ml` is not installed.")
    with pytest.raises(InputError, match=r"pip install 'embellie\[ml\]'"):
        build_policy("factors")


@pytest.mark.parametrize(
    ("name", "settings"),
    [("ease", {"beneath": 0.0}), ("ease", {"articles": 1}), ("ease", {"ridge": 0.0}), ("ease", {"days": -1.0}),
     ("factors", {"confidence": 0.5}), ("factors", {"iterations": 0})],
)  # fmt: skip
def test_settings_out_of_range_are_refused(name, settings):
    """Told what may be given."""
    with pytest.raises(InputError, match="out of range"):
        build_policy(name, settings)


class TestEase(PolicyContract):
    def policy(self):
        return build_policy("ease")

    def fold(self, events):
        return State(signals=(RecentReads,)).fold(events)


class TestFactors(PolicyContract):
    def policy(self):
        return make(Factors)

    def fold(self, events):
        return State(signals=(RecentReads,)).fold(events)
