"""Data checks: before anything is learned, is this log like the weeks before it?

Pure functions of a `LogProfile`. A day is compared with the days before it by the median and the median absolute deviation
(MAD) of logarithms, which a few odd days cannot move; with three weeks or more each weekday has its own level.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from embellie.recommend.log_profile import LogProfile, Series
from embellie.recommend.training_check import CheckState, TrainingCheck, worst
from embellie.stats.stability import population_stability

LEAST_DAYS = 5
"""Days of past without which nothing is called unusual."""

WATCH_Z, ALARM_Z = 3.5, 5.0
"""Robust standard errors from the usual level."""

_FLOOR = 0.10
"""A day-to-day spread (of logarithms) below this is luck, not steadiness."""

_VOLUMES = ("reads", "visits", "served", "impressions", "clicks", "articles")
_FELL, _ROSE = 2.0, 3.0
_RATES = {"clicks_per_impression": ("clicks", "impressions", 2.0), "reads_per_visit": ("reads", "visits", 1.5)}
_COUNTING = 1.5
"""The variance of the logarithm of a count of n is about this by n: events come in clusters."""


@dataclass(frozen=True, slots=True)
class Usual:
    """The usual level of a logarithm on one day and its standard error there.

    `weeks` are those it rests on; `low` and `high` the extremes so far.
    """

    centre: float
    error: float
    weeks: int
    low: float
    high: float


def usual(past: Sequence[float], *, day: int, recent: int, noise: float = 0.0, weekly: bool = True) -> Usual | None:
    """Tell what a day would usually be, from the days before; None when there are too few.

        centre = median + effect of the weekday,  error² = max(1.4826 · MAD, floor)² (1 + π / 2n) + noise

    Residuals from each weekday's own median (drawn towards the whole's by n / (n + 1)) give the MAD, from three weeks on.

    Args:
        past: Logarithms per day, newest first, from `recent` days ago.
        day: The day in question: so many days ago.
        recent: Where `past` begins.
        noise: Variance of counting.
        weekly: Whether days of the week may differ.

    >>> found = usual([2.0, 2.1, 1.9, 2.0, 2.05, 1.95, 9.0], day=0, recent=1)
    >>> round(found.centre, 2), found.error < 0.2
    (2.0, True)
    """
    if len(past) < LEAST_DAYS:
        return None
    level = median(past)
    effects = dict.fromkeys(range(7), 0.0)
    phases = [(place + recent) % 7 for place in range(len(past))]
    if len(past) >= 21 and weekly:
        for phase in effects:
            own = [value - level for value, one in zip(past, phases, strict=True) if one == phase]
            effects[phase] = median(own) * len(own) / (len(own) + 1)
    residuals = [abs(value - level - effects[phase]) for value, phase in zip(past, phases, strict=True)]
    spread = max(1.4826 * median(residuals), _FLOOR)
    error = math.sqrt(spread**2 * (1 + math.pi / (2 * len(past))) + noise)
    return Usual(level + effects[day % 7], error, len(past) // 7, min(past), max(past))


def check_data(profile: LogProfile, *, recent: int = 1) -> list[TrainingCheck]:
    """Hold the last days of a log against those before.

    Args:
        profile: What the log holds.
        recent: How many days are in question: those since the last training.

    Returns:
        One check each, in the order they are told: volumes, schema, freshness, labels, duplicates, bots, sections.
    """
    recent = min(max(recent, 1), 7, profile.days)
    checks: tuple[Callable[[LogProfile, int], TrainingCheck], ...] = (
        check_volumes, check_schema, check_freshness, check_labels, check_duplicates, check_bots, check_sections,
    )  # fmt: skip
    return [one(profile, recent) for one in checks]


def check_volumes(profile: LogProfile, recent: int) -> TrainingCheck:
    """Reads, visits, slates, impressions, clicks and new articles, per day.

    A fall to less than half is an alarm while it lasts, and so are three times the reads or visits, over or not; more slates and
    clicks alone are what a rollout does.
    """
    found = [TrainingCheck(check="volumes", state="ok", code=_or_short(profile, recent, "usual"))]
    for name in _VOLUMES:
        series = profile.of(name)
        for day in range(recent):
            now, past = series[day], series[recent:]
            typical = median(past) if past else 0
            expected = usual(
                [math.log(n + 0.5) for n in past],
                day=day, recent=recent, noise=_COUNTING / (typical + 0.5),
            )  # fmt: skip
            if expected is None or max(now, typical) < 20:
                continue
            change = math.log(now + 0.5) - expected.centre
            size = _ROSE if change > 0 else _FELL
            state = _state(change, expected, watch=math.log(1.3), alarm=math.log(size), at=math.log(now + 0.5))
            if state == "alarm" and (name not in ("reads", "visits") if change > 0 else day > 0):
                state = "watch"
            found.append(
                TrainingCheck(
                    check="volumes", state=state, code=_code(state, change, "usual", "fell", "rose"),
                    figures={"what": name, "day": day, "found": now, **_range(expected)},
                )
            )  # fmt: skip
    return worst(found)


def check_labels(profile: LogProfile, recent: int) -> TrainingCheck:
    """Clicks per impression and reads per visit, against their own past."""
    found = [TrainingCheck(check="labels", state="ok", code=_or_short(profile, recent, "usual_rate"))]
    for name, (over, under, size) in _RATES.items():
        tops, bottoms = profile.of(over), profile.of(under)
        rates = [math.log((a + 0.5) / (b + 1)) for a, b in zip(tops, bottoms, strict=True)]
        past = [rate for rate, b in zip(rates[recent:], bottoms[recent:], strict=True) if b >= 20]
        for day in range(recent):
            if bottoms[day] < 20:
                continue
            chosen = bottoms[day] * math.exp(median(past)) if past else 0.0
            expected = usual(past, day=day, recent=recent, noise=_COUNTING / (chosen + 0.5), weekly=False)
            if expected is None:
                continue
            change = rates[day] - expected.centre
            state = _state(change, expected, watch=math.log(1.2), alarm=math.log(size), at=rates[day])
            if state == "alarm" and change < 0 and day > 0:
                state = "watch"
            found.append(
                TrainingCheck(
                    check="labels", state=state, code=_code(state, change, "usual_rate", "rate_fell", "rate_rose"),
                    figures={"what": name, "day": day, "found": math.exp(rates[day]), **_range(expected)},
                )
            )  # fmt: skip
    return worst(found)


def _state(change: float, expected: Usual, *, watch: float, alarm: float, at: float) -> CheckState:
    z = abs(change) / expected.error
    # Until each weekday is known three times, only what no day has come near is unusual; and none is known in the first week.
    beyond = expected.weeks >= 3 or (expected.high + watch < at if change > 0 else at < expected.low - watch)
    if expected.weeks < 1 and z > WATCH_Z and beyond:
        return "watch"
    if z > ALARM_Z and abs(change) > alarm and beyond:
        return "alarm"
    return "watch" if z > WATCH_Z and abs(change) > watch and beyond else "ok"


def _code(state: CheckState, change: float, fine: str, fell: str, rose: str) -> str:
    return fine if state == "ok" else rose if change > 0 else fell


def _range(expected: Usual) -> dict[str, float | str]:
    reach = WATCH_Z * expected.error
    return {
        "low": math.exp(expected.centre - reach),
        "high": math.exp(expected.centre + reach),
        "usual": math.exp(expected.centre),
    }


def _or_short(profile: LogProfile, recent: int, code: str) -> str:
    return code if profile.days - recent >= LEAST_DAYS else "too_short"


def check_schema(profile: LogProfile, recent: int) -> TrainingCheck:
    """Events that lack a field they need, and events about articles the catalogue does not know."""
    found = [TrainingCheck(check="schema", state="ok", code="whole")]
    for kind in ("reads", "clicks", "impressions"):
        for part, code in (("lacking", "lacking"), ("unknown", "unknown_articles")):
            found += _shares(profile, recent, kind, part, check="schema", code=code, levels=(0.01, 0.05))
    return worst(found)


def check_duplicates(profile: LogProfile, recent: int) -> TrainingCheck:
    """The same thing told again under another id: one reader, article, visit and second; or one item of one slate."""
    found = [TrainingCheck(check="duplicates", state="ok", code="few")]
    for kind in ("reads", "clicks", "impressions"):
        found += _shares(profile, recent, kind, "repeated", check="duplicates", code="repeated", levels=(0.01, 0.04))
    return worst(found)


def _shares(
    profile: LogProfile, recent: int, kind: str, part: str, *, check: str, code: str, levels: tuple[float, float]
) -> Iterator[TrainingCheck]:
    """Hold a share of events against two levels, and against what has long been so."""
    of, some = profile.of(kind), profile.of(f"{kind}.{part}")
    before = sum(some[recent:]) / max(sum(of[recent:]), 1)
    for day in range(recent):
        if of[day] < 20:
            continue
        share = some[day] / of[day]
        error = math.sqrt(max(share * (1 - share), 1e-9) / of[day])
        more = share - 3 * error > 1.5 * before
        state: CheckState = "alarm" if share - 3 * error > levels[1] and more else "ok"
        if state == "ok" and share - 3 * error > levels[0]:
            state = "watch"
        if state != "ok":
            figures: dict[str, float | str] = {"what": kind, "day": day, "share": share, "before": before}
            yield TrainingCheck(check=check, state=state, code=code, figures=figures)


def check_freshness(profile: LogProfile, recent: int) -> TrainingCheck:
    """Whether reads still arrive, and new articles with them.

    How long no article is new is counted in reads, not hours: at night there are few of both. A feed is silent when more has
    been read since the last new article than ever between two.
    """
    read = profile.newest.get("read")
    age = (profile.until - read) / timedelta(hours=1) if read else math.inf
    if read is None or age > 6:
        state: CheckState = "alarm" if age > 24 else "watch"
        return TrainingCheck(check="freshness", state=state, code="silent", figures={"hours": min(age, 9999.0)})
    gaps = _gaps(profile.hours)
    fresh = TrainingCheck(check="freshness", state="ok", code="fresh", figures={"hours": age})
    if not gaps:
        return fresh
    (_, length, reads), *others = gaps
    edge = 24 * recent
    usual_gaps = sorted(one for start, _, one in others if start >= edge)
    if len(usual_gaps) < 10:
        return fresh
    # The longest one may itself have been an outage.
    longest = max(usual_gaps[int(0.995 * (len(usual_gaps) - 1))], 20)
    figures: dict[str, float | str] = {"hours": length, "reads": reads, "usual": longest}
    if length >= 3 and reads > longest:
        state = "alarm" if length >= 6 and reads > 1.5 * longest else "watch"
        return TrainingCheck(check="freshness", state=state, code="feed_silent", figures=figures)
    over = [(one, hours) for start, hours, one in others if start < edge and hours >= 6 and one > 1.5 * longest]
    if over:
        told, hours = max(over)
        figures |= {"hours": hours, "reads": told}
        return TrainingCheck(check="freshness", state="watch", code="feed_was_silent", figures=figures)
    return fresh


def _gaps(hours: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return (where it ends, hours, reads) of each stretch without a new article, the present one first."""
    gaps, begins, reads = [], 0, 0
    for hour, read, articles in hours:
        if articles:
            gaps.append((begins, hour - begins, reads))
            begins, reads = hour + 1, 0
        else:
            reads += read
    return gaps


