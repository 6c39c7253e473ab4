"""Checking: what must hold for a scorecard's figures to be believed, and whether it does. Pure.

Each check carries the `code` of the sentence that tells it (`measure.telling_checks`), names in `values`, numbers in `figures`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from embellie.domain.scorecard import Check, CheckState, Effect, SampleRatio, Scorecard, Slice
from embellie.measure.aggregates import Aggregates
from embellie.measure.scoring import Design
from embellie.stats.estimators import two_sided_p
from embellie.stats.multiplicity import e_benjamini_hochberg
from embellie.stats.sample_ratio import mixed_log_e_value

BY_DIMENSION = 0.01
"""False alarms among the splits by dimension, over all looks: e-values, corrected for how many are looked at."""

FEW = 100
"""A part of the readers smaller than this is not checked by itself: it could not raise the alarm."""

MANY_IN_TWO = 0.01
"""From this share of readers in two variants on, leaving them out is no remedy: assignment or identity is broken."""

QUIET = 0.2
"""A day with fewer than this share of the new readers of the days around it is incomplete."""

NOVELTY_P = 0.01
LATER_DAYS = 5
"""A slope over days since exposure is looked for from so many days on."""

BOT = "bot"
EVERYONE = "everyone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The whole days an experiment has seen: from the first to the last, both complete."""

    first: date
    last: date


def check(design: Design, aggregates: Aggregates, card: Scorecard, *, days: Days | None = None) -> tuple[Check, ...]:
    """Check a scorecard: split, split by dimension, readers in two variants, missing days, bots, novelty, size.

    Args:
        design: What was planned; the first primary metric is the one whose effect is followed.
        aggregates: With the slices `consent`, `returning`, `day`, `bot`, `since` where they were asked for.
        card: The scorecard of these aggregates, its slices scored.
        days: The whole days to be looked at for missing data; None to leave that out.
    """
    primary = next((metric.metric for metric in design.metrics if metric.role == "primary"), "")
    found = [_split(card), *_split_by(design, aggregates), _two_variants(card)]
    if days is not None:
        found.append(_completeness(aggregates, days))
    if any(dimension == BOT for dimension, _ in aggregates.slices) or card.excluded.get("bots"):
        found.append(_bots(card, primary))
    found += _novelty(card, primary)
    found += _size(card, design)
    return tuple(found)


def _split(card: Scorecard) -> Check:
    srm = card.srm
    if not isinstance(srm, SampleRatio):
        return Check(check="split", state="unknown", code="nobody")
    figures = {"p_value": srm.p_value, "log_e": srm.log_e}
    if srm.alarm:
        return Check(check="split", state="alarm", code="split_broken", figures=figures)
    return Check(check="split", state="fine", code="split_fine", figures=figures)


def _split_by(design: Design, aggregates: Aggregates) -> Iterator[Check]:
    """The split within parts of the readers that the variant cannot have changed; e-values, so it may be looked at daily."""
    logs = {}
    for (dimension, value), moments in aggregates.slices.items():
        counts = [moments[name].n if name in moments else 0 for name in design.weights]
        if dimension in ("since", BOT) or sum(counts) < FEW:
            continue
        logs[dimension, value] = mixed_log_e_value(counts, list(design.weights.values()))
    if not logs:
        return
    levels = e_benjamini_hochberg(list(logs.values()))
    broken = {place for place, level in enumerate(levels) if level <= BY_DIMENSION}
    for place, ((dimension, value), log_e) in enumerate(logs.items()):
        if place in broken:
            yield Check(
                check="split_by",
                state="alarm",
                code="split_by_broken",
                values={"dimension": dimension, "value": value},
                figures={"log_e": log_e},
            )
    if not broken:
        yield Check(check="split_by", state="fine", code="split_by_fine", figures={"parts": float(len(logs))})


def _two_variants(card: Scorecard) -> Check:
    twice = card.excluded.get("two_variants", 0)
    share = twice / max(1, twice + sum(card.units.values()))
    figures = {"n": float(twice), "share": share}
    if not twice:
        return Check(check="two_variants", state="fine", code="no_two_variants", figures=figures)
    state: CheckState = "alarm" if share >= MANY_IN_TWO else "watch"
    return Check(check="two_variants", state=state, code="two_variants", figures=figures)


