"""Analysing: what computes over an installation's log: DuckDB here, within bounds; for scorecards the engine configured."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

from embellie.app.compacting import SPILL
from embellie.app.config import Config, StorageConfig
from embellie.measure.visit_rows import visits_view
from embellie.ports import AggregateReader, DailyView
from embellie.store.analysis import Analysis
from embellie.store.engine_choice import EngineOnUse
from embellie.store.lake import FOLDER
from embellie.store.lake_place import open_lake, where_to_read
from embellie.store.log_records import KeptLog
from embellie.store.object_lake import ObjectLake

MEMORY = "1536MiB"
"""What analyses may hold in memory; the rest waits on disk, in the data folder."""


def views_of(config: Config) -> tuple[DailyView, ...]:
    """List what an installation's lake keeps ready."""
    return (visits_view(config.read_seconds),)


def open_analysis(config: Config, log: KeptLog, data: Path, *, threads: int) -> Analysis:
    """Open what computes here over a log and its lake.

    Args:
        config: The installation's.
        log: The log.
        data: The data folder.
        threads: How many may compute; 0 for all there are.
    """
    spill = data / f"{SPILL}{os.getpid()}-{os.urandom(4).hex()}"
    return Analysis(
        log,
        lake=lake_to_read(config.storage, data),
        views=views_of(config),
        threads=threads,
        memory=MEMORY,
        spill=spill,
    )


def lake_to_read(storage: StorageConfig, data: Path) -> Path | ObjectLake:
    """Give an installation's lake as an analysis takes it."""
    return where_to_read(open_lake(data, storage.lake, clock=lambda: datetime.now(UTC), cache_gb=storage.lake_cache_gb))


def scorecards_from(config: Config, data: Path, *, here: Analysis) -> AggregateReader:
    """Choose what scorecards are computed from: the engine that the configuration names, or the log here."""
    engine, lake = config.analysis.engine, config.analysis.lake
    if not engine:
        return here
    if engine.startswith("sc://"):
        # Spark speaks to S3 by Hadoop's `s3a`.
        bucket = re.sub(r"^s3:", "s3a:", config.storage.lake)
        lake = lake or bucket or str((data / FOLDER).resolve())
    return EngineOnUse(engine, lake=lake, views=views_of(config))
