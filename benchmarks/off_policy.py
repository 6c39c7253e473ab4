"""Off-policy estimates against the truth, in the sandbox where it is known: bias, and how often the intervals hold it.

A newspaper stands still at one moment: its articles, and what has been read of them so far. Fresh readers come (others in each
run), see slates of an exploring policy, and click or not. From what was shown, with its propensities, the value of other policies is
estimated: clicks per slot. The truth is what those policies earn when they are shown themselves, to as many readers as it takes.

Two worlds. In the first each slot is looked at by itself, as the estimators suppose. In the second readers look down the slate, as
the sandbox's readers do: they stop at the first article they like, so a slot earns less below a good one, and what is supposed is not quite true.

    python benchmarks/off_policy.py [--runs 100] [--visits 600] [--logging POLICY] [--out FILE.json]
"""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

import numpy as np

from embellie import __version__
from embellie.app.recommending import policy_of
from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.domain.reading import Read
from embellie.domain.slate import SlateRequest
from embellie.domain.unavailable import Unavailable
from embellie.measure.off_policy_values import LoggedDecisions, policy_value
from embellie.recommend.signals import signals_of
from embellie.recommend.state import State
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import Readership, Stand, Temperament

SITE, SLOTS = "gazette", 4
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
LOGGING = (
    "exploring?policy=affinity&epsilon=0.3&pool=20",
    "exploring?policy=affinity&epsilon=1&pool=12",
    "thompson?policy=affinity",
)
TARGETS = ("affinity", "affinity?pseudo_reads=40", "latest")
TEMPERAMENT = Temperament(curiosity=0.12)


class StandingStill:
    """A newspaper at one moment: what there is, and what has been read of it."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        calendar, readers = Calendar(START, rng), Readership(1_500, rng, seed=1)
        self.stand, self.state = Stand(), State(signals=signals_of(map(policy_of, LOGGING)))
        issues = calendar.backlog()
        self.stand.put(issues, now=micros(START))
        for number, issue in enumerate(issues):
            self.tell(f"article {number}", issue.article.published_at, issue.article)
        for tick in range(24):
            begins = START + timedelta(hours=tick)
            for offset, reader, number in readers.arrivals(tick, hour=begins.hour, hours=1.0):
                self.read(readers, reader, number, begins + timedelta(hours=offset))
            issues = calendar.between(begins, begins + timedelta(hours=1))
            self.stand.put(issues, now=micros(begins + timedelta(hours=1)))
            for issue in issues:
                self.tell(issue.article.article, issue.article.published_at, issue.article)
        self.now = START + timedelta(hours=24)

    def tell(self, name, at, body, consent="profiling"):
        self.state.apply(Event(id=name, site=SITE, at=at, body=body, consent=consent))

    def read(self, readers, reader, number, at):
        visit = readers.visit(reader, number)
        visit.land(self.stand)
        while visit.article:
            turn = visit.turn(self.stand, ())
            if turn.read:
                body = Read(
                    article=turn.article,
                    reader=readers.names[reader],
                    visit=visit.name,
                    engaged_seconds=turn.seconds,
                )
                self.tell(f"{visit.name} {turn.article}", at, body)


def slate(world, policy, page, visit, opened):
    """Ask a policy; the visit's own pages are left out, as slates do."""
    request = SlateRequest(
        site=SITE, placement="under", n=SLOTS, now=world.now, article=page, reader=visit, visit=visit, consent="profiling",
        visit_articles=tuple(opened), language="*",
    )  # fmt: skip
    return list(policy(request, world.state)[:SLOTS])


def clicks_alone(readers, reader, stand, names, draws):
    """Look at each slot by itself: a click or none in each."""
    found = []
    for position, name in enumerate(names):
        place = stand.place[name]
        liking = readers.taste[reader, stand.section[place]] * readers.tongue[reader, stand.language[place]]
        chance = readers.curiosity[reader] * TEMPERAMENT.attention**position * liking * stand.draw[place] ** 0.5
        found.append(float(draws[position] < min(0.6, chance)))
    return found


def clicks_down(readers, reader, stand, names, draws):
    """Look down the slate and stop at the first article one likes."""
    found = clicks_alone(readers, reader, stand, names, draws)
    first = next((place for place, one in enumerate(found) if one), len(found))
    return [one if place == first else 0.0 for place, one in enumerate(found)]


WORLDS = {"slot by slot": clicks_alone, "down the slate": clicks_down}


def pages(world, readers, visits, rng):
    """Tell who looks at a slate, below which page: as many pages as a visit turns without one."""
    for number in range(visits):
        reader = int(rng.integers(readers.count))
        visit = readers.visit(reader, number)
        visit.land(world.stand)
        opened = []
        while visit.article:
            opened.append(visit.article)
            yield reader, visit.name, visit.article, list(opened), rng.random(SLOTS)
            visit.turn(world.stand, ())


