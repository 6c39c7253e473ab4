"""Answers are remembered for as long as they deserve."""

import time

from embellie.app.observing import FRESH_TIMES, Observatory


def test_what_took_long_is_asked_again_later():
    """An answer of 0.3 s is kept for ten times as long; one of no time for two seconds at least."""
    observatory = Observatory(reader=None, metrics=(), read_seconds=15.0)
    observatory._fresh_or("slow", lambda: time.sleep(0.3))
    observatory._fresh_or("quick", lambda: None)
    now = time.monotonic()
    left = {key: until - now for key, (until, _) in observatory._fresh.items()}
    assert left["slow"] > 0.3 * FRESH_TIMES * 0.9
    assert 1.0 < left["quick"] <= 2.0
    assert observatory._fresh_or("quick", lambda: "computed again") is None
