"""How long deciding takes, and how far its figures are from those of a long run: 20 unknowns, three scenarios.

Prints a table, and writes its figures as JSON when asked: python benchmarks/decide.py [--out FILE]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from embellie.app.deciding import decide, parse_question, read_question

REPLICATES = 8
LONG = 2**17
EXAMPLE = Path(__file__).parents[1] / "examples" / "question.toml"


def question_of_twenty():
    """A newspaper's three scenarios with twenty unknowns, two of them correlated."""
    factors = "\n".join(f'f{k} = "0.{90 - k} to 1.{10 + k}"' for k in range(8))
    costs = "\n".join(f'c{k} = "{2 + k}k to {8 + 3 * k}k EUR"' for k in range(8))
    product = " * ".join(f"f{k}" for k in range(8))
    first, second = (" + ".join(f"c{k}" for k in part) for part in (range(3), range(3, 8)))
    return parse_question(f"""
[unknowns]
visits = "250k to 450k visit/week"
worth = "0.01 to 0.04 EUR/visit"
lift_h = "0 % to 3 %"
lift_ml = {{ range = "-2 % to 15 %", tails = "fat" }}
{factors}
{costs}
[correlations]
"lift_h ~ lift_ml" = 0.4
[formulas]
base = "visits * worth * horizon * {product}"
[scenarios.status_quo]
value = "0 EUR"
[scenarios.heuristic]
value = "base * lift_h"
build = "{first}"
[scenarios.ml]
value = "base * lift_ml"
build = "{second}"
""")


def timed(question, **options):
    began = time.perf_counter()
    verdict = decide(question, **options)
    return verdict, time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the figures there")
    asked = parser.parse_args()
    question = question_of_twenty()
    decide(question)
    runs = [timed(question, seed=100 + k) for k in range(REPLICATES)]
    long = decide(question, draws=LONG, seed=1)
    truth = {"evpi": long.evpi.value} | {u.name: u.evppi.value for u in long.unknowns}
    found = [{"evpi": v.evpi.value} | {u.name: u.evppi.value for u in v.unknowns} for v, _ in runs]
    stated = [{"evpi": v.evpi.error} | {u.name: u.evppi.error for u in v.unknowns} for v, _ in runs]
    rows = []
    for name, value in truth.items():
        if value < 0.02 * truth["evpi"]:
            continue
        errors = np.array([run[name] - value for run in found])
        within = sum(abs(e) <= s[name] for e, s in zip(errors, stated, strict=True)) / REPLICATES
        rows.append(
            {"name": name, "value": value, "rmse": float(np.sqrt(np.mean(errors**2)) / value), "within": within}
        )
    seconds = sorted(s for _, s in runs)
    seed_question = read_question(EXAMPLE)
    decide(seed_question)
    seed_seconds = sorted(timed(seed_question)[1] for _ in range(REPLICATES))
    result = {
        "unknowns": len(question.unknowns),
        "draws": 16384,
        "seconds": {"median": seconds[len(seconds) // 2], "best": seconds[0]},
        "seed_question_seconds": {"median": seed_seconds[len(seed_seconds) // 2], "best": seed_seconds[0]},
        "figures": rows,
    }
    print(f"20 unknowns, 3 scenarios, 16,384 draws: {seconds[len(seconds) // 2]:.3f} s (best {seconds[0]:.3f} s)")
    print(
        f"the question of `embellie init`, 10 designs of studies: {seed_seconds[len(seed_seconds) // 2]:.3f} s (best {seed_seconds[0]:.3f} s)"
    )
    print(f"\n{'figure':<10} {'long run':>12} {'RMSE':>8} {'within stated error':>20}")
    for row in rows:
        print(f"{row['name']:<10} {row['value']:>12,.0f} {row['rmse']:>8.2%} {row['within']:>20.0%}")
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
