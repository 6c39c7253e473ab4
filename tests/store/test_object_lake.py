"""A lake in a bucket: what a folder's lake holds, exactly; killed, raced or cut off, it is never wrong."""

import os
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from embellie.domain.errors import Busy, EngineError, InputError
from embellie.domain.event import Event
from embellie.domain.reading import Erasure
from embellie.measure.visit_rows import visits_view
from embellie.store import analysis as analysis_module
from embellie.store.analysis import Analysis
from embellie.store.lake import export
from embellie.store.lake_erasing import erase_from_lake, lake_rows
from embellie.store.lake_manifest import MANIFEST, parse_manifest
from embellie.store.lake_storage import FolderLake
from embellie.store.leftovers import find_leftovers
from embellie.store.log import FILE, SqliteLog
from embellie.store.object_bucket import ObjectBucket, open_bucket
from embellie.store.object_lake import GRACE, ObjectLake
from embellie.testing.event_log_contract import NOON, a_click, a_read

DAY = timedelta(days=1)
VIEWS = (visits_view(10.0),)
ALL = 'SELECT seq, id, site, kind, reader, visit, article, "at", body FROM events ORDER BY seq'
VISITS = "SELECT * FROM visits ORDER BY ALL"
CALLS = ("list", "read", "tag", "download", "upload", "delete", "replace")


class Killed(BaseException):
    """Stands for the end of a process: nothing catches it."""


class Faulty(ObjectBucket):
    """A bucket of which the n-th call fails, before or after it was done; or all of them."""

    def __init__(self, store):
        super().__init__(store, "memory://lake")
        self.calls, self.fail_at, self.after, self.down = 0, 0, False, False

    def _call(self, name, *args, **kw):
        if self.down:
            raise EngineError("The lake at `memory://lake` cannot be read: down.", code="lake_unreachable")
        self.calls += 1
        if self.calls == self.fail_at and not self.after:
            raise Killed
        done = getattr(ObjectBucket, name)(self, *args, **kw)
        if self.calls == self.fail_at:
            raise Killed
        return done


for _name in CALLS:
    setattr(Faulty, _name, lambda self, *args, _name=_name, **kw: self._call(_name, *args, **kw))


def memory():
    return pytest.importorskip("obstore.store", reason="obstore is not installed.").MemoryStore()


class Clock:
    def __init__(self):
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def log(tmp_path):
    with SqliteLog(tmp_path / FILE) as log:
        log.append([a_read(n) for n in range(5)], received_at=NOON)
        log.append([a_click(n) for n in range(100, 103)], received_at=NOON)
        yield log


@pytest.fixture
def bucket():
    return Faulty(memory())


def lake_in(bucket, folder, **kw):
    return ObjectLake(bucket, folder, **{"clock": lambda: datetime.now(UTC), **kw})


def named(bucket):
    kept = ObjectBucket.read(bucket, MANIFEST)
    manifest = parse_manifest(kept.text)
    return {file for each in manifest.partitions for file in (each.file, *(one.file for one in each.views))}


def objects(bucket):
    return {name for name in ObjectBucket.list(bucket) if name.startswith("site=")}


def later(log, number, **kw):
    log.append([a_read(200 + number, **kw)], received_at=NOON + timedelta(hours=number))


def agrees(log, bucket, folder):
    """The lake, read with an empty cache, and the log alone say the same."""
    lake = lake_in(bucket, folder)
    alone, both = Analysis(log, views=VIEWS), Analysis(log, lake=lake, views=VIEWS)
    try:
        assert both.rows(ALL) == alone.rows(ALL)
        assert both.rows(VISITS) == alone.rows(VISITS)
        return both.through
    finally:
        alone.close()
        both.close()


def test_it_holds_what_the_log_does(log, bucket, tmp_path):
    """Written by one machine, read by another with nothing at hand."""
    done = export(log.path, lake_in(bucket, tmp_path / "lake"), views=VIEWS)
    assert done.events == 8
    assert agrees(log, bucket, tmp_path / "elsewhere") == 8
    assert objects(bucket) == named(bucket)


def test_exporting_again_writes_nothing(log, bucket, tmp_path):
    lake = lake_in(bucket, tmp_path / "lake")
    export(log.path, lake, views=VIEWS)
    before = dict(ObjectBucket.list(bucket))
    again = export(log.path, lake_in(bucket, tmp_path / "other"), views=VIEWS)
    assert not again.written
    assert {name: one.modified for name, one in before.items()} == {
        name: one.modified for name, one in ObjectBucket.list(bucket).items()
    }


