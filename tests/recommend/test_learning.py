"""Learning: lists hold what was seen, what was known then, and what readers did; nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from embellie.domain.errors import InputError
from embellie.domain.moment import micros
from embellie.domain.reading import Click, Impression, Read
from embellie.domain.slate import Slate, SlateItem
from embellie.recommend.features import names_of
from embellie.recommend.learning import training_from_log
from embellie.recommend.learning_clicks import training_from_clicks
from embellie.recommend.replaying import ClickLog, Protocol

ARTICLES = ("a", "b", "c")


def slate(name, *, features=True, visit="v", placement="bottom"):
    return Slate(
        slate_id=name, placement=placement, reader="ann", visit=visit, article="page", variant="", release="",
        policy="affinity", feature_names=("x", "y") if features else (),
        items=tuple(
            SlateItem(
                article=article, position=place, propensity=0.25, reason="", features=(place / 10, 7.0) if features else ()
            )
            for place, article in enumerate(ARTICLES, 1)
        ),
    )  # fmt: skip


def seen(name, *articles):
    return [Impression(slate_id=name, article=one, position=ARTICLES.index(one) + 1) for one in articles]


def told(gazette, *facts):
    return [gazette.event(minute, body) for minute, body in facts]


def test_a_click_and_a_read_make_labels(gazette):
    """Passed over 0, clicked 1, clicked and read in the same visit 2; features, positions and chances as logged."""
    log = told(
        gazette,
        (0, slate("s")),
        *((1, one) for one in seen("s", "a", "b", "c")),
        (2, Click(slate_id="s", article="b", position=2, visit="v")),
        (3, Read(article="b", visit="v")),
        (3, Read(article="c", visit="another")),
    )
    found = training_from_log(log)
    assert found.labels.tolist() == [0, 2, 0]
    assert found.positions.tolist() == [1, 2, 3]
    assert found.propensities.tolist() == [0.25, 0.25, 0.25]
    assert found.features.tolist() == np.array([[0.1, 7], [0.2, 7], [0.3, 7]], np.float32).tolist()
    assert (found.feature_names, found.at.tolist()) == (("x", "y"), [micros(gazette.at(0))])
    unread = training_from_log([event for event in log if not isinstance(event.body, Read)])
    assert unread.labels.tolist() == [0, 1, 0]


def test_a_newer_version_that_writes_more_is_learnt_from_as_well(gazette):
    """Slates of both versions are lists; what only one of them wrote is left out, and columns keep their names."""
    newer = replace(
        slate("newer"), feature_names=("y", "more", "x"),
        items=tuple(replace(item, features=(7.0, 1.0, item.position / 10)) for item in slate("newer").items),
    )  # fmt: skip
    log = told(
        gazette,
        (0, slate("s")),
        *((1, one) for one in seen("s", "a", "b")),
        (2, newer),
        *((3, one) for one in seen("newer", "c")),
    )
    for events, names in (
        (log, ("x", "y")),
        ([*log[3:], *told(gazette, (9, slate("t")), (9, seen("t", "a")[0]))], ("y", "x")),
    ):
        found = training_from_log(events)
        assert (len(found), found.feature_names) == (2, names)
        assert set(found.features[:, names.index("y")].tolist()) == {7.0}


def test_what_never_came_into_view_was_not_passed_over(gazette):
    """An article without impression is no part of the list; a slate nobody saw is no list."""
    log = told(gazette, (0, slate("s")), *((1, one) for one in seen("s", "a")), (0, slate("unseen")))
    found = training_from_log(log)
    assert (found.groups.tolist(), found.positions.tolist()) == ([1], [1])


def test_a_click_without_impression_was_seen(gazette):
    """Nobody clicks what is not there."""
    log = told(gazette, (0, slate("s")), (1, Click(slate_id="s", article="c", position=3, visit="v")))
    assert training_from_log(log).labels.tolist() == [1]


def test_what_comes_too_late_is_not_put_down_to_a_slate(gazette):
    """After an hour, when another slate has been served, a click changes nothing."""
    log = told(
        gazette,
        (0, slate("s")),
        *((1, one) for one in seen("s", "a", "b")),
        (61.0, slate("later")),
        (62.0, Click(slate_id="s", article="b", position=2, visit="v")),
    )
    assert training_from_log(log).labels.tolist() == [0, 0]


def test_a_slate_shown_to_many_teaches_nothing(gazette):
    """Someone of many clicks something nearly always: a shared slate is no list, one of a single reader is."""
    many = replace(slate("many"), shared=True)
    facts = [(0, many), (0, slate("one")), *((1, one) for name in ("many", "one") for one in seen(name, "a", "b"))]
    found = training_from_log(told(gazette, *facts, (2, Click(slate_id="many", article="b", position=2))))
    assert found.labels.tolist() == [0, 0]
    assert found.groups.tolist() == [2]


def test_only_the_placement_asked_for(gazette):
    """Slates of other spots, and other sites, are left out."""
    log = told(gazette, (0, slate("s")), (0, slate("t", placement="top")))
    log += told(gazette, *((1, one) for one in (*seen("s", "a"), *seen("t", "a", "b"))))
    assert training_from_log(log, placement="top").groups.tolist() == [2]
    with pytest.raises(InputError, match="None of 0 slates"):
        training_from_log(log, site="elsewhere")


def test_a_log_without_features_says_what_to_do(gazette):
    """The error names the policy to declare."""
    with pytest.raises(InputError, match="None of 1 slates"):
        training_from_log(told(gazette, (0, slate("s", features=False))))


def test_lists_are_chosen_whole(gazette):
    """By time, by contrast, by chance: what is kept keeps all its articles."""
    log = []
    for number in range(4):
        log += told(gazette, (number * 10, slate(f"s{number}")))
        log += told(gazette, *((number * 10 + 1, one) for one in seen(f"s{number}", "a", "b")))
    log += told(gazette, (32, Click(slate_id="s2", article="a", position=1, visit="v")))
    found = training_from_log(log)
    assert len(found) == 4
    assert found.between(int(found.at[1]), int(found.at[3])).groups.tolist() == [2, 2]
    assert found.with_contrast().at.tolist() == [int(found.at[2])]
    assert len(found.drawn()) == 4
    assert len(found.between(0, 1)) == len(found.between(0, 1).with_contrast()) == 0


def clicks(count=300):
    rng = np.random.default_rng(4)
    at = 1_700_000_000_000_000 + np.arange(count, dtype=np.int64) * 300_000_000
    return ClickLog(
        readers=[f"r{n // 3 % 20}" for n in range(count)],
        visits=[f"v{n // 3}" for n in range(count)],
        articles=[f"a{n // 30 + rng.integers(0, 5)}" for n in range(count)],
        at=at,
    )


def test_a_click_log_is_made_into_lists():
    """Each list has the article clicked next, and others the ranker would have had to choose from; the seed decides which."""
    log = clicks()
    found = training_from_clicks(log, Protocol(), seed=1, passed_over=4)
    assert len(found) > 50
    assert found.groups.max() <= 5
    assert all(found.labels[start] == 1 for start in np.cumsum(found.groups) - found.groups)
    assert found.labels.sum() == len(found)
    assert found.feature_names == names_of()
    again = training_from_clicks(log, Protocol(), seed=1, passed_over=4)
    assert np.array_equal(found.features, again.features)
    assert not np.array_equal(found.features, training_from_clicks(log, Protocol(), seed=2, passed_over=4).features)


def test_lists_of_a_click_log_know_nothing_of_what_came_later():
    """With the log cut off after a moment, the lists before it are the same."""
    log = clicks()
    cut = int(log.at[200])
    short = ClickLog(readers=log.readers[:200], visits=log.visits[:200], articles=log.articles[:200], at=log.at[:200])
    whole = training_from_clicks(log, Protocol(), seed=1, until=cut)
    part = training_from_clicks(short, Protocol(), seed=1)
    assert np.array_equal(whole.features, part.features)
    assert np.array_equal(whole.labels, part.labels)
