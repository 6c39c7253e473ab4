"""Processes that write one log at once hold the same of it, to the last bit, and make the same slates of it."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import timedelta
from hashlib import blake2s

import numpy as np
import pytest
from tests.app.test_live_folds import NOON, SITES, event

from embellie.app.live_folds import LiveFolds
from embellie.domain.article import Article
from embellie.domain.event import Event, fact_id
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, Read
from embellie.domain.release import Release
from embellie.domain.slate import SlateRequest
from embellie.store.log_place import log_place, open_log

WRITERS, BATCHES = 3, 60
RELEASES = ("popular", "affinity", "trending", "covisitation", "latest")


def folded(live):
    """The digest of all that is folded, and the slates of some readers by every policy, at one moment."""
    live.catch_up()
    plain = json.dumps(
        {"state": live.state.snapshot(), "exposed": live.exposed.snapshot()},
        default=lambda one: one.tolist() if isinstance(one, np.ndarray) else one.item(),
    )
    slates = []
    for policy in RELEASES:
        rank = live.snapshot("gazette").rankers[f"{policy}-1"]
        for reader in range(8):
            request = SlateRequest(
                site="gazette", placement="bottom", n=5, now=NOON + timedelta(hours=1), reader=f"r{reader}", consent="profiling"
            )  # fmt: skip
            slates.append([one.article for one in rank(request, SITES["gazette"].placements["bottom"])])
    return {"digest": hashlib.sha256(plain.encode()).hexdigest(), "slates": slates, "last": live._followed}


def batch(writer, number):
    """Articles told twice with other titles, reads, clicks and exposures that other writers have too, and some of one's own."""
    rng = np.random.default_rng([writer, number])
    found = [
        event(
            f"a-{writer}-{number}",
            Article(
                article=f"a{number % 40}",
                title=f"{number}, told by {writer}",
                section=f"s{number % 4}",
                published_at=NOON - timedelta(minutes=number),
            ),
        )
    ]
    for n in range(5):
        shared = int(rng.integers(0, 200))
        found.append(event(f"x-{shared}", Exposure(experiment="e", unit=f"r{shared}", variant="v")))
        body = {
            "article": f"a{rng.integers(0, 40)}",
            "reader": f"r{rng.integers(0, 8)}",
            "visit": f"v{rng.integers(0, 30)}",
        }
        read = Read(**body) if n % 2 else Click(**body, slate_id="s", position=1)
        found.append(
            Event(
                id=fact_id("gazette", f"r-{writer}-{number}-{n}"),
                site="gazette",
                at=NOON + timedelta(seconds=int(rng.integers(0, 3_000))),
                consent="profiling",
                body=read,
            )
        )
    return found


def write(place, writer):
    """One process: write while others do, wait for all, and tell what came of it."""
    with open_log(place) as log:
        live = LiveFolds(log, SITES, stable="latest-1", clock=lambda: NOON)
        live.replay()
        live.follow()
        print("ready", flush=True)  # noqa: T201 -- to the test that started it
        sys.stdin.readline()
        for number in range(BATCHES):
            live.submit(batch(writer, number)).result()
        print("written", flush=True)  # noqa: T201 -- to the test that started it
        sys.stdin.readline()
        print(json.dumps(folded(live)), flush=True)  # noqa: T201 -- to the test that started it
        live.close()


@pytest.fixture(params=["file", pytest.param("postgres", marks=pytest.mark.engines)])
def where(request, tmp_path):
    if request.param == "file":
        return "", ""
    name = blake2s(str(tmp_path).encode(), digest_size=8).hexdigest()
    return request.getfixturevalue("postgres_url"), f"same_{name}"


def test_each_process_and_a_replay_hold_the_same(where, tmp_path):
    """Articles that several told, reads in any order, exposures that all saw first: what is folded depends on the log alone."""
    place = log_place(tmp_path, *where)
    with open_log(place) as log:
        releases = [event(f"l-{name}", Release(release=f"{name}-1", policy=name)) for name in RELEASES]
        log.append(releases, received_at=NOON)
    command = [sys.executable, "-m", "tests.app.test_same_folds", str(tmp_path), *where]
    writers = [
        subprocess.Popen(
            [*command[:4], str(number), *command[4:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
        )
        for number in range(WRITERS)
    ]  # fmt: skip
    for step in ("ready", "written"):
        for one in writers:
            assert one.stdout.readline().strip() == step
        for one in writers:
            one.stdin.write("go\n")
            one.stdin.flush()
    told = [json.loads(one.stdout.readline()) for one in writers]
    for one in writers:
        one.communicate(timeout=30)
    with open_log(place) as log:
        fresh = LiveFolds(log, SITES, stable="latest-1", clock=lambda: NOON)
        fresh.replay()
        replayed = folded(fresh)
        last, imbalances = log.last(), log.verify()
    assert replayed["last"] == last
    assert told == [replayed] * WRITERS
    assert not list(imbalances)


if __name__ == "__main__":
    folder, number, *rest = sys.argv[1:]
    from pathlib import Path

    write(log_place(Path(folder), *(rest or ("", ""))), int(number))
