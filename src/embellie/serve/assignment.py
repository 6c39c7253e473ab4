"""Assignment: which variant a reader has. A pure function of salt and unit, so nothing is stored and anyone can recompute it."""

import hashlib
import math
from collections.abc import Sequence

from embellie.domain.experiment import Experiment, Variant
from embellie.domain.rollout import Rollout

_SCALE = 2.0**52


def bucket(salt: str, unit: str) -> float:
    """Place a unit uniformly in (0, 1): the first 52 bits of SHA-256 over `salt:unit`, plus a half, over 2^52.

    >>> round(bucket("first-light", "reader-1"), 6)
    0.503666
    """
    digest = hashlib.sha256(f"{salt}:{unit}".encode()).digest()
    return ((int.from_bytes(digest[:8], "big") >> 12) + 0.5) / _SCALE


def choose(variants: Sequence[Variant], *, salt: str, unit: str) -> Variant:
    """Choose a unit's variant by weighted rendezvous hashing: the largest of `-weight / log(bucket)`.

    Dropping a variant moves only its own units; a heavier variant only gains. Shares equal the weights over their sum.
    Source: Thaler & Ravishankar 1998; weighted form by Schindelhauer & Schomaker 2005.
    """
    return max(variants, key=lambda variant: -variant.weight / math.log(bucket(f"{salt}:{variant.name}", unit)))


def assign(experiment: Experiment, unit: str) -> Variant | None:
    """Give a unit its variant, or `None` when it does not take part (share below 1, stopped, or no unit).

    Participation is hashed apart, so raising the share moves nobody between variants.
    """
    if not unit or experiment.state != "running":
        return None
    if experiment.share < 1 and bucket(f"{experiment.salt}:share", unit) >= experiment.share:
        return None
    return choose(experiment.variants, salt=experiment.salt, unit=unit)


def on_canary(rollout: Rollout, unit: str) -> bool:
    """Tell whether a rollout shows its canary to a unit; as the weight grows, a unit once in stays in."""
    weight = rollout.weight
    if weight >= 1:
        return True
    return bool(unit) and bucket(rollout.salt, unit) < weight
