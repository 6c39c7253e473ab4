"""A newspaper that is stopped at any moment and started from its state file goes on as if it had folded its whole log."""

import random
import shutil
from dataclasses import replace

import numpy as np
import pytest

from embellie.app.demo import PLACEMENT, SITE, START, write_project
from embellie.app.newsroom import Newsroom
from embellie.app.state_keeping import keep_state
from embellie.app.traffic import SimulatedClock, Traffic
from embellie.domain.event import Event
from embellie.domain.reading import Erasure
from embellie.domain.slate import SlateRequest
from embellie.sandbox.newspaper import Calendar
from embellie.sandbox.readers import Readership, Temperament

MORE = "".join(f"\n[scenarios.{name}]\npolicy = '{name}'\n" for name in ("covisitation", "sessions", "content", "ease"))


def plain(value):
    """Every bit of a snapshot, as values that compare."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return (value.dtype.str, value.shape, value.tobytes()) if hasattr(value, "tobytes") else value


def slates(newsroom, clock):
    """What readers known and unknown get on some pages, by the policy in force and by each scenario; nothing is written."""
    found = []
    pages = [article.article for article in newsroom.articles(SITE)[:12:3]]
    readers = [name for _, _, name, _ in list(newsroom._live.exposed)[:20:4]]
    request = SlateRequest(site=SITE, placement=PLACEMENT, n=4, now=clock(), consent="profiling")
    for page, reader in [(page, reader) for page in pages for reader in (*readers, "")]:
        asked = replace(request, article=page, reader=reader, visit=f"v-{reader}")
        found += [newsroom.preview(asked, scenario) for scenario in newsroom.config.scenarios]
    return found


def known(newsroom):
    """The state, what operators did and what is live."""
    live = newsroom._live
    done = [live.operations(SITE), live.snapshot(SITE).releases, live.snapshot(SITE).experiments]
    return plain(live.state.snapshot()), live.state.site(SITE).heard, done


@pytest.mark.parametrize("seed", [5, 6])
def test_a_newspaper_stopped_at_any_moment_starts_as_it_was(tmp_path, seed):
    """Traffic, an erasure, state files written while it runs; warm, cold and as it was running: the same, to the last bit."""
    folder, moments = tmp_path / "gazette", random.Random(seed)
    write_project(folder, language="en", port=8400)
    config = folder / "embellie.toml"
    config.write_text(config.read_text(encoding="utf-8") + MORE, encoding="utf-8")
    clock, rng = SimulatedClock(START), np.random.default_rng(seed)
    newsroom = Newsroom.open(folder, clock=clock, simulated=True)
    readers = Readership(500, rng, seed=seed, temperament=Temperament())
    calendar, entropy = Calendar(START, rng), random.Random(seed)
    traffic = Traffic(
        newsroom, clock, readers=readers, calendar=calendar, site=SITE, placement=PLACEMENT, entropy=entropy
    )
    traffic.open()
    warm, gone = 0, set()
    for stop in range(3):
        for _ in range(moments.randrange(5, 25)):
            traffic.tick()
        kept = keep_state(folder)  # as another process does beside the server
        warm += kept.start.taken > 0
        for _ in range(moments.randrange(1, 8)):
            traffic.tick()
        reader = next(iter(newsroom._live.exposed))[2]
        gone.add(reader)
        newsroom._live.submit([Event(id=f"erase-{stop}", site=SITE, at=clock(), body=Erasure(reader=reader))]).result()
        traffic.finish()
        running, copy = known(newsroom), tmp_path / f"copy-{stop}"
        shutil.copytree(folder, copy)
        with Newsroom.open(copy, clock=clock, simulated=True) as started:
            assert 0 < started.started.taken < started.started.sequence
            assert known(started) == running
            given, exposed = slates(started, clock), set(started._live.exposed)
            # An erased reader who came back was exposed again: to the log that is nothing new, so a start tells it once more.
            again = set(newsroom._live.exposed) - exposed
            assert {fact[2] for fact in again} <= gone
        assert any(given)
        for state in copy.glob("*/state.bin"):
            state.unlink()
        with Newsroom.open(copy, clock=clock, simulated=True) as cold:
            assert cold.started.taken == 0
            assert known(cold) == running
            assert set(cold._live.exposed) == exposed
            assert slates(cold, clock) == given
    newsroom.close()
    assert warm == 2
