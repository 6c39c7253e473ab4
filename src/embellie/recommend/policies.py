"""Policies: from "nothing, as today" to the default heuristic. Candidates → filters → score → rank."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Concatenate, ParamSpec

from embellie.domain.errors import InputError
from embellie.domain.moment import micros
from embellie.domain.slate import Recommended, SlateRequest
from embellie.recommend.affinity import PSEUDO_READS, section_lift, section_weights
from embellie.recommend.leading import Demand, Foremost, Leaders, Sought, best_of
from embellie.recommend.popularity import ENOUGH_READS, EVERY, MICROS_PER_HOUR, Floats, Rows, optimistic_reads
from embellie.recommend.ranking import Narrowing, Ranking
from embellie.recommend.shelf import Shelf
from embellie.recommend.state import SiteState, State

EDITORS_CHOICE = "editors_choice"
"""The reason of an article on the editors' own list."""


P = ParamSpec("P")

_NEW_HOURS = 24.0
_A_FEW_READS = 1.0


@dataclass(frozen=True, slots=True)
class Scored:
    """One score per article of a site, in the order of its rows, and why a row would be shown."""

    values: Floats
    reason: Callable[[int], str]


@dataclass(frozen=True)
class RankedPolicy:
    """A policy that scores articles: give `score`, the rest follows.

    Ties go to the more recent article, then by id, so the same state and request give the same ranking and every
    propensity is 1.
    """

    name: ClassVar[str] = ""

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score every article of the site; more is better."""
        raise NotImplementedError

    def __call__(self, request: SlateRequest, view: State) -> Narrowing:
        """Rank every article that may be shown to this reader here now."""
        site = view.site(request.site)
        rows = site.candidates(request)
        scored = self.score(request, site)
        return Ranking(rows, scored.values[rows], site.shelf.published[rows], site.shelf.ids, reason=scored.reason)


@dataclass(frozen=True)
class StatusQuo:
    """What the site does today: nothing (`list = "nothing"`), or the editors' list in its order (`"editors"`).

    Args:
        list: `nothing` or `editors`.
        articles: The editors' list, article ids separated by commas.
    """

    name: ClassVar[str] = "status_quo"
    names_matter: ClassVar[bool] = True

    list: str = "nothing"
    articles: str = ""

    def __post_init__(self) -> None:
        if self.list not in ("nothing", "editors"):
            raise InputError(
                f"`list` of `status_quo` is `{self.list}`.", hint="Write `nothing` or `editors`.", at="settings.list"
            )

    def __call__(self, request: SlateRequest, view: State) -> Sequence[Recommended]:
        """Return the list as it stands; what may not be shown is left out by the editorial rules."""
        if self.list == "nothing":
            return ()
        names = dict.fromkeys(name for part in self.articles.split(",") if (name := part.strip()))
        known = view.site(request.site).shelf
        return tuple(Recommended(name, EDITORS_CHOICE) for name in names if known.row(name) is not None)


@dataclass(frozen=True)
class Latest(RankedPolicy):
    """The newest first."""

    name: ClassVar[str] = "latest"

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by time of publication (hours since 1970)."""
        return Scored(site.shelf.published / MICROS_PER_HOUR, lambda _: "latest")


@dataclass(frozen=True, slots=True)
class PopularityNow:
    """What popularity is made of at one moment: the same numbers for all articles at once, or for a few.

    Args:
        site: The state.
        now: The moment, µs.
        step: The half-life of the ladder.
        success: What the article of a random recent read has.
        worth: What a read that is kept as 1 is worth.
        settings: Those of the policy.
    """

    site: SiteState
    now: int
    step: int
    success: float
    worth: float
    settings: "Popular"

    @property
    def key(self) -> Hashable:
        """The settings that popularity depends on."""
        own = self.settings
        return own.half_life, own.enough_reads, own.optimism, own.freshness

    @property
    def moves(self) -> int:
        """How often the weights kept were all put on another scale."""
        return self.site.counters.moves

    @property
    def lends(self) -> float:
        """What is lent to an article published this second."""
        return self.settings.optimism * self.success if self.settings.optimism > 0.0 else 0.0

    @property
    def freshness(self) -> float:
        """Hours in which a loan halves."""
        return self.settings.freshness

    def weights(self) -> Floats:
        """Return the reads of every article as they are kept."""
        return self.site.counters.weights(self.step)

    def of(self, rows: Rows = EVERY) -> Demand:
        """Tell what articles have: of every one, or of some rows."""
        ages = (self.now - self.site.shelf.published[rows]) / MICROS_PER_HOUR
        lent = optimistic_reads(
            ages, success=self.success, optimism=self.settings.optimism, freshness=self.settings.freshness
        )
        return Demand(self.site.counters.reads(self.now, self.step, rows), lent, ages)


