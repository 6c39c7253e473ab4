"""How long deciding takes, how much memory, and how far its figures are from the truth.

    python benchmarks/decide.py [--peers PYTHON] [--large] [--out FILE]

Two questions of twenty unknowns and three scenarios: in `affine` every net benefit is affine in each unknown; in `bent` some
bend it (weeks to wait, a ceiling, a fading), two are correlated and the tails are fat. The truth comes from another program,
in plain NumPy below (`--truth` runs it again): it holds an unknown at 161 ranks and draws all others 4 x 65,536 times.

`--peers` names a Python that has `voiage` (3.12 or later) and `heormodel`: both then value the very same arrays, and plain
pseudo-random ones too, as their users have them. Nothing of theirs is needed, or kept, here.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

REPLICATES = 8
SHARE = 0.02
"""Figures above this share of EVPI are held to the truth."""

_T3 = 3.2  # 97.5th percentile of Student's t with three degrees of freedom: the long run was run four times

EXAMPLE = Path(__file__).parents[1] / "examples" / "question.toml"
HORIZON = 104.0

FACTORS = {f"f{k}": ("lognormal", 0.9 - k / 100, 1.1 + k / 100) for k in range(8)}
COSTS = {f"c{k}": ("lognormal", 2_000.0 + 1_000 * k, 8_000.0 + 3_000 * k) for k in range(8)}
LIFTS = {"lift_h": ("normal", 0.0, 0.03), "lift_ml": ("fat", -0.02, 0.15)}
AFFINE = {"visits": ("lognormal", 250e3, 450e3), "worth": ("lognormal", 0.01, 0.04), **LIFTS, **FACTORS, **COSTS}
BENT = {
    "visits": ("lognormal", 250e3, 450e3), "worth": ("lognormal", 0.01, 0.04), **LIFTS,
    "ceiling": ("lognormal", 0.07, 0.18), "fade": ("lognormal", 0.05, 0.30),
    "ready_h": ("lognormal", 2.0, 12.0), "ready_ml": ("lognormal", 8.0, 50.0),
    **{name: FACTORS[name] for name in list(FACTORS)[:5]}, **{name: COSTS[name] for name in list(COSTS)[:7]},
}  # fmt: skip
TIED = ("lift_h", "lift_ml", 0.4)

TRUTH: dict[str, dict[str, tuple[float, float]]] = {
    "affine": {
        "evpi": (12644.34, 0.76), "lift_ml": (7233.958, 0.21), "worth": (2769.044, 0.48), "lift_h": (902.7785, 0.71),
        "visits": (105.0124, 0.16), "f7": (0.7665459, 0.0026), "f6": (0.3188518, 0.0014), "f5": (0.1129438, 0.00039),
        "f4": (0.03254062, 0.00016), "f3": (0.007190642, 3.7e-05), "f2": (0.001108843, 8.3e-06),
    },
    "bent": {
        "evpi": (10531.46, 0.36), "lift_ml": (6871.821, 0.19), "worth": (3126.063, 0.92), "lift_h": (1554.813, 0.29),
        "ready_ml": (1018.467, 0.79), "c4": (894.5702, 0.78), "visits": (787.6178, 0.75), "c3": (672.6865, 0.72),
        "c0": (277.7752, 0.31), "ceiling": (274.8033, 0.61), "f4": (157.0024, 0.26), "f3": (126.5156, 0.28),
        "fade": (114.6037, 0.41), "f2": (98.60107, 0.27), "f1": (73.46758, 0.21), "f0": (51.52759, 0.2),
        "c6": (27.26517, 0.16), "c2": (25.86913, 0.075), "c5": (11.73062, 0.094), "c1": (11.72158, 0.041),
        "ready_h": (1.863332, 0.0078),
    },
}  # fmt: skip
"""By question and figure: the value, and the standard error of the long run."""


# the same questions, as embellie reads them and as plain NumPy


def text_of(priors, scenarios):
    """Write a question."""
    units = {"visits": "visit/week", "worth": "EUR/visit", "ready_h": "weeks", "ready_ml": "weeks"}
    lines = []
    for name, (family, low, high) in priors.items():
        unit = units.get(name, "EUR" if name in COSTS else "")
        written = f'"{low!r} to {high!r} {unit}"'.replace(' "', '"')
        lines.append(f'{name} = {{ range = {written}, tails = "fat" }}' if family == "fat" else f"{name} = {written}")
    one, other, rho = TIED
    ties = f'[correlations]\n"{one} ~ {other}" = {rho}\n'
    return 'horizon = "104 weeks"\n[unknowns]\n' + "\n".join(lines) + f"\n{ties}{scenarios}"


def affine_question():
    """Two scenarios beside the status quo, each a product of factors times a lift, less a sum of costs."""
    from embellie.app.deciding import parse_question

    return parse_question(
        text_of(
            AFFINE,
            f"""
