"""Thompson: what it draws, how likely it says that was, what it keeps from fresh articles, and what its log tells."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from embellie.domain.errors import EmbellieError
from embellie.domain.event import Event
from embellie.domain.reading import Click, Impression
from embellie.domain.slate import Slate, SlateItem, SlateRequest
from embellie.recommend.built_in import build_policy
from embellie.recommend.click_rates import ClickRates
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from embellie.recommend.thompson import Thompson, drawn_orders
from embellie.stats.off_policy import off_policy_value
from embellie.testing.policy_contract import NOW, SITE, PolicyContract, gazette

REQUEST = SlateRequest(site=SITE, placement="bottom", n=4, now=NOW, reader="r1", visit="v1", consent="measurement")


class TestThompson(PolicyContract):
    """It keeps what every policy keeps."""

    def policy(self):
        return Thompson(pool=10, draws=40)

    def fold(self, events):
        return State(signals=signals_of([self.policy()])).fold(events)


def told(seen, *, articles=40, minute=-30):
    """Tell slates of one article each: `seen` maps an article to its impressions and clicks."""
    events = gazette(articles)
    for article, (views, clicks) in seen.items():
        for number in range(views):
            name, at = f"{article}-{number}", NOW + timedelta(minutes=minute, milliseconds=number)
            items = (SlateItem(article=article, position=1, propensity=1.0, reason="because"),)
            slate = Slate(
                slate_id=name, placement="bottom", reader="", visit="", article="", variant="", release="", policy="",
                items=items,
            )  # fmt: skip
            bodies = [slate, Impression(slate_id=name, article=article, position=1)]
            if number < clicks:
                bodies.append(Click(slate_id=name, article=article, position=1))
            events += [Event(id=f"{name} {body.kind}", site=SITE, at=at, body=body) for body in bodies]
    return State(signals=(ClickRates,)).fold(events)


ESTABLISHED = {f"a{number}": (300, 9) for number in range(40)}


def rankings(policy, view, count, request=REQUEST):
    for milliseconds in range(count):
        yield policy(replace(request, now=NOW + timedelta(milliseconds=milliseconds)), view)


def test_propensities_are_the_frequencies():
    """Over many requests, each article stands at each place as often as its propensities say on average."""
    view = told({"a39": (200, 10), "a38": (300, 3), "a37": (100, 4), "a36": (30, 0)})
    policy = Thompson(policy="latest", pool=6, fresh_cap=0.5, draws=100)
    seen, weights, slots = Counter(), Counter(), 0
    for ranking in rankings(policy, view, 3000):
        for position, item in enumerate(ranking[:4]):
            seen[item.article, position] += 1
            weights[item.article, position] += 1.0 / item.propensity
            slots += 1
    assert len(seen) > 12
    for key, count in seen.items():
        chance = count / 3000
        if chance > 0.05:
            # Σ 1/propensity over the times it was there is the number of requests, whatever its chance was.
            spread = 5 * (3000 * (1 - chance) / chance * 1.3) ** 0.5
            assert weights[key] == pytest.approx(3000, abs=spread), key


@pytest.mark.parametrize("p", [0.005, 0.03, 0.2])
def test_an_importance_weight_is_missed_by_what_is_never_drawn(p):
    """E[1{shown} / propensity] is 1 − (1 − p)^(1 + draws), with the shown draw counted: the docstring's formula."""
    rng = np.random.default_rng(1)
    draws = 200
    shown = rng.random(400_000) < p
    propensity = (1 + rng.binomial(draws, p, len(shown))) / (1 + draws)
    found = np.where(shown, 1 / propensity, 0.0)
    expected = 1 - (1 - p) ** (1 + draws)
    assert found.mean() == pytest.approx(expected, abs=4 * found.std() / len(found) ** 0.5)


def test_the_same_request_is_drawn_the_same_way():
    """The draw follows from the request, and another salt draws otherwise."""
    view = told(ESTABLISHED)
    one, again, other = (list(Thompson(salt=salt)(REQUEST, view)) for salt in ("", "", "x"))
    assert one == again
    assert [item.article for item in one] != [item.article for item in other]


def test_nothing_is_lost_and_what_lies_beyond_the_pool_stays():
    """All that the policy ranks is ranked, the rest in its order and with certainty."""
    view = told(ESTABLISHED)
    for ranking in rankings(Thompson(policy="latest", pool=5), view, 20):
        latest = build_policy("latest")(REQUEST, view)
        names, order = [item.article for item in ranking], [item.article for item in latest]
        assert sorted(names[:5]) == sorted(order[:5])
        assert names[5:] == order[5:]
        assert {item.propensity for item in ranking[5:]} == {1.0}


