"""Moment: a time in UTC, and the two ways it is kept: microseconds since 1970, and text that ends in `Z`."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Return an aware time as µs since 1970, exactly.

    >>> micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """Return the time (UTC) of µs since 1970.

    >>> moment(1000005).isoformat()
    '1970-01-01T00:00:01.000005+00:00'
    """
    return _EPOCH + timedelta(microseconds=at)


def iso(at: datetime) -> str:
    """Write an aware time as on the wire: ISO 8601, UTC.

    >>> iso(datetime.fromisoformat("2026-03-02T10:00:00+02:00"))
    '2026-03-02T08:00:00Z'
    """
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
