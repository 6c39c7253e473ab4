"""The learned rankers against the default heuristic, where the truth is known: in the sandbox. Prints a table, writes JSON when asked.

    python benchmarks/ranker_truth.py [--quick] [--world NAME] [--seed N] [--out FILE]

In each world a newspaper is served by the default heuristic, exploring, for some days; a ranker is trained on that log
by each learner (trees and, with the extra `neural`, a network), then all serve fresh readers, who make the same visits on the same draws before either. The true gain is the relative
difference in articles read per visit, with readers as independent units; beside it what the log alone had promised.

Worlds: `tastes` as the sandbox is, readers being curious; `alike` where all readers like all sections the same and all
articles draw alike, so that popularity and freshness are all there is to know; `idle` where slates are clicked but change
nothing.
"""

import argparse
import heapq
import json
import random
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from embellie.domain.event import Event
from embellie.domain.moment import micros, moment
from embellie.domain.reading import Click, Impression, Read
from embellie.domain.site import Placement
from embellie.domain.slate import Slate, SlateItem, SlateRequest
from embellie.recommend.built_in import build_policy
from embellie.recommend.editorial import apply_rules
from embellie.recommend.evaluation import REACH95, evaluate
from embellie.recommend.features import signals_of_features, with_features
from embellie.recommend.learning import training_from_log
from embellie.recommend.ranker import Ranker, load_models_with
from embellie.recommend.ranker_model import list_auc
from embellie.recommend.ranker_network import fit_network
from embellie.recommend.ranker_trees import fit_trees
from embellie.recommend.replaying import ClickLog, Protocol
from embellie.recommend.state import State
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import Readership, Stand, Temperament

START = datetime(2026, 3, 2, tzinfo=UTC)
FITS = {"trees": fit_trees, "neural": fit_network}
SITE, SLOTS, TICK = "gazette", 4, timedelta(minutes=15)
SPOT = Placement(placement="bottom", slots=SLOTS)
WORLDS = {
    "tastes": Temperament(curiosity=0.12),
    "alike": Temperament(curiosity=0.12),
    "idle": Temperament(curiosity=0.12, added=0.0),
}


class World:
    """A newspaper, its readers, and a policy before them; `events` is the log, `read` the articles read per visit.

    With `signals`, the state keeps those, and slates carry no features.
    """

    def __init__(self, world, policy, *, readers, seed, signals=None):
        rng = np.random.default_rng(seed)
        self.calendar = Calendar(START, rng)
        self.readers = Readership(readers, rng, seed=seed, temperament=WORLDS[world])
        if world == "alike":
            self.readers.taste[:] = 1.0
            self.calendar._appeal[:] = 1.0  # noqa: SLF001 - this world has no appeal
        self.noted = signals is None
        self.policy, self.state = policy, State(signals=signals_of_features() if self.noted else signals)
        self.stand, self.entropy = Stand(), random.Random(seed)
        self.events, self.read = [], {}
        self.slates = self.clicks = self.number = 0
        self.due = []

    def tell(self, at, body, consent="none"):
        self.number += 1
        event = Event(id=f"e{self.number}", site=SITE, at=at, body=body, consent=consent)
        self.state.apply(event)
        self.events.append(event)

    def run(self, days):
        self.publish(self.calendar.backlog(), START)
        for tick in range(round(days * 24 * 3600 / TICK.total_seconds())):
            begins = START + tick * TICK
            ends = begins + TICK
            hour = begins.hour + begins.minute / 60
            for offset, reader, number in self.readers.arrivals(tick, hour=hour, hours=TICK / timedelta(hours=1)):
                self.push(micros(begins) + int(offset * 3.6e9), self.readers.visit(reader, number), [])
            while self.due and self.due[0][0] < micros(ends):
                at, _, visit, told = heapq.heappop(self.due)
                self.page(at, visit, told)
            self.publish(self.calendar.between(begins, ends), ends)
        return self

    def publish(self, issues, now):
        for issue in issues:
            self.tell(issue.article.published_at, issue.article)
        self.stand.put(issues, now=micros(now))

    def push(self, at, visit, told):
        self.number += 1
        heapq.heappush(self.due, (at, self.number, visit, told))

    def page(self, at, visit, told):
        for event in told:
            self.tell(*event)
        if not visit.opened:
            visit.land(self.stand)
            self.read[visit.reader, visit.number] = set(), at
        if not visit.article:
            return
        consent = self.readers.consents[visit.reader]
        known = consent != "none"
        reader, name = (self.readers.names[visit.reader], visit.name) if known else ("", "")
        request = SlateRequest(
            site=SITE, placement="bottom", n=SLOTS, now=moment(at), article=visit.article, reader=reader, visit=name,
            consent=consent, visit_articles=tuple(visit.opened) if known else (),
        )  # fmt: skip
        shown = apply_rules(
            self.policy(request, self.state), request=request, state=self.state, rules=(), placement=SPOT
        )
        if self.noted:
            shown = with_features(shown, request, self.state.site(SITE))
        noted = next((one.features for one in shown if one.features), None)
        slate_id = f"s{self.number}"
        slate = Slate(
            slate_id=slate_id, placement="bottom", reader=reader, visit=name, article=visit.article, variant="",
            release="", policy=self.policy.name,
            items=tuple(
                SlateItem(
                    article=one.article, position=place, propensity=one.propensity, reason=one.reason, score=one.score,
                    features=one.features.values if one.features else (),
                )
                for place, one in enumerate(shown, 1)
            ),
            feature_names=noted.names if noted else (), as_of=noted.as_of if noted else 0,
            visit_articles=request.visit_articles,
        )  # fmt: skip
        self.tell(moment(at), slate, consent)
        self.slates += 1
        turn = visit.turn(self.stand, [item.article for item in slate.items])
        left = at + int(turn.seconds * 1e6)
        if turn.read:
            self.read[visit.reader, visit.number][0].add(turn.article)
        following = [
            (moment(left), Impression(slate_id=slate_id, article=one.article, position=one.position, reader=reader, visit=name), consent)
            for one in slate.items[: turn.seen]
        ]  # fmt: skip
        body = Read(article=turn.article, reader=reader, visit=name, engaged_seconds=turn.seconds)
        following.append((moment(left), body, consent))
        if turn.clicked:
            self.clicks += 1
            item = slate.items[turn.clicked - 1]
            click = Click(slate_id=slate_id, article=item.article, position=item.position, reader=reader, visit=name)
            following.append((moment(left), click, consent))
        self.push(left + 1, visit, following)


