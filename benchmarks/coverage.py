"""Do 90 % ranges hold nine times out of ten, and does following the advice pay? On invented questions whose truth is known.

Each question is invented at random: two to four scenarios, three to eight unknowns of mixed families, some correlated, some
with fat tails, one to three studies. Its truth is drawn from its own ranges. Then

- all its studies are run on that truth, and the ranges after the evidence are held against it;
- its advice is followed: run the study it names, pay for it, wait, add what it found, ask again; in the end, act. What that
  really brought stands beside acting at once, and beside knowing everything.

Run `python benchmarks/coverage.py [--questions 500] [--truths 2] [--draws 1024] [--seed 1] [--quick] [--out FILE]`.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from embellie.app.answers.conditional import Conditional
from embellie.app.answers.drawn import take_sample
from embellie.app.answers.studying import Studies
from embellie.app.deciding import decide, parse_question
from embellie.domain.evidence import Evidence
from embellie.frame.valuing import Model, Stage
from embellie.stats.distributions import quantile
from embellie.stats.sampling import correlation_matrix

MOST_STUDIES = 4
"""How many studies advice is followed through; then one acts."""

NEVER = "1e12 EUR"
"""What a study costs that was run already: it is not run again."""


# inventing questions


def invent(rng):
    """Return a question with its studies, at random."""
    scenarios = [f"way_{letter}" for letter in "abc"[: rng.integers(1, 4)]]
    unknowns = {
        "visits": f'"{rng.uniform(80, 120):.0f}k to {rng.uniform(140, 300):.0f}k visit/week"',
        "worth": f'"{rng.uniform(0.01, 0.02):.4f} to {rng.uniform(0.025, 0.05):.4f} EUR/visit"',
    }
    unknowns |= {f"lift_{name[-1]}": _lift(rng) for name in scenarios}
    correlations = [
        f'"lift_{one[-1]} ~ lift_{other[-1]}" = {rng.uniform(-0.8, 0.9):.2f}'
        for at, one in enumerate(scenarios)
        for other in scenarios[at + 1 :]
        if rng.random() < 0.6
    ]
    if rng.random() < 0.3:
        correlations.append(f'"visits ~ worth" = {rng.uniform(-0.7, 0.7):.2f}')
    extra = rng.choice(["take_up", "link", "both", "none"])
    if extra in {"take_up", "both"}:
        unknowns["take_up"] = f'"beta({rng.uniform(2, 6):.1f}, {rng.uniform(2, 6):.1f})"'
    if extra in {"link", "both"}:
        unknowns["link"] = f'"{rng.uniform(0.4, 0.7):.2f} to {rng.uniform(0.9, 1.6):.2f}"'
    factor = "take_up" if "take_up" in unknowns else "1"
    text = ["[unknowns]", *(f"{name} = {range_}" for name, range_ in unknowns.items())]
    text += ["[correlations]", *correlations, "[formulas]", f'base = "visits * worth * {factor}"']
    text += [f'brings_{name[-1]} = "base * lift_{name[-1]}"' for name in scenarios]
    text += ["[scenarios.status_quo]", 'benefit = "0 EUR/week"']
    for name in scenarios:
        build = rng.uniform(2, 15)
        ready = f"{rng.integers(1, 4)} to {rng.integers(5, 9)} weeks" if rng.random() < 0.5 else "2 weeks"
        text += [
            f"[scenarios.{name}]",
            f'build = "{build:.1f}k to {build * rng.uniform(1.3, 3):.1f}k EUR"',
            f'run = "{rng.uniform(20, 120):.0f} EUR/week"',
            f'ready = "{ready}"',
            f'benefit = "brings_{name[-1]}"',
        ]
    heading = f'horizon = "{rng.integers(52, 130)} weeks"\ndiscount = "{rng.integers(0, 9)} %/year"\n'
    plain = heading + "\n".join(text)
    return parse_question(f"{plain}\n{_studies(rng, plain, scenarios)}")


def _lift(rng):
    low, high = rng.uniform(-0.15, 0.02), rng.uniform(0.05, 0.25)
    kind = rng.integers(5)
    if kind == 0:
        return f'"{low:.3f} to {high:.3f} (normal)"'
    if kind == 1:
        return f'{{ range = "{low:.3f} to {high:.3f}", tails = "fat" }}'
    if kind == 2:
        low = min(low, -0.01)  # ends of one sign would be bounded at 0, and few middles fit there
        return f'"{low:.3f} / {(low + high) / 2 + rng.uniform(-0.2, 0.2) * (high - low):.3f} / {high:.3f}"'
    if kind == 3:
        return f'"uniform({low:.3f}, {high:.3f})"'
    return f'"{rng.uniform(0.005, 0.02):.3f} to {high:.3f}"'


def _studies(rng, plain, scenarios):
    """Return one to three studies of different subjects; their precision is a random share of what is open there."""
    question = parse_question(plain)
    sample = take_sample(question, draws=512, seed=1)
    lifts = [f"lift_{name[-1]}" for name in scenarios]
    subjects = rng.permutation([*lifts, f"brings_{rng.choice(scenarios)[-1]}", "base", "worth"])
    text = []
    for number, subject in enumerate(subjects[: rng.integers(1, 4)]):
        lines = [f"[studies.study_{number}]", f'measures = "{subject}"', f'cost = "{rng.uniform(0.1, 1.5):.2f}k EUR"']
        known = sample.draws.values.get(subject, sample.named.get(subject))
        low, high = np.quantile(known, [0.16, 0.84])
        se = (high - low) / 2 * np.exp(rng.uniform(np.log(0.15), np.log(1.5)))
        if subject in lifts and rng.random() < 0.6:
            weeks, share = rng.choice([1, 2, 3, 4, 6, 8], size=3, replace=False), rng.choice([0.2, 0.5, 1.0])
            sd = se * np.sqrt(100_000 * 4 * share) / 2
            lines += [
                'kind = "experiment"', f'scenario = "way_{subject[-1]}"', f'needs = "way_{subject[-1]}"',
                'traffic = "100k visit/week"', f"sd = {sd:.4g}", f"weeks = {sorted(weeks.tolist())}", f"share = {share}",
            ]  # fmt: skip
        else:
            lines += ['kind = "measurement"', f"se = {se:.4g}", f"weeks = {rng.integers(1, 7)}"]
            if subject in lifts and "link" in question.unknowns and rng.random() < 0.6:
                lines.append('transfer = "link"')
            if rng.random() < 0.3:
                lines.append(f"bias = {se * rng.uniform(0.3, 2):.4g}")
        text += lines
    if "take_up" in question.unknowns and rng.random() < 0.5:
        text += [
            "[studies.panel]", 'measures = "take_up"', 'kind = "count"', f"n = {rng.integers(20, 400)}",
            f'cost = "{rng.uniform(0.1, 1.0):.2f}k EUR"', 'delay = "1 week"',
        ]  # fmt: skip
    return "\n".join(text)


# the truth, and what studies find of it


def draw_truth(question, rng):
    """Return each unknown's true value, as written, from what is believed."""
    names = list(question.unknowns)
    matrix, _ = correlation_matrix(names, question.correlations)
    scores = np.linalg.cholesky(matrix) @ rng.standard_normal(len(names))
    priors = [question.unknowns[name].prior for name in names]
    return {
        name: quantile(prior.family, prior.parameters, np.array([score]))
        for name, prior, score in zip(names, priors, scores, strict=True)
    }


