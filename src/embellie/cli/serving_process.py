"""Serving process: what `embellie serve` runs in each process that answers; loaded there alone."""

from collections.abc import Callable, Mapping
from pathlib import Path

from embellie.app.keys import Keys
from embellie.app.newsroom import Newsroom
from embellie.app.server_jobs import jobs_running
from embellie.app.warm_start import ENOUGH
from embellie.domain.site import Site
from embellie.web.server import open_keys, run
from embellie.web.worker_berth import Berth


def serve_here(
    folder: Path,
    *,
    host: str,
    port: int,
    posts_per_second: float,
    on_ready: Callable[[Keys, Mapping[str, Site], str], None],
    tell: Callable[[str], None],
    berth: Berth | None = None,
) -> None:
    """Open a project and answer until told to stop.

    Args:
        folder: The project's.
        host: The address to listen on.
        port: The port; 0 for any free one.
        posts_per_second: See `create_app`.
        on_ready: Gets the keys, the sites and the address as soon as the server answers.
        tell: Gets a line for each thing that a person should know.
        berth: What the supervisor gave, when this is one of its workers.
    """
    newsroom = Newsroom.open(folder)
    if newsroom.started.taken or newsroom.started.refused or newsroom.started.folded >= ENOUGH:
        tell(str(newsroom.started))
    try:
        keys = open_keys(newsroom)
        with jobs_running(newsroom, tell=tell):
            run(
                newsroom,
                host=host,
                port=port,
                on_ready=lambda address: on_ready(keys, newsroom.sites, address),
                keys=keys,
                posts_per_second=posts_per_second,
                berth=berth,
            )
    finally:
        newsroom.close()
