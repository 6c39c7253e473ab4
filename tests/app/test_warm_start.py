"""A start from the state file cannot be told from one that folds the whole log; a file that does not serve is not used."""

import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from embellie.app.known_exposures import KnownExposures
from embellie.app.warm_start import fold_log, keep
from embellie.domain.article import Article
from embellie.domain.event import Event
from embellie.domain.experiment import Exposure
from embellie.domain.reading import Click, ConsentChange, Erasure, Read
from embellie.domain.rule import Rule
from embellie.domain.site import Site
from embellie.recommend.built_in import POLICIES, build_policy
from embellie.recommend.signals import signals_of
from embellie.recommend.state import Bounds
from embellie.recommend.stories import Stories
from embellie.recommend.texts import Texts
from embellie.store.log import SqliteLog
from embellie.store.state_file import write_state

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SITES = {name: Site(site=name, name=name, placements={}) for name in ("gazette", "herald")}
ALL = (*signals_of(map(build_policy, POLICIES)), Stories)
TIGHT = Bounds(history=4, readers=15, visits=30, visit_articles=4, unlisted=3)


def events(count, *, seed=1, first=0):
    """A log of two known sites and an unknown one: all that is folded, what is not, late reads, erasures, withdrawals."""
    rng = random.Random(seed)
    for number in range(first, first + count):
        at = NOON + timedelta(minutes=7 * number - rng.choice([0, 0, 0, 600]))
        reader, article = f"r{rng.randrange(25)}", f"a{max(0, number // 9 - rng.randrange(5))}"
        visit = f"v{number // 4}"
        text = " ".join(rng.choices(("rain", "ends", "mayor", "tram", "opens", "budget", "votes", "river"), k=6))
        body = rng.choice(
            [
                Article(
                    article=f"a{number // 9}", title=text, summary=text, section=rng.choice("abc"), published_at=at
                ),
                Read(article=article, reader=reader, visit=visit, engaged_seconds=20.0),
                Read(article=article, reader=reader, visit=visit, engaged_seconds=20.0),
                Read(article=f"unlisted{rng.randrange(6)}", reader=reader, visit=visit),
                Click(slate_id="s", article=article, position=1, reader=reader, visit=visit),
                Exposure(experiment=rng.choice("xy"), unit=reader, variant=rng.choice("vw")),
                Rule(rule="r", action="ban", article="a1"),
                rng.choice([Erasure(reader=reader), ConsentChange(reader=reader, state="none")]),
            ]
        )
        yield Event(
            id=f"e{number}",
            site=rng.choice(["gazette", "gazette", "gazette", "herald", "elsewhere"]),
            at=at,
            consent=rng.choice(["profiling", "profiling", "measurement"]),
            body=body,
        )


def seen(folded):
    """The bits of the state, and who is exposed."""
    state, exposed, _ = folded
    return plain(state.snapshot()), set(exposed)


def plain(value):
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return (value.dtype.str, value.shape, value.tobytes()) if hasattr(value, "tobytes") else value


@pytest.fixture
def kept(tmp_path):
    """A log of 400 events, and a state file of it."""
    with SqliteLog(tmp_path / "log.sqlite") as log:
        log.append(list(events(400)), received_at=NOON + timedelta(days=9))
        kept = SimpleNamespace(log=log, file=tmp_path / "state.bin", folder=tmp_path)
        kept.fold = lambda **given: fold_log(log, **{"sites": SITES, "signals": ALL, "file": kept.file} | given)
        state, exposed, start = kept.fold()
        keep(kept.file, log, state=state, exposed=exposed, sequence=start.sequence, sites=SITES)
        yield kept


@pytest.mark.parametrize("bounds", [Bounds(), TIGHT], ids=["roomy", "tight"])
@pytest.mark.parametrize("seed", range(4))
def test_stopped_anywhere_and_started_warm_it_is_what_folding_the_whole_log_gives(tmp_path, seed, bounds):
    """Written at several moments, each file from the one before: state and exposures agree bit for bit, and so do the files."""
    rng, file, anew = random.Random(seed), tmp_path / "state.bin", tmp_path / "anew.bin"
    given = {"sites": SITES, "signals": ALL, "bounds": bounds}
    with SqliteLog(tmp_path / "log.sqlite") as log:
        done = 0
        while done < 900:
            count = rng.randrange(1, 260)
            log.append(list(events(count, seed=seed, first=done)), received_at=NOON + timedelta(minutes=7 * done))
            done += count
            whole, warm = fold_log(log, **given), fold_log(log, file=file, **given)
            assert seen(warm) == seen(whole)
            for path, (state, exposed, start) in ((file, warm), (anew, whole)):
                keep(path, log, state=state, exposed=exposed, sequence=start.sequence, sites=SITES, bounds=bounds)
            assert warm[2].sequence == whole[2].sequence == log.last()
        assert warm[2].taken > 0
        assert warm[2].folded < whole[2].folded
        again = fold_log(log, file=file, **given)
        assert (again[2].folded, again[2].refused) == (0, "")
        assert seen(again) == seen(whole)


