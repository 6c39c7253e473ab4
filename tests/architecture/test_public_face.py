"""The public face: a stored list, so that each change of it is deliberate; and light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import embellie
from embellie.domain.errors import UnknownName

SOURCE = Path(embellie.__file__)

FACE = [
    "Answer",
    "Article",
    "EmbellieError",
    "Event",
    "Evidence",
    "Experiment",
    "Metric",
    "ExperimentPlan",
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
]
"""What people may rely on. Taking a name away or renaming it breaks their code: write it in the changelog."""


def test_the_face_is_the_stored_list():
    """No name comes or goes by accident, and there are few enough to read."""
    assert sorted(embellie.__all__) == sorted(FACE)
    assert len(FACE) <= 28


@pytest.mark.parametrize("name", FACE)
def test_every_name_is_there_and_explains_itself(name):
    """Each name of the list can be imported, is listed by `dir`, and has a docstring of its own."""
    found = getattr(embellie, name)
    assert found.__name__ == name
    assert (found.__doc__ or "").strip()
    assert name in dir(embellie)


def test_what_a_type_checker_sees_is_what_is_loaded():
    """The imports for type checkers, which the rule of imports checks, name the very same homes."""
    (typed,) = [node for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in typed.body for alias in node.names}
    assert seen == embellie._HOME


def test_an_unknown_name_is_an_attribute_error():
    """As with any module, so that `hasattr` and `from embellie import …` behave."""
    assert not hasattr(embellie, "no_such_name")


def test_no_name_hides_a_package():
    """`embellie.decide` and the like stay the packages they are."""
    assert [name for name in FACE if (SOURCE.parent / name).exists() or (SOURCE.parent / f"{name}.py").exists()] == []


def test_importing_it_loads_none_of_it():
    """`import embellie` costs nothing: no room, no numerics, before a name is asked for."""
    code = "import sys, embellie; print([name for name in sys.modules if name.startswith(('embellie.', 'numpy'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_question_can_be_read_and_a_policy_built_with_the_face_alone():
    """The names work together: errors that teach, too."""
    question = embellie.parse_question('[scenarios.a]\nvalue = "0 EUR"\n[scenarios.b]\nvalue = "1 EUR"\n')
    assert isinstance(question, embellie.Question)
    assert isinstance(embellie.build_policy("popular"), embellie.Popular)
    with pytest.raises(UnknownName, match="populer"):
        embellie.build_policy("populer")
