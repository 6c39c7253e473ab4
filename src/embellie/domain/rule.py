"""Rule: what editors decide and no policy may break: pin, ban, cap."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from embellie.domain.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One editorial rule; an event of kind `rule` carries it whole, the last one of a name holds.

    `pin` puts `article` at `position`; `ban` keeps `article` (or a whole `section`) out; `cap` lets at most
    `limit` articles of `section` (every section when `""`) into one slate. `placement` `""` means all of them.
    """

    kind: ClassVar[str] = "rule"

    rule: str
    action: Literal["pin", "ban", "cap"]
    article: str = ""
    section: str = ""
    placement: str = ""
    position: int = 1
    limit: int = 0
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

    def holds(self, placement: str, now: datetime) -> bool:
        """Tell whether the rule applies to a placement at `now`."""
        return self.active and self.placement in ("", placement) and (self.until is None or now < self.until)
