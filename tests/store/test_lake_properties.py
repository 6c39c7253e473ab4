"""However events come in, and whenever the lake is written: SQL over the log counts the same."""

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, Read
from embellie.store.analysis import Analysis
from embellie.store.lake import export
from embellie.store.log import FILE, SqliteLog
from embellie.testing.event_log_contract import NOON

HOUR = timedelta(hours=1)

SUMS = """
SELECT site, kind, reader, experiment, variant, article, CAST("at" AS DATE) AS day, count(*) AS n,
       count(DISTINCT visit) AS visits, sum(engaged_seconds) AS seconds, sum("position") AS positions,
       min("at") AS first, max("at") AS last
FROM events GROUP BY site, kind, reader, experiment, variant, article, CAST("at" AS DATE)
ORDER BY site, kind, reader, experiment, variant, article, day
"""


def an_event(number: int, reader: int, kind: str, hours: int) -> Event:
    """Make an event; `number` alone names it, so that the same one may come twice."""
    who = f"r{reader}"
    bodies = {
        "read": Read(article=f"a{number % 3}", reader=who, visit=f"v{number % 4}", engaged_seconds=float(number)),
        "click": Click(slate_id="s", article=f"a{number % 3}", position=number % 5, reader=who, visit=f"v{number % 4}"),
        "exposure": Exposure(experiment="x", unit=who, variant="ab"[reader % 2]),
    }
    site = ("gazette", "l'été")[number % 2]
    return Event(id=f"e{number}", site=site, at=NOON + hours * HOUR, body=bodies[kind])


streams = st.lists(
    st.builds(
        an_event,
        st.integers(0, 10_000),
        st.integers(0, 3),
        st.sampled_from(["read", "click", "exposure"]),
        st.integers(-30, 30),
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda event: event.id,
)
moments = st.sampled_from(["", "", "export", "export of closed hours", "anew", "ask"])


@settings(max_examples=8, deadline=None)
@given(streams, st.randoms(use_true_random=False), st.data())
def test_any_order_repetition_and_delay_of_the_same_events_counts_the_same(sent, chance, data):
    """Shuffled, repeated, late, with the lake written at any moment between: the aggregates are those of the plain stream."""
    with tempfile.TemporaryDirectory() as folder, SqliteLog(Path(folder) / FILE) as log:
        log.append(sent, received_at=NOON)
        expected = Analysis(log).rows(SUMS)

    deliveries = sent + chance.choices(sent, k=len(sent) // 2)
    chance.shuffle(deliveries)
    with tempfile.TemporaryDirectory() as folder, SqliteLog(Path(folder) / FILE) as log:
        lake = Path(folder) / "lake"
        analysis = Analysis(log, lake=lake)
        clock = NOON
        while deliveries:
            size = data.draw(st.integers(1, 8), label="batch")
            batch, deliveries = deliveries[:size], deliveries[size:]
            clock += data.draw(st.integers(0, 90), label="minutes") * timedelta(minutes=1)
            log.append(batch, received_at=clock)
            what = data.draw(moments, label="then")
            if what == "ask":
                analysis.rows(SUMS)
            elif what:
                before = clock.replace(minute=0) if what == "export of closed hours" else None
                export(log.path, lake, before=before, anew=what == "anew")
        assert analysis.rows(SUMS) == expected
        assert Analysis(log, lake=lake).rows(SUMS) == expected
        export(log.path, lake)
        assert Analysis(log, lake=lake).rows(SUMS) == expected
        assert not log.verify()
        analysis.close()
