"""Policies by name: the built-in ones, each loaded when asked for, and those that packages offer."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from embellie.domain.errors import InputError, UnknownName
from embellie.recommend import built_in
from embellie.recommend.built_in import POLICIES, build_policy, builder_of
from embellie.recommend.policies import Latest


@pytest.mark.parametrize("name", POLICIES)
def test_each_is_known_by_the_name_it_answers_to(name):
    """What a name builds calls itself by that name, so that a log says whose slate it was."""
    assert getattr(builder_of(name), "name", None) == name


def test_a_policy_is_loaded_when_it_is_asked_for():
    """Who recommends by popularity loads no learner, no factors and no text."""
    code = (
        "import sys; from embellie.recommend.built_in import build_policy; build_policy('popular');"
        "print([name for name in ('ranker', 'factors', 'content') if f'embellie.recommend.{name}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_package_offers_a_policy_by_an_entry_point(monkeypatch):
    """An installed package's policy is built as the built-in ones are; one that cannot be loaded says so."""
    own = EntryPoint("newest", "embellie.recommend.policies:Latest", built_in.GROUP)
    gone = EntryPoint("gone", "embellie.recommend.policies:Gone", built_in.GROUP)
    monkeypatch.setattr(built_in, "entry_points", lambda group: [own, gone] if group == built_in.GROUP else [])
    assert isinstance(build_policy("newest"), Latest)
    with pytest.raises(InputError, match="cannot be loaded from"):
        build_policy("gone")
    with pytest.raises(UnknownName, match="newst") as caught:
        build_policy("newst")
    assert "newest" in str(caught.value.hint)