def find(question, study, noise, truth, rng):
    """Run a study on the truth."""
    named = Model(question).named(truth)
    shown = _at(truth[study.measures] if study.measures in truth else named[study.measures])
    if study.transfer:
        shown /= _at(truth[study.transfer])
    if noise.trials:
        found = {"successes": int(rng.binomial(noise.trials, min(max(shown, 0.0), 1.0))), "trials": noise.trials}
    else:
        wrong = noise.se * rng.standard_normal() + noise.bias * rng.standard_normal()
        found = {"estimate": shown + float(wrong), "se": noise.se}
    return Evidence(measures=study.measures, study=study.name, **found)


# do ranges hold?


def ranges_held(question, truth, rng, *, draws):
    """Run every study once; say of each unknown which evidence bears on it, and whether its new 90 % range holds the truth."""
    sample = take_sample(question, draws=draws)
    asked = Studies(sample, Conditional(sample))
    evidence = [
        find(question, study, design.noise, truth, rng)
        for study in question.studies.values()
        for design in [asked.designs(study)[rng.integers(len(asked.designs(study)))]]
    ]
    after = take_sample(question, evidence, draws=draws)
    measured = {study.measures for study in question.studies.values() if not study.transfer}
    formula = {
        name
        for study in question.studies.values()
        if study.transfer or study.measures not in question.unknowns
        for name in [study.transfer, *_behind(question, study.measures)]
    }
    for name, values in after.draws.values.items():
        low, high = np.quantile(values, [0.05, 0.95])
        prior = np.quantile(sample.draws.values[name], [0.05, 0.95])
        how = "measured" if name in measured else "in what was measured" if name in formula else "correlated"
        if not after.beliefs.touched(name):
            how = "untouched"
        yield how, bool(low <= truth[name][0] <= high), (high - low) / (prior[1] - prior[0])


