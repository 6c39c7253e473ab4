"""Own writes: which stretches of a log that several write to went through one's own hands."""

import threading
from collections import deque

Span = tuple[int, int]
"""The sequence numbers from the first to the last, both in it."""


class OwnWrites:
    """Remembers what was written here, so that whoever follows the log takes in only what others wrote.

    A write that is about to become visible is announced first: until its end is known, nobody reads beyond it. So no
    event is ever taken for another's, nor another's for one's own, at whatever moment one looks. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: deque[Span] = deque()
        self._pending: int | None = None

    def begin(self, first: int) -> None:
        """Announce a write from a sequence number on; it may be seen by others from now on."""
        with self._lock:
            self._pending = first

    def end(self, last: int | None) -> None:
        """Say that it reaches to a sequence number; None when it came to nothing, or nobody knows."""
        with self._lock:
            first, self._pending = self._pending, None
            if first is None or last is None or last < first:
                return
            if self._spans and self._spans[-1][1] == first - 1:
                self._spans[-1] = (self._spans[-1][0], last)
            else:
                self._spans.append((first, last))

    def others(self, after: int, upto: int) -> tuple[list[Span], int]:
        """Tell which stretches after one number, up to another, others wrote; and how far that can be told.

        What lies at `after` or before is forgotten: ask with growing numbers. `upto` was the log's end before this is asked.
        """
        with self._lock:
            if self._pending is not None:
                upto = min(upto, self._pending - 1)
            while self._spans and self._spans[0][1] <= after:
                self._spans.popleft()
            found: list[Span] = []
            start = after + 1
            for first, last in self._spans:
                if first > upto:
                    break
                if first > start:
                    found.append((start, first - 1))
                start = max(start, last + 1)
            if start <= upto:
                found.append((start, upto))
            return found, max(upto, after)
