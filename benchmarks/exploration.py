"""What exploring costs and what it finds: in the sandbox, where the truth is known, and on the textbook's arms. Prints tables, writes JSON when asked.

1. The newspaper. Each policy serves the same readers, who make the same visits on the same draws. Articles read per visit, and the
   relative difference from the default heuristic, readers being independent units; how soon new articles are seen; how long one
   slate takes beside one of the heuristic's.
2. The arms. Ten Bernoulli arms, one slot: the cumulative regret of the policy itself (with caps and scores off), of Beta(1, 1)
   Thompson sampling and ε-greedy written out here, and with `--peers` of both by mabwiser; all on the same rewards. Lai and Robbins'
   bound (1985) for scale.

    python benchmarks/exploration.py [--quick] [--peers] [--out FILE]

`--peers` needs `pip install mabwiser==2.7.4`.
"""

import argparse
import json
import math
import os
import platform
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from embellie import __version__
from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.domain.reading import Click, Impression
from embellie.domain.slate import Slate, SlateItem, SlateRequest
from embellie.recommend.built_in import build_policy
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from ranker_truth import SITE, START, World, paired

HEURISTIC = "affinity"
POLICIES = {
    "affinity": ("affinity", {}),
    "exploring, ε = 0.05": ("exploring", {"policy": "affinity", "epsilon": 0.05}),
    "thompson": ("thompson", {}),
    "thompson without caps": ("thompson", {"fresh_cap": 1.0, "protect": 0}),
    "any order of the best 20": ("exploring", {"policy": "affinity", "epsilon": 1.0, "pool": 20}),
}
SEEN, SOON = 10, timedelta(hours=6)
ARMS = {
    "low": np.array([0.10, 0.08, 0.07, 0.06, 0.05, 0.05, 0.04, 0.04, 0.03, 0.02]),
    "wide": np.array([0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]),
}


class Timed:
    """A policy that tells how long its slates took."""

    def __init__(self, policy):
        self.policy, self.name, self.seconds = policy, policy.name, []

    def __call__(self, request, view):
        began = time.perf_counter()
        ranking = self.policy(request, view)
        ranking[: request.n]
        self.seconds.append(time.perf_counter() - began)
        return ranking


def newspaper(*, readers, days, seed):
    """Serve the same readers by each policy."""
    signals = signals_of([build_policy("thompson")])
    found, worlds = {}, {}
    for name, (policy, settings) in POLICIES.items():
        timed = Timed(build_policy(policy, settings))
        worlds[name] = world = World("tastes", timed, readers=readers, seed=seed, signals=signals).run(days)
        true = paired(world, worlds[HEURISTIC], after=micros(START + timedelta(days=1)))
        found[name] = {
            **{one: true[one] for one in ("value", "low", "high", "reads_per_visit", "visits", "readers")},
            "clicks_per_slate": world.clicks / world.slates,
            "slates": world.slates,
            **soon_seen(world, days),
            "median_ms": 1e3 * float(np.median(timed.seconds)),
        }
    return found


def soon_seen(world, days):
    """Tell how often the articles of the period were seen in slates in their first hours."""
    until = START + timedelta(days=days) - SOON
    new = {one.body.article: one.at for one in world.events if one.kind == "article" and START <= one.at < until}
    counts = dict.fromkeys(new, 0)
    for event in world.events:
        if event.kind == "impression" and event.body.article in new and event.at < new[event.body.article] + SOON:
            counts[event.body.article] += 1
    seen = np.array(list(counts.values()))
    return {
        "new_articles": len(seen),
        "soon_impressions": float(seen.mean()),
        "soon_median": float(np.median(seen)),
        "soon_seen": float((seen >= SEEN).mean()),
    }


class Own:
    """The policy itself before one slot, with as much left out as the textbook's setting leaves out."""

    def __init__(self, arms, seed):
        self.policy = build_policy(
            "thompson",
            {"policy": "latest", "trust": 0.0, "fresh_cap": 1.0, "protect": 0, "optimism": 1.0, "draws": 1, "salt": str(seed)},
        )  # fmt: skip
        self.names = {f"arm-{number}": number for number in range(arms)}
        self.state = State(signals=signals_of([self.policy])).fold(
            self._event(f"a{name}", Article(article=name, published_at=START), START) for name in self.names
        )
        self.round, self.now, self.name = 0, START, ""

    def _event(self, name, body, at):
        return Event(id=name, site=SITE, at=at, body=body)

    def choose(self):
        self.round += 1
        self.now = START + timedelta(milliseconds=self.round)
        request = SlateRequest(site=SITE, placement="bottom", n=1, now=self.now)
        self.name = self.policy(request, self.state)[0].article
        return self.names[self.name]

    def learn(self, arm, reward):
        name = f"s{self.round}"
        item = SlateItem(article=self.name, position=1, propensity=1.0, reason="drawn")
        slate = Slate(
            slate_id=name, placement="bottom", reader="", visit="", article="", variant="", release="", policy="",
            items=(item,),
        )  # fmt: skip
        bodies = [slate, Impression(slate_id=name, article=self.name, position=1)]
        bodies += [Click(slate_id=name, article=self.name, position=1)] if reward else []
        for body in bodies:
            self.state.apply(self._event(f"{name} {body.kind}", body, self.now))


