"""Pictures: all that can be drawn of an answer, the same in the mailed report, in a notebook and on the dashboard."""

from collections.abc import Mapping, Sequence

from embellie.app.pictures.cloud_plot import Cloud, cloud
from embellie.app.pictures.doubt_plot import Known, burn_down
from embellie.app.pictures.exhibit import Exhibit
from embellie.app.pictures.knowing_plots import curves, kinds, tornado
from embellie.app.pictures.money_plots import net_benefit, worth
from embellie.app.pictures.plan_tree import plan_tree
from embellie.app.pictures.stress_plots import cases, stress
from embellie.app.pictures.study_plots import flat_top, stopping
from embellie.app.pictures.voice import Voice
from embellie.domain.question import Question
from embellie.domain.verdict import Verdict

__all__ = ["Cloud", "Exhibit", "Known", "Voice", "decide_pictures", "frame_pictures"]


def decide_pictures(
    question: Question,
    verdict: Verdict,
    *,
    language: str = "en",
    quantiles: Mapping[str, Sequence[float]] | None = None,
    points: Cloud | None = None,
    history: Sequence[Known] = (),
) -> list[Exhibit]:
    """Draw what the verdict rests on, in the order in which it is read; what the answer does not hold is left out.

    Args:
        question: What was decided.
        verdict: Its whole answer.
        language: `en` or `fr`.
        quantiles: Equally likely net benefits of each scenario.
        points: Cost and benefit in some draws, by scenario.
        history: The price of not knowing as evidence came in, today's last.
    """
    voice = Voice(language, question, stake=verdict.stake)
    found = [
        plan_tree(verdict, voice),
        net_benefit(verdict, quantiles, voice) if quantiles else None,
        worth(verdict, voice),
        *curves(verdict, voice),
        flat_top(verdict, voice),
        *stopping(verdict, voice),
        burn_down(verdict, history, voice),
        tornado(verdict, voice),
        stress(verdict, voice),
        cases(verdict, voice),
        cloud(verdict, points, voice) if points else None,
    ]
    return [each for each in found if each is not None]


def frame_pictures(
    question: Question,
    verdict: Verdict,
    *,
    language: str = "en",
    quantiles: Mapping[str, Sequence[float]] | None = None,
    points: Cloud | None = None,
) -> list[Exhibit]:
    """Draw the question: how uncertain each scenario is, what that hangs on, and who could know."""
    voice = Voice(language, question, stake=verdict.stake)
    found = [
        net_benefit(verdict, quantiles, voice) if quantiles else None,
        worth(verdict, voice),
        kinds(verdict, voice),
        *curves(verdict, voice),
        tornado(verdict, voice),
        cases(verdict, voice),
        cloud(verdict, points, voice) if points else None,
    ]
    return [each for each in found if each is not None]
