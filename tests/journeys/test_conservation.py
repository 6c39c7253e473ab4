"""Nothing that happens on the way to the log changes a scorecard; what is lost on one side raises the alarm."""

import asyncio
import functools
import json
import random
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from embellie.app.newsroom import Newsroom
from embellie.domain.moment import iso
from embellie.domain.scorecard import Effect
from embellie.measure.scoring import sample_ratio
from embellie.store.lake import FOLDER, export
from embellie.web.server import create_app, open_keys

CONFIG = """
[sites.gazette]
[experiments.first-light]
variants = { status_quo = 1, heuristic = 1 }

[metrics.articles_per_visit]
numerator = "reads"
denominator = "visits"
role = "primary"
worth = "0.10 EUR"

[metrics.click_through]
numerator = "clicks"
denominator = "impressions"

[metrics.attention]
numerator = "engaged_seconds"
cap = 0.98

[metrics.typical_attention]
numerator = "engaged_seconds"
form = "quantile"

[metrics.income]
numerator = "amount"
goal = "subscription"

[metrics.back]
numerator = "visits"
form = "retention"
days = [1, 4]
"""
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAYS = 6
END = START + timedelta(days=DAYS + 7)
READERS = 300


@dataclass
class Post:
    """What leaves a device or the server at once: when, and the events, on a clock that is right."""

    sent: datetime
    events: list
    device: bool


@dataclass
class Delivery:
    """A post as it comes in: when, and what its sender's clock says of itself (None when it says nothing)."""

    received: datetime
    events: list
    sent_at: datetime | None = None


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


@dataclass
class Week:
    """Readers of an experiment: some came before it, some at midnight, some met both variants, some are bots."""

    start: datetime = START
    chance: random.Random = field(default_factory=lambda: random.Random(5))
    posts: list = field(default_factory=list)
    count: int = 0

    def event(self, kind, at, reader, visit, **own):
        self.count += 1
        return {
            "id": f"{kind}-{self.count}", "site": "gazette", "kind": kind, "at": at, "consent": "measurement",
            **({"reader": reader, "visit": visit} if visit else {}), **own,
        }  # fmt: skip

    def play(self):
        for number in range(READERS):
            self.reader(f"reader-{number}", number)
        return self.posts

    def reader(self, name, number):
        chance = self.chance
        variant = ("status_quo", "heuristic")[number % 2]
        met = self.start + timedelta(hours=chance.uniform(1, 24 * DAYS))
        if number % 3 == 0:
            self.visit(name, met - timedelta(days=chance.uniform(1, 5)), pages=1 + number % 4)
        exposed = [self.event("exposure", met, name, "", experiment="first-light", unit=name, variant=variant)]
        if number % 50 == 7:
            other = ("heuristic", "status_quo")[number % 2]
            exposed.append(self.event("exposure", met, name, "", experiment="first-light", unit=name, variant=other))
        if number % 40 == 9:
            exposed[0]["bot"] = "crawler"
        self.posts.append(Post(met, exposed, device=False))
        self.visit(name, met, pages=1 + chance.randrange(4) + (variant == "heuristic" and number % 4 > 0))
        if number % 4 in (1, 2):
            late = met.replace(hour=23, minute=58, second=0, microsecond=0) + timedelta(days=1)
            self.visit(name, late, pages=2)
        if number % 5 == 0:
            bought = met + timedelta(hours=2)
            amount = {"amount": 9.99 + number / 7, "currency": "EUR"}
            sold = self.event("conversion", bought, name, f"{name}/sold", goal="subscription", amount=amount)
            self.posts.append(Post(bought, [sold], device=False))

    def visit(self, name, at, *, pages):
        visit = f"{name}/{iso(at)}"
        for page in range(pages):
            article = f"a{self.chance.randrange(9)}"
            served = self.event(
                "served", at, name, visit, slate_id=f"s-{self.count}", placement="article-bottom", article=article,
                variant="", release="r", policy="latest",
            )  # fmt: skip
            self.posts.append(Post(at, [served], device=False))
            seconds = round(self.chance.lognormvariate(3, 1), 1)
            left = at + timedelta(seconds=seconds)
            shown = {"slate_id": served["slate_id"], "article": f"a{page}", "position": 1}
            told = [self.event("read", left, name, visit, article=article, engaged_seconds=seconds)]
            told.append(self.event("impression", at + timedelta(seconds=min(2, seconds)), name, visit, **shown))
            if self.chance.random() < 0.3:
                told.append(self.event("click", left, name, visit, **shown))
            self.posts.append(Post(left + timedelta(seconds=1), told, device=True))
            at = left + timedelta(seconds=2)