def test_a_file_that_is_gone_from_the_bucket_is_written_again(log, bucket, tmp_path):
    """And until then nobody reads half a lake."""
    lake = lake_in(bucket, tmp_path / "lake")
    export(log.path, lake, views=VIEWS)
    ObjectBucket.delete(bucket, [name for name in objects(bucket) if "/events-" in name][:1])
    assert agrees(log, bucket, tmp_path / "half") == 0
    export(log.path, lake_in(bucket, tmp_path / "lake"), views=VIEWS)
    assert agrees(log, bucket, tmp_path / "whole") == 8


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_call_the_next_export_makes_it_whole(after, tmp_path):
    """At each call of the bucket in turn, before it is done and after: a reader elsewhere is right, and so is the next export."""
    step = 0
    while True:
        step += 1
        place = tmp_path / f"{after}-{step}"
        place.mkdir()
        bucket, clock = Faulty(memory()), Clock()
        with SqliteLog(place / FILE) as log:
            log.append([a_read(n) for n in range(3)], received_at=NOON)
            export(log.path, lake_in(bucket, place / "lake", clock=clock), views=VIEWS)
            later(log, 1)
            later(log, 2, site="chronicle")
            log.append([Event(id="x", site="gazette", at=NOON, body=Erasure(reader="nobody"))], received_at=NOON)
            bucket.calls, bucket.fail_at, bucket.after = 0, step, after
            try:
                export(log.path, lake_in(bucket, place / "lake", clock=clock), views=VIEWS)
                survived = True
            except Killed:
                survived = False
            bucket.fail_at = 0
            assert agrees(log, bucket, place / "reader") > 0
            done = export(log.path, lake_in(bucket, place / "lake", clock=clock), views=VIEWS)
            assert done.events == 6
            assert agrees(log, bucket, place / "second reader") == 6
            clock.now += 2 * GRACE
            export(log.path, lake_in(bucket, place / "lake", clock=clock), views=VIEWS)
            assert objects(bucket) == named(bucket)
        if survived:
            assert step > 10
            return


def test_what_was_replaced_stays_for_an_hour(log, bucket, tmp_path):
    """Who reads the former generation elsewhere can go on; then it goes."""
    clock = Clock()
    lake = lake_in(bucket, tmp_path / "lake", clock=clock)
    export(log.path, lake)
    former = objects(bucket)
    later(log, 1)
    export(log.path, lake)
    assert former < objects(bucket)
    clock.now += GRACE - timedelta(minutes=1)
    export(log.path, lake)
    assert former < objects(bucket)
    clock.now += timedelta(minutes=1)
    export(log.path, lake)
    assert objects(bucket) == named(bucket)


def test_of_two_who_write_at_once_one_is_told_and_leaves_nothing(log, bucket, tmp_path):
    """Each in a folder of its own: the second to finish has read a manifest that is no more."""
    export(log.path, lake_in(bucket, tmp_path / "one"))
    later(log, 1)
    slow = lake_in(bucket, tmp_path / "slow")
    upload, raced = slow.put, threading.Event()

    def put(file):
        upload(file)
        if not raced.is_set():
            raced.set()
            export(log.path, lake_in(bucket, tmp_path / "fast"))

    slow.put = put
    with pytest.raises(Busy) as told:
        export(log.path, slow)
    assert told.value.code == "lake_moved"
    assert agrees(log, bucket, tmp_path / "reader") == 9
    assert len(objects(bucket) - named(bucket)) == 1  # the former generation, for an hour


def test_an_erased_reader_is_gone_from_all_that_is_listed(log, bucket, tmp_path):
    """Also from files that were kept for those who read them, and from the copies here."""
    lake = lake_in(bucket, tmp_path / "lake")
    export(log.path, lake, views=VIEWS)
    later(log, 1)
    export(log.path, lake, views=VIEWS)
    assert len(objects(bucket)) > len(named(bucket))
    reader = log.scan(kinds=("read",))
    who = next(event.body.reader for _, event in reader)
    assert lake_rows(lake, site="gazette", reader=who, visits=())
    erase_from_lake(lake, log.path, site="gazette", reader=who, visits=())
    assert objects(bucket) == named(bucket)
    fresh = lake_in(bucket, tmp_path / "fresh")
    fresh.is_there()
    assert lake_rows(fresh, site="gazette", reader=who, visits=()) == 0
    assert not find_leftovers(tmp_path / "fresh", [who])
    assert not find_leftovers(tmp_path / "lake", [who])


def test_a_reader_elsewhere_lets_go_of_copies_when_it_looks(log, bucket, tmp_path):
    """Its copies of what was erased go with the next query."""
    lake = lake_in(bucket, tmp_path / "lake")
    export(log.path, lake, views=VIEWS)
    there = Analysis(
        log, lake=lake_in(bucket, tmp_path / "there", timer=iter(range(0, 10_000, 10)).__next__), views=VIEWS
    )
    there.rows(ALL)
    copies = set((tmp_path / "there").glob("site=*/day=*/*.parquet"))
    later(log, 1)
    export(log.path, lake, views=VIEWS)
    assert len(there.rows(ALL)) == 9
    assert not copies & set((tmp_path / "there").glob("site=*/day=*/*.parquet"))
    there.close()