def _completeness(aggregates: Aggregates, days: Days) -> Check:
    """Look for days on which hardly anybody new came, while they did on the days around."""
    seen = {
        date.fromisoformat(value): sum(sample.n for sample in moments.values())
        for (dimension, value), moments in aggregates.slices.items()
        if dimension == "day"
    }
    whole = [days.first + timedelta(days=number) for number in range((days.last - days.first).days + 1)]
    for before, day, after in zip(whole, whole[1:], whole[2:], strict=False):
        around = min(seen.get(before, 0), seen.get(after, 0))
        if around >= FEW and seen.get(day, 0) < QUIET * around:
            return Check(
                check="completeness",
                state="alarm",
                code="incomplete",
                values={"day": day.isoformat()},
                figures={"share": seen.get(day, 0) / around},
            )
    if len(whole) < 3:
        return Check(check="completeness", state="unknown", code="too_early_for_days")
    return Check(check="completeness", state="fine", code="complete", figures={"days": float(len(whole))})


def _bots(card: Scorecard, primary: str) -> Check:
    bots = card.excluded.get("bots", 0)
    figures = {"n": float(bots), "share": bots / max(1, bots + sum(card.units.values()))}
    if not bots:
        return Check(check="bots", state="fine", code="no_bots", figures=figures)
    for slice_ in card.slices:
        if (slice_.dimension, slice_.value) == (BOT, EVERYONE):
            for variant, with_them in _effects(slice_, primary).items():
                without = _effects(card, primary).get(variant)
                if without is not None and _says(without) != _says(with_them):
                    figures |= {"without": without.effect, "with": with_them.effect}
                    return Check(check="bots", state="watch", code="bots_matter", figures=figures)
    return Check(check="bots", state="fine", code="bots", figures=figures)


def _effects(card: Scorecard | Slice, metric: str) -> dict[str, Effect]:
    """The rows of a metric by variant, the adjusted one where there is one."""
    return {row.variant: row for row in card.effects if isinstance(row, Effect) and row.metric == metric}


def _says(row: Effect) -> str:
    return "higher" if row.interval.low > 0 else "lower" if row.interval.high < 0 else "open"


def _novelty(card: Scorecard, primary: str) -> Iterator[Check]:
    """Whether the effect fades or grows with the days since a reader's first exposure: a weighted slope per variant.

    Days share readers, whose likeness makes a slope less uncertain than taken here: the test errs on the quiet side.
    """
    variants = [name for name in card.units if name != card.control]
    for variant in variants:
        points = []
        for slice_ in card.slices:
            row = _effects(slice_, primary).get(variant) if slice_.dimension == "since" else None
            if row is not None and row.se > 0:
                points.append((float(slice_.value), row.effect, row.se**-2))
        if len(points) < LATER_DAYS:
            continue
        slope, se, first = slope_of(points)
        p_value = two_sided_p(slope / se)
        figures = {"slope": slope, "se": se, "p_value": p_value, "first": first, "days": float(len(points))}
        if p_value >= NOVELTY_P:
            yield Check(check="novelty", state="fine", code="no_novelty", values={"variant": variant}, figures=figures)
            continue
        code = "novelty" if slope * first < 0 else "primacy"
        yield Check(check="novelty", state="watch", code=code, values={"variant": variant}, figures=figures)


def slope_of(points: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Return the weighted least-squares slope of (x, y, weight), its standard error, and the line's value at the first x.

    >>> slope_of([(0.0, 1.0, 1.0), (1.0, 2.0, 1.0), (2.0, 3.0, 1.0)])[0]
    1.0
    """
    weight = sum(w for *_, w in points)
    x_mean = sum(w * x for x, _, w in points) / weight
    y_mean = sum(w * y for _, y, w in points) / weight
    spread = sum(w * (x - x_mean) ** 2 for x, _, w in points)
    slope = sum(w * (x - x_mean) * (y - y_mean) for x, y, w in points) / spread
    return slope, spread**-0.5, y_mean + slope * (min(x for x, *_ in points) - x_mean)


def _size(card: Scorecard, design: Design) -> Iterator[Check]:
    """How far an experiment with a plan has come."""
    if not card.planned:
        return
    units = sum(card.units.values())
    figures: Mapping[str, float] = {"n": float(units), "planned": float(card.planned)}
    if design.looking.kind == "always" or units >= card.planned:
        yield Check(check="size", state="fine", code="early" if units < card.planned else "planned", figures=figures)
    else:
        yield Check(check="size", state="watch", code="early", figures=figures)
