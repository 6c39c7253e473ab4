"""Posts of events: taken in whole or event by event, and never at a reader's cost."""

import contextlib
import threading
import time

import pytest


@pytest.fixture
def path(keys):
    """Where pages of the Gazette post."""
    return f"/v1/events?key={keys.public['gazette']}"


def test_one_bad_event_is_set_aside_and_the_others_kept(call, click, path, newsroom):
    """A post in perfect order, then the same with one event that is not: reason and payload tell what was sent."""
    assert call("POST", path, json={"events": [click(1), click(2)]}).json()["accepted"] == 2
    bad = click(3, position="first")
    answer = call("POST", path, json={"events": [click(4), bad, click(5)]}).json()
    assert (answer["accepted"], [one["at"] for one in answer["quarantined"]]) == (2, ["$.events[1].position"])
    (kept,) = newsroom.quarantined("gazette")
    assert (kept.id, kept.reason) == (bad["id"], answer["quarantined"][0]["reason"])
    assert '"position": "first"' in kept.payload


def test_a_post_sent_again_counts_nothing_twice(call, click, path, newsroom):
    """Also together with one that is new."""
    call("POST", path, json={"events": [click(1)]})
    again = call("POST", path, json={"events": [click(1), click(2)]}).json()
    assert (again["accepted"], again["duplicates"]) == (1, 1)
    assert sum(1 for _ in newsroom.log.scan(kinds=("click",))) == 2


def test_more_than_the_queue_takes_is_told_to_come_again(call, click, path, newsroom, monkeypatch):
    """503 with Retry-After, and none of it is in the log; the same post is taken once there is room."""
    monkeypatch.setattr(newsroom.log._queue, "_limit", 3)
    post = {"events": [click(number) for number in range(10, 14)]}
    with standstill(newsroom):
        newsroom.log.submit([], received_at=newsroom.clock())
        wait_until(lambda: not newsroom.log._queue._waiting)  # the writer has it, and waits for the disk
        newsroom.log.submit([], received_at=newsroom.clock())
        refused = call("POST", path, json=post)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "log_busy")
        assert int(refused.headers["retry-after"]) >= 1
    wait_until(lambda: not newsroom.log._queue._waiting)
    assert not list(newsroom.log.scan(kinds=("click",)))
    assert call("POST", path, json=post).json()["accepted"] == 4


def test_a_slate_does_not_wait_for_a_post_to_be_on_disk(call, click, path, keys, newsroom):
    """While the disk stands still posts wait, and readers are answered."""
    answers, given = [], newsroom._live._given
    posting = threading.Thread(target=lambda: answers.append(call("POST", path, json={"events": [click(1)]})))
    with standstill(newsroom):
        posting.start()
        wait_until(lambda: newsroom._live._given > given)
        asked = f"/v1/slate?key={keys.public['gazette']}&placement=article-bottom"
        assert call("GET", asked).status_code == 200
        assert not answers
    posting.join(20)
    assert answers[0].json()["accepted"] == 1


@contextlib.contextmanager
def standstill(newsroom):
    """Keep the log's writer from writing."""
    with newsroom.log._writing:
        yield


def wait_until(true) -> None:
    until = time.monotonic() + 10
    while not true() and time.monotonic() < until:
        time.sleep(0.005)
    assert true()
