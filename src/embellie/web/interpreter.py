"""Interpreter: how Python is set for a process that answers readers."""

import gc
import sys

SWITCH_SECONDS = 0.0005
"""How long one thread may keep the interpreter: the log's writer shares it with the loop that answers readers."""

COLLECT_AT = (50_000, 20, 20)
"""More new objects than posts and slates in flight ever hold: those are freed without a look for cycles. Python's own are (700, 10, 10)."""


def spare_readers() -> None:
    """Share the interpreter in short turns, and look for cycles among what is made from now on only.

    The folds hold millions of objects for as long as the process lives; looking through all of them takes the better part of a
    second, in which nobody is answered.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AT)
