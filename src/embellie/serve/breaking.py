"""Breaking: a policy that fails or is too slow time and again rests for a while, so that readers do not wait for it."""

from collections.abc import Callable
from typing import TypeVar

AnswerT = TypeVar("AnswerT")

PATIENCE = 3
"""How often in a row a policy may fail, or take longer than its budget, before it rests."""

REST_SECONDS = 30.0
"""How long it rests at first; then it is tried once."""

LONGEST_REST = 960.0
"""Each time in a row that it fails again after its rest, it rests twice as long, up to so many seconds."""

MUCH_TOO_LONG = 1.0
"""Seconds beyond its budget after which one answer is enough: everybody has waited for it."""


class Resting(Exception):
    """The policy rests: it failed, or was too slow, too often just now."""


class Breaker:
    """Calls a policy, and lets it rest when it has failed or been too slow too often in a row ("circuit breaker": Nygard, *Release It!*).

    An answer that comes late is still given: what it cost is spent. So a policy that sleeps holds up one request, or `PATIENCE`
    when it sleeps less than a second, and then one more after 30 s, one a minute later, and so on, up to one every 16 minutes.

    Args:
        budget: Seconds an answer may take; 0 for any.
        timer: Tells seconds.

    >>> clock = iter([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.1]).__next__
    >>> slow = Breaker(budget=0.1, timer=clock)
    >>> [slow.call(lambda: "slate") for _ in range(3)]
    ['slate', 'slate', 'slate']
    >>> slow.call(lambda: "slate")
    Traceback (most recent call last):
    ...
    embellie.serve.breaking.Resting
    """

    def __init__(self, *, budget: float, timer: Callable[[], float]) -> None:
        self._budget, self._timer = budget, timer
        self._strikes, self._until, self._rest = 0, float("-inf"), REST_SECONDS

    def call(self, policy: Callable[[], AnswerT]) -> AnswerT:
        """Call a policy.

        Raises:
            Resting: It rests.
        """
        began = self._timer()
        if began < self._until:
            raise Resting
        try:
            answer = policy()
        except Exception:
            self._strike(self._timer())
            raise
        ended = self._timer()
        if self._budget and ended - began > self._budget:
            self._strike(ended, count=PATIENCE if ended - began > self._budget + MUCH_TOO_LONG else 1)
        else:
            self._strikes, self._rest = 0, REST_SECONDS
        return answer

    def rests(self) -> bool:
        """Tell whether it rests now."""
        return self._timer() < self._until

    def _strike(self, now: float, *, count: int = 1) -> None:
        self._strikes += count
        if self._strikes >= PATIENCE:
            self._until = now + self._rest
            self._rest = min(2 * self._rest, LONGEST_REST)
            # After its rest one more failure is enough.
            self._strikes = PATIENCE - 1
