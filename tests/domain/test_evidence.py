"""Evidence is an estimate with its error, or a count, or a signal: never half of either, never both."""

import pytest

from embellie.domain.errors import InputError
from embellie.domain.evidence import Evidence

NORMAL, COUNTED = {"estimate": 0.01, "se": 0.005}, {"successes": 3, "trials": 10}
SIGNAL = {"signal": "open"}


@pytest.mark.parametrize(
    "told", [NORMAL, COUNTED, {"successes": 0, "trials": 1}, {"successes": 1, "trials": 1}, SIGNAL]
)
def test_whole_evidence_is_taken(told):
    """None or all of the trials may have succeeded."""
    assert Evidence(measures="interest", **told).measures == "interest"


@pytest.mark.parametrize(
    "told",
    [
        {},
        NORMAL | COUNTED,
        NORMAL | SIGNAL,
        COUNTED | SIGNAL,
        {"estimate": float("inf"), "se": 1.0},
        {"estimate": float("nan"), "se": 1.0},
        {"estimate": 0.01},
        NORMAL | {"se": 0.0},
        NORMAL | {"se": float("nan")},
        COUNTED | {"successes": 11},
        COUNTED | {"successes": -1},
        {"successes": 0, "trials": 0},
    ],
)
def test_half_evidence_is_refused(told):
    """An estimate without its error would count for more than it is worth."""
    with pytest.raises(InputError, match="interest"):
        Evidence(measures="interest", **told)
