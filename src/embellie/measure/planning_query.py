"""The log's past as an experiment that has not been: everybody who came since a moment, as if exposed to one variant."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from embellie.domain.experiment import Experiment, Variant
from embellie.ports import AggregateReader, DailyView

_EXPOSED = "FROM events WHERE kind = 'exposure'"

_CAME = "kind IN ('served', 'read') AND reader <> ''"


def span_sql(*, site: bool) -> str:
    """Write the query for the first and the last time that a reader came (parameter `$site`)."""
    return f'SELECT min("at") AS first, max("at") AS last FROM events WHERE {_CAME}{_of_site(site)}'


def past_experiment(name: str = "past") -> Experiment:
    """Return the experiment that `AsIfExposed` shows: everybody is in its first variant."""
    sides = tuple(Variant(name=side, weight=1.0, scenario=side, release=side) for side in ("everybody", "nobody"))
    return Experiment(experiment=name, placement="", control="everybody", variants=sides, salt="")


class AsIfExposed:
    """A log in which every reader who came since a moment was exposed to `everybody` when they first did.

    Args:
        reader: The log as it is.
        since: The moment, UTC.
        site: Only who came to this site.
    """

    def __init__(self, reader: AggregateReader, since: datetime, *, site: str = "") -> None:
        self._reader = reader
        self._since = since.astimezone(UTC).replace(tzinfo=None)
        self._relation = f"""FROM (
  SELECT min(seq) AS seq, 'exposure' AS kind, 'past' AS experiment, 'everybody' AS variant, '' AS bot, reader,
         min(site) AS site, min("at") AS "at", min(consent) AS consent
  FROM events WHERE {_CAME} AND "at" >= $as_if_since{_of_site(bool(site))} GROUP BY reader
) AS events WHERE kind = 'exposure'"""

    @property
    def elsewhere(self) -> bool:
        """Where the log as it is is computed."""
        return self._reader.elsewhere

    @property
    def ready(self) -> Collection[DailyView]:
        """What lies ready of the log as it is."""
        return self._reader.ready

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query; its exposures are those that would have been."""
        return self._reader.rows(
            sql.replace(_EXPOSED, self._relation), {**(parameters or {}), "as_if_since": self._since}
        )


def _of_site(site: bool) -> str:
    return " AND site = $site" if site else ""
