"""Interpreter: how Python is set for a process that answers readers."""

import gc
import sys

SWITCH_SECONDS = 0.0005
"""How long one thread may keep the interpreter: the log's writer shares it with the loop that answers readers."""

COLLECT_AT = (10_000, 20, 20)
"""How many more objects are made than freed between two looks for cycles. What slates make is freed without one."""


def spare_readers() -> None:
    """Share the interpreter in short turns, and look for cycles among what is made from now on only.

    The folds hold millions of objects for as long as the process lives; looking through all of them takes the better part of a
    second, in which nobody is answered.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AT)
