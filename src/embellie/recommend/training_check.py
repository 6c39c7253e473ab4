"""TrainingCheck: something that must hold for a model to be trained, or served; what was found, expected, and to be done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

CheckState = Literal["ok", "watch", "alarm"]

_ORDER: tuple[CheckState, ...] = ("ok", "watch", "alarm")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingCheck:
    """One check: an `alarm` keeps a model from readers, a `watch` is for people.

    Attributes:
        check: Its name, such as `volumes`.
        state: How bad it is.
        code: Which sentence tells it (`check_telling`).
        figures: What the sentence is about; numbers and names.
    """

    check: str
    state: CheckState
    code: str
    figures: Mapping[str, float | str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"check": self.check, "state": self.state, "code": self.code, "figures": dict(self.figures)}


def worst(found: Iterable[TrainingCheck]) -> TrainingCheck:
    """Return the first of the worst of several.

    >>> mild = TrainingCheck(check="volumes", state="watch", code="rose")
    >>> worst([TrainingCheck(check="volumes", state="ok", code="usual"), mild]).code
    'rose'
    """
    return max(found, key=lambda check: _ORDER.index(check.state))


def alarms(checks: Iterable[TrainingCheck], despite: Iterable[str] = ()) -> list[str]:
    """Name the checks that keep a model from readers, but for those a person answers for."""
    answered = set(despite)
    return [check.check for check in checks if check.state == "alarm" and check.check not in answered]
