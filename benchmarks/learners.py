"""Trees beside a network on the same lists: ordering of later lists, time to fit, and time to score 300 articles.

On a click log without slates (`learning_clicks`: the article read next, and twenty others of the shortlist), by default on DeskDrop
if it is in `../shared/data`. Learned from the first 60 % of the time, tried on the rest; the difference is in pairs, with lists as
the units. CPU time, one core.

    .venv/bin/python benchmarks/learners.py [--sample 6000] [--seeds 3] [--out FILE]
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from embellie.app.recommending import Source, read_source
from embellie.recommend.learning_clicks import training_from_clicks
from embellie.recommend.ranker_model import list_auc, load_ranker
from embellie.recommend.ranker_network import fit_network
from embellie.recommend.ranker_trees import fit_trees
from embellie.recommend.replaying import Protocol

DESKDROP = Path(__file__).parents[2] / "shared" / "data" / "deskdrop" / "users_interactions.csv.gz"
SHARE = 0.6


def reciprocal_ranks(scores, lists) -> np.ndarray:
    """One over the place of what was chosen, list by list; ties count against it."""
    found, first = [], 0
    for size in lists.groups.tolist():
        own, chosen = scores[first : first + size], lists.labels[first : first + size] > 0
        found.append(1.0 / (1 + np.count_nonzero(own[~chosen] >= own[chosen].max())))
        first += size
    return np.array(found)


def told(scores, lists) -> dict[str, float]:
    return {"auc": list_auc(scores, lists), "mrr": float(reciprocal_ranks(scores, lists).mean())}


def milliseconds(score, matrix, *, times: int = 400) -> dict[str, float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        score(matrix)
        took.append(1e3 * (time.perf_counter() - began))
    return {"p50_ms": float(np.quantile(took, 0.5)), "p99_ms": float(np.quantile(took, 0.99))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=6000, help="targets of which lists are made")
    parser.add_argument("--seeds", type=int, default=3, help="networks fitted")
    parser.add_argument("--out", type=Path, help="write the figures there")
    asked = parser.parse_args()
    if not DESKDROP.is_file():
        raise SystemExit("No DeskDrop in ../shared/data: nothing to learn from.")
    source = Source(
        log=DESKDROP, reader="personId", visit="sessionId", article="contentId", at="timestamp", unit="s"
    )  # fmt: skip
    log, _, _ = read_source(source)
    lists = training_from_clicks(log, Protocol(sample=asked.sample, seed=3), seed=1)
    middle = int(np.quantile(log.at, SHARE))
    early, later = lists.between(-1, middle), lists.between(middle, int(log.at.max()) + 1)
    popular = later.features[:, later.feature_names.index("popular")]
    found = {"popular": told(popular, later)}
    ranks = {}
    fits = [("trees", fit_trees, 1), *(("network", fit_network, seed) for seed in range(1, asked.seeds + 1))]
    for learner, fit, seed in fits:
        began = time.process_time()
        model = load_ranker(fit(early, seed=seed).dump())
        seconds = time.process_time() - began
        scores = model.score(later.features)
        name = learner if learner == "trees" else f"{learner}, seed {seed}"
        ranks.setdefault(learner, reciprocal_ranks(scores, later))
        found[name] = told(scores, later) | {"fit_seconds": seconds} | milliseconds(model.score, later.features[:300])
    difference = ranks["network"] - ranks["trees"]
    error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    print(f"{len(early.groups)} lists to learn from, {len(later.groups)} later ones")
    print(f"{'':18}{'AUC':>8}{'MRR':>8}{'fit s':>8}{'p50 ms':>8}{'p99 ms':>8}")
    for name, one in found.items():
        rest = "".join(f"{one[key]:8.2f}" for key in ("fit_seconds", "p50_ms", "p99_ms") if key in one)
        print(f"{name:18}{one['auc']:8.3f}{one['mrr']:8.3f}{rest}")
    mean = float(difference.mean())
    print(f"MRR, network - trees: {mean:+.4f} [{mean - 1.96 * error:+.4f}, {mean + 1.96 * error:+.4f}]")
    document = {
        "schema": "embellie/benchmark-learners/1", "python": platform.python_version(), "machine": platform.machine(),
        "lists": len(early.groups), "later": len(later.groups), "models": found, "difference": {"mrr": mean, "se": error},
    }  # fmt: skip
    if asked.out:
        asked.out.write_text(json.dumps(document, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
