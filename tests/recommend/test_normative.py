"""Normative figures: those of the reference, desks' shares that add up, and no figure where there is nothing to say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.article import Article
from embellie.domain.moment import moment
from embellie.domain.unavailable import Unavailable
from embellie.recommend.built_in import build_policy
from embellie.recommend.divergence import calibration, fragmentation, jensen_shannon, ranked_shares
from embellie.recommend.evaluation import evaluate
from embellie.recommend.list_sample import Lists, Sample, section_shares
from embellie.recommend.normative import divergences, dyadic_error, normative
from embellie.recommend.replaying import ClickLog, Protocol
from embellie.recommend.shelf import Shelf

START = 1_700_000_000_000_000
HOUR = 3_600_000_000
SECTIONS = ("Sport", "Politics", "Culture")
SMALL = 0.0001
"""The reference mixes this much of the other distribution into each before it compares them."""

lists = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=4)


def weekly(*, readers=40, hours=24 * 7, taste=None, seed=0):
    """A week of three desks that publish one article each an hour; each reader opens what `taste` says, mostly."""
    rng = np.random.default_rng(seed)
    known = [
        Article(article=f"{desk}{hour}", section=desk, published_at=moment(START + hour * HOUR))
        for hour in range(hours)
        for desk in SECTIONS
    ]
    catalogue = {article.article: article for article in known}
    rows = []
    for hour in range(3, hours):
        for visit in range(3):
            reader = int(rng.integers(readers))
            at = START + hour * HOUR + visit * 600_000_000
            for step in range(3):
                desk = SECTIONS[int(rng.choice(3, p=taste(reader) if taste else None))]
                rows.append(
                    (f"r{reader}", f"v{hour}-{visit}", f"{desk}{hour - int(rng.integers(1, 3))}", at + step * 1_000_000)
                )
    who, visits, what, at = zip(*rows, strict=True)
    return ClickLog(readers=who, visits=visits, articles=what, at=np.array(at), catalogue=catalogue)


def judged(log, *policies, **protocol):
    found = evaluate(
        log, {name: build_policy(name) for name in policies}, protocol=Protocol(**protocol), timer=lambda: 0.0
    )
    return {name: result.normative for name, result in found.policies.items()}


class Sectioned:
    """Shows articles of one desk alone, the newest first."""

    name = "sectioned"

    def __init__(self, desk):
        self._desk = desk

    def __call__(self, request, view):
        wanted = view.site(request.site).shelf.sections.find(self._desk)
        return [
            item
            for item in build_policy("latest")(request, view)
            if view.site(request.site).shelf.section[view.site(request.site).shelf.row(item.article)] == wanted
        ]


@given(lists)
def test_shares_in_one_table_are_those_of_each_list(kinds):
    """Every list at once gives what `divergence` gives of each; unknown sections (0) do not count."""
    k = max(map(len, kinds))
    table = section_shares(np.array([each + [0] * (k - len(each)) for each in kinds]), count=4)
    for row, each in zip(table, kinds, strict=True):
        weights = {kind: share for kind, share in ranked_shares(each).items() if kind}
        total = sum(weights.values())
        assert row.tolist() == pytest.approx([weights.get(kind, 0.0) / total if total else 0.0 for kind in range(4)])


@given(
    st.lists(st.tuples(*[st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any)] * 2), min_size=1, max_size=4)
)
def test_divergences_in_one_table_are_those_of_each_pair(pairs):
    """Every pair at once gives what `divergence` gives of each."""
    tables = [np.array([pair[side] for pair in pairs], float) for side in (0, 1)]
    p, q = (table / table.sum(axis=1, keepdims=True) for table in tables)
    expected = [
        jensen_shannon(dict(enumerate(one)), dict(enumerate(other)))
        for one, other in zip(p.tolist(), q.tolist(), strict=True)
    ]
    assert divergences(p, q).tolist() == pytest.approx(expected, abs=1e-12)


def test_figures_are_those_of_the_reference():
    """news-recommender-metrics 0.1.4 (RADio, weights 1 / rank) of the same lists: `Calibration()` and `Fragmentation()`, averaged.

    It mixes a ten-thousandth of each distribution into the other; hence .001 apart.
    """
    rows = [[0, 1, 2, 3], [2, 0, 4, 5], [1, 3, 5, 0]]
    desk = np.array([1, 1, 2, 3, 2, 1])
    history = [[1, 1, 2], [3, 2], [1, 2, 3, 3]]
    sample = Sample(np.arange(3), np.zeros(3, np.int64))
    kept = Lists(sample, 4)
    for place, (row, reads) in enumerate(zip(rows, history, strict=True)):
        kept.keep(place, np.array(row), desk)
        sample.note(place, np.bincount(reads, minlength=4).astype(float))
    shelf = Shelf(from_reads=True, unlisted=0)
    for number, code in enumerate(desk.tolist()):
        shelf.put(Article(article=f"a{number}", section=SECTIONS[code - 1], published_at=moment(START)), START)
    found = normative(kept, sample, sample.background(["a0"] * 3, np.full(3, START), shelf))
    each = [calibration(reads, desk[row].tolist()) for reads, row in zip(history, rows, strict=True)]
    pairs = [fragmentation([rows[one], rows[other]]) for one, other in ((0, 1), (1, 2))]
    assert found.calibration.value == pytest.approx(np.mean(each), abs=1e-12)
    assert found.fragmentation.value == pytest.approx(np.mean(pairs), abs=1e-12)
    assert found.calibration.value == pytest.approx(0.25812830194358477, abs=1e-3)
    assert found.fragmentation.value == pytest.approx(0.5525310464224477, abs=1e-3)


def test_a_list_is_compared_with_another_readers_of_the_same_hour():
    """Never with one's own, nor with a list made of older news; of many, the latest; the same pairs each time."""
    sample = Sample(np.array([0, 0, 1, 1, 0, 2]), np.array([5, 5, 5, 5, 6, 6]))
    assert sample.pairs() == [(2, 1), (3, 1), (5, 4)]
    assert len(Sample(np.arange(5000) % 7, np.zeros(5000, np.int64)).looked) <= 1000