[formulas]
base = "visits * worth * horizon * {" * ".join(FACTORS)}"
[scenarios.status_quo]
value = "0 EUR"
[scenarios.heuristic]
value = "base * lift_h"
build = "c0 + c1 + c2"
[scenarios.ml]
value = "base * lift_ml"
build = "c3 + c4 + c5 + c6 + c7"
""",
        )
    )


def bent_question():
    """The same with weeks to wait, a lift that has a ceiling, and one that fades."""
    from embellie.app.deciding import parse_question

    return parse_question(
        text_of(
            BENT,
            """
[formulas]
base = "visits * worth * f0 * f1 * f2 * f3 * f4"
[scenarios.status_quo]
benefit = "0 EUR/week"
[scenarios.heuristic]
benefit = "base * lift_h"
ready = "ready_h"
build = "c0 + (c1 + c2) / 4"
[scenarios.ml]
benefit = "base * min(lift_ml, ceiling) / (1 + fade)"
ready = "ready_ml"
build = "c3 + c4 + (c5 + c6) / 4"
""",
        )
    )


def affine_net(x):
    """Net benefits (3, draws), in plain NumPy."""
    base = x["visits"] * x["worth"] * HORIZON
    for name in FACTORS:
        base = base * x[name]
    first, second = (sum(x[f"c{k}"] for k in part) for part in (range(3), range(3, 8)))
    return np.stack([0 * base, base * x["lift_h"] - first, base * x["lift_ml"] - second])


def bent_net(x):
    """Net benefits (3, draws), in plain NumPy."""
    base = x["visits"] * x["worth"] * x["f0"] * x["f1"] * x["f2"] * x["f3"] * x["f4"]
    left_h, left_ml = (np.maximum(HORIZON - x[name], 0.0) for name in ("ready_h", "ready_ml"))
    heuristic = base * x["lift_h"] * left_h - x["c0"] - (x["c1"] + x["c2"]) / 4
    capped = np.minimum(x["lift_ml"], x["ceiling"]) / (1 + x["fade"])
    return np.stack([0 * base, heuristic, base * capped * left_ml - x["c3"] - x["c4"] - (x["c5"] + x["c6"]) / 4])


QUESTIONS = {"affine": (affine_question, affine_net, AFFINE), "bent": (bent_question, bent_net, BENT)}


# the truth


def valued(prior, scores):
    """Return an unknown's values at normal scores, without embellie."""
    from scipy import special, stats

    family, low, high = prior
    z95 = 1.6448536269514722
    if family == "lognormal":
        return np.exp((np.log(low) + np.log(high)) / 2 + (np.log(high) - np.log(low)) / (2 * z95) * scores)
    if family == "normal":
        return (low + high) / 2 + (high - low) / (2 * z95) * scores
    tail = special.stdtrit(4.0, special.ndtr(-np.abs(scores)))
    return (low + high) / 2 - np.sign(scores) * tail * (high - low) / (2 * stats.t.ppf(0.95, 4))


