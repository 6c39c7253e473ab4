"""Rule: what editors decide and no policy may break: pin, ban, embargo, cap, boost, floor."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from embellie.domain.errors import InputError

MOST_BOOST = 10.0
"""A boost's factor lies from a tenth to ten: beyond that, a pin or a ban says it better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One editorial rule; an event of kind `rule` carries it whole, the last one of a name holds.

    `pin` puts `article` at `position`; `ban` keeps `article` (or a whole `section`) out; `cap` lets at most
    `limit` articles of `section` (every section when `""`) into one slate. `embargo` keeps `article` out, everywhere, until
    `until`, whatever the feed says. `boost` lets what is of `section`, of `tag`, or `article`, compete as if it stood at its
    place divided by `factor` (below 1: further back). `floor` keeps one of the first `position` places for `section`, if
    there is any of it to show. `placement` `""` means all of them.
    """

    kind: ClassVar[str] = "rule"

    rule: str
    action: Literal["pin", "ban", "cap", "embargo", "boost", "floor"]
    article: str = ""
    section: str = ""
    tag: str = ""
    placement: str = ""
    position: int = 1
    limit: int = 0
    factor: float = 1.0
    until: datetime | None = None
    active: bool = True
    by: str = ""

    def __post_init__(self) -> None:
        if self.action == "pin" and (not self.article or self.position < 1):
            raise InputError(f"Pin `{self.rule}` needs an article and a position from 1.", hint="Name both.")
        if self.action == "ban" and not (self.article or self.section):
            raise InputError(f"Ban `{self.rule}` needs an article or a section.", hint="Name one of them.")
        if self.action == "cap" and self.limit < 1:
            raise InputError(f"Cap `{self.rule}` needs a limit from 1.", hint="To show none of a section, ban it.")
        if self.action == "embargo":
            self._check_embargo()
        if self.action == "boost":
            self._check_boost()
        if self.action == "floor" and (not self.section or self.position < 1):
            raise InputError(
                f"Floor `{self.rule}` needs a section and a position from 1.",
                hint="`position` is how many of the first places count: 4 keeps one of the first four.",
            )

    def _check_embargo(self) -> None:
        if not self.article or self.until is None:
            raise InputError(
                f"Embargo `{self.rule}` needs an article and `until`, the time from which it may be shown.",
                hint="To keep it out for good, ban it.",
            )
        if self.placement:
            raise InputError(
                f"Embargo `{self.rule}` names the placement `{self.placement}`.",
                hint="An embargo holds everywhere: leave `placement` out, or ban the article there.",
            )

    def _check_boost(self) -> None:
        if sum(map(bool, (self.article, self.section, self.tag))) != 1:
            raise InputError(
                f"Boost `{self.rule}` needs one of `article`, `section` and `tag`.",
                hint="Write a rule for each of them.",
            )
        if not 1.0 / MOST_BOOST <= self.factor <= MOST_BOOST or self.factor == 1.0:
            raise InputError(
                f"The factor of boost `{self.rule}` is {self.factor:g}.",
                hint="It lies from 0.1 to 10 and is not 1: 2 brings forward, 0.5 puts back. To force a place, pin; to show none, ban.",
            )

    def holds(self, placement: str, now: datetime) -> bool:
        """Tell whether the rule applies to a placement at `now`."""
        return self.active and self.placement in ("", placement) and (self.until is None or now < self.until)