def check_bots(profile: LogProfile, recent: int) -> TrainingCheck:
    """Readers tagged as bots (always left out), and those that read or click more than people do."""
    found = [TrainingCheck(check="bots", state="ok", code="people", figures={"share": _tagged(profile, recent)})]
    clicks, top, reads, heavy = (profile.of(name) for name in ("clicks", "top_clicks", "reads", "heavy"))
    before_top = max(
        (one / all_ for one, all_ in zip(top[recent:], clicks[recent:], strict=True) if all_ >= 50), default=0
    )
    before_heavy = sum(heavy[recent:]) / max(sum(reads[recent:]), 1)
    for day in range(recent):
        share = top[day] / max(clicks[day], 1)
        figures: dict[str, float | str] = {"day": day, "share": share, "clicks": top[day], "before": before_top}
        if top[day] >= 30 and share > max(0.05, 2 * before_top):
            found.append(TrainingCheck(check="bots", state="alarm", code="one_reader", figures=figures))
        elif top[day] >= 15 and share > max(0.02, 2 * before_top):
            found.append(TrainingCheck(check="bots", state="watch", code="one_reader", figures=figures))
        share = heavy[day] / max(reads[day], 1)
        if reads[day] >= 50 and share > max(0.02, 2 * before_heavy):
            state: CheckState = "alarm" if share > max(0.05, 3 * before_heavy) else "watch"
            figures = {"day": day, "share": share, "before": before_heavy}
            found.append(TrainingCheck(check="bots", state=state, code="heavy", figures=figures))
    tagged = _tagged(profile, recent)
    if tagged > 0.2:
        found.append(TrainingCheck(check="bots", state="watch", code="tagged", figures={"share": tagged}))
    return worst(found)


