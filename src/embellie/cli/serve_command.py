"""`embellie serve`: the server: API, widget and dashboard in one process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import click

from embellie.app.compacting import compact_until
from embellie.app.config import metrics_of
from embellie.app.json_lines import write_json_lines
from embellie.app.keys import ROLES, Keys, Role
from embellie.app.newsroom import Newsroom
from embellie.app.one_server_leads import lead_of, lead_until
from embellie.app.releasing import pass_gates
from embellie.app.retaining import retain_until
from embellie.app.state_keeping import keep_state_until
from embellie.app.syncing import sync_until
from embellie.app.training_job import train_until
from embellie.app.warm_start import ENOUGH
from embellie.cli.main import folder_of, project_instead
from embellie.domain.errors import EmbellieError
from embellie.web.server import check_exposure, open_keys, run

GATE_SECONDS = 60.0
FIRST_ADMIN = "first-admin"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=None, required=False, metavar="[DIR]")
@project_instead
@click.option("--host", default=None, help="The address to listen on; as configured by default.")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="The port; 0 takes any free one.")
@click.option(
    "--new-token", "new_token", type=click.Choice(ROLES), default=None, help="Also make a token, and say it once."
)
@click.option(
    "--posts-per-second",
    type=click.FloatRange(min=0),
    default=1000.0,
    show_default=True,
    help="How many calls a second one address may make with a public key, and each token; 0: no limit.",
)
@click.option(
    "--log-format",
    "log_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the running server's messages are written: json is one object a line.",
)
def command(
    *,
    folder: Path | None,
    project: Path | None,
    host: str | None,
    port: int | None,
    new_token: str | None,
    posts_per_second: float,
    log_format: str,
) -> None:
    """Serve the project in DIR (here by default) until stopped with Ctrl-C or SIGTERM.

    The first start makes a public key per site and prints, once, the link by which the first admin enters.
    """
    if log_format == "json":
        write_json_lines()
    newsroom = Newsroom.open(folder_of(folder, project))
    if newsroom.started.taken or newsroom.started.refused or newsroom.started.folded >= ENOUGH:
        click.echo(str(newsroom.started), err=True)
    try:
        server = newsroom.config.server
        where = server.host if host is None else host
        check_exposure(where, auth=server.auth)
        keys = open_keys(newsroom)
        with _background(newsroom):
            run(
                newsroom,
                host=where,
                port=server.port if port is None else port,
                on_ready=lambda address: _welcome(newsroom, keys, address, new_token=new_token),
                keys=keys,
                posts_per_second=posts_per_second,
            )
    finally:
        newsroom.close()
    click.echo("Stopped. Everything received is in the log.", err=True)


def _welcome(newsroom: Newsroom, keys: Keys, address: str, *, new_token: str | None) -> None:
    """Say where the server is, how to enter, and what to paste into the pages."""
    click.echo(f"embellie serves {', '.join(newsroom.sites)} at {address}", err=True)
    if newsroom.config.server.auth:
        for role, name in _tokens_to_make(keys, new_token):
            secret = keys.issue(role, name=name)
            click.echo(f"\nToken `{name}`, role {role}; said this once, so keep it: {secret}", err=True)
            click.echo(f"Enter as {role}: {address}/login?token={secret}", err=True)
    else:
        click.echo("Keys are off: whoever uses this machine may do everything.", err=True)
    for site in newsroom.sites:
        placement = next(iter(newsroom.sites[site].placements), "")
        click.echo(f"\nPublic key of {site}: {keys.public[site]}\nPaste into its article pages:", err=True)
        click.echo(script_tag(address, site=site, key=keys.public[site], placement=placement), err=True)
    click.echo("\nStop with Ctrl-C.", err=True)


def script_tag(address: str, *, site: str, key: str, placement: str) -> str:
    """Return the tag a page needs, where its recommendations should stand."""
    return (
        f'  <script async src="{address}/widget/v1.js" data-site="{site}" data-key="{key}"\n'
        f'          data-placement="{placement}" data-article="the id of the page\'s article"></script>'
    )


def _tokens_to_make(keys: Keys, new_token: str | None) -> list[tuple[Role, str]]:
    taken = {token.name for token in keys.tokens()}
    wanted: list[tuple[Role, str]] = [] if taken else [("admin", FIRST_ADMIN)]
    if new_token:
        number = next(n for n in range(1, len(taken) + 2) if f"{new_token}-{n}" not in taken)
        wanted.append((cast(Role, new_token), f"{new_token}-{number}"))
    return wanted


@contextmanager
def _background(newsroom: Newsroom) -> Iterator[None]:
    """Keep the catalogue in step with its feeds, let rollouts' gates look, fill the lake, keep the state file, forget what is past its time and train models, while the server runs.

    Of several servers on one log one does it; only the lake and the state file, where they lie in each one's data folder, are each one's own affair.
    """
    stopped = threading.Event()
    jobs = [partial(sync_until, newsroom), partial(_gates_until, newsroom), partial(_train_until, newsroom)]
    compacting: list[threading.Thread] = []
    if newsroom.config.storage.lake:  # one lake for all servers: who leads writes it
        jobs.append(partial(_compact_until, newsroom))
    else:
        compacting = [
            threading.Thread(target=_compact_until, args=(newsroom, stopped), name="embellie-lake", daemon=True)
        ]
    threads = [
        *compacting,
        threading.Thread(
            target=lead_until, args=(lead_of(newsroom.log_place), jobs, stopped), name="embellie-lead", daemon=True
        ),
        threading.Thread(target=_keep_state_until, args=(newsroom, stopped), name="embellie-state", daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join(timeout=8)


def _compact_until(newsroom: Newsroom, stopped: threading.Event) -> None:
    lake = newsroom.config.storage.lake
    tell = partial(click.echo, err=True)
    compact_until(newsroom.data, stopped, tell=tell, project=newsroom.folder, lake=lake)


def _keep_state_until(newsroom: Newsroom, stopped: threading.Event) -> None:
    keep_state_until(newsroom.folder, newsroom.log, stopped, tell=lambda line: click.echo(line, err=True))


def _train_until(newsroom: Newsroom, stopped: threading.Event) -> None:
    train_until(newsroom.folder, newsroom.config, stopped, tell=lambda line: click.echo(line, err=True))


def _retain_until(newsroom: Newsroom, stopped: threading.Event) -> None:
    retain_until(newsroom.folder, newsroom.config, stopped, tell=lambda line: click.echo(line, err=True))


def _gates_until(newsroom: Newsroom, stopped: threading.Event) -> None:
    while not stopped.wait(GATE_SECONDS):
        for site in newsroom.sites:
            try:
                _pass(newsroom, site)
            except EmbellieError as error:
                click.echo(f"The gates of {site} could not look: {error}", err=True)


def _pass(newsroom: Newsroom, site: str) -> None:
    primary = next((one for one in metrics_of(newsroom.config) if one.role == "primary"), None)
    if primary:
        for changed in pass_gates(newsroom, site, metric=primary.metric, margin=primary.margin):
            click.echo(f"Rollout {changed.rollout}: {changed.state}, {changed.weight:.0%}. {changed.reason}", err=True)
