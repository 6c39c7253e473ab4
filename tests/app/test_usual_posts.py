"""A post in perfect order is read in one go, to the same events as event by event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embellie.app.intake import Sender, take_in
from embellie.app.usual_posts import usual_events, usual_post
from embellie.domain.event import KINDS, PUBLIC_KINDS

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CLICK = {"id": "e", "kind": "click", "at": "2026-03-02T11:59:00Z", "slate_id": "s", "article": "a", "position": 1}

texts = st.sampled_from(["", "a", "é", "null", '"', "\\", "\u2028", "😀", "nul\x00", "2026"])
numbers = st.sampled_from([0, 1, -1, 2.0, 0.5, 1e300, 2**63, 10**30, True])
times = st.sampled_from(
    ["2026-03-02T11:59:00Z", "2026-03-02T12:59:00.123456+02:00", "2026-03-02T11:59:00", "2026-03-02", "2026-03-02t11:59:00z", "soon", 5]
)  # fmt: skip
anything = st.one_of(texts, numbers, times, st.none(), st.just([]), st.just({}))
NAMES = ["id", "site", "at", "received_at", "consent", "schema", "slate_id", "article", "position", "reader", "visit", "share",
         "engaged_seconds", "scroll_depth", "referrer", "state", "seconds", "kind", "strange"]  # fmt: skip
good = {
    "id": texts, "site": st.just("gazette"), "at": times, "consent": st.sampled_from(["profiling", "measurement", "none"]),
    "schema": st.integers(0, 3), "received_at": times,
}  # fmt: skip
own = {
    "click": {"slate_id": texts, "article": texts, "position": st.integers(), "reader": texts, "visit": texts},
    "impression": {"slate_id": texts, "article": texts, "position": st.integers(), "share": numbers, "seconds": numbers},
    "read": {"article": texts, "reader": texts, "engaged_seconds": numbers, "referrer": st.sampled_from(["", "search", "moon"])},
    "consent": {"reader": texts, "state": st.sampled_from(["profiling", "none"])},
    "conversion": {"goal": texts},
}  # fmt: skip


@st.composite
def sent_events(draw):
    """An event as someone sends it: mostly right, at times with one thing that is not."""
    kind = draw(st.sampled_from(sorted(own)))
    optional = {name: value for name, value in good.items() if name in ("site", "received_at", "consent", "schema")}
    event = draw(st.fixed_dictionaries({"id": good["id"], "at": good["at"], **own[kind]}, optional=optional))
    event["kind"] = kind
    if draw(st.integers(0, 3)) == 0:
        event[draw(st.sampled_from(NAMES))] = draw(anything)
    return event


@settings(max_examples=600, deadline=None)
@given(
    events=st.lists(sent_events(), max_size=3),
    sent_at=st.sampled_from([None, "2026-03-02T12:30:00Z"]),
    profiling=st.booleans(),
    simulated=st.booleans(),
)
def test_both_ways_read_the_same_events(events, sent_at, profiling, simulated):
    """Whatever is read in one go would have been accepted event by event, to the same records."""
    text = msgspec.json.encode({"events": events, "sent_at": sent_at})
    sender = Sender(site="gazette", public=True, simulated=simulated, profiling=profiling)
    post = usual_post(text)
    found = None if post is None else usual_events(post, sender=sender, now=NOON)
    raw = msgspec.json.decode(text)["events"]
    for one in raw:
        one.setdefault("site", "gazette")
    left = datetime.fromisoformat(sent_at) if sent_at else None
    patient, rejected = take_in(raw, sender=sender, now=NOON, sent_at=left)
    if found is not None:
        assert not rejected
        assert found == [replace(one, received_at=NOON) for one in patient]
        assert [repr(one.body) for one in found] == [repr(one.body) for one in patient]  # 1 is not 1.0 in the log


def test_what_pages_send_is_read_in_one_go():
    """An event of each kind that a page may send, with and without what may be left out."""
    events = [
        CLICK,
        CLICK | {"kind": "impression", "share": 0.5, "site": "gazette", "consent": "profiling"},
        {"id": "r", "kind": "read", "at": "2026-03-02T11:59:00Z", "article": "a", "engaged_seconds": 3},
        {"id": "c", "kind": "consent", "at": "2026-03-02T11:59:00Z", "reader": "r1", "state": "none"},
    ]
    assert {one["kind"] for one in events} == PUBLIC_KINDS
    post = usual_post(msgspec.json.encode({"events": events, "lost": 3, "sent_at": "2026-03-02T11:59:30Z"}))
    found = usual_events(post, sender=Sender(site="gazette", public=True), now=NOON)
    assert [type(one.body) for one in found] == [KINDS[one["kind"]] for one in events]
    assert {one.at for one in found} == {NOON - timedelta(seconds=30)}
    assert post.lost == 3


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"not json",
        b"[" * 100_000,
        b'{"events": ["\xff"]}',
        b'{"events": [1]}',
        b'{"events": [], "strange": 1}',
        b'{"events": [], "lost": -1}',
        b'{"events": [], "sent_at": "2026-03-02T11:59:00"}',
        *(
            msgspec.json.encode({"events": [CLICK, CLICK | changed]})
            for changed in (
                {"kind": "conversion"},
                {"strange": 1},
                {"at": "2026-03-02T11:59:00"},
                {"position": "1"},
                {"consent": "all"},
                {"site": None},
            )
        ),
    ],
)
def test_anything_else_is_left_to_who_can_say_what_is_wrong(text):
    """Nothing is taken in of it, and nothing raised."""
    assert usual_post(text) is None


def test_an_event_of_another_site_leaves_the_whole_post_to_the_patient_way():
    """Its key's site is known only when the caller is."""
    post = usual_post(msgspec.json.encode({"events": [CLICK, CLICK | {"site": "herald"}]}))
    assert usual_events(post, sender=Sender(site="gazette", public=True), now=NOON) is None