def scores_of(names, draws, seed):
    """Draw the unknowns' scores (names, draws): one scrambled Sobol sequence."""
    from scipy import special
    from scipy.stats import qmc

    points = qmc.Sobol(len(names), scramble=True, rng=np.random.default_rng([2024, seed])).random(draws)
    return special.ndtri(np.clip(points, 1e-12, 1 - 1e-12)).T


def tied(scores, names):
    """Let the second of the tied follow the first."""
    one, other, rho = TIED
    at, then = names.index(one), names.index(other)
    out = scores.copy()
    out[then] = rho * scores[at] + np.sqrt(1 - rho * rho) * scores[then]
    return out


def gain(net, weights):
    """Return E[max] - max E for net benefits (options, points) at weighted points."""
    return float(net.max(axis=0) @ weights - (net @ weights).max())


def long_run(net, priors, *, runs=4, rows=2**16):
    """Return every figure and its standard error, by nested draws."""
    from scipy.interpolate import CubicSpline

    names = list(priors)
    ranks = np.linspace(-6.5, 6.5, 161)
    weights = np.exp(-0.5 * ranks**2)
    weights /= weights.sum()
    found = {name: [] for name in ["evpi", *names]}
    for run in range(8):
        scores = tied(scores_of(names, 2**19, 100 + run), names)
        worth = net({name: valued(priors[name], row) for name, row in zip(names, scores, strict=True)})
        found["evpi"].append(float(worth.max(axis=0).mean() - worth.mean(axis=1).max()))
    for run in range(runs):
        free = scores_of(names, rows, run)
        drawn = {name: valued(priors[name], row) for name, row in zip(names, tied(free, names), strict=True)}
        for name in names:
            curve = np.stack([held(net, priors, drawn, free, names, name, rank) for rank in ranks], axis=1)
            fine = np.linspace(ranks[0], ranks[-1], 6401)
            dense = CubicSpline(ranks, curve, axis=1)(fine)
            small = np.exp(-0.5 * fine**2)
            found[name].append(gain(dense, small / small.sum()))
    return {name: (float(np.mean(f)), float(np.std(f, ddof=1) / len(f) ** 0.5)) for name, f in found.items()}


def held(net, priors, drawn, free, names, name, rank):
    """Return mean net benefits with one unknown at a rank, its partner following."""
    one, other, rho = TIED
    here = {**drawn, name: valued(priors[name], np.array([rank]))}
    if name in (one, other):
        partner = other if name == one else one
        here[partner] = valued(priors[partner], rho * rank + np.sqrt(1 - rho * rho) * free[names.index(partner)])
    return net(here).mean(axis=1)


# embellie


def figures_of(question, *, draws=16_384, seed=7):
    """Value EVPI and every EVPPI, as `decide` does."""
    from embellie.app.answers.conditional import Conditional
    from embellie.app.answers.drawn import take_sample
    from embellie.app.answers.unknown_values import value_everything, value_unknowns

    sample = take_sample(question, draws=draws, seed=seed)
    conditional = Conditional(sample)
    unknowns = value_unknowns(sample, conditional, {})
    found = {unknown.name: unknown.evppi for unknown in unknowns}
    return {"evpi": value_everything(sample, conditional), **found}, sample, unknowns


def timed(work, times=REPLICATES):
    """Return the median and least seconds of several runs, and the median of the processor's: others may keep it busy."""
    work()
    took, busy = [], []
    for _ in range(times):
        began, ticks = time.perf_counter(), time.process_time()
        work()
        took.append(time.perf_counter() - began)
        busy.append(time.process_time() - ticks)
    middle = times // 2
    return {"median": sorted(took)[middle], "best": min(took), "cpu": sorted(busy)[middle]}


