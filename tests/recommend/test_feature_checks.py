"""Feature checks: a leak and a skew are found and named; nothing is found where nothing is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from embellie.domain.errors import InputError
from embellie.domain.reading import Erasure
from embellie.domain.slate import Slate, SlateItem
from embellie.recommend.built_in import build_policy
from embellie.recommend.feature_checks import check_features
from embellie.recommend.features import FEATURES, Feature, signals_of_features, with_features
from embellie.recommend.state import State

SECTIONS = ("News", "Sport", "Culture")
TITLES = ("Storm on the coast", "Coast guard braves the storm", "Mayor resigns", "New mayor of the coast")


def recorded(gazette, features=FEATURES, *, late=0):
    """Serve `popular` while readers read, features noted; each slate is logged after `late` reads that it did not know."""
    policy, state = build_policy("popular"), State(signals=signals_of_features())
    log = [
        gazette.publish(f"a{number}", number, section=SECTIONS[number % 3], title=TITLES[number % 4], language="en")
        for number in range(12)
    ]
    state.fold(log)
    waiting = []
    for number in range(40):
        minute = 20 + number
        request = gazette.request(
            minute, article=f"a{number % 12}", reader=f"r{number % 5}", visit=f"v{number}", visit_articles=(f"a{number % 12}",)
        )  # fmt: skip
        shown = with_features(policy(request, state)[:4], request, state.site(gazette.site), features=features)
        noted = shown[0].features
        slate = Slate(
            slate_id=f"s{number}", placement="bottom", reader=request.reader, visit=request.visit,
            article=request.article, variant="", release="", policy="popular",
            items=tuple(
                SlateItem(article=one.article, position=place, propensity=1.0, reason="", features=one.features.values)
                for place, one in enumerate(shown, 1)
            ),
            feature_names=noted.names, as_of=noted.as_of, visit_articles=request.visit_articles,
        )  # fmt: skip
        waiting.append(gazette.event(minute, slate))
        read = gazette.read(f"a{number % 7}", minute + 0.5, reader=request.reader, visit=request.visit)
        if not late:
            log.append(waiting.pop())
        state.apply(read)
        log.append(read)
        if len(waiting) > late:
            log.append(waiting.pop(0))
    return [*log, *waiting]


def test_what_was_noted_is_found_again(gazette):
    """All features of all articles are the same."""
    log = recorded(gazette)
    found = check_features(lambda: log)
    assert found.ok, str(found)
    assert (found.slates, found.articles) == (40, 160)


def test_a_slate_is_compared_as_of_what_it_knew(gazette):
    """Reads that were written to the log before the slate, but came too late for it, are not held against it."""
    log = recorded(gazette, late=2)
    found = check_features(lambda: log)
    assert found.ok, str(found)
    assert found.slates == 40
    forgetful = [replace(event, body=replace(event.body, as_of=event.body.as_of + 2)) if event.kind == "served" else event for event in log]  # fmt: skip
    assert not check_features(lambda: forgetful).ok


def test_a_leak_is_caught(gazette):
    """A feature that, when serving, knew the reads of the hours to come differs, and it alone."""
    log = recorded(gazette)
    future = State(signals=signals_of_features()).fold(log)

    def leak(asked, rows):
        return future.site(gazette.site).counters.reads(asked.now, 0)[rows]

    leaky = tuple(replace(one, of=leak) if one.name == "reads_24h" else one for one in FEATURES)
    served_with = recorded(gazette, leaky)
    found = check_features(lambda: served_with)
    (skew,) = found.skews
    assert skew.feature == "reads_24h"
    assert skew.share > 0.3
    assert "`reads_24h` differs in" in str(found)


def test_likeness_is_compared_too(gazette):
    """Likeness to the page and to what was read is served, not nought, and a fold that reads other texts is caught."""
    log = recorded(gazette)
    for name in ("like_page", "like_read"):
        served = [
            dict(zip(event.body.feature_names, item.features, strict=True))[name]
            for event in log if event.kind == "served" for item in event.body.items
        ]  # fmt: skip
        assert any(0.0 < value < 1.0 for value in served)
    retold = [
        replace(event, body=replace(event.body, title="Opera opens late")) if event.id == log[4].id else event
        for event in log
    ]
    assert {one.feature for one in check_features(lambda: retold).skews} == {"like_page", "like_read"}


def test_a_skew_is_caught(gazette):
    """A feature that serving computes in another unit differs wherever it is not zero: how often and how much is said."""
    skewed = tuple(
        replace(one, of=lambda asked, rows: asked.ages(rows)) if one.name == "age_hours" else one for one in FEATURES
    )
    served_with = recorded(gazette, skewed)
    found = check_features(lambda: served_with)
    (skew,) = found.skews
    assert (skew.feature, skew.share) == ("age_hours", 1.0)
    assert 0 < skew.median <= skew.largest < 1


def test_the_smallest_skew_is_caught(gazette):
    """One unit in the last place of 32 bits, in one feature."""

    def nudged(asked, rows):
        exact = np.log1p(asked.ages(rows)).astype(np.float32)
        return np.nextafter(exact, np.float32(np.inf)).astype(np.float64)

    served_with = recorded(
        gazette, tuple(replace(one, of=nudged) if one.name == "age_hours" else one for one in FEATURES)
    )
    assert [one.feature for one in check_features(lambda: served_with).skews] == ["age_hours"]


def test_a_feature_nobody_computes_any_more_is_named(gazette):
    """A log of another version says so, instead of passing."""
    served_with = recorded(gazette, (*FEATURES, Feature("phase_of_the_moon", lambda asked, rows: 0.5)))
    found = check_features(lambda: served_with)
    assert found.unknown == ("phase_of_the_moon",)
    assert not found.ok


def test_slates_of_a_state_that_never_was_are_not_passed_over(gazette):
    """A slate that claims to know more reads than the log holds is not compared, and that is said."""
    log = [replace(event, body=replace(event.body, as_of=10_000)) if event.kind == "served" else event for event in recorded(gazette)]  # fmt: skip
    found = check_features(lambda: log)
    assert (found.articles, found.lost) == (0, 160)
    assert not found.ok


def test_each_tenth_slate_may_do(gazette):
    """With `every`, only so many are compared."""
    log = recorded(gazette)
    assert check_features(lambda: log, every=10).slates == 4
    with pytest.raises(InputError, match="`every` is 0"):
        check_features(lambda: log, every=0)


def test_slates_from_before_an_erasure_are_passed_over(gazette):
    """They knew what is no longer there; what the state had heard goes on from where it was, so that later ones can be compared."""
    log = recorded(gazette)
    theirs = [event for event in log if getattr(event.body, "reader", "") == "r1"]
    kinds = {kind: sum(event.kind == kind for event in theirs) for kind in ("read", "served")}
    mark = gazette.event(90, Erasure(mark="m", removed=kinds))
    left = [*(event for event in log if event not in theirs), mark]
    live = State(signals=signals_of_features()).fold(log)
    replayed = State(signals=signals_of_features()).fold(left)
    assert replayed.site(gazette.site).heard == live.site(gazette.site).heard + 1
    assert check_features(lambda: left).slates == 0
    request = gazette.request(91, article="a1", reader="r2", visit="new")
    shown = with_features(build_policy("popular")(request, replayed)[:4], request, replayed.site(gazette.site))
    since = Slate(
        slate_id="since", placement="bottom", reader="r2", visit="new", article="a1", variant="", release="", policy="popular",
        items=tuple(
            SlateItem(article=one.article, position=place, propensity=1.0, reason="", features=one.features.values)
            for place, one in enumerate(shown, 1)
        ),
        feature_names=shown[0].features.names, as_of=shown[0].features.as_of,
    )  # fmt: skip
    found = check_features(lambda: [*left, gazette.event(91, since)])
    assert found.ok, str(found)
    assert found.slates == 1