def paired(one, other, *, after):
    """Relative difference in articles read per visit of two worlds, on the visits that began after a moment, by reader."""
    sums = defaultdict(lambda: np.zeros(3))
    for visit, (read, at) in one.read.items():
        if at >= after and visit in other.read:
            sums[visit[0]] += (len(read), len(other.read[visit][0]), 1.0)
    table = np.array(list(sums.values()))
    ratio = table[:, 0].sum() / table[:, 1].sum() - 1.0
    residuals = table[:, 0] - (1.0 + ratio) * table[:, 1]
    count = len(table)
    se = float(np.sqrt(count / (count - 1) * (residuals @ residuals)) / table[:, 1].sum())
    return {
        "value": ratio, "low": ratio - REACH95 * se, "high": ratio + REACH95 * se, "visits": int(table[:, 2].sum()),
        "readers": count, "reads_per_visit": table[:, 0].sum() / table[:, 2].sum(),
        "heuristic_reads_per_visit": table[:, 1].sum() / table[:, 2].sum(),
    }  # fmt: skip


def clicks_of(world):
    reads = sorted(
        (event for event in world.events if isinstance(event.body, Read) and event.body.visit), key=lambda one: one.at
    )
    return ClickLog(
        readers=[event.body.reader for event in reads],
        visits=[event.body.visit for event in reads],
        articles=[event.body.article for event in reads],
        at=np.array([micros(event.at) for event in reads], np.int64),
        catalogue={e.body.article: e.body for e in world.events if e.kind == "article"},
    )


def offline(logged, model, training, *, split):
    """What the log promises of a model fitted on its first part: order within lists shown later, and hits at the slots."""
    later = training.between(split, 2**62)
    columns = {name: number for number, name in enumerate(later.feature_names)}
    log = clicks_of(logged)
    load_models_with(lambda _: model)
    found = evaluate(
        log,
        {"affinity": build_policy("affinity"), "ranker": Ranker(model="offline")},
        protocol=Protocol(window=300_000_000, k=SLOTS, seen="drop", sample=2000, seed=1),
        timer=time.perf_counter,
    )
    after = np.array([log.at[target.click] >= split for target in found.targets])
    hits = {
        name: float(((one.ranks[after] > 0) & (one.ranks[after] <= SLOTS)).mean())
        for name, one in found.policies.items()
    }
    drawn = later.drawn()

    def order(lists):
        return {
            "ranker": list_auc(model.score(lists.features), lists),
            "affinity": list_auc(lists.features[:, columns["affinity"]], lists),
        }

    return {
        "list_auc": order(later),
        "drawn_list_auc": order(drawn),
        "drawn_lists": len(drawn.with_contrast()),
        "hr": hits,
        "hr_gain": hits["ranker"] / hits["affinity"] - 1.0,
        "targets": int(after.sum()),
    }  # fmt: skip


def verdict(true, hr_gain):
    promised = f"offline it hits {hr_gain:+.1%}"
    if true["low"] > 0:
        return f"the ranker is worth having: {true['value']:+.2%} articles per visit; {promised}"
    if true["high"] < 0:
        return f"the heuristic is better: {true['value']:+.2%} articles per visit; {promised}"
    return f"heuristics are enough: no gain to be told from nothing ({true['low']:+.2%} to {true['high']:+.2%}); {promised}"


