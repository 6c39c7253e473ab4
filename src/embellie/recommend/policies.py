"""Policies: from "nothing, as today" to the default heuristic. Candidates → filters → score → rank."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from embellie.domain.errors import InputError, unknown_name
from embellie.domain.moment import micros
from embellie.domain.release import Setting
from embellie.domain.slate import Recommended, SlateRequest
from embellie.ports import Policy
from embellie.recommend.affinity import PSEUDO_READS, section_lift, section_shares, section_weights
from embellie.recommend.popularity import ENOUGH_READS, MICROS_PER_HOUR, Floats, optimistic_reads
from embellie.recommend.ranking import Ranking
from embellie.recommend.state import SiteState, State

EDITORS_CHOICE = "editors_choice"
"""The reason of an article on the editors' own list."""


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

    def __call__(self, request: SlateRequest, view: State) -> Sequence[Recommended]:
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

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by decayed reads, plus those lent to new articles."""
        now = micros(request.now)
        step = (
            site.counters.nearest(self.half_life)
            if self.half_life > 0.0
            else site.counters.step(now, self.enough_reads)
        )
        reads = site.counters.reads(now, step)
        ages = (now - site.shelf.published) / MICROS_PER_HOUR
        lent = optimistic_reads(reads, ages, optimism=self.optimism, freshness=self.freshness)

        def reason(row: int) -> str:
            if lent[row] > reads[row] and ages[row] <= _NEW_HOURS:
                return "new"
            return "popular_now" if reads[row] >= _A_FEW_READS else "on_this_site"

        return Scored(reads + lent, reason)


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
        popular = super().score(request, site)
        lift = self._lift(request, site, popular.values)
        if lift is None:
            return popular
        sections = site.shelf.section

        def reason(row: int) -> str:
            liked = lift[sections[row]] > 1.0
            return f"section:{site.shelf.section_of(row)}" if liked else popular.reason(row)

        return Scored(popular.values * lift[sections], reason)

    def _lift(self, request: SlateRequest, site: SiteState, popularity: Floats) -> Floats | None:
        """Return the lift of each section, `None` when nothing is or may be known of the reader."""
        sections, count = site.shelf.section, len(site.shelf.sections)
        history = site.history(request)
        visit = site.visit_rows(request) if request.consent == "profiling" else []
        if count == 1 or not (history or visit):
            return None
        weights = section_weights(
            history, visit, sections, count=count, now=micros(request.now), half_life=24.0 * self.affinity_days
        )
        lift = section_lift(weights, section_shares(popularity, sections, count=count), pseudo_reads=self.pseudo_reads)
        lift[0] = 1.0
        return lift


def interleaved(first: str = "popular", second: str = "affinity", salt: str = "") -> Policy[State]:
    """Build the policy that lets two others draft one slate (`interleaving.Interleaved`)."""
    from embellie.recommend.interleaving import Interleaved  # it builds policies itself

    return Interleaved(first=first, second=second, salt=salt)


def exploring(policy: str = "popular", epsilon: float = 0.05, pool: int = 20, salt: str = "") -> Policy[State]:
    """Build the policy that now and then shows another's best articles in any order (`exploring.Exploring`)."""
    from embellie.recommend.exploring import Exploring  # it builds policies itself

    return Exploring(policy=policy, epsilon=epsilon, pool=pool, salt=salt)


def covisitation(
    pseudo_visits: float = 5.0, fade: float = 0.8, history: float = 0.1, remembered: int = 10, currency: float = 1.0
) -> Policy[State]:
    """Build the policy of articles opened in the same visits (`covisitation.Covisitation`)."""
    from embellie.recommend.covisitation import Covisitation  # it is a `Popular` itself

    return Covisitation(
        pseudo_visits=pseudo_visits, fade=fade, history=history, remembered=remembered, currency=currency
    )


def sessions(
    neighbours: int = 100,
    fade: float = 0.6,
    visit_half_life: float = 0.0,
    pseudo_visits: float = 20.0,
    rarity: float = 0.3,
) -> Policy[State]:
    """Build the policy of what the most similar visits opened (`similar_visits.Sessions`)."""
    from embellie.recommend.similar_visits import Sessions  # it is a `Popular` itself

    return Sessions(
        neighbours=neighbours, fade=fade, visit_half_life=visit_half_life, pseudo_visits=pseudo_visits, rarity=rarity
    )


def trending(short: float = 0.0, longer: float = 12.0, pseudo_reads: float = 10.0) -> Policy[State]:
    """Build the policy of what rises (`trending.Trending`)."""
    from embellie.recommend.trending import Trending  # it is a `Popular` itself

    return Trending(short=short, longer=longer, pseudo_reads=pseudo_reads)


def evergreen(
    share: float = 0.25, older_than_days: float = 7.0, half_life: float = 0.0, optimism: float = 0.5
) -> Policy[State]:
    """Build the policy that keeps a share of slots for articles that last (`trending.Evergreen`)."""
    from embellie.recommend.trending import Evergreen  # it is a `Popular` itself

    return Evergreen(share=share, older_than_days=older_than_days, half_life=half_life, optimism=optimism)


POLICIES: dict[str, Callable[..., Policy[State]]] = {
    StatusQuo.name: StatusQuo,
    Latest.name: Latest,
    Popular.name: Popular,
    SameSection.name: SameSection,
    Affinity.name: Affinity,
    "covisitation": covisitation,
    "sessions": sessions,
    "trending": trending,
    "evergreen": evergreen,
    "interleaved": interleaved,
    "exploring": exploring,
}
"""The built-in policies by name; each takes its settings as keyword arguments."""


def build_policy(
    name: str, settings: Mapping[str, Setting] | None = None, *, editors_list: Sequence[str] = ()
) -> Policy[State]:
    """Build a policy by name.

    Args:
        name: One of `POLICIES`.
        settings: Its settings.
        editors_list: The site's list, for a `status_quo` with `list = "editors"` that names no articles itself.

    Raises:
        UnknownName: There is no such policy.
        InputError: It has no such setting, or the value is wrong.
    """
    if name not in POLICIES:
        raise unknown_name("policy", name, POLICIES)
    known = inspect.signature(POLICIES[name]).parameters
    given = dict(settings or {})
    for key in given:
        if key not in known:
            wrong = unknown_name(f"setting of `{name}`", key, known)
            raise InputError(wrong.message, hint=wrong.hint, at=f"settings.{key}")
    if name == "status_quo" and given.get("list") == "editors" and not given.get("articles"):
        given["articles"] = ",".join(editors_list)
    return POLICIES[name](**given)