def _tagged(profile: LogProfile, recent: int) -> float:
    return sum(profile.of("tagged")[:recent]) / max(sum(profile.of("reads")[:recent]), 1)


def check_sections(profile: LogProfile, recent: int) -> TrainingCheck:
    """Sections that no longer bring articles, or that came out of nowhere.

    A section is gone when in the fewest last days in which it would bring nine articles (at most a week) it brought none, nor
    ever so few before.
    """
    fine: dict[str, float | str] = {"n": len(profile.sections)}
    found = [TrainingCheck(check="sections", state="ok", code="all_there", figures=fine)]
    for name, one in profile.sections.items():
        if name:
            found += _gone(name, one.articles, profile.days, recent)
    total = sum(sum(one.articles[:recent]) for one in profile.sections.values())
    if profile.days - recent >= 7:
        for name, one in profile.sections.items():
            new = sum(one.articles[:recent])
            if new >= 5 and not any(one.articles[recent:]) and new > 0.02 * total:
                figures: dict[str, float | str] = {"section": name or "(none)", "share": new / total, "articles": new}
                found.append(TrainingCheck(check="sections", state="watch", code="appeared", figures=figures))
    return worst(found)


def _gone(name: str, articles: Series, days: int, recent: int) -> Iterator[TrainingCheck]:
    for span in range(recent, 8):
        before = articles[span:]
        if days < span + LEAST_DAYS:
            return
        expected = span * sum(before) / len(before)
        if expected < 9:
            continue
        now = sum(articles[:span])
        windows = [sum(before[place : place + span]) for place in range(len(before) - span + 1)]
        state: CheckState = "ok"
        if now < min(windows, default=0) and now < 0.25 * expected:
            state = "alarm" if now == 0 else "watch"
        if state != "ok":
            figures: dict[str, float | str] = {"section": name, "days": span, "found": now, "usual": expected}
            yield TrainingCheck(check="sections", state=state, code="vanished", figures=figures)
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How features are spread over lists: edges of bins, and the share of rows in each; on how many lists it rests."""

    lists: int
    edges: Mapping[str, Sequence[float]]
    shares: Mapping[str, Sequence[float]]


def check_drift(before: Spread | None, after: Spread | None) -> TrainingCheck:
    """Hold the features of what is new against those of the last run (population stability index, more than chance)."""
    if before is None or after is None or after.lists < 50:
        return TrainingCheck(check="drift", state="ok", code="nothing_to_compare")
    found = [TrainingCheck(check="drift", state="ok", code="stable")]
    gone = sorted(set(before.shares) ^ set(after.shares))
    if gone:
        found.append(TrainingCheck(check="drift", state="watch", code="other_features", figures={"what": gone[0]}))
    for name in before.shares.keys() & after.shares.keys():
        if len(before.shares[name]) < 2 or len(before.shares[name]) != len(after.shares[name]):
            continue
        units = (float(before.lists), float(after.lists))
        one = population_stability(before.shares[name], after.shares[name], units=units)
        if one.real and one.index > 0.25:
            figures: dict[str, float | str] = {"what": name, "index": one.index, "chance": one.chance}
            state: CheckState = "alarm" if one.index > 1.0 else "watch"
            found.append(TrainingCheck(check="drift", state=state, code="drifted", figures=figures))
    found[1:] = sorted(found[1:], key=lambda check: -float(check.figures.get("index", 0.0)))
    return worst(found)