def latency(models, matrix, *, times=400):
    """Milliseconds of CPU to score 300 candidates, the learners taking turns."""
    rows = np.resize(np.arange(len(matrix)), 300)
    took = {name: [] for name in models}
    for _ in range(times):
        for name, model in models.items():
            began = time.process_time()
            model.score(matrix[rows])
            took[name].append(1e3 * (time.process_time() - began))
    return {
        name: dict(zip(("p50_ms", "p99_ms"), np.percentile(one, [50, 99]), strict=True)) for name, one in took.items()
    }


def study(world, learners, *, readers, log_days, days, epsilon, seed):
    began = time.perf_counter()
    load_models_with(None)
    logged = World(
        world,
        build_policy("exploring", {"policy": "ranker", "epsilon": epsilon, "pool": 24}),
        readers=readers,
        seed=11 + seed,
    ).run(log_days)
    training = training_from_log(logged.events)
    split = micros(START + timedelta(days=log_days * 0.75))
    after = micros(START + timedelta(days=1))
    heuristic = World(world, build_policy("affinity"), readers=readers, seed=23 + seed).run(days)
    models, rankers = {}, {}
    for name in learners:
        half = FITS[name](training.between(0, split), seed=1)
        promised = offline(logged, half, training, split=split)
        fitting = time.process_time()
        model = models[name] = FITS[name](training, seed=1)
        fitting = time.process_time() - fitting
        load_models_with(lambda _, model=model: model)
        fresh = World(world, build_policy("ranker", {"model": "all"}), readers=readers, seed=23 + seed).run(days)
        load_models_with(None)
        true = paired(fresh, heuristic, after=after)
        rankers[name] = {
            "offline": promised,
            "true_gain": true,
            "click_rate": fresh.clicks / fresh.slates,
            "says": verdict(true, promised["hr_gain"]),
            "fit_seconds": fitting,
            "bytes": len(model.dump()),
            "world": fresh,
        }
    between = {
        f"{one} over {other}": paired(rankers[one]["world"], rankers[other]["world"], after=after)
        for one in rankers for other in rankers if one == "neural" and other == "trees"
    }  # fmt: skip
    for one in rankers.values():
        del one["world"]
    return {
        "world": world,
        "slates_logged": logged.slates,
        "clicks_logged": logged.clicks,
        "lists": len(training.with_contrast()),
        "rankers": rankers,
        "between": between,
        "latency": latency(models, training.features),
        "heuristic_click_rate": heuristic.clicks / heuristic.slates,
        "top_features": dict(list(models["trees"].importances().items())[:8]) if "trees" in models else {},
        "seconds": time.perf_counter() - began,
    }


def show(one):
    print(
        f"{one['world']}: {one['slates_logged']} slates logged, {one['lists']} lists to learn from ({one['seconds']:.0f} s)"
    )
    for name, ranker in one["rankers"].items():
        true, promised, speed = ranker["true_gain"], ranker["offline"], one["latency"][name]
        print(
            f" {name}: fitted in {ranker['fit_seconds']:.1f} s, {ranker['bytes'] / 1e3:.0f} kB; 300 articles in {speed['p50_ms']:.2f} ms (p99 {speed['p99_ms']:.2f})"
        )
        for what, key in (
            ("order within later lists (AUC)", "list_auc"),
            ("the same, lists drawn by chance", "drawn_list_auc"),
        ):
            print(f"  {what:32} ranker {promised[key]['ranker']:.3f}, affinity {promised[key]['affinity']:.3f}")
        print(
            f"  hits at {SLOTS} on later reads        ranker {promised['hr']['ranker']:.3f}, affinity {promised['hr']['affinity']:.3f} ({promised['hr_gain']:+.1%}, {promised['targets']} targets)"
        )
        print(
            f"  true articles per visit          ranker {true['reads_per_visit']:.4f}, affinity {true['heuristic_reads_per_visit']:.4f}: {true['value']:+.2%} [{true['low']:+.2%}, {true['high']:+.2%}] over {true['visits']} visits"
        )
        print(
            f"  click rate of a slate            ranker {ranker['click_rate']:.3f}, affinity {one['heuristic_click_rate']:.3f}"
        )
        print(f"  → {ranker['says']}")
    for name, true in one["between"].items():
        print(f" {name}: {true['value']:+.2%} [{true['low']:+.2%}, {true['high']:+.2%}] articles per visit")
    print(
        f" what the trees look at: {', '.join(f'{name} {share:.0%}' for name, share in one['top_features'].items())}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the readers: shows that it runs, not what is true"
    )
    parser.add_argument("--learner", choices=FITS, action="append", help="all by default")
    parser.add_argument("--world", choices=WORLDS, action="append")
    parser.add_argument("--readers", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0, help="another newspaper, other readers")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = []
    for world in given.world or WORLDS:
        size = {"readers": given.readers // 10 if given.quick else given.readers}
        one = study(world, given.learner or list(FITS), **size, log_days=5, days=4, epsilon=0.3, seed=given.seed)
        found.append(one)
        show(one)
    if given.out:
        given.out.write_text(json.dumps({"schema": "embellie/ranker_truth/2", "worlds": found}, indent=1))


if __name__ == "__main__":
    main()