def accuracy(name):
    """Return, for every figure that matters, the RMSE over seeds and how often the stated error holds the truth."""
    make, _, _ = QUESTIONS[name]
    question, truth = make(), TRUTH[name]
    runs = [figures_of(question, seed=100 + k)[0] for k in range(REPLICATES)]
    rows = []
    for figure, (value, spread) in sorted(truth.items(), key=lambda item: -item[1][0]):
        if value < SHARE * truth["evpi"][0]:
            continue
        off = np.array([run[figure].value - value for run in runs])
        inside = [abs(o) <= run[figure].error + _T3 * spread for o, run in zip(off, runs, strict=True)]
        rows.append(
            {
                "figure": figure, "truth": value, "truth_se": spread, "rmse": float(np.sqrt(np.mean(off**2)) / value),
                "stated": float(np.mean([run[figure].error for run in runs]) / value), "within": float(np.mean(inside)),
            }
        )  # fmt: skip
    return rows


def wide_question(many):
    """The affine question with more unknowns: as many more factors as it takes, forty to a formula."""
    from embellie.app.deciding import parse_question

    names = [f"g{k}" for k in range(many - len(AFFINE))]
    priors = dict(AFFINE) | dict.fromkeys(names, ("lognormal", 0.97, 1.03))
    parts = [names[first : first + 40] for first in range(0, len(names), 40)]
    products = "\n".join(f'part{at} = "{" * ".join(part)}"' for at, part in enumerate(parts))
    base = " * ".join(["visits", "worth", "horizon", *FACTORS, *(f"part{at}" for at in range(len(parts)))])
    return parse_question(
        text_of(
            priors,
            f"""
[formulas]
{products}
base = "{base}"
[scenarios.status_quo]
value = "0 EUR"
[scenarios.heuristic]
value = "base * lift_h"
build = "c0 + c1 + c2"
[scenarios.ml]
value = "base * lift_ml"
build = "c3 + c4 + c5 + c6 + c7"
""",
        )
    )


def growth(*, large):
    """Return seconds and peak memory as the question grows, and as the draws do."""
    cases = [(many, 16_384) for many in (20, 50, 100)] + [(20, 2**17)] + ([(20, 2**20), (100, 2**20)] if large else [])
    rows = []
    for many, draws in cases:
        question = wide_question(many)
        took = timed(lambda q=question, d=draws: figures_of(q, draws=d), times=3 if draws < 2**20 else 1)
        tracemalloc.start()
        figures_of(question, draws=draws)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows.append(
            {"unknowns": many, "draws": draws, "seconds": took["median"], "cpu": took["cpu"], "peak_mib": peak / 2**20}
        )
    return rows


def whole_question():
    """The question of `embellie init` with six studies of eight designs each."""
    from embellie.app.deciding import parse_question

    text = EXAMPLE.read_text(encoding="utf-8")
    text = text[: text.index("[studies.")]
    for name, measures, scenario in (
        ("heuristic", "interest", "heuristic"),
        ("ml", "ml_lift", "ml"),
        ("again", "interest", "ml"),
    ):
        text += f"""
[studies.ab_{name}]
kind = "experiment"
measures = "{measures}"
scenario = "{scenario}"
traffic = "visits"
sd = 1.2
weeks = [1, 2, 4, 8]
share = [0.1, 0.5]
cost = "1k EUR + 500 EUR/week"
"""
    for name, measures, sd in (
        ("revenue", "revenue", 0.02),
        ("articles", "articles_per_visit", 2),
        ("replay", "ml_clicks", 2.0),
    ):
        text += f"""
[studies.ask_{name}]
kind = "measurement"
measures = "{measures}"
sd = {sd}
n = [50, 100, 200, 400, 800, 1600, 3200, 6400]
delay = "2 weeks"
cost = "1k EUR"
"""
    return parse_question(text)


