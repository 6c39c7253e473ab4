"""Restating: what arrived late, which days it changed, by how much, and what was known before.

A page sends some events long after they happened: a phone that was offline, an import. They count where they belong, by
when they happened (`at`); so figures of days that were over change. Since every event also keeps when it arrived
(`received_at`), what was known at any moment can be computed again, and the difference told.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from embellie.domain.experiment import Experiment
from embellie.domain.moment import iso
from embellie.domain.scorecard import Effect, RelativeEffect, Scorecard
from embellie.measure.telling_numbers import count_text, metric_title, percent_text
from embellie.ports import AggregateReader, DailyView

GRACE_HOURS = 1
"""A day (UTC) is closed so long after its end: what its last minutes did may still be on its way."""

KINDS = ("exposure", "served", "impression", "click", "read", "conversion")
"""What scorecards count."""

_EVENTS = re.compile(r"\b(FROM|JOIN)\s+events\b")
_KNOWN = r"""\1 (SELECT * FROM events WHERE received_at <= $known_at) AS events"""


class KnownAt:
    """A log as it was known at a moment: without what arrived later. SQL over it is the same as over the whole log."""

    def __init__(self, reader: AggregateReader, at: datetime) -> None:
        self._reader, self._at = reader, _naive(at)

    @property
    def elsewhere(self) -> bool:
        """Where the whole log is computed."""
        return self._reader.elsewhere

    @property
    def ready(self) -> Collection[DailyView]:
        """Nothing: what lies ready does not say when it arrived."""
        return ()

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one query over what was known."""
        return self._reader.rows(_EVENTS.sub(_KNOWN, sql), {**(parameters or {}), "known_at": self._at})


@dataclass(frozen=True, slots=True)
class LateDay:
    """A day (UTC) of which events arrived late: how many, and when the last one did."""

    day: date
    events: int
    last: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """An effect as it was known, and as it is known now of the same time."""

    metric: str
    variant: str
    then: Effect
    now: Effect


@dataclass(frozen=True, slots=True)
class Restated:
    """What late events changed; without `known_at`, late is what came after the day had closed."""

    days: tuple[LateDay, ...]
    known_at: datetime | None = None
    moved: tuple[Moved, ...] = ()

    @property
    def events(self) -> int:
        """How many events were late."""
        return sum(one.events for one in self.days)


def late_days(
    reader: AggregateReader, experiment: Experiment, *, site: str, known_at: datetime | None = None
) -> tuple[LateDay, ...]:
    """Count the events of an experiment's time that arrived late, by the day they happened.

    Args:
        reader: Runs SQL over the log.
        experiment: Bounds the time.
        site: Whose events.
        known_at: Late is what arrived after this and happened before it; without it, what arrived more than an hour after
            its day was over.
    """
    late = (
        '"at" <= $known_at AND received_at > $known_at'
        if known_at is not None
        else f"received_at >= CAST(CAST(\"at\" AS DATE) AS TIMESTAMP) + INTERVAL '{24 + GRACE_HOURS}' HOUR"
    )
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    rows = reader.rows(
        f"""
        SELECT CAST("at" AS DATE) AS day, count(*) AS events, max(received_at) AS last FROM events
        WHERE site = $site AND kind IN ({kinds}) AND "at" >= $since AND "at" <= $until AND {late}
        GROUP BY CAST("at" AS DATE) ORDER BY CAST("at" AS DATE)
        """,
        {
            "site": site,
            "since": _naive(experiment.started_at or datetime(1970, 1, 1, tzinfo=UTC)),
            "until": _naive(experiment.stopped_at or datetime(9999, 12, 31, tzinfo=UTC)),
            "known_at": _naive(known_at) if known_at is not None else None,
        },
    )
    return tuple(LateDay(row["day"], int(row["events"]), row["last"].replace(tzinfo=UTC)) for row in rows)