def test_fewer_signals_than_the_file_holds_are_taken_up(kept):
    """A policy was withdrawn from the configuration: what it looked at is left aside."""
    warm = kept.fold(signals=(Texts,))
    assert warm[2].taken == 400
    assert seen(warm) == seen(kept.fold(signals=(Texts,), file=None))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sites": SITES | {"new": Site(site="new", name="New", placements={})}}, "other sites"),
        ({"sites": {"gazette": SITES["gazette"]}}, "other sites"),
        ({"bounds": TIGHT}, "keep more, or less"),
    ],
)
def test_a_file_made_for_another_configuration_is_not_used(kept, change, said):
    """Sites or bounds differ: the log is folded from its beginning, and the reason is told."""
    found = kept.fold(**change)
    assert (found[2].taken, said in found[2].refused) == (0, True)
    assert said in str(found[2])
    assert seen(found) == seen(kept.fold(**change, file=None))


def test_a_file_that_lacks_what_a_policy_looks_at_is_not_used(kept):
    """A new scenario needs a signal that was not kept."""
    state, exposed, start = kept.fold(signals=(Texts,), file=None)
    keep(kept.file, kept.log, state=state, exposed=exposed, sequence=start.sequence, sites=SITES)
    assert kept.fold(signals=(Texts,))[2].taken == 400
    found = kept.fold(signals=(Texts, Stories))
    assert "does not hold" in found[2].refused
    assert seen(found) == seen(kept.fold(signals=(Texts, Stories), file=None))


def test_a_file_of_folds_of_another_version_is_not_used(kept, monkeypatch):
    """An upgrade that folds otherwise."""
    monkeypatch.setattr("embellie.app.warm_start.SNAPSHOT", 0)
    assert "another version" in kept.fold()[2].refused


def test_a_log_restored_from_an_older_copy_is_folded_anew(kept, tmp_path):
    """Its last number lies before the file's; once it has grown past it, another event stands in that place."""
    with SqliteLog(tmp_path / "older.sqlite") as older:
        older.append(list(events(300)), received_at=NOON + timedelta(days=9))
        found = fold_log(older, sites=SITES, signals=ALL, file=kept.file)
        assert "ends at event 300" in found[2].refused
        older.append(list(events(200, seed=9, first=1000)), received_at=NOON + timedelta(days=9))
        found = fold_log(older, sites=SITES, signals=ALL, file=kept.file)
        assert "Event 400 of the log is another" in found[2].refused
        assert seen(found) == seen(fold_log(older, sites=SITES, signals=ALL))


def test_a_restored_copy_that_reaches_as_far_starts_warm(kept, tmp_path):
    """A backup of the same log, newer than the file: its first 400 events are the file's."""
    with SqliteLog(tmp_path / "copy.sqlite") as copy:
        copy.append(list(events(450)), received_at=NOON + timedelta(days=9))
        found = fold_log(copy, sites=SITES, signals=ALL, file=kept.file)
        assert (found[2].taken, found[2].refused) == (400, "")


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "hollow", "empty"])
def test_a_damaged_file_costs_time_and_nothing_else(kept, damage):
    """Cut short, a bit flipped, another file, one without what it should hold: folded from the beginning, and told."""
    raw = bytearray(kept.file.read_bytes())
    raw[-100] ^= 1
    if damage == "hollow":
        _, about = look(kept.file)
        write_state(kept.file, {"state": {"version": 1}, "exposed": 3}, sequence=400, about=about)
    else:
        kept.file.write_bytes({"cut": raw[:-9], "flipped": raw, "foreign": b"SQLite format 3\0", "empty": b""}[damage])
    found = kept.fold()
    assert found[2].taken == 0
    assert found[2].refused
    assert seen(found) == seen(kept.fold(file=None))


def look(file):
    from embellie.store.state_file import look_at_state

    return look_at_state(file)


def test_an_erased_reader_leaves_the_state_and_the_next_file(kept):
    """Erased after the file was written: gone from what is folded; of the next file only that they withdrew is left."""
    mark = "the-reader-who-asked"
    read = Read(article="a1", reader=mark, visit=f"visit-of-{mark}", engaged_seconds=20.0)
    bodies = [read, Exposure(experiment="x", unit=mark, variant="v")]
    ask = [Event(id=f"m{n}", site="gazette", at=NOON, consent="profiling", body=one) for n, one in enumerate(bodies)]
    kept.log.append(ask, received_at=NOON)

    def write():
        state, exposed, start = kept.fold()
        keep(kept.file, kept.log, state=state, exposed=exposed, sequence=start.sequence, sites=SITES)
        return state, exposed

    state, exposed = write()
    assert ("gazette", "x", mark, "v") in exposed
    assert state.site("gazette").histories.of(mark)
    before = kept.file.read_bytes().count(mark.encode())
    erasure = Event(id="m9", site="gazette", at=NOON, body=Erasure(reader=mark))
    kept.log.append([erasure], received_at=NOON)
    state, exposed = write()
    assert ("gazette", "x", mark, "v") not in exposed
    assert not state.site("gazette").histories.of(mark)
    assert before > 3
    assert kept.file.read_bytes().count(mark.encode()) == 1  # among those whose late reads are refused


def test_exposures_are_a_set_whose_order_is_the_logs():
    """Equal to a set of the same facts; added twice, one; in the order they came in."""
    facts = [("gazette", "x", "ann", "v"), ("gazette", "x", "bob", "w"), ("herald", "x", "ann", "v")]
    known = KnownExposures(facts + facts)
    assert known == set(facts)
    assert len(known) == 3
    assert [one["units"] for one in known.snapshot()] == [["ann"], ["bob"], ["ann"]]
    taken = KnownExposures()
    taken.restore(known.snapshot())
    taken.forget("gazette", "ann")
    taken.discard(("gazette", "x", "nobody", "v"))
    assert taken == set(facts[1:])
    assert "ann" not in taken
