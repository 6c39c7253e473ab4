"""`embellie serve`: the server; API, widget and dashboard, in one process or in several that share a port and a data folder."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import click

from embellie.app.config import Config, read_config, sites_of
from embellie.app.json_lines import write_json_lines
from embellie.app.keys import FILE as KEYS_FILE
from embellie.app.keys import ROLES, Keys, Role
from embellie.cli.doctor_command import warn_before_start
from embellie.cli.main import folder_of, project_instead
from embellie.domain.site import Site
from embellie.web.listening import address_of, check_exposure, listen
from embellie.web.supervising import Patience, Supervisor, require_workers_here
from embellie.web.worker_berth import Berth, read_berth

FIRST_ADMIN = "first-admin"
MOST_WORKERS = 64


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
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=None,
    help="How many processes answer; as configured by default. Each holds its own copy of what is folded from the log.",
)
@click.option(
    "--log-format",
    "log_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the running server's messages are written: json is one object a line.",
)
@click.option("--berth", default=None, hidden=True, help="What a supervisor gives to its worker.")
def command(
    *,
    folder: Path | None,
    project: Path | None,
    host: str | None,
    port: int | None,
    new_token: str | None,
    posts_per_second: float,
    workers: int | None,
    log_format: str,
    berth: str | None,
) -> None:
    """Serve the project in DIR (here by default) until stopped with Ctrl-C or SIGTERM.

    The first start makes a public key per site and prints, once, the link by which the first admin enters.
    """
    if log_format == "json":
        write_json_lines()
    where = folder_of(folder, project)
    config = read_config(where)
    server = config.server
    order = _Order(
        folder=where,
        config=config,
        host=server.host if host is None else host,
        port=server.port if port is None else port,
        new_token=new_token,
        posts_per_second=posts_per_second,
        log_format=log_format,
    )
    check_exposure(order.host, auth=server.auth)
    if berth is None:
        warn_before_start(where, config)
    if berth is not None:
        _serve_as_worker(order, read_berth(berth))
    elif (server.workers if workers is None else workers) > 1:
        _serve_with_workers(order, server.workers if workers is None else workers)
    else:
        _serve_alone(order)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What to serve, and how."""

    folder: Path
    config: Config
    host: str
    port: int
    new_token: str | None
    posts_per_second: float
    log_format: str


def _serve_alone(order: _Order) -> None:
    from embellie.cli.serving_process import serve_here

    serve_here(
        order.folder,
        host=order.host,
        port=order.port,
        posts_per_second=order.posts_per_second,
        on_ready=lambda keys, sites, address: _welcome(order.config, sites, keys, address, new_token=order.new_token),
        tell=_say,
    )
    _say("Stopped. Everything received is in the log.")


def _serve_as_worker(order: _Order, berth: Berth) -> None:
    from embellie.cli.serving_process import serve_here

    serve_here(
        order.folder,
        host=order.host,
        port=order.port,
        posts_per_second=order.posts_per_second,
        on_ready=lambda *_: None,
        tell=lambda line: _say(f"{berth.name}: {line}"),
        berth=berth,
    )


def _serve_with_workers(order: _Order, workers: int) -> None:
    """Watch over workers; this process opens no log and loads nothing that answers, so it stays small."""
    require_workers_here()
    config, sites = order.config, sites_of(order.config)
    listening = listen(order.host, order.port)
    address = address_of(order.host, listening.getsockname()[1])
    keys = Keys(order.folder / config.data / KEYS_FILE, sites=sites)  # made once, before any worker looks for them

    def ready() -> None:
        _say(f"Process {os.getpid()} watches over {workers} workers.")
        _welcome(config, sites, keys, address, new_token=order.new_token)

    code = Supervisor(
        lambda berth: _worker_command(order, berth),
        workers=workers,
        listening=listening,
        on_ready=ready,
        patience=Patience(hang=config.server.hang_seconds, stop=Patience().stop + config.server.drain_seconds),
    ).run()
    if code:
        sys.exit(code)
    _say("Stopped. Everything received is in the log.")


def _worker_command(order: _Order, berth: Berth) -> Sequence[str]:
    options = {
        "--host": order.host,
        "--port": order.port,
        "--posts-per-second": order.posts_per_second,
        "--log-format": order.log_format,
        "--berth": berth,
    }
    spelt = [text for name, value in options.items() for text in (name, str(value))]
    return [sys.executable, "-m", "embellie", "serve", str(order.folder), *spelt]


def _say(line: str) -> None:
    click.echo(line, err=True)


def _welcome(config: Config, sites: Mapping[str, Site], keys: Keys, address: str, *, new_token: str | None) -> None:
    """Say where the server is, how to enter, and what to paste into the pages."""
    click.echo(f"embellie serves {', '.join(sites)} at {address}", err=True)
    if config.server.auth:
        for role, name in _tokens_to_make(keys, new_token):
            secret = keys.issue(role, name=name)
            click.echo(f"\nToken `{name}`, role {role}; said this once, so keep it: {secret}", err=True)
            click.echo(f"Enter as {role}: {address}/login?token={secret}", err=True)
    else:
        click.echo("Keys are off: whoever uses this machine may do everything.", err=True)
    for site in sites:
        placement = next(iter(sites[site].placements), "")
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
