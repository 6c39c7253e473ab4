"""Readers are shown what is live, published and not expired."""

from datetime import UTC, datetime, timedelta

import pytest

from embellie.domain.article import Article

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SOON = NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, True),
        ({"published_at": NOW}, True),
        ({"published_at": SOON}, False),
        ({"expires_at": SOON}, True),
        ({"expires_at": NOW}, False),
        ({"state": "embargoed"}, False),
        ({"state": "withdrawn"}, False),
    ],
)
def test_what_may_be_shown(fields, shown):
    """From the very second of publication, up to the second of expiry."""
    assert Article(article="a", **fields).showable(NOW) is shown
