"""Training on a healthy log, then on poisoned ones: what each check says, and which model stays current. Then, of each check, how
often it is in alarm on healthy logs.

    python benchmarks/poisoned_log.py [--readers N] [--days N] [--logs N] [--seed N] [--out FILE]

The log is the sandbox's newspaper. The learner is a logistic regression on the heuristics' own scores: what is shown here is
what the checks do, not what a ranker gains.
"""

import argparse
import json
import math
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from embellie.app.config import TrainingConfig
from embellie.app.training import Trained, Workshop, models_of, train
from embellie.domain.event import Event
from embellie.domain.moment import micros
from embellie.domain.reading import Click, Impression
from embellie.domain.slate import Slate, SlateRequest
from embellie.recommend.check_telling import training_sentence
from embellie.recommend.data_checks import check_data
from embellie.recommend.log_profile import LogProfile, SectionProfile
from embellie.recommend.policies import Affinity
from embellie.recommend.state import State
from embellie.recommend.trainer import Gathered
from embellie.sandbox.logbook import LogbookSettings, logbook
from embellie.sandbox.newspaper import SECTIONS
from embellie.sandbox.poison import POISONS
from embellie.sandbox.readers import Temperament
from embellie.store.log import FILE, SqliteLog

START = datetime(2026, 3, 2, tzinfo=UTC)


# A small learner


@dataclass(frozen=True, eq=False)
class SmallLists:
    features: Any
    labels: Any
    groups: Any
    weights: Any
    at: Any
    feature_names: tuple[str, ...]

    def where(self, keep: Any) -> "SmallLists":
        rows = np.repeat(keep, self.groups)
        return replace(
            self, features=self.features[rows], labels=self.labels[rows], weights=self.weights[rows],
            groups=self.groups[keep], at=self.at[keep],
        )  # fmt: skip


@dataclass(frozen=True)
class SmallModel:
    weights: tuple[float, ...]

    def score(self, matrix: Any) -> Any:
        return np.asarray(matrix, np.float64) @ np.array(self.weights)

    def dump(self) -> bytes:
        return json.dumps(self.weights).encode()


class SmallTrainer:
    """Popularity, affinity, age and section as they were when a slate was served; a logistic regression."""

    name = "small"
    settings: Mapping[str, Any] = {"ridge": 1.0}

    def gather(self, events: Iterable[Event], *, site: str, until: datetime, leave_out: Collection[str]) -> Gathered:
        state, policy = State(), Affinity()
        served: dict[str, tuple[Event, Any]] = {}
        seen: dict[str, set[str]] = {}
        chosen: dict[str, set[str]] = {}
        for event in events:
            state.apply(event)
            body = event.body
            if getattr(body, "reader", "") in leave_out and getattr(body, "reader", ""):
                continue
            if isinstance(body, Slate) and body.items:
                served[body.slate_id] = (event, _features(state, policy, event, body))
            elif isinstance(body, Impression) and body.slate_id in served:
                seen.setdefault(body.slate_id, set()).add(body.article)
            elif isinstance(body, Click) and body.slate_id in served:
                chosen.setdefault(body.slate_id, set()).add(body.article)
        rows, labels, groups, slates = [], [], [], []
        for name, shown in seen.items():
            event, matrix = served[name]
            kept = [place for place, item in enumerate(event.body.items) if item.article in shown]
            rows.append(matrix[kept])
            labels += [int(event.body.items[place].article in chosen.get(name, ())) for place in kept]
            groups.append(len(kept))
            slates.append(event)
        matrix = np.concatenate(rows) if rows else np.zeros((0, 4), np.float32)
        lists = SmallLists(
            features=matrix,
            labels=np.array(labels, np.int64),
            groups=np.array(groups, np.int64),
            weights=np.ones(len(labels), np.float32),
            at=np.array([micros(event.at) for event in slates], np.int64),
            feature_names=("popular", "affinity", "age", "same_section"),
        )
        shelf = state.site(site).shelf
        return Gathered(
            lists=lists,
            ids=[event.body.slate_id for event in slates],
            readers=[event.body.reader for event in slates],
            visits=[event.body.visit for event in slates],
            heuristics={"popular": matrix[:, 0], "affinity": matrix[:, 1]},
            slices={
                "section": [
                    shelf.section_of(row) if (row := shelf.row(e.body.article)) is not None else "" for e in slates
                ],
                "reader": ["known" if event.body.reader else "unknown" for event in slates],
            },
        )

    def fit(self, lists: SmallLists, *, seed: int) -> SmallModel:
        x, y = np.asarray(lists.features, np.float64), (lists.labels > 0).astype(float)
        middle, scale = x.mean(0), x.std(0) + 1e-9
        design = np.column_stack([(x - middle) / scale, np.ones(len(x))])
        beta, ridge = np.zeros(design.shape[1]), np.eye(design.shape[1])
        for _ in range(25):
            p = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
            hessian = (design * (p * (1 - p))[:, None]).T @ design + ridge
            beta += np.linalg.solve(hessian, design.T @ (y - p) - beta)
        return SmallModel(tuple(round(float(one), 9) for one in beta[:-1] / scale))

    def load(self, data: bytes) -> SmallModel:
        return SmallModel(tuple(json.loads(data)))


