"""Traffic: what simulated readers do is what the newsroom hears of them, and nothing else."""

import random
from datetime import timedelta

import numpy as np
import pytest

from embellie.app.demo import EXPERIMENT, PLACEMENT, SITE, START, write_project
from embellie.app.newsroom import Newsroom
from embellie.app.traffic import SimulatedClock, Traffic
from embellie.domain.scorecard import Effect
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import Readership, Temperament


def drive(folder, *, seed: int = 3, count: int = 1200, ticks: int = 90, **temperament: float) -> Traffic:
    write_project(folder, language="en", port=8400)
    clock = SimulatedClock(START)
    newsroom = Newsroom.open(folder, clock=clock, simulated=True)
    rng = np.random.default_rng(seed)
    traffic = Traffic(
        newsroom,
        clock,
        readers=Readership(count, rng, seed=seed, temperament=Temperament(**temperament)),
        calendar=Calendar(START, rng),
        site=SITE,
        placement=PLACEMENT,
        entropy=random.Random(seed),
    )
    traffic.open()
    for _ in range(ticks):
        traffic.tick()
    traffic.finish()
    return traffic


@pytest.fixture(scope="module")
def traffic(tmp_path_factory):
    driven = drive(tmp_path_factory.mktemp("gazette") / "project")
    yield driven
    driven.newsroom.close()


def test_every_page_is_served_and_nothing_is_refused(traffic):
    """One slate per page, one read per page left, no event quarantined; the ledger balances."""
    counts = traffic.newsroom.counts(SITE)
    assert counts["served"] == traffic.pages > 500
    assert counts["click"] <= traffic.clicks
    assert 0 < counts["served"] - counts["read"] < 100  # those pages are still open
    assert traffic.quarantined == 0
    assert all(row.received == row.accepted + row.duplicates + row.quarantined for row in traffic.newsroom.ledger())


def test_the_clock_is_where_the_simulation_is(traffic):
    """Ninety stretches of five minutes are seven hours and a half; no event lies outside them."""
    assert traffic.clock() == START + timedelta(hours=7.5)
    (row,) = traffic.newsroom.analysis.rows(
        'SELECT min("at") AS first, max("at") AS last FROM events WHERE kind = \'read\''
    )
    assert START.replace(tzinfo=None) <= row["first"].replace(tzinfo=None)
    assert row["last"].replace(tzinfo=None) <= traffic.clock().replace(tzinfo=None)


def test_readers_without_consent_leave_no_name(traffic):
    """Their events carry neither reader nor visit, and they are in no variant."""
    (row,) = traffic.newsroom.analysis.rows(
        "SELECT count(*) AS n, count(*) FILTER (reader <> '' OR visit <> '') AS named FROM events "
        "WHERE consent = 'none' AND kind IN ('served', 'read', 'click', 'impression')"
    )
    assert row["n"] > 0
    assert row["named"] == 0


def test_only_the_heuristic_shows_and_is_clicked(traffic):
    """The status quo shows nothing; clicks come from the other variant."""
    rows = traffic.newsroom.analysis.rows(
        "SELECT body ->> '$.variant' AS variant, max(json_array_length(body -> '$.items')) AS items FROM events "
        "WHERE kind = 'served' AND reader <> '' GROUP BY 1"
    )
    assert {row["variant"]: row["items"] for row in rows} == {"status_quo": 0, "heuristic": 4}


def test_the_truth_is_near_what_the_experiment_says(traffic):
    """The estimate lies within four standard errors of the truth the twins tell."""
    card = traffic.newsroom.scorecard(EXPERIMENT)
    effect = next(one for one in card.effects if isinstance(one, Effect) and one.metric == "articles_per_visit")
    truth = traffic.twins.effect()
    assert truth.visits > 100
    assert abs(effect.relative.effect - truth.relative) < 4 * effect.relative.se


def test_without_added_reading_the_truth_is_zero(tmp_path):
    """An A/A with clicks: readers click, and exactly nothing is added."""
    traffic = drive(tmp_path / "project", count=600, ticks=40, added=0.0, curiosity=0.3)
    assert traffic.clicks > 5
    assert traffic.twins.effect().relative == 0.0
    traffic.newsroom.close()


def test_the_same_seed_gives_the_same_readers(tmp_path):
    """What readers do before the status quo does not depend on the run."""
    driven = [drive(tmp_path / name, count=400, ticks=30) for name in ("one", "other")]
    reads = []
    for traffic in driven:
        reads.append(
            traffic.newsroom.analysis.rows(
                "SELECT reader, visit, article, \"at\" FROM events WHERE kind = 'read' AND reader IN (SELECT reader FROM events "
                "WHERE kind = 'exposure' AND body ->> '$.variant' = 'status_quo') ORDER BY ALL"
            )
        )
        traffic.newsroom.close()
    assert len(reads[0]) > 30
    assert reads[0] == reads[1]
