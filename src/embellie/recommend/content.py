"""Content neighbours: what is about the same as the page, and as what the reader reads; new articles at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from embellie.domain.errors import InputError
from embellie.domain.moment import micros
from embellie.domain.slate import SlateRequest
from embellie.recommend.policies import Popular, RankedPolicy, Scored
from embellie.recommend.popularity import MICROS_PER_HOUR
from embellie.recommend.signals import Signal
from embellie.recommend.state import SiteState
from embellie.recommend.texts import Texts, fading

_PROFILE_ARTICLES = 10


@dataclass(frozen=True)
class Content(RankedPolicy):
    """What is alike, the fresher the better: content neighbours of the page, and of what the reader reads.

        score = ((1 − p) · cos(article, page) + p · cos(article, profile)) · 2^(−age / half-life) + s · popularity / max

    The profile is that of the last ten articles of reader and visit, each halved every `profile_days`, and only with
    consent to profiling; without a page or without a profile, the other stands alone. Without either, or where nothing is
    alike, what is popular follows. An article is found from the moment it is published: no reads and no fit are needed.

    Args:
        profile: p, the weight of the profile beside the page, from 0 to 1.
        fresh_days: Days in which likeness counts half: the half-life.
        profile_days: Days in which what was read counts half in the profile.
        popularity: s, what being the most popular article of all adds.
    """

    name: ClassVar[str] = "content"
    signals: ClassVar[tuple[type[Signal], ...]] = (Texts,)

    profile: float = 0.3
    fresh_days: float = 7.0
    profile_days: float = 7.0
    popularity: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 <= self.profile <= 1.0:
            raise InputError(f"`profile` is {self.profile:g}.", hint="It lies from 0 to 1.", at="settings.profile")
        for name in ("fresh_days", "profile_days"):
            if getattr(self, name) <= 0.0:
                raise InputError(f"`{name}` is {getattr(self, name):g}.", hint="It is above 0.", at=f"settings.{name}")

    def score(self, request: SlateRequest, site: SiteState) -> Scored:
        """Score by likeness and freshness, above a little popularity."""
        popular = Popular().score(request, site)
        now, size = micros(request.now), len(site.shelf)
        texts = site.signal(Texts)
        page = texts.query(dict.fromkeys(site.shelf.rows((request.article,)), 1.0))
        profile = texts.query(self._profile(request, site, now))
        share = self.profile if page and profile else float(bool(profile))
        ages = np.maximum(now - site.shelf.published, 0) / MICROS_PER_HOUR
        fresh = np.exp2(-ages / (24.0 * self.fresh_days))
        by_page = (1.0 - share) * texts.alike(page, size) * fresh
        by_profile = share * texts.alike(profile, size) * fresh
        under = self.popularity * popular.values / max(float(popular.values.max(initial=0.0)), 1e-300)

        def reason(row: int) -> str:
            if by_page[row] + by_profile[row] <= under[row]:
                return popular.reason(row)
            return "similar" if by_page[row] >= by_profile[row] else "similar_to_read"

        return Scored(by_page + by_profile + under, reason)

    def _profile(self, request: SlateRequest, site: SiteState, now: int) -> Mapping[int, float]:
        """Weigh what was read last; the page itself is asked for by itself."""
        if self.profile == 0.0 or request.consent != "profiling":
            return {}
        read = dict(site.history(request))
        read |= dict.fromkeys((row for row in site.visit_rows(request) if row not in read), now)
        for row in site.shelf.rows((request.article,)):
            read.pop(row, None)
        half_life = 24.0 * self.profile_days * MICROS_PER_HOUR
        return fading(read, now=now, half_life=half_life, last=_PROFILE_ARTICLES)