def report():
    """Return the seconds of quick and whole answers."""
    from embellie.app.deciding import decide, read_question

    rows = {}
    for name, question in (
        ("question of `embellie init`", read_question(EXAMPLE)),
        ("6 studies x 8 designs", whole_question()),
    ):
        for whole in (False, True):
            try:
                rows[f"{name}, {'whole' if whole else 'quick'}"] = timed(
                    lambda q=question, w=whole: decide(q, whole=w), times=3
                )
            except TypeError:  # an embellie that has only one kind of answer
                rows[name] = timed(lambda q=question: decide(q), times=3)
                break
    return rows


# peers


def compare(python):
    """Let embellie's regression and its peers value the same arrays; embellie's curves need the question, not the arrays."""
    from embellie.decide.information import evpi, evppi

    rows = []
    for name, (make, net, priors) in QUESTIONS.items():
        truth, question = TRUTH[name], make()
        began = time.perf_counter()
        figures, sample, _ = figures_of(question)
        curves = {key: figure.value for key, figure in figures.items()}
        rows.append(
            peer_row(name, "Sobol", "embellie (formulas, draws included)", curves, truth, time.perf_counter() - began)
        )
        rng = np.random.default_rng(1)
        plain = tied(rng.standard_normal((len(priors), 16_384)), list(priors))
        drawn = {key: valued(priors[key], row) for key, row in zip(priors, plain, strict=True)}
        for draws, scores, values, worth in (
            ("Sobol", dict(sample.draws.scores), dict(sample.draws.values), sample.draws.net),
            ("plain", dict(zip(priors, plain, strict=True)), drawn, net(drawn)),
        ):
            began = time.perf_counter()
            own = {"evpi": evpi(worth).value} | {
                key: evppi(scores[key], worth, carrier=values[key]).value for key in priors
            }
            took = time.perf_counter() - began
            rows.append(peer_row(name, draws, "embellie (arrays only, P-spline)", own, truth, took))
            for peer, found in ask_peers(python, values, worth).items():
                if "failed" in found:
                    rows.append({"question": name, "draws": draws, "program": peer, "failed": found["failed"]})
                else:
                    label = f"{peer} {found['version']}"
                    rows.append(peer_row(name, draws, label, found["figures"], truth, found["seconds"]))
    return rows


def peer_row(question, draws, program, found, truth, seconds):
    """Return one program's errors, as shares of the truth."""
    errors = {key: found[key] / value - 1 for key, (value, _) in truth.items() if value >= SHARE * truth["evpi"][0]}
    return {"question": question, "draws": draws, "program": program, "seconds": seconds, "errors": errors}


def ask_peers(python, values, net):
    """Run this file in another Python, on these arrays."""
    with tempfile.TemporaryDirectory() as folder:
        arrays, answers = Path(folder) / "arrays.npz", Path(folder) / "answers.json"
        np.savez(arrays, net=net, **{f"x_{name}": value for name, value in values.items()})
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        command = [python, __file__, "--work", str(arrays), str(answers)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"peers": {"failed": done.stderr.strip().splitlines()[-1]}}
        return json.loads(answers.read_text(encoding="utf-8"))


def work(arrays, answers):
    """Value the arrays with every peer that this Python has; runs in the peers' Python, without embellie."""
    loaded = np.load(arrays)
    net = loaded["net"].T.copy()
    values = {key[2:]: loaded[key] for key in loaded.files if key.startswith("x_")}
    found = {}
    for peer, value in (("voiage", by_voiage), ("heormodel", by_heormodel)):
        try:
            value({name: column[:256] for name, column in list(values.items())[:1]}, net[:256])
            began = time.perf_counter()
            figures = value(values, net)
            found[peer] = {
                "figures": figures, "seconds": time.perf_counter() - began, "version": importlib.metadata.version(peer),
            }  # fmt: skip
        except ImportError as error:
            found[peer] = {"failed": f"not installed ({error})"}
    Path(answers).write_text(json.dumps(found), encoding="utf-8")


