"""Unavailable: the answer when there is no answer; never a neutral number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Say why a value cannot be given, and what to do about it.

    >>> Unavailable("No reader was exposed.", "Wait for traffic.").document()
    {'unavailable': 'No reader was exposed.', 'remedy': 'Wait for traffic.'}
    """

    reason: str
    remedy: str

    def document(self) -> dict[str, str]:
        """Return the JSON form every surface uses."""
        return {"unavailable": self.reason, "remedy": self.remedy}