def _features(state: State, policy: Affinity, event: Event, slate: Slate) -> Any:
    site = state.site(event.site)
    request = SlateRequest(
        site=event.site, placement=slate.placement, n=4, now=event.at, article=slate.article, reader=slate.reader,
        visit=slate.visit, consent=event.consent,
    )  # fmt: skip
    popular, affinity = super(Affinity, policy).score(request, site).values, policy.score(request, site).values
    rows = site.shelf.rows([item.article for item in slate.items])
    page = site.shelf.row(slate.article)
    section = 0 if page is None else int(site.shelf.section[page])
    ages = (micros(event.at) - site.shelf.published[rows]) / 3.6e9
    same = (site.shelf.section[rows] == section) & (section > 0)
    found = np.column_stack([np.log1p(popular[rows]), np.log1p(affinity[rows]), np.log1p(np.maximum(ages, 0)), same])
    table = np.zeros((len(slate.items), 4), np.float32)
    known = [place for place, item in enumerate(slate.items) if site.shelf.row(item.article) is not None]
    table[known] = found
    return table


# Healthy, then poisoned


def write(folder: Path, events: Sequence[Event]) -> Path:
    """Write events as a log."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    with SqliteLog(file) as log:
        for begin in range(0, len(events), 2_000):
            batch = events[begin : begin + 2_000]
            log.append(batch, received_at=batch[-1].at)
    return file


def healthy(*, readers: int, days: float, seed: int) -> list[Event]:
    # Readers three times as curious as the sandbox's: a small log then has clicks enough to judge a model by.
    curious = Temperament(curiosity=0.1)
    return logbook(LogbookSettings(start=START, days=days, readers=readers, seed=seed, temperament=curious))


def shop_of(folder: Path) -> Workshop:
    return Workshop(
        site="gazette", log=folder / FILE, models=models_of(folder, "gazette"), training=TrainingConfig(later=0.3)
    )


def train_then_poison(
    folder: Path, events: Sequence[Event], poison: str, *, days: float, bad_days: float
) -> tuple[Trained, Trained]:
    """Train on the healthy days; then on all, the last ones poisoned. Both trainings keep their models in the same place."""
    since = START + timedelta(days=days - bad_days)
    until = START + timedelta(days=days)
    bad = POISONS[poison](events, since) if poison else list(events)
    write(folder, [event for event in bad if event.at < until])
    trainer = SmallTrainer()
    first = train(shop_of(folder), trainer, now=since, until=since)
    return first, train(shop_of(folder), trainer, now=until, until=until, keep=True)


def loudest(trained: Trained) -> list[str]:
    return [f"{check.state:5} {check.check}: {training_sentence(check)}" for check in (*trained.before, *trained.after) if check.state != "ok"]  # fmt: skip


# False alarms, from profiles alone


def healthy_profile(rng: np.random.Generator, *, days: int = 42) -> LogProfile:
    """Draw the profile of a healthy newspaper: quiet weekends, days that differ by a fifth, counts with their own noise.

    How busy it is, how quiet its weekends are, and how its sections share the news are drawn too.
    """
    level = float(np.exp(rng.uniform(math.log(500), math.log(200_000))))
    quiet = rng.uniform(0.4, 1.0)
    weekend = int(rng.integers(7))
    rhythm = np.array([quiet if (day + weekend) % 7 < 2 else 1.0 for day in range(days)])
    reads = rng.poisson(level * rhythm * np.exp(0.15 * rng.standard_t(4, days)))
    visits = rng.binomial(reads, 1 / rng.uniform(1.3, 2.2))
    impressions = rng.poisson(reads * 2.0 * np.exp(rng.normal(0, 0.05, days)))
    clicks = rng.binomial(impressions, rng.uniform(0.005, 0.04) * np.exp(rng.normal(0, 0.05, days)).clip(0, 1.2))
    shares = rng.dirichlet(np.full(len(SECTIONS), 2.0))
    articles_a_day = rng.uniform(20, 150)
    by_section = {
        name: rng.poisson(articles_a_day * share * rhythm) for name, share in zip(SECTIONS, shares, strict=True)
    }
    hours = []
    weights = np.array([0, 0, 0, 0, 0, 1, 4, 6, 6, 5, 4, 4, 5, 4, 3, 3, 4, 5, 5, 3, 2, 1, 1, 0], float)
    new = sum(by_section.values())
    for hour in range(24 * days):
        day, clock = hour // 24, (23 - hour) % 24
        hours.append((hour, int(reads[day] * (weights[clock] + 1) / (weights + 1).sum()), int(rng.poisson(new[day] * weights[clock] / weights.sum()))))  # fmt: skip
    heavy = np.array([rng.binomial(n, 0.002) for n in reads])
    return LogProfile(
        until=START + timedelta(days=days),
        days=days,
        series={
            "reads": tuple(reads.tolist()), "visits": tuple(visits.tolist()), "served": tuple(reads.tolist()),
            "impressions": tuple(impressions.tolist()), "clicks": tuple(clicks.tolist()),
            "articles": tuple(np.asarray(new).tolist()), "heavy": tuple(heavy.tolist()),
            "top_clicks": tuple((3 + rng.poisson(clicks * 0.004)).tolist()),
            "reads.repeated": tuple(rng.binomial(reads, 0.002).tolist()),
            "clicks.repeated": tuple(rng.binomial(clicks, 0.004).tolist()),
            "reads.unknown": tuple(rng.binomial(reads, 0.003).tolist()),
        },
        sections={
            name: SectionProfile(articles=tuple(own.tolist()), reads=tuple((own * 10).tolist()))
            for name, own in by_section.items()
        },
        hours=hours,
        newest={"read": START + timedelta(days=days) - timedelta(minutes=3)},
    )  # fmt: skip


def false_alarms(logs: int, *, seed: int, days: int = 42) -> dict[str, tuple[int, int]]:
    """Count, over healthy logs, how often each check is in alarm and how often it is at `watch`."""
    rng = np.random.default_rng(seed)
    states = Counter(
        (check.check, check.state) for _ in range(logs) for check in check_data(healthy_profile(rng, days=days))
    )
    names = dict.fromkeys(name for name, _ in states)
    return {name: (states[name, "alarm"], states[name, "watch"]) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=300)
    parser.add_argument("--days", type=float, default=14)
    parser.add_argument("--logs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    began = time.perf_counter()
    events = healthy(readers=asked.readers, days=asked.days, seed=asked.seed)
    print(f"{len(events):,} events, {asked.days:g} days, {asked.readers} readers: {time.perf_counter() - began:.1f} s")
    found: dict[str, Any] = {}
    for poison in ("", *POISONS):
        with tempfile.TemporaryDirectory() as folder:
            bad_days = 3.0 if poison == "vanished section" else 1.0
            first, second = train_then_poison(Path(folder), events, poison, days=asked.days, bad_days=bad_days)
            current = second.current.run.run if second.current else ""
            says = loudest(second)
            print(f"\n== {poison or 'healthy'}: {second.run.state}"
                  f"{' for ' + ', '.join(second.refused_for) if second.refused_for else ''}")  # fmt: skip
            print("\n".join(f"   {line}" for line in says) or "   every check is fine")
            print(
                f"   first run {first.run.state}; current: {'the first run' if current == first.run.run else 'this run' if current else 'nothing'}"
            )
            found[poison or "healthy"] = {
                "first": first.run.state, "state": second.run.state, "refused_for": list(second.refused_for),
                "serves_first": current == first.run.run, "says": says, "ndcg": second.run.about.get("ndcg"),
            }  # fmt: skip
    rates = {f"{days} days": false_alarms(asked.logs, seed=asked.seed, days=days) for days in (42, 14, 7)}
    print(f"\nAlarms (and watches) on {asked.logs} healthy logs:")
    for name in rates["42 days"]:
        print(f"   {name:12}" + "".join(f"  {days}: {one[name][0]:3} ({one[name][1]})" for days, one in rates.items()))
    if asked.out:
        asked.out.write_text(json.dumps({"poisons": found, "false_alarms": rates}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