WEEK = Week().play()


def on_time(posts):
    return [Delivery(post.sent, post.events) for post in posts]


def put(raw, *, by):
    """Write an event as its sender's clock, wrong by so much, tells its time."""
    return raw | {"at": iso(raw["at"] + by)}


def open_at(folder, clock):
    (folder / "embellie.toml").write_text(CONFIG, encoding="utf-8")
    return Newsroom.open(folder, clock=clock)


def deliver(newsroom, clock, deliveries):
    receipts = []
    for one in deliveries:
        clock.now = max(clock.now, one.received)
        raw = [put(event, by=timedelta(0)) for event in one.events]
        receipts.append(newsroom.receive(raw, site="gazette", public=False, sent_at=one.sent_at))
    for receipt in receipts:
        assert not receipt.result().quarantined, receipt.result().quarantined[:1]


def scored(folder, deliveries, *, start=START, end=END, lake=False):
    """Run an installation through the deliveries; return its scorecard at the end."""
    folder.mkdir(exist_ok=True)
    clock = Hands(start)
    with open_at(folder, clock) as newsroom:
        half = len(deliveries) // 2 if lake else 0
        deliver(newsroom, clock, deliveries[:half])
        if lake:
            export(newsroom.log.path, newsroom.log.path.parent / FOLDER, before=clock.now)
        deliver(newsroom, clock, deliveries[half:])
        clock.now = end
        return newsroom.scorecard("first-light")


@functools.cache
def truth():
    """The scorecard of the week when everything comes at once, in order."""
    with tempfile.TemporaryDirectory() as folder:
        return scored(Path(folder), on_time(WEEK))


def test_the_week_has_everything_that_could_go_wrong():
    """Every metric has its effect; readers with a past, bots and readers of two variants are among them."""
    card = truth()
    assert {row.metric for row in card.effects if isinstance(row, Effect) and not row.adjusted} == {
        "articles_per_visit", "click_through", "attention", "typical_attention", "income", "back",
    }  # fmt: skip
    assert any(row.adjusted for row in card.effects if isinstance(row, Effect))
    assert any(row.money for row in card.effects if isinstance(row, Effect))
    assert card.excluded["two_variants"] == 6
    assert card.excluded["bots"] > 0
    assert {part.dimension for part in card.slices} == {"bot", "consent", "day", "returning", "since"}


