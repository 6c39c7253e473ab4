"""Building: a policy with its settings as a release, named by its content."""

from collections.abc import Mapping

from embellie import __version__
from embellie.app.config import Config
from embellie.domain.release import Release, Setting, release_id
from embellie.recommend.built_in import build_policy


def built(policy: str, settings: Mapping[str, Setting], *, note: str = "") -> Release:
    """Make a release of a policy, by this version's code.

    Raises:
        UnknownName: The policy, or one of the settings, does not exist.
        InputError: A setting's value is wrong.
    """
    build_policy(policy, settings)
    return Release(
        release=release_id(policy, settings, code=__version__),
        policy=policy,
        settings=dict(settings),
        code=__version__,
        note=note,
    )


def scenario_releases(config: Config) -> dict[str, Release]:
    """Make a release of each scenario that has a policy, by the scenario's name."""
    return {
        name: built(scenario.policy, scenario.settings, note=f"Scenario {name}.")
        for name, scenario in config.scenarios.items()
    }
