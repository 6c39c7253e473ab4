"""What is computed over the log takes no more than it may, where the configuration says."""

import pytest

from embellie.app.analysing import open_analysis, scorecards_from
from embellie.app.config import parse_config
from embellie.app.newsroom import Newsroom
from embellie.store.engine_choice import EngineOnUse
from embellie.store.log import SqliteLog

SETTINGS = "SELECT " + ", ".join(
    f"current_setting('{name}') AS {name}" for name in ("threads", "memory_limit", "temp_directory")
)


@pytest.mark.parametrize("threads", [1, 3])
def test_scorecards_are_bounded_in_memory_and_threads(folder, clock, threads):
    """One thread where readers wait for slates; 1.5 GiB, and what does not fit waits in the data folder until it closes."""
    with Newsroom.open(folder, clock=clock, threads=threads) as opened:
        (found,) = opened.analysis.rows(SETTINGS)
        (opened.data / found["temp_directory"]).mkdir()
    assert (found["threads"], found["memory_limit"]) == (threads, "1.5 GiB")
    assert found["temp_directory"].startswith(f"{opened.data}/.spill-")
    assert not list(opened.data.glob(".spill-*"))


def test_nobody_puts_aside_where_another_does(folder, clock):
    """What one lets go of, the other still needs."""
    with Newsroom.open(folder, clock=clock) as one, Newsroom.open(folder, clock=clock) as other:
        folders = {each.analysis.rows(SETTINGS)[0]["temp_directory"] for each in (one, other)}
    assert len(folders) == 2


@pytest.mark.parametrize(("named", "lake"), [("", "lake"), ("s3a://bucket/lake", "s3a://bucket/lake")])
def test_scorecards_come_from_the_engine_that_is_named(tmp_path, named, lake):
    """Here without one; Spark reads the lake in the data folder unless another is named."""
    here = parse_config({"sites": {"gazette": {}}})
    there = parse_config({"sites": {"gazette": {}}, "analysis": {"engine": "sc://spark:15002", "lake": named}})
    with SqliteLog(tmp_path / "log.sqlite") as log:
        analysis = open_analysis(here, log, tmp_path, threads=1)
        assert scorecards_from(here, tmp_path, here=analysis) is analysis
        engine = scorecards_from(there, tmp_path, here=analysis)
        analysis.close()
    assert isinstance(engine, EngineOnUse)
    assert engine._lake == (lake if named else str(tmp_path / lake))