@dataclass(frozen=True)
class Popular(RankedPolicy):
    """What is read most now: decayed reads, with a half-life that adapts to the traffic.

    Args:
        half_life: In hours, the nearest of the ladder is taken; 0 adapts it to the traffic (`ReadCounters.step`).
        enough_reads: The decayed reads of the whole site that a half-life must remember.
        optimism: The reads lent to a new article, as a share of a success's (`optimistic_reads`); 0 for none.
        freshness: Hours in which that loan halves.
    """

    name: ClassVar[str] = "popular"

    half_life: float = 0.0
    enough_reads: float = ENOUGH_READS
    optimism: float = 0.5
    freshness: float = 6.0

    def popularity(self, request: SlateRequest, site: SiteState) -> PopularityNow:
        """Tell how popularity is counted at the moment of a request."""
        now, counters = micros(request.now), site.counters
        step = counters.nearest(self.half_life) if self.half_life > 0.0 else counters.step(now, self.enough_reads)
        return PopularityNow(site, now, step, counters.success(now, step), counters.worth(now, step), self)

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by decayed reads, plus those lent to new articles."""
        demand = self.popularity(request, site).of()
        reads, lent, ages = demand.reads, demand.lent, demand.ages
        return Scored(reads + lent, lambda row: popular_reason(row, reads[row], lent[row], ages[row]))

    def __call__(self, request: SlateRequest, view: State) -> Narrowing:
        """Rank every article that may be shown to this reader here now, the foremost without looking at all."""
        if type(self).score in (Popular.score, Affinity.score):  # who scores otherwise is asked for every score
            site = view.site(request.site)
            measure = self.popularity(request, site)
            leaders = site.leading.leaders(measure, site.shelf)
            if leaders is not None:
                return self._foremost(request, view, measure=measure, leaders=leaders)
        return super().__call__(request, view)

    def _foremost(self, request: SlateRequest, view: State, *, measure: PopularityNow, leaders: Leaders) -> Narrowing:
        site, every = measure.site, super().__call__
        lift, language = self.lift(request, site, measure.step), site.language(request)
        sought = Sought(
            leaders, measure, site.shelf, None if lift is None else lift.tolist(), site.left_out(request),
            language=site.shelf.languages.find(language) if language else None,
            reason=popular_reason if lift is None else lifted_reason(lift, site.shelf, popular_reason),
        )  # fmt: skip
        return Foremost(best_of(sought), lambda: every(request, view))

    def lift(self, request: SlateRequest, site: SiteState, step: int) -> Floats | None:
        """Return by how much more this reader likes each section than others do; `None` where it is not asked or not known.

        Args:
            request: What was asked.
            site: The state.
            step: The half-life of the ladder at which sections are compared.
        """
        return None


def popular_reason(_: int, reads: float, lent: float, age: float) -> str:
    """Say why a popular article is shown."""
    if lent > reads and age <= _NEW_HOURS:
        return "new"
    return "popular_now" if reads >= _A_FEW_READS else "on_this_site"


def lifted_reason(
    lift: Floats, shelf: Shelf, otherwise: Callable[Concatenate[int, P], str]
) -> Callable[Concatenate[int, P], str]:
    """Say that a reader likes an article's section, where they do; else what another reason says."""

    def reason(row: int, /, *args: P.args, **more: P.kwargs) -> str:
        liked = lift[shelf.section[row]] > 1.0
        return f"section:{shelf.section_of(row)}" if liked else otherwise(row, *args, **more)

    return reason


@dataclass(frozen=True)
class SameSection(Popular):
    """What is read most in the page's own section; then what is read most elsewhere, so nothing is ever empty."""

    name: ClassVar[str] = "same_section"
    needs_sections: ClassVar[bool] = True

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by popularity, the page's section above all others."""
        popular = super().score(request, site)
        page = site.shelf.row(request.article)
        section = 0 if page is None else int(site.shelf.section[page])
        if section == 0:
            return popular
        same = site.shelf.section == section
        above = 1.0 + popular.values.max(initial=0.0)
        code = f"same_section:{site.shelf.sections.words[section]}"
        return Scored(popular.values + above * same, lambda row: code if same[row] else popular.reason(row))


@dataclass(frozen=True)
class Affinity(Popular):
    """The default heuristic: section affinity × popularity (with its credit for new articles).

    Without consent to profiling, without history or without sections there is nothing to lift by: then it *is*
    `popular`, and gives its reasons.

    Args:
        affinity_days: Days in which what a reader has read counts half.
        pseudo_reads: Reads in everyone's taste that a reader starts with (`section_lift`).
    """

    name: ClassVar[str] = "affinity"
    needs_sections: ClassVar[bool] = True

    affinity_days: float = 14.0
    pseudo_reads: float = PSEUDO_READS

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by popularity times the reader's lift of the section."""
        return self.lifted(super().score(request, site), request, site)

    def lifted(self, popular: Scored, request: SlateRequest, site: SiteState) -> Scored:
        """Lift a popularity by the reader's taste for each section."""
        lift = self.lift(request, site, self.popularity(request, site).step)
        if lift is None:
            return popular
        lifted = popular.values * lift[site.shelf.section]
        return Scored(lifted, lifted_reason(lift, site.shelf, popular.reason))

    def lift(self, request: SlateRequest, site: SiteState, step: int) -> Floats | None:
        """Return the lift of each section, `None` when nothing is or may be known of the reader."""
        sections, count, now = site.shelf.section, len(site.shelf.sections), micros(request.now)
        history = site.history(request)
        visit = site.visit_rows(request) if request.consent == "profiling" else []
        if count == 1 or not (history or visit):
            return None
        weights = section_weights(history, visit, sections, count=count, now=now, half_life=24.0 * self.affinity_days)
        lift = section_lift(weights, site.section_shares(now, step), pseudo_reads=self.pseudo_reads)
        lift[0] = 1.0
        return lift
