"""Whatever is delivered, in whatever order: the log holds each fact once and the ledger balances."""

import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.ports import Rejected
from embellie.store.log import FILE, SqliteLog
from embellie.testing.event_log_contract import NOON, a_read

events = st.builds(
    a_read,
    st.integers(0, 12),
    site=st.sampled_from(["gazette", "herald"]),
    article=st.sampled_from(["", "other"]),
)
rejected = st.builds(
    lambda payload, site: Rejected(index=0, payload=payload, reason="Bad.", site=site),
    st.text(max_size=8),
    st.sampled_from(["", "gazette"]),
)
batches = st.lists(
    st.tuples(st.lists(events, max_size=6), st.lists(rejected, max_size=2), st.integers(-3, 3)), max_size=8
)
honest = st.lists(
    st.builds(a_read, st.integers(0, 12), site=st.sampled_from(["gazette", "herald"])), min_size=1, max_size=20
)


@settings(max_examples=25, deadline=None)
@given(batches)
def test_the_ledger_always_balances(sent):
    """Retries, conflicts, bad events, hours out of order: received = accepted + duplicates + quarantined, as counted."""
    with tempfile.TemporaryDirectory() as folder, SqliteLog(Path(folder) / FILE) as log:
        received: Counter[str] = Counter()
        for good, bad, hours in sent:
            receipt = log.append(good, received_at=NOON + timedelta(hours=hours), rejected=bad)
            received.update([event.site for event in good] + [each.site for each in bad])
            total = len(receipt.accepted) + receipt.duplicates + len(receipt.quarantined)
            assert total == len(good) + len(bad)
        assert not log.verify()
        rows = log.ledger()
        assert all(row.received == row.accepted + row.duplicates + row.quarantined for row in rows)
        by_site: Counter[str] = Counter()
        for row in rows:
            by_site[row.site] += row.received
        assert +by_site == +received


@settings(max_examples=25, deadline=None)
@given(honest, st.randoms(use_true_random=False), st.data())
def test_any_delivery_of_the_same_events_leaves_the_same_set(sent, chance, data):
    """Permuted, repeated and cut differently, events and their earliest arrival are the same."""
    arrivals = [(event, data.draw(st.integers(0, 3), label="hours")) for event in sent]
    again = arrivals + chance.choices(arrivals, k=len(arrivals) // 2)
    chance.shuffle(again)

    def held(deliveries):
        with tempfile.TemporaryDirectory() as folder, SqliteLog(Path(folder) / FILE) as log:
            futures = [log.submit([event], received_at=NOON + timedelta(hours=hours)) for event, hours in deliveries]
            assert not any(future.result().quarantined for future in futures)
            assert not log.verify()
            return {(event.site, event.id): (event.received_at, event.body) for _, event in log.scan()}

    assert held(again) == held(arrivals)
