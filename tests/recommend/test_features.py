"""Features: finite, of the state alone, one article at a time, and silent about readers who said no."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embellie.domain.slate import Recommended
from embellie.recommend.features import Asked, feature_matrix, names_of, signals_of_features, with_features
from embellie.recommend.state import State
from embellie.recommend.texts import Texts

STATELESS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
READS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3), st.floats(0, 5000)), max_size=30)


TITLES = (
    "Storm on the coast",
    "Coast guard in the storm",
    "Mayor resigns",
    "Council votes the budget",
    "Opera opens late",
)


def newspaper(gazette, reads=(), articles=10):
    state = State(signals=signals_of_features())
    for number in range(articles):
        state.apply(
            gazette.publish(
                f"a{number}", number, section=("", "News", "Sport")[number % 3], title=TITLES[number % 5], language="en"
            )
        )
    for article, reader, minute in sorted(reads, key=lambda one: one[2]):
        state.apply(gazette.read(f"a{article}", minute, reader=f"r{reader}", visit=f"v{reader}-{int(minute) // 30}"))
    return state.site(gazette.site)


@STATELESS
@given(reads=READS, minute=st.floats(-600, 1e7), consent=st.sampled_from(["profiling", "measurement", "none"]))
def test_every_feature_is_finite(gazette, reads, minute, consent):
    """Whatever was read and whenever it is asked, even hours before."""
    site = newspaper(gazette, reads)
    request = gazette.request(minute, article="a1", reader="r1", visit="v1-0", consent=consent)
    matrix, names = feature_matrix(request, site, np.arange(10))
    assert matrix.dtype == np.float32
    assert matrix.shape == (10, len(names))
    assert np.isfinite(matrix).all()


@STATELESS
@given(reads=READS, chosen=st.lists(st.integers(0, 9), min_size=1, max_size=10, unique=True))
def test_an_article_is_judged_by_itself(gazette, reads, chosen):
    """Its numbers do not depend on which others are asked about, to the last bit."""
    site = newspaper(gazette, reads)
    request = gazette.request(5000, article="a1", reader="r1", consent="profiling")
    whole, _ = feature_matrix(request, site, np.arange(10))
    some, _ = feature_matrix(request, site, np.array(chosen))
    assert np.array_equal(some, whole[chosen])


def test_no_article_and_an_unknown_site_give_no_rows(gazette):
    """Nothing asked, nothing computed, and no error."""
    matrix, names = feature_matrix(
        gazette.request(0), State(signals=signals_of_features()).site("elsewhere"), np.zeros(0, np.int64)
    )
    assert matrix.shape == (0, len(names))


def test_asking_changes_nothing(gazette):
    """The same request twice gives the same bits."""
    site = newspaper(gazette, [(1, 1, 30.0), (2, 1, 40.0)])
    request = gazette.request(60, reader="r1")
    first, _ = feature_matrix(request, site, np.arange(10))
    assert np.array_equal(first, feature_matrix(request, site, np.arange(10))[0])


@pytest.mark.parametrize("consent", ["measurement", "none"])
def test_without_consent_to_profiling_a_reader_is_anybody(gazette, consent):
    """Two readers with different histories look the same."""
    site = newspaper(gazette, [(number, number % 2, 30.0 + number) for number in range(10)])
    one, other = (
        feature_matrix(gazette.request(600, reader=name, consent=consent), site, np.arange(10))[0]
        for name in ("r0", "r1")
    )
    assert np.array_equal(one, other)


def test_with_it_a_reader_is_themselves(gazette):
    """A reader of sport has a higher lift there than elsewhere."""
    site = newspaper(gazette, [(2, 0, 30.0), (5, 0, 31.0), (8, 0, 32.0), (1, 1, 33.0)])
    matrix, names = feature_matrix(gazette.request(600, reader="r0"), site, np.arange(10))
    lift = matrix[:, names.index("section_lift")]
    assert lift[2] > 0 > lift[1]
    assert lift[0] == 0  # no section


def test_likeness_is_that_of_the_content_policy(gazette):
    """What is about the same as the page, and as what was read, is as alike as `content` finds it; the rest not at all."""
    site = newspaper(gazette, [(2, 0, 30.0), (3, 0, 50.0)])
    request = gazette.request(600, article="a0", reader="r0")
    matrix, names = feature_matrix(request, site, np.arange(10))
    texts = site.signal(Texts)
    page, read = (matrix[:, names.index(name)] for name in ("like_page", "like_read"))
    assert page == pytest.approx(texts.alike(texts.query({0: 1.0}), 10), abs=1e-6)
    assert page[0] == pytest.approx(1.0)
    assert 0.3 < page[1] < 1.0
    assert page[4] == 0.0
    assert read[3] > read[2] > 0.5
    assert read[0] == read[4] == 0.0


def test_likeness_to_what_was_read_needs_consent_beyond_the_visit(gazette):
    """Without consent to profiling only this visit's articles count; without any, none."""
    site = newspaper(gazette, [(2, 0, 30.0)])
    for consent, history, visit in (("profiling", True, True), ("measurement", False, True), ("none", False, False)):
        known = gazette.request(600, reader="r0", consent=consent, article="a0")
        here = gazette.request(600, consent=consent, article="a0", visit_articles=("a2",))
        for request, counts in ((known, history), (here, visit)):
            matrix, names = feature_matrix(request, site, np.arange(10))
            assert bool(matrix[2, names.index("like_read")] > 0) is counts


def test_what_serving_noted_stays(gazette):
    """Features that came with an article are not computed again; one that has none gets them; a stranger gets none."""
    site = newspaper(gazette)
    request = gazette.request(60)
    (noted,) = with_features([Recommended("a1", "pinned")], request, site)
    again = with_features([noted, Recommended("a2", "new"), Recommended("nobody", "new")], request, site)
    assert again[0].features is noted.features
    assert again[1].features.names == names_of()
    assert again[2].features is None


def test_what_is_written_reads_back_the_same(gazette):
    """The short decimals are the 32-bit numbers."""
    site = newspaper(gazette, [(1, 1, 30.0)])
    (noted,) = with_features([Recommended("a1", "new")], gazette.request(61.7), site)
    matrix, _ = feature_matrix(gazette.request(61.7), site, np.array(site.shelf.rows(["a1"])))
    assert np.array_equal(np.array(noted.features.values, np.float32), matrix[0])
    assert len(repr(noted.features.values)) < 14 * len(noted.features.values)


def test_shares_and_ages_are_of_now(gazette):
    """An article read when it was new is older a day later, and nothing else was asked of it."""
    site = newspaper(gazette, [(1, 1, 30.0)])
    young, old = (Asked(gazette.request(minute), site).ages(np.array([0]))[0] for minute in (60, 60 + 1440))
    assert old - young == pytest.approx(24.0)