def moved(then: Scorecard, now: Scorecard, metric: str) -> tuple[Moved, ...]:
    """Lay a metric's effects side by side, as they were known and as they are: the adjusted ones where both have them."""
    before, after = _effects(then, metric), _effects(now, metric)
    found = []
    for variant, rows in before.items():
        both = [kind for kind in rows if kind in after.get(variant, {})]
        if both:
            kind = max(both)
            found.append(Moved(metric, variant, rows[kind], after[variant][kind]))
    return tuple(found)


def _effects(card: Scorecard, metric: str) -> dict[str, dict[bool, Effect]]:
    found: dict[str, dict[bool, Effect]] = {}
    for row in card.effects:
        if isinstance(row, Effect) and row.metric == metric:
            found.setdefault(row.variant, {})[row.adjusted] = row
    return found


def restated_document(restated: Restated) -> dict[str, Any]:
    """Return it as JSON: `events`, `days`, and with a moment to compare with, `known_at` and `moved`."""
    document: dict[str, Any] = {
        "events": restated.events,
        "days": [
            {"day": one.day.isoformat(), "events": one.events, "last_received_at": iso(one.last)}
            for one in restated.days
        ],
    }
    if restated.known_at is not None:
        document["known_at"] = iso(restated.known_at)
        document["moved"] = [
            {
                "metric": one.metric,
                "variant": one.variant,
                "then": _effect_document(one.then),
                "now": _effect_document(one.now),
                "by": one.now.effect - one.then.effect,
            }
            for one in restated.moved
        ]
    return document


def _effect_document(row: Effect) -> dict[str, Any]:
    return {"effect": row.effect, "se": row.se, "low": row.interval.low, "high": row.interval.high}


def restated_sentences(restated: Restated, language: str = "en") -> list[str]:
    """Say which days were restated, and by how much the effects moved; nothing when nothing was late."""
    french = language == "fr"
    lines = []
    if restated.known_at is not None:
        at = f"{restated.known_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        lines.append(f"Tel que connu le {at}." if french else f"As known at {at}.")
    if restated.events:
        count = count_text(restated.events, language)
        if restated.known_at is not None:
            said = (
                f"{count} événements d’avant sont arrivés depuis"
                if french
                else f"{count} events of before arrived since"
            )
        elif french:
            said = f"Chiffres révisés : {count} événements sont arrivés après la clôture de leur jour"
        else:
            said = f"Restated: {count} events arrived after their day had closed"
        lines.append(f"{said} ({_days_told(restated.days, french=french)}).")
    elif restated.known_at is not None:
        lines.append("Rien d’avant n’est arrivé depuis." if french else "Nothing of before arrived since.")
    lines += [_moved_sentence(one, language) for one in restated.moved]
    return lines


def _days_told(days: Sequence[LateDay], *, french: bool) -> str:
    most = sorted(days, key=lambda one: -one.events)[:3]
    language = "fr" if french else "en"
    told = [
        f"{one.day:%Y-%m-%d}{' : ' if french else ': '}{count_text(one.events, language)}, "
        + (f"le dernier le {one.last:%Y-%m-%d %H:%M}" if french else f"the last on {one.last:%Y-%m-%d %H:%M}")
        for one in sorted(most, key=lambda one: one.day)
    ]
    if len(days) > len(most):
        told.append(f"et {len(days) - len(most)} autres jours" if french else f"and {len(days) - len(most)} more days")
    return " ; ".join(told) if french else "; ".join(told)


def _moved_sentence(one: Moved, language: str) -> str:
    then, now = one.then.relative, one.now.relative
    if isinstance(then, RelativeEffect) and isinstance(now, RelativeEffect):
        before, after = (_interval(row, language) for row in (then, now))
    else:
        before, after = f"{one.then.effect:+.4g}", f"{one.now.effect:+.4g}"
    title = metric_title(one.metric, language)
    if language == "fr":
        return (
            f"{title}, {one.variant} : {before} alors, {after} avec tout ce qui est arrivé depuis sur la même période."
        )
    return f"{title}, {one.variant}: {before} then, {after} with all that arrived since of the same time."


def _interval(row: RelativeEffect, language: str) -> str:
    return percent_text(100 * row.effect, 50 * (row.high - row.low), language)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