def test_what_is_clicked_more_comes_first():
    """With many impressions, the article that readers choose stands first whatever the policy's order says."""
    view = told(ESTABLISHED | {"a20": (2000, 300)})
    first = Counter(ranking[0].article for ranking in rankings(Thompson(policy="latest", pool=40), view, 100))
    assert first["a20"] == 100


def test_few_impressions_do_not_dominate():
    """One click on the only impression does not make an article the best: the prior is worth ten clicks."""
    view = told(dict.fromkeys(ESTABLISHED, (1500, 45)) | {"a20": (1, 1), "a21": (1500, 150)})
    policy = Thompson(policy="latest", pool=40, protect=0, fresh_cap=1.0)
    first = Counter(ranking[0].article for ranking in rankings(policy, view, 200))
    assert first["a21"] > 10 * first["a20"]


def test_the_policys_score_decides_among_equals():
    """Among articles with the same clicks, what the policy prefers for this reader stands higher on average."""
    view = told(ESTABLISHED)
    places = Counter()
    for ranking in rankings(Thompson(policy="popular", pool=10), view, 300):
        places.update({item.article: place for place, item in enumerate(ranking[:10])})
    best, *_, last = (item.article for item in build_policy("popular")(REQUEST, view)[:10])
    assert places[best] < places[last]


@pytest.mark.parametrize(("n", "cap"), [(4, 0.25), (3, 0.25), (6, 0.5), (4, 0.0), (5, 0.1)])
def test_fresh_articles_are_capped_and_never_first(n, cap):
    """Their share of the slots is at most the cap over many slates, and the protected place is never theirs."""
    fresh = {f"a{number}" for number in range(20, 40)}
    view = told({name: counts for name, counts in ESTABLISHED.items() if name not in fresh})
    policy = Thompson(policy="latest", fresh_cap=cap, protect=1, optimism=5.0)
    shares = []
    for ranking in rankings(policy, view, 400, replace(REQUEST, n=n)):
        new = [item.article in fresh for item in ranking[:n]]
        assert not new[0]
        assert sum(new) <= np.ceil(cap * n)
        shares.append(sum(new) / n)
    assert np.mean(shares) <= cap + 4 * 0.5 / n / 400**0.5
    assert np.mean(shares) >= 0.8 * cap


def test_where_all_is_fresh_nothing_is_empty():
    """On a site without a single impression all articles are fresh, and the slate is full."""
    view = told({})
    for ranking in rankings(Thompson(), view, 10):
        assert len(ranking[:4]) == 4


def test_fresh_ends_with_enough_impressions():
    """An article is fresh until it had `fresh_views`; it does not become so again as its counts fade."""
    view = told(ESTABLISHED | {"a39": (49, 2), "a38": (51, 2)}, minute=-30 * 24 * 60)
    policy = Thompson(policy="latest", fresh_views=50.0, fresh_cap=0.0, pool=40)
    for ranking in rankings(policy, view, 50):
        names = [item.article for item in ranking]
        assert names[-1] == "a39"


def test_scores_that_are_no_amounts_count_by_their_places():
    """A policy whose scores are below zero can be explored: its places stand for them."""

    class Below:
        name = "below"

        def __call__(self, request, view):
            return [
                replace(item, score=-1.0 - place) for place, item in enumerate(build_policy("latest")(request, view))
            ]

    view, policy = told(ESTABLISHED), Thompson(pool=10)
    object.__setattr__(policy, "_followed", Below())
    places = Counter()
    for ranking in rankings(policy, view, 200):
        places.update({item.article: place for place, item in enumerate(ranking[:10])})
    assert places["a39"] < places["a30"]


