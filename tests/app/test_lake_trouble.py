"""A lake that cannot be written is known to all processes of a server; what its bucket must allow is tried."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from embellie.app.checking_lake import try_all
from embellie.app.config import config_document, parse_config
from embellie.app.lake_trouble import FILE, note_failure, note_success, trouble_of
from embellie.domain.errors import Busy, ConfigError

NOW = datetime.now(UTC)


def test_trouble_is_written_down_until_it_is_over(tmp_path):
    """Since when, how often, and what was said last; nothing once it is over."""
    assert trouble_of(tmp_path, NOW) is None
    first = note_failure(tmp_path, "down", now=NOW.replace(microsecond=0), former=None)
    note_failure(tmp_path, "still down", now=NOW + timedelta(minutes=1), former=first)
    found = trouble_of(tmp_path, NOW)
    assert (found.since, found.times, found.said) == (first.since, 2, "still down")
    note_success(tmp_path)
    assert trouble_of(tmp_path, NOW) is None


def test_trouble_that_nobody_looks_after_is_forgotten(tmp_path):
    """When another server leads, this one's old note says nothing any more."""
    note_failure(tmp_path, "down", now=NOW, former=None)
    os.utime(tmp_path / FILE, ((NOW - timedelta(hours=3)).timestamp(),) * 2)
    assert trouble_of(tmp_path, NOW) is None


def test_a_bucket_that_allows_all_passes_and_keeps_nothing_of_it():
    store = pytest.importorskip("obstore.store", reason="obstore is not installed.").MemoryStore()
    from embellie.store.object_bucket import ObjectBucket

    bucket = ObjectBucket(store, "memory://lake")
    assert [one.done for one in try_all(bucket)] == [True] * 5
    assert not bucket.list()


def test_a_bucket_that_replaces_whatever_is_there_is_found_out():
    """Without conditional writes two servers undo one another's work."""
    store = pytest.importorskip("obstore.store", reason="obstore is not installed.").MemoryStore()
    from embellie.store.object_bucket import ObjectBucket

    class Careless(ObjectBucket):
        def replace(self, name, text, *, former):
            return super().replace(name, text, former=self.tag(name))

    last = try_all(Careless(store, "memory://lake"))[-1]
    assert not last.done
    assert "conditional" in last.remedy


def test_a_bucket_that_may_not_be_written_is_told_with_what_can_be_done():
    store = pytest.importorskip("obstore.store", reason="obstore is not installed.").MemoryStore()
    from embellie.store.object_bucket import ObjectBucket

    class ReadOnly(ObjectBucket):
        def replace(self, name, text, *, former):
            raise Busy("Forbidden.", hint="Ask for more.")

    assert [(one.what, one.done) for one in try_all(ReadOnly(store, "memory://lake"))] == [
        ("list", True),
        ("write", False),
    ]


def test_a_lakes_url_is_checked_and_a_secret_in_it_not_repeated():
    """A key does not belong in embellie.toml."""
    sites = {"gazette": {}}
    good = parse_config({"storage": {"lake": "s3://news/lake"}, "sites": sites})
    assert config_document(good)["storage"]["lake"] == "s3://news/lake"
    with pytest.raises(ConfigError) as told:
        parse_config({"storage": {"lake": "s3://key:hush@news/lake"}, "sites": sites})
    assert "hush" not in str(told.value)