def by_voiage(values, net):
    """EVPI and every EVPPI by voiage, as its documentation calls it."""
    from voiage.methods.basic import evpi, evppi

    return {"evpi": evpi(net)} | {name: evppi(net, {name: column}, [name]) for name, column in values.items()}


def by_heormodel(values, net):
    """EVPI and every EVPPI by heormodel, at a willingness to pay of 1 and no costs."""
    import pandas as pd
    from heormodel.models import Outcomes
    from heormodel.voi import evpi, evppi

    index = pd.RangeIndex(len(net), name="iteration")
    names = [f"option {at}" for at in range(net.shape[1])]
    effects = pd.DataFrame(net, columns=names, index=index)
    outcomes = Outcomes.from_wide(0 * effects, effects)
    draws = pd.DataFrame(values, index=index)
    found = {name: float(evppi(outcomes, draws, name, wtp=1.0)) for name in values}
    return {"evpi": float(evpi(outcomes, wtp=1.0)), **found}


# telling


def machine():
    """Return what the figures were taken on."""
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "scipy")}
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.machine(),
        "load": round(os.getloadavg()[0], 1),
        **versions,
    }


def told(took):
    """Write times."""
    return f"{took['median']:.3f} s (best {took['best']:.3f} s, {took['cpu']:.3f} s of processor)"


def tell(result):
    """Print the tables."""
    print(f"{result['machine']}")
    for name, rows in result["accuracy"].items():
        took = result["seconds"][name]
        print(f"\n{name}: EVPI and 20 EVPPI in {told(took)}, 16,384 draws")
        print(f"{'figure':<10} {'truth':>10} {'± se':>7} {'RMSE':>8} {'stated':>8} {'within':>7}")
        for row in rows:
            print(
                f"{row['figure']:<10} {row['truth']:>10,.0f} {row['truth_se']:>7,.1f} {row['rmse']:>8.3%} "
                f"{row['stated']:>8.3%} {row['within']:>7.0%}"
            )
    print(f"\n{'unknowns':>8} {'draws':>10} {'seconds':>8} {'cpu':>8} {'peak MiB':>9}")
    for row in result["growth"]:
        print(
            f"{row['unknowns']:>8} {row['draws']:>10,} {row['seconds']:>8.3f} {row['cpu']:>8.3f} {row['peak_mib']:>9,.0f}"
        )
    print()
    for name, took in result["report"].items():
        print(f"{name}: {told(took)}")
    print(f"largest memory of the process: {result['process_mib']:,.0f} MiB")
    if not result["peers"]:
        print("peers: skipped, since no Python that has them was named (--peers).")
    for row in result["peers"]:
        head = f"{row['question']:<7} {row['draws']:<6} {row['program']:<36}"
        if "failed" in row:
            print(f"{head} {row['failed']}")
        else:
            off = "  ".join(f"{key} {error:+.2%}" for key, error in row["errors"].items())
            print(f"{head} {row['seconds']:>7.3f} s  {off}")


def main():
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the figures there")
    parser.add_argument("--peers", help="a Python that has voiage and heormodel")
    parser.add_argument("--large", action="store_true", help="a million draws too")
    parser.add_argument("--truth", action="store_true", help="run the long run again, and print its figures")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(*asked.work)
        return
    if asked.truth:
        for name, (_, net, priors) in QUESTIONS.items():
            print(f"    {name!r}: {long_run(net, priors)!r},")
        return
    result = {
        "machine": machine(),
        "draws": 16_384,
        "accuracy": {name: accuracy(name) for name in QUESTIONS},
        "seconds": {name: timed(lambda make=make: figures_of(make())) for name, (make, _, _) in QUESTIONS.items()},
        "report": report(),
        "growth": growth(large=asked.large),
        "peers": compare(asked.peers) if asked.peers else [],
        "process_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    tell(result)
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
