"""A fact has one id, and a time that everyone reads alike."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embellie.domain.errors import EventError
from embellie.domain.event import KINDS, Event, fact_id, new_id
from embellie.domain.reading import Read

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize("name", ["at", "received_at"])
def test_a_time_without_a_zone_is_refused(name):
    """Nobody could tell when it was; the error says which time."""
    times = {"at": NOW, "received_at": NOW} | {name: NOW.replace(tzinfo=None)}
    with pytest.raises(EventError) as caught:
        Event(id="e", site="gazette", body=Read(article="a"), **times)
    assert caught.value.at == f"$.{name}"


@given(st.binary(min_size=10, max_size=10), st.integers(1, 10**9))
def test_minted_ids_sort_by_time(entropy, milliseconds):
    """They are UUIDs of version 7: a later one is greater, whatever their random parts."""
    early, late = new_id(NOW, b"\xff" * 10), new_id(NOW + timedelta(milliseconds=milliseconds), entropy)
    assert early < late
    assert uuid.UUID(late).version == 7
    assert uuid.UUID(late).variant == uuid.RFC_4122


def test_a_fact_is_named_by_all_its_parts():
    """Parts do not run into one another."""
    assert fact_id("a", "bc") != fact_id("ab", "c")


def test_every_kind_is_listed_under_its_own_word():
    """The table of kinds and the records agree."""
    assert all(body.kind == kind for kind, body in KINDS.items())