@settings(
    max_examples=4, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(seed=st.integers(0, 2**32))
def test_order_repetition_and_delay_change_nothing(tmp_path_factory, seed):
    """Any permutation, with posts told twice and told days later, gives the same scorecard, bit for bit."""
    chance = random.Random(seed)
    deliveries = []
    for post in WEEK:
        for _ in range(1 + (chance.random() < 0.2)):
            late = timedelta(days=6 * chance.random()) if chance.random() < 0.5 else timedelta(0)
            received = max(post.sent + late, START)
            says = received if post.device and chance.random() < 0.5 else None
            events = chance.sample(post.events, len(post.events))
            deliveries.append(Delivery(received, events, says))
    # Those that say when they left come when they left; the others in any order at all.
    timed = sorted((one for one in deliveries if one.sent_at), key=lambda one: one.received)
    others = [one for one in deliveries if not one.sent_at]
    chance.shuffle(others)
    places = sorted(chance.sample(range(len(deliveries)), len(timed)))
    order = dict(zip(places, timed, strict=True))
    rest = iter(others)
    mixed = [order.get(place) or replace(next(rest), received=START) for place in range(len(deliveries))]
    assert scored(tmp_path_factory.mktemp("mixed"), mixed) == truth()


def test_what_comes_after_its_day_is_in_the_lake_changes_nothing(tmp_path):
    """Half of the posts, whichever, are in the lake before the others come: the same scorecard, bit for bit."""
    shuffled = on_time(WEEK)
    random.Random(2).shuffle(shuffled)
    deliveries = [replace(one, received=END - timedelta(days=1)) for one in shuffled]
    assert scored(tmp_path, deliveries, lake=True) == truth()


def test_clocks_of_devices_that_are_wrong_change_nothing(tmp_path):
    """Each device is off by its own hours or years, and its page says when it sends, by the same clock: the same, over HTTP too."""
    clock = Hands(START)
    with open_at(tmp_path, clock) as newsroom:
        key = open_keys(newsroom).public["gazette"]
        app = create_app(newsroom, posts_per_second=0)

        async def told():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                for post in sorted(WEEK, key=lambda post: post.sent):
                    clock.now = post.sent
                    if not post.device:
                        deliver(newsroom, clock, [Delivery(post.sent, post.events)])
                        continue
                    wrong = timedelta(hours=random.Random(post.events[0]["reader"]).uniform(-50_000, 50_000))
                    raw = [put(event, by=wrong) for event in post.events]
                    if not post.events[0]["reader"].endswith("3"):
                        newsroom.receive(raw, site="gazette", public=True, sent_at=post.sent + wrong)
                        continue
                    body = {"events": raw, "sent_at": iso(post.sent + wrong)}
                    answer = await client.post(f"/v1/events?key={key}", content=json.dumps(body))
                    assert answer.json()["accepted"] == len(raw), answer.text

        asyncio.run(told())
        clock.now = END
        assert newsroom.scorecard("first-light") == truth()


def test_the_whole_week_at_another_time_is_the_same_week(tmp_path):
    """All clocks together moved by an odd while: the same effects; only the names of the days change."""
    by = timedelta(days=3, hours=7, minutes=13)
    moved = [
        Delivery(post.sent + by, [event | {"at": event["at"] + by} for event in post.events]) for post in WEEK
    ]  # fmt: skip
    card = scored(tmp_path, moved, start=START + by, end=END + by)
    assert without_days(card) == without_days(truth())


def without_days(card):
    return replace(card, checks=(), slices=tuple(part for part in card.slices if part.dimension != "day"))


def test_readers_lost_on_one_side_raise_the_alarm_in_the_log_too(tmp_path):
    """Half of the exposures of one variant never arrive: the split is called broken, and nothing is evidence."""
    lost = {f"reader-{number}" for number in range(READERS) if number % 4 == 1}
    left = [
        Delivery(post.sent, kept)
        for post in WEEK
        if (kept := [event for event in post.events if event.get("unit") not in lost])
    ]
    card = scored(tmp_path, left)
    assert card.srm.alarm
    assert any(check.check == "split" and check.state == "alarm" for check in card.checks)


READERS_TO_SEE_ONE_IN_A_HUNDRED = 1_500_000
"""Readers assigned, both sides, at which a loss of 1 % on one side is seen in 95 % of experiments."""


def runs(*, lost, repeats, seed=4, looks=28):
    """Simulate experiments looked at daily until that many readers are assigned; return the share that raised the alarm."""
    rng = np.random.default_rng(seed)
    daily = READERS_TO_SEE_ONE_IN_A_HUNDRED // looks
    alarms = 0
    for _ in range(repeats):
        control = np.cumsum(rng.binomial(daily, 0.5, looks))
        treated = daily * np.arange(1, looks + 1) - control
        arrived = np.cumsum(rng.binomial(np.diff(treated, prepend=0), 1 - lost))
        weights = {"a": 1.0, "b": 1.0}
        alarms += any(
            sample_ratio({"a": int(one), "b": int(other)}, weights, watched=True).alarm
            for one, other in zip(control, arrived, strict=True)
        )
    return alarms / repeats


def test_one_in_a_hundred_lost_on_one_side_raises_the_alarm():
    """1 % of one arm lost: the alarm in at least 95 % of experiments of 1.5 million readers; without loss in at most 1 %."""
    assert runs(lost=0.01, repeats=300) >= 0.95
    assert runs(lost=0.0, repeats=300) <= 0.01
