"""Seldom collecting: the search for cycles among objects, which stops every thread, made rare while a server runs."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 100)
"""More new objects than posts and slates in flight ever hold, so that these are freed without a search. Python's own are (700, 10, 10)."""


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Leave what is in memory now out of every search, and search the rest seldom.

    What the state keeps of readers is a million small objects without a cycle. By Python's own settings they were searched through
    several times a second under load: a quarter of the time, and a tenth of a second of standstill each.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
