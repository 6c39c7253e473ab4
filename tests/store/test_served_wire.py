"""Slates on the wire: old ones are read, features come back to the last bit and take little room."""

import json
from datetime import UTC, datetime

import numpy as np

from embellie.domain.event import Event
from embellie.domain.slate import Slate, SlateItem
from embellie.recommend.features import names_of, written
from embellie.store.wire import body_from_text, body_to_text, event_from_wire, event_to_wire

OLD = {
    "id": "1", "site": "gazette", "kind": "served", "at": "2026-03-02T12:00:00Z", "slate_id": "s", "placement": "bottom",
    "reader": "r", "visit": "v", "article": "a", "variant": "", "release": "x", "policy": "affinity",
    "items": [{"article": "b", "position": 1, "propensity": 1.0, "reason": "new", "score": 0.5, "team": ""}],
    "features": {},
}  # fmt: skip


def slate(values):
    items = tuple(
        SlateItem(article=f"b{place}", position=place, propensity=1.0, reason="new", features=row.values)
        for place, row in enumerate(values, 1)
    )
    return Slate(
        slate_id="s", placement="bottom", reader="r", visit="v", article="a", variant="", release="x", policy="ranker",
        items=items, feature_names=names_of(), as_of=7, visit_articles=("a",),
    )  # fmt: skip


def test_a_slate_from_before_features_is_read():
    """A log of an earlier version goes on being read: no features, and nothing is invented."""
    event = event_from_wire(OLD)
    assert event.body.items[0].features == event.body.feature_names == event.body.visit_articles == ()
    assert body_from_text(
        "served", json.dumps({key: OLD[key] for key in OLD if key not in ("id", "site", "kind", "at")})
    )


def test_features_come_back_to_the_last_bit():
    """Through the log's text and the flat wire form alike, for any 32-bit numbers."""
    rng = np.random.default_rng(1)
    table = np.exp(rng.normal(size=(4, len(names_of()))) * 20).astype(np.float32)
    body = slate([written(row, names_of(), as_of=7) for row in table])
    event = Event(id="1", site="gazette", at=datetime(2026, 3, 2, tzinfo=UTC), body=body)
    for back in (body_from_text("served", body_to_text(body)), event_from_wire(event_to_wire(event)).body):
        assert np.array_equal(np.array([item.features for item in back.items], np.float32), table)


def test_features_take_little_room():
    """Four articles with all features add less than 1.5 kB to a slate."""
    table = np.log1p(np.random.default_rng(1).random((4, len(names_of()))) * 50).astype(np.float32)
    with_them = body_to_text(slate([written(row, names_of(), as_of=7) for row in table]))
    bare = slate([])
    without = body_to_text(bare).replace(json.dumps(list(names_of()), separators=(",", ":")), "[]")
    assert len(with_them) - len(without) < 1500 + 4 * 110
