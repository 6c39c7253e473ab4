"""A release is named by its content, and its policy can be built."""

import pytest

from embellie.app.building import built, scenario_releases
from embellie.app.config import read_config
from embellie.domain.errors import EmbellieError


def test_the_same_content_is_the_same_release():
    """A note changes nothing; a setting does."""
    first = built("popular", {"half_life": 6.0})
    assert built("popular", {"half_life": 6.0}, note="Again.").release == first.release
    assert built("popular", {"half_life": 12.0}).release != first.release


@pytest.mark.parametrize(
    ("policy", "settings", "message"),
    [("popularr", {}, "Did you mean `popular`"), ("popular", {"halflife": 6}, "Did you mean `half_life`")],
)
def test_what_no_policy_knows_is_answered_with_what_exists(policy, settings, message):
    """A release that could not answer is never made."""
    with pytest.raises(EmbellieError, match=message):
        built(policy, settings)


def test_each_scenario_has_its_release(folder):
    """The first one answers until something else is rolled out."""
    found = scenario_releases(read_config(folder))
    assert {name: one.policy for name, one in found.items()} == {"status_quo": "status_quo", "heuristic": "affinity"}
    assert found["heuristic"].note == "Scenario heuristic."
