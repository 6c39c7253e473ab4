"""Metrics of the server, in Prometheus' text format."""

import bisect
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the latency histogram, in seconds."""

Labels = tuple[tuple[str, str], ...]


_COUNTERS = ("requests", "events", "slates", "fallbacks")


class Tally:
    """Counts what the server does. All changes happen on the event loop's thread."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.events: Counter[tuple[str, str]] = Counter()
        self.lost: Counter[str] = Counter()
        self.dropped = 0
        self.slates: Counter[tuple[str, str, str, str]] = Counter()
        self.fallbacks: Counter[tuple[str, str, str]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def answered(self, route: str, method: str, *, status: int, seconds: float) -> None:
        """Count one answer and the seconds it took."""
        self.requests[route, method, status] += 1
        buckets = self._buckets.get(route)
        if buckets is None:
            buckets = self._buckets[route] = [0] * (len(BOUNDS) + 1)
        buckets[bisect.bisect_left(BOUNDS, seconds)] += 1
        self._seconds[route] += seconds

    def received(self, site: str, *, accepted: int, duplicates: int, quarantined: int, lost: int = 0) -> None:
        """Count what became of one batch of events, and what its sender says it had to drop before."""
        self.lost[site] += lost
        self.events[site, "accepted"] += accepted
        self.events[site, "duplicate"] += duplicates
        self.events[site, "quarantined"] += quarantined

    def snapshot(self) -> dict[str, Any]:
        """Return all counts, as lists and numbers; see `add`."""
        return {
            "counts": {name: [[*key, count] for key, count in _counter_of(self, name).items()] for name in _COUNTERS},
            "lost": dict(self.lost),
            "dropped": self.dropped,
            "buckets": {route: list(buckets) for route, buckets in self._buckets.items()},
            "seconds": dict(self._seconds),
        }

    def add(self, snapshot: Mapping[str, Any]) -> None:
        """Count what another tally has counted, as its `snapshot` says."""
        for name in _COUNTERS:
            counts = _counter_of(self, name)
            for *key, count in snapshot["counts"][name]:
                counts[tuple(key)] += count
        self.lost.update(snapshot["lost"])
        self.dropped += snapshot.get("dropped", 0)
        for route, buckets in snapshot["buckets"].items():
            mine = self._buckets.setdefault(route, [0] * (len(BOUNDS) + 1))
            mine[:] = [one + other for one, other in zip(mine, buckets, strict=True)]
        for route, seconds in snapshot["seconds"].items():
            self._seconds[route] += seconds

    def text(self, *, gauges: Mapping[str, tuple[str, float]]) -> str:
        """Write everything as Prometheus reads it.

        Args:
            gauges: Present values by name, each with its line of help.
        """
        lines = _counter(
            "embellie_requests_total",
            "HTTP requests answered.",
            (
                ((("route", route), ("method", method), ("status", str(status))), count)
                for (route, method, status), count in self.requests.items()
            ),
        )
        lines += self._latency()
        lines += _counter(
            "embellie_events_total",
            "Events received by HTTP, by what became of them.",
            (((("site", site), ("outcome", outcome)), count) for (site, outcome), count in self.events.items()),
        )
        lines += _counter(
            "embellie_events_lost_total",
            "Events that pages dropped before they could send them, as they tell.",
            (((("site", site),), count) for site, count in self.lost.items()),
        )
        lines += _counter(
            "embellie_shown_dropped_total",
            "Events of what readers were shown that never reached the log: it took none for too long.",
            [((), self.dropped)],
        )
        lines += _counter(
            "embellie_slates_total",
            "Slates served.",
            (
                ((("site", site), ("placement", placement), ("policy", policy), ("variant", variant)), count)
                for (site, placement, policy, variant), count in self.slates.items()
            ),
        )
        lines += _counter(
            "embellie_fallbacks_total",
            "Slates that something else than the release assigned had to answer, by what did.",
            (
                ((("site", site), ("placement", placement), ("by", by)), count)
                for (site, placement, by), count in self.fallbacks.items()
            ),
        )
        for name, (purpose, value) in gauges.items():
            lines += [f"# HELP {name} {purpose}", f"# TYPE {name} gauge", f"{name} {_number(value)}"]
        return "\n".join(lines) + "\n"

    def _latency(self) -> list[str]:
        name = "embellie_request_seconds"
        lines = [f"# HELP {name} Time to answer.", f"# TYPE {name} histogram"]
        for route, buckets in self._buckets.items():
            total = 0
            for bound, count in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                total += count
                lines.append(f"{name}_bucket{_labels((('route', route), ('le', bound)))} {total}")
            lines.append(f"{name}_sum{_labels((('route', route),))} {_number(self._seconds[route])}")
            lines.append(f"{name}_count{_labels((('route', route),))} {total}")
        return lines


def _counter_of(tally: Tally, name: str) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = getattr(tally, name)
    return found


def counter_lines(name: str, purpose: str, count: int) -> str:
    """Write a counter without labels as Prometheus reads it."""
    return "\n".join(_counter(name, purpose, [((), count)])) + "\n"


def resident_bytes() -> float:
    """Return the memory this process holds, in bytes; its peak where the present value cannot be read."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return float(pages * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, IndexError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return float(peak if sys.platform == "darwin" else peak * 1024)


def _counter(name: str, purpose: str, series: Iterable[tuple[Labels, int]]) -> list[str]:
    lines = [f"# HELP {name} {purpose}", f"# TYPE {name} counter"]
    lines += [f"{name}{_labels(labels)} {count}" for labels, count in series]
    return lines


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    inner = ",".join(f'{name}="{_escape(value)}"' for name, value in labels)
    return f"{{{inner}}}"


def _escape(value: str) -> str:
    r"""Escape a label's value.

    >>> _escape('a"b\\c')
    'a\\"b\\\\c'
    """
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(value)