def _behind(question, name):
    """Return the unknowns behind a name."""
    if name in question.unknowns:
        return {name}
    text = question.formulas.get(name, "")
    names = [*question.unknowns, *question.formulas]
    return set().union(*(_behind(question, other) for other in names if other in text.split())) if text else set()


# does following the advice pay?


@dataclass
class Course:
    """What was done so far: what is live since when, what was built for studies, what was spent and earned on them."""

    stages: list = field(default_factory=list)
    built: set = field(default_factory=set)
    spent: float = 0.0
    weeks: float = 0.0

    def worth(self, model, truth):
        return _at(model.course(model.named(truth), self.stages, built=frozenset(self.built)).net)


def follow(question, first, truth, rng, *, draws, whole):
    """Follow the advice from the first answer to its end; return what it brought, and the studies run."""
    model = Model(question)
    course, evidence, now, done = Course(), [], question, []
    while True:
        verdict = answer(now, evidence, draws=draws, whole=whole) if done else first
        advice = verdict.next
        if advice.action != "learn_more" or not advice.study or len(done) >= MOST_STUDIES:
            break
        release = advice.release
        if release and (not course.stages or course.stages[-1].scenario != release):
            course.stages.append(Stage(release, course.weeks))
        study = now.studies[advice.study]
        evidence.append(_run(question, now, study, advice, truth, rng, course=course, evidence=evidence, draws=draws))
        done.append(study.name)
        now = _later(question, now, study, course)
        if now.horizon_weeks < 2:
            break
    act = verdict.next.scenario or verdict.best
    if not course.stages or course.stages[-1].scenario != act:
        course.stages.append(Stage(act, min(course.weeks, question.horizon_weeks)))
    return course.worth(model, truth) - course.spent, done


def answer(question, evidence=(), *, draws, whole):
    return decide(question, evidence=evidence, draws=draws, whole=whole)


def _run(question, now, study, advice, truth, rng, *, course, evidence, draws):
    """Run the study advised: wait, pay, earn by the truth; return what it found.

    Half of an experiment's readers see what is tried, half see nothing, and all others what is live.
    """
    sample = take_sample(now, evidence, draws=draws)
    asked = Studies(sample, Conditional(sample))
    designs = asked.designs(study)
    design = next((one for one in designs if (one.weeks, one.share) == (advice.weeks, advice.share)), designs[0])
    model, named = Model(question), Model(question).named(truth)
    rate = (1 + question.discount) ** (-course.weeks / 52.1775)
    begun = {stage.scenario for stage in course.stages}
    for name in sorted(design.built - begun):  # what is released is paid in its course
        course.built.add(name)
        course.spent += _at(model.flow(named, name).build) * rate
    begins = course.weeks + max((_at(model.flow(named, name).ready) for name in design.built), default=0.0)
    if study.kind == "experiment" and study.scenario:
        nothing = next(iter(question.scenarios))
        live = course.stages[-1].scenario if course.stages else nothing
        tried, today, before = (model.flow(named, name) for name in (study.scenario, live, nothing))
        weekly = (tried.benefit - today.benefit + before.benefit - today.benefit) * design.share / 2
        weekly = weekly - (tried.run if study.scenario != live else 0.0)
        course.spent -= _at(weekly) * float(model.tail(begins) - model.tail(begins + design.weeks))
    course.spent += design.cost * rate
    course.weeks = begins + design.weeks + asked.delay(study)
    return find(question, study, design.noise, truth, rng)


def _at(value):
    return float(np.ravel(value)[0])


def _later(question, now, study, course):
    """Return the question as it stands after a study: later, with what is built, and the study not to be run again."""
    built = course.built | {stage.scenario for stage in course.stages}
    scenarios = {name: replace(one, built=one.built or name in built) for name, one in now.scenarios.items()}
    studies = now.studies | {study.name: replace(study, cost=NEVER)}
    left = max(question.horizon_weeks - course.weeks, 1.0)
    return replace(now, scenarios=scenarios, studies=studies, horizon_weeks=left)


