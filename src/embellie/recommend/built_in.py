"""Built in: the policies by name, each loaded when it is first asked for; and those that other packages bring."""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points

from embellie.domain.errors import EmbellieError, InputError, unknown_name
from embellie.domain.release import Setting
from embellie.ports import Policy
from embellie.recommend.state import State

GROUP = "embellie.policies"
"""The group of entry points under which a package offers policies of its own."""

Builder = Callable[..., Policy[State]]

POLICIES: dict[str, str | Builder] = {
    "status_quo": "policies:StatusQuo",
    "latest": "policies:Latest",
    "popular": "policies:Popular",
    "trending": "trending:Trending",
    "same_section": "policies:SameSection",
    "affinity": "policies:Affinity",
    "evergreen": "trending:Evergreen",
    "covisitation": "covisitation:Covisitation",
    "sessions": "similar_visits:Sessions",
    "content": "content:Content",
    "factors": "factors:Factors",
    "ease": "ease:Ease",
    "ranker": "ranker:Ranker",
    "diverse": "diversity:Diverse",
    "interleaved": "interleaving:Interleaved",
    "exploring": "exploring:Exploring",
    "thompson": "thompson:Thompson",
}
"""Each name, and the module of `embellie.recommend` and the class that it names (or the class itself)."""


def build_policy(
    name: str, settings: Mapping[str, Setting] | None = None, *, editors_list: Sequence[str] = ()
) -> Policy[State]:
    """Build a policy by name.

    Args:
        name: One of `POLICIES`, or one that an installed package offers under the entry points `embellie.policies`.
        settings: Its settings.
        editors_list: The site's list, for a `status_quo` with `list = "editors"` that names no articles itself.

    Raises:
        UnknownName: There is no such policy.
        InputError: It has no such setting, or the value is wrong.
    """
    builder = builder_of(name)
    known = inspect.signature(builder).parameters
    given = dict(settings or {})
    for key in given:
        if key not in known:
            wrong = unknown_name(f"setting of `{name}`", key, known)
            raise InputError(wrong.message, hint=wrong.hint, at=f"settings.{key}")
    if name == "status_quo" and given.get("list") == "editors" and not given.get("articles"):
        given["articles"] = ",".join(editors_list)
    try:
        return builder(**given)
    except EmbellieError:
        raise
    except Exception as error:
        raise InputError(
            f"Policy `{name}` cannot be built: {type(error).__name__}: {error}.",
            hint="Check its settings, or mend the package that offers it; then restart.",
        ) from error


def builder_of(name: str) -> Builder:
    """Find what builds a policy; its own module is loaded now.

    Raises:
        UnknownName: There is no such policy.
        InputError: The package that offers it cannot be loaded.
    """
    named = POLICIES.get(name)
    if named is None:
        return _offered(name)
    if not isinstance(named, str):
        return named
    module, _, what = named.partition(":")
    builder: Builder = getattr(importlib.import_module(f"embellie.recommend.{module}"), what)
    return builder


def _offered(name: str) -> Builder:
    offered = {one.name: one for one in entry_points(group=GROUP)}
    if name not in offered:
        raise unknown_name("policy", name, {**POLICIES, **offered})
    try:
        builder: Builder = offered[name].load()
    except Exception as error:  # noqa: BLE001 -- whatever its module does when it is loaded
        raise InputError(
            f"Policy `{name}` cannot be loaded from `{offered[name].value}`: {error}.",
            hint="Mend or reinstall the package that offers it.",
        ) from None
    return builder
