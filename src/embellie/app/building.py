"""Building: a policy with its settings, and its model, as a release, named by its content."""

from collections.abc import Mapping
from pathlib import Path

from embellie import __version__
from embellie.app.config import Config
from embellie.app.kept_models import current_model, find_model
from embellie.domain.errors import InputError
from embellie.domain.release import Release, Setting, release_id
from embellie.recommend.built_in import build_policy
from embellie.recommend.ranker import Ranker, load_models_with
from embellie.recommend.ranker_model import load_ranker


def built(policy: str, settings: Mapping[str, Setting], *, note: str = "") -> Release:
    """Make a release of a policy, by this version's code.

    Raises:
        UnknownName: The policy, or one of the settings, does not exist.
        InputError: A setting's value is wrong.
    """
    build_policy(policy, settings)
    model = str(settings.get("model", ""))
    return Release(
        release=release_id(policy, settings, model=model, code=__version__),
        policy=policy,
        settings=dict(settings),
        model=model,
        code=__version__,
        note=note,
    )


def scenario_releases(config: Config) -> dict[str, Release]:
    """Make a release of each scenario that has a policy, by the scenario's name."""
    return {
        name: built(scenario.policy, scenario.settings, note=f"Scenario {name}.")
        for name, scenario in config.scenarios.items()
    }


def with_model(policy: str, settings: Mapping[str, Setting], *, data: Path, site: str) -> Mapping[str, Setting]:
    """Complete the settings of a `ranker` that names no model by the site's current one, so that the release names it for good.

    Raises:
        InputError: It names a model that cannot be served.
    """
    if policy != Ranker.name:
        return settings
    named = str(settings.get("model", "")) or current_model(data, site)
    if not named:
        return settings
    missing = Ranker(model=named).missing
    if missing:
        raise InputError(
            f"Model `{named[:12]}` cannot be served: {missing}",
            hint="Name one of `embellie recommend models`, or none to take the current one.",
            at="settings.model",
        )
    return {**settings, "model": named}


def serve_models_from(data: Path) -> None:
    """Let rankers of this process find their models in a data folder."""
    load_models_with(lambda model: load_ranker(find_model(data, model)))