def test_cut_off_the_copies_answer(log, bucket, tmp_path):
    """What is here goes on being read, with what came since."""
    export(log.path, lake_in(bucket, tmp_path / "lake"), views=VIEWS)
    seconds = iter(range(0, 100_000, 70))
    here = Analysis(log, lake=lake_in(bucket, tmp_path / "lake", timer=lambda: float(next(seconds))), views=VIEWS)
    here.rows(ALL)
    bucket.down = True
    later(log, 1)
    assert len(here.rows(ALL)) == 9
    assert here.through == 8
    again = Analysis(log, lake=lake_in(bucket, tmp_path / "lake"), views=VIEWS)
    assert len(again.rows(ALL)) == 9
    assert again.through == 8
    here.close()
    again.close()


def test_cut_off_with_nothing_at_hand_the_log_alone_answers(log, bucket, tmp_path, monkeypatch):
    """Unless that were too much, which is said; and when the bucket is back, so is the lake."""
    export(log.path, lake_in(bucket, tmp_path / "lake"), views=VIEWS)
    seconds = iter(range(0, 100_000, 70))
    there = Analysis(log, lake=lake_in(bucket, tmp_path / "there", timer=lambda: float(next(seconds))), views=VIEWS)
    there.refresh()
    assert there.through == 8
    bucket.down = True
    monkeypatch.setattr(analysis_module, "ALONE", 7)
    with pytest.raises(EngineError, match="down"):
        there.rows(ALL)
    monkeypatch.setattr(analysis_module, "ALONE", 8)
    assert len(there.rows(ALL)) == 8
    assert there.through == 0
    bucket.down = False
    later(log, 1)
    assert len(there.rows(ALL)) == 9
    assert there.through == 8
    there.close()


def test_an_export_that_is_cut_off_says_so_and_loses_nothing(log, bucket, tmp_path):
    bucket.down = True
    lake = lake_in(bucket, tmp_path / "lake")
    with pytest.raises(EngineError):
        export(log.path, lake)
    bucket.down = False
    assert export(log.path, lake).events == 8


def test_the_copies_stay_within_bounds(log, bucket, tmp_path):
    """What has lain unused for longest goes first; what a query needs stays."""
    later(log, 1, at=NOON + DAY)
    lake = lake_in(bucket, tmp_path / "lake")
    export(log.path, lake)
    sizes = {name: one.bytes for name, one in lake.list().items()}
    small = lake_in(bucket, tmp_path / "small", cache_bytes=1)
    small.bring(sizes)
    assert all((tmp_path / "small" / name).is_file() for name in sizes)
    first, *_ = sorted(sizes)
    for name in sizes:
        os.utime(tmp_path / "small" / name, (1, 1))
    (tmp_path / "small" / first).unlink()
    small.bring({first: sizes[first]})
    assert [name for name in sizes if (tmp_path / "small" / name).is_file()] == [first]


def test_a_url_with_a_secret_is_refused_without_repeating_it():
    """Nor is anything said of it that a log could keep."""
    for url in ("s3://key:hush@bucket/lake", "s3://bucket/lake?secret=hush", "ftp://hush/lake"):
        with pytest.raises(InputError) as told:
            open_bucket(url)
        assert "hush" not in str(told.value)


def test_an_error_tells_no_secret(monkeypatch, tmp_path):
    """Nobody at the address, with keys in the environment: the keys are not told."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHUSH")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(EngineError) as told:
        lake_in(open_bucket("s3://news/lake"), tmp_path).read()
    said = f"{told.value!r} {told.value}"
    assert "s3://news/lake" in said
    assert "hush" not in said.lower()


@pytest.mark.slow
def test_a_folder_killed_midway_is_whole_after_the_next_export(log, tmp_path):
    """The folder's storage at each of its steps, as the bucket's."""
    step, survived = 0, False
    while not survived:
        step += 1
        folder = FolderLake(tmp_path / f"lake-{step}")
        export(log.path, folder, views=VIEWS)
        later(log, step)
        calls = 0

        def counted(method, step=step):
            def call(*args, **kw):
                nonlocal calls
                calls += 1
                if calls == step:
                    raise Killed
                return method(*args, **kw)

            return call

        cut = FolderLake(folder.folder)
        for name in ("read", "damaged", "lying", "bring", "put", "replace", "sweep"):
            setattr(cut, name, counted(getattr(cut, name)))
        survived = True
        try:
            export(log.path, cut, views=VIEWS)
        except Killed:
            survived = False
        with suppress(Busy):
            export(log.path, folder, views=VIEWS)
        alone, both = Analysis(log), Analysis(log, lake=folder.folder)
        assert both.rows(ALL) == alone.rows(ALL)
        assert both.through == 8 + step
        alone.close()
        both.close()
    assert step > 5
