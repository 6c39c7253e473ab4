"""Unavailable: the answer when there is no answer; never a neutral number."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Say why a value cannot be given, and what to do about it.

    A reason met often has a `code`, with the `values` it speaks of, so that it can be said in another language.

    >>> Unavailable("No reader was exposed.", "Wait for traffic.").document()
    {'unavailable': 'No reader was exposed.', 'remedy': 'Wait for traffic.'}
    """

    reason: str
    remedy: str
    code: str = field(default="", compare=False)
    values: Mapping[str, str] = field(default_factory=dict, compare=False)

    def document(self) -> dict[str, str]:
        """Return the JSON form every surface uses."""
        return {"unavailable": self.reason, "remedy": self.remedy}