def test_an_order_holds_back_fresh_articles():
    """Protected places, the allowance of each draw, and leftovers last."""
    values = np.array([[9.0, 8.0, 7.0, 1.0, 0.5]] * 3)
    fresh = np.array([True, True, True, False, False])
    found = drawn_orders(values, fresh, allowed=np.array([0, 1, 3]), protect=1)
    assert found.tolist() == [[3, 4, 0, 1, 2], [3, 0, 4, 1, 2], [3, 0, 1, 2, 4]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pool": 1}, "two articles"),
        ({"fresh_cap": 1.5}, "from 0 to 1"),
        ({"protect": -1}, "places"),
        ({"fresh_views": -1.0}, "impressions"),
        ({"optimism": 0.0}, "above 0"),
        ({"pseudo_clicks": 0.0}, "above 0"),
        ({"trust": -0.5}, "exponent"),
        ({"draws": 0}, "once at least"),
        ({"policy": "thompson"}, "drawn already"),
        ({"policy": "exploring"}, "drawn already"),
        ({"policy": "interleaved"}, "drawn already"),
    ],
)
def test_what_cannot_be_drawn_is_refused(settings, message):
    """Settings that mean nothing, and policies that draw themselves."""
    with pytest.raises(EmbellieError, match=message):
        build_policy("thompson", settings)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("exploring", {"policy": "thompson"}),
        ("interleaved", {"second": "thompson"}),
        ("diverse", {"policy": "thompson"}),
    ],
)
def test_others_do_not_vary_it(name, settings):
    """A draw of a draw would have chances that nobody wrote down."""
    with pytest.raises(EmbellieError):
        build_policy(name, settings)


def test_it_needs_what_its_policy_needs():
    """The state keeps click rates and what the policy looks at; features are noted for a learned policy."""
    policy = build_policy("thompson", {"policy": "ranker"})
    assert set(policy.signals) == {ClickRates, *build_policy("ranker").signals}
    assert policy.logs_features
    assert not build_policy("thompson").logs_features


def test_its_log_values_another_policy():
    """From what it showed, with its propensities, what the policy beneath would have earned: the intervals hold the truth."""
    view, policy = told(ESTABLISHED), Thompson(policy="popular", pool=8)
    names = [item.article for item in build_policy("popular")(REQUEST, view)[:8]]
    rng = np.random.default_rng(5)
    worth = dict(zip(names, rng.uniform(0.02, 0.3, len(names)), strict=True))
    slots = [
        (item.propensity, float(item.article == names[place]), worth[item.article] * 0.8**place)
        for ranking in rankings(policy, view, 3000)
        for place, item in enumerate(ranking[:4])
    ]
    propensity, target, chance = np.array(slots).reshape(-1, 4, 3).transpose(2, 0, 1)
    truth = np.mean([worth[name] * 0.8**place for place, name in enumerate(names[:4])])
    held = Counter()
    for _ in range(100):
        some = rng.choice(len(chance), 1000, replace=False)
        p, pi, q = (one[some].reshape(-1) for one in (propensity, target, chance))
        reward = (rng.random(len(q)) < q).astype(float)
        readers = np.repeat(rng.integers(400, size=1000), 4)
        found = off_policy_value(
            reward, propensity=p, target=pi, cluster=np.unique(readers, return_inverse=True)[1],
            modelled=(q * 0.7, np.tile([0.7 * worth[name] * 0.8**place for place, name in enumerate(names[:4])], 1000)),
        )  # fmt: skip
        for name in ("ips", "snips", "dr"):
            one = getattr(found, name)
            held[name] += one.low <= truth <= one.high
    assert min(held.values()) >= 88, held
    assert np.mean(target / propensity) == pytest.approx(1, abs=0.03)


def test_a_live_run_is_told_again():
    """Slates made while impressions and clicks come in: a replay of the log draws each as it was, propensities included."""
    policy, rng = Thompson(draws=30), np.random.default_rng(4)
    live = State(signals=signals_of([policy])).fold(gazette())
    log = gazette()

    def tell(at, body):
        log.append(Event(id=f"e{len(log)}", site=SITE, at=at, body=body))
        live.apply(log[-1])

    def drawn(request, view):
        return [(item.article, item.propensity) for item in policy(request, view)[:4]]

    def asked(number):
        return replace(REQUEST, now=NOW + timedelta(minutes=number), reader=f"r{number % 7}", visit="")

    shown = []
    for number in range(120):
        request = asked(number)
        shown.append(drawn(request, live))
        items = tuple(
            SlateItem(article=article, position=place, propensity=propensity, reason="because")
            for place, (article, propensity) in enumerate(shown[-1], 1)
        )
        slate = Slate(
            slate_id=f"s{number}", placement="bottom", reader=request.reader, visit="", article="", variant="",
            release="", policy="thompson", items=items,
        )  # fmt: skip
        tell(request.now, slate)
        for item in items[: rng.integers(5)]:
            body = Click if rng.random() < 0.2 else Impression
            tell(request.now, body(slate_id=slate.slate_id, article=item.article, position=item.position))
    replayed, again = State(signals=signals_of([policy])), []
    for event in log:
        if isinstance(event.body, Slate):
            again.append(drawn(asked(len(again)), replayed))
        replayed.apply(event)
    assert again == shown
    assert len({tuple(slate) for slate in shown}) > 100
