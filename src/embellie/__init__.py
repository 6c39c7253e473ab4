"""embellie: find out, in production, whether recommending articles pays.

frame → recommend → serve → measure → decide → release, and again

The names below are the public face: they keep their meaning, each is loaded when it is asked for, and everything else
may move. `answer` decides a question, `measure_table` measures a table.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from embellie.app.answering import Answer, answer
    from embellie.app.measuring_frames import measure_table
    from embellie.domain.article import Article
    from embellie.domain.errors import EmbellieError
    from embellie.domain.event import Event
    from embellie.domain.evidence import Evidence
    from embellie.domain.experiment import Experiment
    from embellie.domain.metric import Metric
    from embellie.domain.question import Question
    from embellie.domain.rule import Rule
    from embellie.domain.scorecard import Scorecard
    from embellie.domain.slate import Recommended, SlateRequest
    from embellie.domain.unavailable import Unavailable
    from embellie.domain.verdict import Verdict
    from embellie.frame.question_file import parse_question, question_from, read_question
    from embellie.measure.planning import ExperimentPlan, plan_experiment
    from embellie.measure.telling import sentences
    from embellie.ports import Policy
    from embellie.recommend.built_in import build_policy
    from embellie.recommend.policies import Popular, RankedPolicy, Scored
    from embellie.recommend.state import State

__all__ = [
    "Answer",
    "Article",
    "EmbellieError",
    "Event",
    "Evidence",
    "Experiment",
    "ExperimentPlan",
    "Metric",
    "Policy",
    "Popular",
    "Question",
    "RankedPolicy",
    "Recommended",
    "Rule",
    "Scorecard",
    "Scored",
    "SlateRequest",
    "State",
    "Unavailable",
    "Verdict",
    "answer",
    "build_policy",
    "measure_table",
    "parse_question",
    "plan_experiment",
    "question_from",
    "read_question",
    "sentences",
]  # fmt: skip

_HOMES = {
    "app.answering": ("Answer", "answer"),
    "app.measuring_frames": ("measure_table",),
    "domain.article": ("Article",),
    "domain.errors": ("EmbellieError",),
    "domain.event": ("Event",),
    "domain.evidence": ("Evidence",),
    "domain.experiment": ("Experiment",),
    "domain.metric": ("Metric",),
    "domain.question": ("Question",),
    "domain.rule": ("Rule",),
    "domain.scorecard": ("Scorecard",),
    "domain.slate": ("Recommended", "SlateRequest"),
    "domain.unavailable": ("Unavailable",),
    "domain.verdict": ("Verdict",),
    "frame.question_file": ("parse_question", "question_from", "read_question"),
    "measure.planning": ("ExperimentPlan", "plan_experiment"),
    "measure.telling": ("sentences",),
    "ports": ("Policy",),
    "recommend.built_in": ("build_policy",),
    "recommend.policies": ("Popular", "RankedPolicy", "Scored"),
    "recommend.state": ("State",),
}
_HOME = {name: f"embellie.{home}" for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module `embellie` has no attribute `{name}`")
    found: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