class Plain:
    """Beta(1, 1) Thompson sampling."""

    def __init__(self, arms, seed):
        self.counts, self.rng = np.ones((2, arms)), np.random.default_rng(seed)

    def choose(self):
        return int(np.argmax(self.rng.beta(self.counts[1], self.counts[0])))

    def learn(self, arm, reward):
        self.counts[int(reward), arm] += 1


class Greedy(Plain):
    """ε-greedy, ε = 0.1."""

    def choose(self):
        if self.rng.random() < 0.1:
            return int(self.rng.integers(self.counts.shape[1]))
        return int(np.argmax((self.counts[1] - 1) / np.maximum(self.counts.sum(axis=0) - 2, 1e-9)))


def peers():
    """Return mabwiser's two, as here."""
    from mabwiser.mab import MAB, LearningPolicy

    class Mabwiser:
        def __init__(self, policy, arms, seed):
            self.mab = MAB(arms=list(range(arms)), learning_policy=policy, seed=seed)
            self.mab.fit(decisions=list(range(arms)), rewards=[0] * arms)

        def choose(self):
            return int(self.mab.predict())

        def learn(self, arm, reward):
            self.mab.partial_fit([arm], [int(reward)])

    return {
        "mabwiser Thompson": lambda arms, seed: Mabwiser(LearningPolicy.ThompsonSampling(), arms, seed),
        "mabwiser ε-greedy": lambda arms, seed: Mabwiser(LearningPolicy.EpsilonGreedy(epsilon=0.1), arms, seed),
    }


def regrets(arms, players, *, rounds, runs):
    """Play the arms; the cumulative regret of each player, mean and standard error over runs."""
    chances = [np.random.default_rng(run) for run in range(runs)]
    # In any order: who settles ties by the first arm must not be lucky.
    orders = [chance.permutation(arms) for chance in chances]
    rewards = [chance.random((rounds, len(arms))) < order for chance, order in zip(chances, orders, strict=True)]
    found = {}
    for name, make in players.items():
        lost = []
        for run in range(runs):
            player, regret = make(len(arms), run), 0.0
            for row in rewards[run]:
                arm = player.choose()
                player.learn(arm, row[arm])
                regret += arms.max() - orders[run][arm]
            lost.append(regret)
        found[name] = {"regret": float(np.mean(lost)), "se": float(np.std(lost, ddof=1) / math.sqrt(runs))}
    return found


def bound(arms, rounds):
    """Lai and Robbins: no consistent policy's regret is below Σ Δ / KL(arm, best) · ln T, for long T."""
    best = arms.max()
    each = [
        (best - one) / (one * math.log(one / best) + (1 - one) * math.log((1 - one) / (1 - best)))
        for one in arms[arms < best]
    ]
    return sum(each) * math.log(rounds)


def measure_all(*, quick, with_peers):
    began = time.perf_counter()
    rounds, runs = (500, 2) if quick else (6000, 10)
    players = {"thompson": Own, "plain Thompson": Plain, "ε-greedy": Greedy} | (peers() if with_peers else {})
    return {
        "schema": "embellie/benchmark-exploration/1",
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": {"embellie": __version__, "python": platform.python_version(), "numpy": np.__version__},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "newspaper": newspaper(readers=120 if quick else 1200, days=2 if quick else 4, seed=23),
        "arms": {
            name: {
                "rounds": rounds,
                "runs": runs,
                "chance": float((arms.max() - arms).mean() * rounds),
                "bound": bound(arms, rounds),
                "players": regrets(arms, players, rounds=rounds, runs=runs),
            }
            for name, arms in ARMS.items()
        },
        "seconds": round(time.perf_counter() - began, 1),
    }


def show(found):
    papers = found["newspaper"]
    one = papers[HEURISTIC]
    print(f"The newspaper: {one['visits']} visits of {one['readers']} readers, {one['new_articles']} new articles.")
    print(
        f"{'':>26} {'read per visit':>14} {'against affinity':>26} {'clicks/slate':>13} {'seen in 6 h':>12} {'≥ 10 times':>11} {'ms/slate':>9}"
    )
    for name, row in papers.items():
        against = "" if name == HEURISTIC else f"{row['value']:+.2%} [{row['low']:+.2%}, {row['high']:+.2%}]"
        print(
            f"{name:>26} {row['reads_per_visit']:>14.4f} {against:>26} {row['clicks_per_slate']:>13.4f} {row['soon_impressions']:>12.1f} {row['soon_seen']:>11.0%} {row['median_ms']:>9.2f}"
        )
    for name, arms in found["arms"].items():
        print(
            f"\nArms `{name}`: regret after {arms['rounds']} rounds, {arms['runs']} runs; at random {arms['chance']:.0f}; Lai and Robbins {arms['bound']:.0f}"
        )
        for player, row in arms["players"].items():
            print(f"{player:>26} {row['regret']:>8.1f} ± {row['se']:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of everything: shows that it runs, not what is true"
    )
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = measure_all(quick=given.quick, with_peers=given.peers)
    show(found)
    if given.out:
        given.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