def logged(world, policy, targets, look, *, seed, visits):
    """Show a policy's slates; return the decisions of each target."""
    rng = np.random.default_rng(seed)
    readers = Readership(max(60, visits // 3), rng, seed=seed, temperament=TEMPERAMENT)
    shown, would = [], {name: [] for name in targets}
    for reader, visit, page, opened, draws in pages(world, readers, visits, rng):
        items = slate(world, policy, page, f"{visit}-{page}-{seed}", opened)
        earned = look(readers, reader, world.stand, [item.article for item in items], draws)
        shown += [
            (item.article, item.propensity, one, reader, place)
            for place, (item, one) in enumerate(zip(items, earned, strict=True), 1)
        ]
        for name, target in targets.items():
            other = slate(world, target, page, visit, opened)
            would[name] += [item.article for item in other]
    articles, propensities, rewards, who, positions = zip(*shown, strict=True)
    return {
        name: LoggedDecisions(
            rewards=rewards,
            propensities=propensities,
            targets=[float(one == other) for one, other in zip(articles, wanted, strict=True)],
            readers=[str(reader) for reader in who],
            shown=articles,
            would=wanted,
            positions=positions,
        )
        for name, wanted in would.items()
    }


def truth(world, target, look, *, visits, seed=10_000):
    """Show a policy itself; return its clicks per slot, and the standard error of that."""
    rng = np.random.default_rng(seed)
    readers = Readership(visits // 3, rng, seed=seed, temperament=TEMPERAMENT)
    sums, counts = np.zeros(readers.count), np.zeros(readers.count)
    for reader, visit, page, opened, draws in pages(world, readers, visits, rng):
        items = slate(world, target, page, visit, opened)
        sums[reader] += sum(look(readers, reader, world.stand, [item.article for item in items], draws))
        counts[reader] += len(items)
    mean = sums.sum() / counts.sum()
    return mean, float(np.sqrt(((sums - mean * counts) ** 2).sum()) / counts.sum())


def one_world(world, look, *, logging, runs, visits):
    targets = {name: policy_of(name) for name in TARGETS}
    true = {name: truth(world, target, look, visits=60 * visits) for name, target in targets.items()}
    found = []
    for by in logging:
        values = {name: [] for name in TARGETS}
        for run in range(runs):
            for name, decisions in logged(world, policy_of(by), targets, look, seed=run + 1, visits=visits).items():
                values[name].append(policy_value(decisions, policy=name))
        for name, made in values.items():
            found.append(row(by, name, true[name], made))
    return found


def row(logging, name, true, made):
    """Sum up the runs of one policy."""
    value, se = true
    said = {"logging": logging, "policy": name, "truth": value, "truth_se": se, "runs": len(made)}
    said["refused"] = sum(isinstance(one.snips, Unavailable) for one in made) / len(made)
    for word in ("ips", "snips", "dr"):
        given = [found for one in made if not isinstance(found := getattr(one, word), Unavailable)]
        if given:
            estimates = np.array([one.value for one in given])
            held = [one.low <= value <= one.high for one in given]
            said[word] = {
                "bias": float(estimates.mean() / value - 1),
                "bias_error": float(estimates.std(ddof=1) / np.sqrt(len(given)) / value)
                if len(given) > 1
                else float("inf"),
                "width": float(np.mean([one.high - one.low for one in given]) / value),
                "coverage": float(np.mean(held)),
            }
    return said


def measure_all(runs: int, visits: int, logging: tuple[str, ...]) -> dict:
    began = time.perf_counter()
    world = StandingStill()
    return {
        "schema": "embellie/benchmark-off-policy/1",
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": {"embellie": __version__, "python": platform.python_version(), "numpy": np.__version__},
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": runs,
        "visits": visits,
        "worlds": {
            name: one_world(world, look, logging=logging, runs=runs, visits=visits) for name, look in WORLDS.items()
        },
        "seconds": round(time.perf_counter() - began, 1),
    }


def show(found: dict) -> None:
    for world, rows in found["worlds"].items():
        print(f"Readers look {world}; {found['runs']} runs of {found['visits']} visits.")
        print(
            f"{'logged by':>46} {'valued':>34} {'truth':>7} {'refused':>8}   bias % (± se), width %, coverage % of ips / snips / dr"
        )
        for one in rows:
            figures = "   ".join(
                f"{100 * part['bias']:+5.1f} ±{100 * part['bias_error']:.1f} {100 * part['width']:4.0f} {100 * part['coverage']:4.0f}"
                if (part := one.get(word))
                else f"{'–':>20}"
                for word in ("ips", "snips", "dr")
            )
            print(
                f"{one['logging']:>46} {one['policy']:>34} {one['truth']:.4f} {100 * one['refused']:6.0f} %   {figures}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--visits", type=int, default=600)
    parser.add_argument("--logging", action="append", help="a policy that wrote the log; all of them by default")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = measure_all(options.runs, options.visits, tuple(options.logging or LOGGING))
    show(found)
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
