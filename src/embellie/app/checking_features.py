"""Checking features: what slates of a log say they were made of, against what replaying that log finds."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from embellie.domain.errors import InputError
from embellie.domain.event import Event
from embellie.recommend.feature_checks import FeatureCheck, check_features
from embellie.store.log_place import LogPlace, holds_log, open_log

TOLD_EVERY = 1_000


@dataclass(frozen=True, kw_only=True)
class FeaturesChecked:
    """The check of one log's features; `every` n-th slate was compared."""

    check: FeatureCheck
    every: int

    @property
    def ok(self) -> bool:
        """Whether nothing differs; a log without features has nothing to differ."""
        return self.check.ok or not self.check.slates


def check_log(
    file: LogPlace, *, site: str = "", every: int = 1, progress: Callable[[int, int], None] | None = None
) -> FeaturesChecked:
    """Replay a log and compare each slate's features with what is found (`check_features`); nothing is written.

    Args:
        file: The log.
        site: Only this site's events; all by default.
        every: Compare each n-th slate only.
        progress: Told events passed, of how many: the log is read twice.

    Raises:
        InputError: There is no log, or `every` is below 1.
    """
    if not holds_log(file):
        raise InputError("No log here yet.", hint="`embellie serve` writes one.", at=str(file))
    with open_log(file) as log:
        last, passed = log.last(), [0]

        def events() -> Iterator[Event]:
            passed[0] += 1
            before = (passed[0] - 1) * last
            for sequence, event in log.scan():
                if sequence > last:  # written meanwhile
                    return
                if progress is not None and sequence % TOLD_EVERY == 0:
                    progress(before + sequence, 2 * last)
                if not site or event.site == site:
                    yield event

        return FeaturesChecked(check=check_features(events, every=every), every=every)


def features_document(checked: FeaturesChecked) -> dict[str, Any]:
    """Return the JSON form (`embellie/features/1`)."""
    found = checked.check
    document: dict[str, Any] = {
        "schema": "embellie/features/1",
        "same": checked.ok,
        "every": checked.every,
        "slates": found.slates,
        "articles": found.articles,
        "policies": dict(found.policies),
        "skews": [asdict(one) for one in found.skews],
        "unknown": list(found.unknown),
        "lost": found.lost,
    }
    if not found.slates:
        document["features"] = {"unavailable": _NOTHING, "remedy": _REMEDY}
    return document


_NOTHING = "No slate of the log carries features."
_REMEDY = "Declare a scenario or release a policy `ranker`: from then on every slate of the site does."