def test_shares_of_desks_add_up():
    """Places, publications and reads of all desks are wholes; what a desk gets above its share others lack."""
    desks = judged(weekly(), "popular")["popular"].desks
    assert {desk.section for desk in desks} == set(SECTIONS)
    for share in ("shown", "published", "read"):
        assert sum(getattr(desk, share) for desk in desks) == pytest.approx(1.0)
    assert sum(desk.against_published.value for desk in desks) == pytest.approx(0.0, abs=1e-9)
    for desk in desks:
        assert desk.published == pytest.approx(1 / 3, abs=0.01)
        assert desk.against_published.value == pytest.approx(desk.shown - desk.published)
        assert desk.against_published.low <= desk.against_published.value <= desk.against_published.high


def test_a_desk_that_is_left_out_is_named():
    """A policy that shows Sport alone: the two others get nothing, a third less than they publish, and that is no chance."""
    found = evaluate(weekly(), {"one": Sectioned("Sport")}, protocol=Protocol(k=5), timer=lambda: 0.0)
    desks = {desk.section: desk for desk in found.policies["one"].normative.desks}
    assert desks["Sport"].shown == 1.0
    assert not desks["Sport"].short
    for left_out in ("Politics", "Culture"):
        assert desks[left_out].shown == 0.0
        assert desks[left_out].against_published.value == pytest.approx(-1 / 3, abs=0.01)
        assert desks[left_out].short


def test_the_first_places_count_most():
    """Three desks that publish in the same minute have equally many of the newest; those that always come later are short."""
    desks = {desk.section: desk for desk in judged(weekly(), "latest", k=3)["latest"].desks}
    assert [name for name, desk in desks.items() if desk.short] == ["Sport", "Politics"]
    assert desks["Culture"].against_published.value > 0.1


def test_what_is_made_for_a_reader_fits_and_divides():
    """Where each reads one desk, `affinity` is nearer to what its reader reads than `popular`, and readers see less in common."""

    def taste(reader):
        return np.full(3, 0.05) + 0.85 * (np.arange(3) == reader % 3)

    found = judged(weekly(taste=taste), "popular", "affinity", k=5)
    assert found["affinity"].calibration.high < found["popular"].calibration.low
    assert found["affinity"].fragmentation.low > found["popular"].fragmentation.high


def test_no_history_without_consent_and_no_figure_without_history():
    """A log without readers (as the project's own is where nobody agreed to profiling) has no calibration, but desks all the same."""
    log = replace(weekly(), readers=[""] * len(weekly()))
    found = judged(log, "affinity")["affinity"]
    assert isinstance(found.calibration, Unavailable)
    assert not isinstance(found.desks, Unavailable)


def test_where_there_is_nothing_to_say_it_says_why():
    """No sections; nothing shown: a reason and a remedy, never a 0."""
    bare = judged(replace(weekly(), catalogue={}), "popular")["popular"]
    for missing in (bare.calibration, bare.desks):
        assert isinstance(missing, Unavailable)
        assert "catalogue" in missing.remedy
    assert bare.fragmentation.value >= 0.0
    nothing = judged(weekly(), "status_quo")["status_quo"]
    assert all(isinstance(one, Unavailable) for one in (nothing.calibration, nothing.fragmentation, nothing.desks))


def test_the_interval_over_pairs_covers():
    """Pairs that share readers are alike: the interval that says so holds the truth about as often as it says, the plain one less."""
    rng = np.random.default_rng(3)
    held, plainly = [], []
    for _ in range(300):
        effects = rng.normal(size=60)
        pairs = [tuple(rng.choice(60, 2, replace=False).tolist()) for _ in range(400)]
        values = np.array([effects[one] + effects[other] for one, other in pairs])
        residuals = values - values.mean()
        held.append(abs(values.mean()) <= 1.96 * dyadic_error(residuals, pairs))
        plainly.append(abs(values.mean()) <= 1.96 * values.std() / np.sqrt(len(values)))
    assert 0.90 <= np.mean(held) <= 0.99
    assert np.mean(plainly) < 0.80