# all of it


def run(questions, *, truths=1, draws, seed, whole=False, told=lambda _: None):
    """Invent, run and follow; return the figures."""
    held = {}
    rows = []
    for number in range(questions):
        rng = np.random.default_rng([seed, number])
        question = invent(rng)
        model, first = Model(question), answer(question, draws=draws, whole=whole)
        plan = first.plan
        expected = plan.gain.value if plan else max([one.enbs.value for one in first.studies] + [0.0])
        each = []
        for _ in range(truths):
            truth = draw_truth(question, rng)
            for how, inside, width in ranges_held(question, truth, rng, draws=draws):
                held.setdefault(how, []).append((number, inside, width))
            followed, done = follow(question, first, truth, rng, draws=draws, whole=whole)
            real = {name: Course(stages=[Stage(name, 0.0)]).worth(model, truth) for name in question.scenarios}
            at_once = real[first.best]
            each.append((followed - at_once, max(real.values()) - at_once, first.evpi.value, expected, len(done)))
        rows.append(np.mean(each, axis=0))
        told(number + 1)
    return {"truths": truths, "coverage": coverage_of(held), **gains_of(np.array(rows))}


def coverage_of(held):
    found = []
    everywhere = [case for how, cases in held.items() if how != "untouched" for case in cases]
    for how, cases in [*sorted(held.items()), ("all that evidence touches", everywhere)]:
        inside = np.array([case[1] for case in cases], dtype=float)
        clusters = np.array([case[0] for case in cases])
        share = inside.mean()
        sums = np.array([np.sum(inside[clusters == one] - share) for one in np.unique(clusters)])
        width = float(np.median([case[2] for case in cases]))
        error = float(np.sqrt(np.sum(sums**2)) / len(inside))
        found.append({"unknowns": how, "cases": len(cases), "share": float(share), "se": error, "width": width})
    return found


def gains_of(rows):
    def told(column):
        return {"mean": float(column.mean()), "se": float(column.std(ddof=1) / np.sqrt(len(column)))}

    followed, perfect, evpi, expected, studies = rows.T
    return {
        "questions": len(rows),
        "followed_over_at_once": told(followed),
        "expected_of_following": told(expected),
        "followed_less_expected": told(followed - expected),
        "perfect_over_at_once": told(perfect),
        "evpi": told(evpi),
        "perfect_less_evpi": told(perfect - evpi),
        "studies_run": float(studies.mean()),
        "learnt_first": float(np.mean(studies > 0)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--truths", type=int, default=2, help="how many truths each question is played with")
    parser.add_argument("--draws", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="follow each answer's best study, without its plan")
    parser.add_argument("--out", type=Path, help="write the figures there")
    asked = parser.parse_args()
    whole = not asked.quick
    began = time.perf_counter()

    def told(done):
        full = round(40 * done / asked.questions)
        print(f"\r{'█' * full}{'·' * (40 - full)} {done}/{asked.questions}", end="", file=sys.stderr, flush=True)

    result = run(asked.questions, truths=asked.truths, draws=asked.draws, seed=asked.seed, whole=whole, told=told)
    result |= {"draws": asked.draws, "seed": asked.seed, "whole": whole, "seconds": time.perf_counter() - began}
    print(file=sys.stderr)
    print(f"{'unknowns':<26} {'cases':>6} {'90 % range holds':>18} {'± se':>7} {'width now / before':>20}")
    for row in result["coverage"]:
        print(f"{row['unknowns']:<26} {row['cases']:>6} {row['share']:>18.1%} {row['se']:>7.1%} {row['width']:>20.2f}")
    print(f"\n{'EUR a question':<44} {'mean':>10} {'± se':>8}")
    for key, name in (
        ("followed_over_at_once", "following the advice, over acting at once"),
        ("expected_of_following", "what the first answer expected of that"),
        ("followed_less_expected", "the difference"),
        ("perfect_over_at_once", "knowing everything, over acting at once"),
        ("evpi", "what the first answer expected of that (EVPI)"),
        ("perfect_less_evpi", "the difference"),
    ):
        print(f"{name:<44} {result[key]['mean']:>10,.0f} {result[key]['se']:>8,.0f}")
    print(
        f"\n{result['learnt_first']:.0%} learnt first; {result['studies_run']:.2f} studies a question; {result['seconds']:.0f} s"
    )
    if asked.out:
        asked.out.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
