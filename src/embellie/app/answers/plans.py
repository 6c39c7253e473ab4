"""Plans: what to do first, and what then, in words and in money: from what looking ahead has found to a plan one can read."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from embellie.app.answers.drawn import Sample
from embellie.app.answers.studying import Studies
from embellie.app.answers.thinning import thinned
from embellie.app.answers.ways import Situation, Trial, Ways
from embellie.decide.branching import Outcome, outcomes
from embellie.decide.judging import scenario_values
from embellie.decide.looking_ahead import Node, Outlook, Path, look_ahead, look_closer
from embellie.decide.plan_wording import plan_words
from embellie.domain.plan import Branch, Plan, Rival, Step
from embellie.domain.question import Study
from embellie.domain.verdict import Figure, StudyValue, at_stake
from embellie.stats.sampling import by_scramble, numerical_error

PLANNED = 4_096
"""How many of the draws plans are searched for in."""

VALUED = 16_384
"""How many of the draws the best of them are valued in."""

_RIVALS = 4


def make_plan(sample: Sample, studies: Studies, valued: Sequence[StudyValue]) -> Plan | None:
    """Work out what to do first, and what then; None when there is nothing to learn from.

    Args:
        sample: The question's draws.
        studies: Its studies.
        valued: Their designs, each valued on its own: which of them are tried in a plan.
    """
    trials = _trials(studies, valued)
    if not trials:
        return None
    first = Ways(thinned(sample, draws=PLANNED), studies, trials)
    outlook = look_ahead(first.prospects())
    ways = Ways(thinned(sample, draws=VALUED), studies, trials, like=first)
    outlook = look_closer(outlook, ways.prospects(), most=_RIVALS + 1)
    return _Telling(sample, ways, outlook).plan()


def _trials(studies: Studies, valued: Sequence[StudyValue]) -> tuple[Trial, ...]:
    """Return the designs worth trying: of each study the best by ENBS, and the best were waiting free."""
    kept: list[StudyValue] = []
    for name in studies.question.studies:
        rows = [row for row in valued if row.name == name]
        for best in (lambda row: -row.enbs.value, lambda row: row.cost - row.evsi.value):
            kept += [row for row in sorted(rows, key=best)[:2] if row not in kept]
    return tuple(_trial(studies, row) for row in kept)


def _trial(studies: Studies, row: StudyValue) -> Trial:
    study = studies.question.studies[row.name]
    noise, size = studies.noise(study, row.weeks, row.share, row.n if study.n else 0)
    return Trial(
        study=study,
        weeks=row.weeks,
        share=row.share,
        n=row.n,
        noise=noise,
        cost=studies.cost(study, row.weeks, row.share, size),
        delay=studies.delay(study),
    )


class _Telling:
    """From what was found to a plan that one can read."""

    def __init__(self, sample: Sample, ways: Ways, outlook: Outlook) -> None:
        self.sample = sample
        self.ways = ways
        self.outlook = outlook

    def plan(self) -> Plan:
        best = self.outlook.firsts[0]
        gain = self.outlook.gain(best)
        taken = best if gain.value > gain.error else None
        gain = self.outlook.gain(taken)
        first = self._move(taken, gain) if taken else self._settle(self.outlook.best, ())
        begun = self.sample.draws.net[self.outlook.best]
        error = numerical_error(by_scramble(begun).mean(axis=1), scale=float(np.mean(np.abs(begun))))
        at_once = self.ways.choices[self.outlook.best]
        rivals = self._rivals(taken)
        return Plan(
            first=first,
            value=Figure(value=float(begun.mean()) + gain.value, error=error + gain.error),
            gain=gain,
            words=plan_words(
                first,
                gain=gain,
                at_once=at_once,
                rivals=rivals,
                question=self.sample.question,
                stake=at_stake(scenario_values(self.sample.draws, {})),
            ),
            rivals=rivals,
        )

    def _rivals(self, taken: Node | None) -> tuple[Rival, ...]:
        found = [self._rival(node) for node in self.outlook.firsts if node is not taken][:_RIVALS]
        at_once = Rival(
            live=self.ways.choices[self.outlook.best], study="", weeks=0.0, share=0.0, gain=Figure(value=0.0, error=0.0)
        )
        return tuple(sorted([*found, *([at_once] if taken else [])], key=lambda rival: -rival.gain.value))

    def _rival(self, node: Node) -> Rival:
        trial = self.ways.trials[node.path[0].test]
        live = self.ways.choices[node.path[0].live]
        gain = self.outlook.gain(node)
        return Rival(live=live, study=trial.study.name, weeks=trial.weeks, share=trial.share, gain=gain)

    def _move(self, node: Node, gain: Figure) -> Step:
        tolerance = max(gain.error / 2, 0.01 * gain.value)
        # branches are told from fewer draws than the plan is valued on: what is between the two belongs to no branch
        begun = float(self.sample.draws.net[self.outlook.best].mean())
        realised = self.outlook.at_once + node.realised
        realised = realised + (begun + gain.value - realised.mean())
        return self._study(node, outcomes(node, self.ways.clues, realised=realised, tolerance=tolerance))

    def _study(self, node: Node, found: Sequence[Outcome]) -> Step:
        move, before = node.path[-1], self.ways.after(node.path[:-1])
        trial = self.ways.trials[move.test]
        return replace(
            self._turn(self.ways.choices[move.live], before),
            study=trial.study.name,
            weeks=trial.weeks,
            share=trial.share,
            n=trial.n,
            cost=self.ways.after(node.path).spent,
            branches=tuple(self._branch(outcome, node, trial.study) for outcome in found),
        )

    def _branch(self, outcome: Outcome, node: Node, study: Study) -> Branch:
        names = list(study.signals)
        then = self._study(outcome.move, outcome.after) if outcome.move else self._settle(outcome.choice, node.path)
        return Branch(
            low=outcome.low,
            high=outcome.high,
            chance=outcome.chance,
            value=outcome.value,
            then=then,
            signals=tuple(names[signal] for signal in outcome.signals),
        )

    def _settle(self, choice: int, path: Path) -> Step:
        return self._turn(self.ways.choices[choice], self.ways.after(path))

    def _turn(self, live: str, before: Situation) -> Step:
        """Say what changes for the readers when a step begins."""
        baseline, changes = self.ways.choices[0], live != before.live
        stops = changes and before.live != baseline and before.live not in self.ways.chain(live)
        return Step(live=live, begins=before.week, starts=changes and live != baseline, stops=stops)
