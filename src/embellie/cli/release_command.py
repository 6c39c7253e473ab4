"""`embellie release`: build, start, advance, hold, complete, roll back; live in under a second, without a restart."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from embellie.app.choosing import choose
from embellie.app.newsroom import Newsroom
from embellie.app.releasing import event_document, release_document, rollout_document
from embellie.cli.main import JSON_HELP, print_json, project_option
from embellie.domain.errors import InputError
from embellie.domain.release import Setting, setting_of
from embellie.domain.rollout import Rollout

site_option = click.option("--site", default="", help="The site; not needed when there is one.")
json_option = click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
reason_option = click.option("--reason", default="", help="Why, for the history.")
by_option = click.option("--by", default="command line", show_default=True, help="Who, for the history.")


@contextmanager
def _opened(folder: Path, site: str) -> Iterator[tuple[Newsroom, str]]:
    with Newsroom.open(folder) as newsroom:
        yield newsroom, choose("site", site, newsroom.sites)


@click.group()
def command() -> None:
    """Change what readers are shown, gradually, and go back at once.

    Works beside a running server: it picks the change up within a second.
    """


@command.command()
@click.argument("policy")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the policy; may be repeated."
)
@click.option("--note", default="", help="A line for the history.")
@project_option
@site_option
@json_option
def build(*, policy: str, settings: tuple[str, ...], note: str, project: Path, site: str, as_json: bool) -> None:
    """Build an immutable release of POLICY; the same content is the same release."""
    with _opened(project, site) as (newsroom, name):
        release = newsroom.build(name, policy, dict(map(_setting, settings)), note=note)
        if as_json:
            print_json(release_document(release))
        else:
            click.echo(f"Built {release.release}. Put it live with: embellie release start {release.release}")


@command.command()
@click.argument("release")
@click.option("--placement", default="", help="Where; not needed when the site has one placement.")
@click.option("--step", "steps", multiple=True, type=float, help="A share of readers; repeat for each step.")
@project_option
@site_option
@by_option
@json_option
def start(
    *, release: str, placement: str, steps: tuple[float, ...], project: Path, site: str, by: str, as_json: bool
) -> None:
    """Start rolling RELEASE out, at its first step. An experiment on the placement ends; its evidence is filed."""
    with _opened(project, site) as (newsroom, name):
        where = choose("placement", placement, newsroom.sites[name].placements)
        _say(newsroom.start(name, where, release, steps=steps, by=by), as_json=as_json)


def _verb(name: str, help_: str) -> None:
    @command.command(name=name, help=help_)
    @click.argument("rollout")
    @project_option
    @site_option
    @reason_option
    @by_option
    @json_option
    def change(*, rollout: str, project: Path, site: str, reason: str, by: str, as_json: bool) -> None:
        with _opened(project, site) as (newsroom, own):
            _say(getattr(newsroom, name)(own, rollout, by=by, reason=reason), as_json=as_json)


_verb("advance", "Take ROLLOUT one step further; from the last step, complete it.")
_verb("hold", "Keep ROLLOUT at its present step.")
_verb("complete", "Give ROLLOUT's canary to everyone.")
_verb("rollback", "Give everyone the stable release again, at once.")


@command.command()
@project_option
@site_option
@json_option
def history(*, project: Path, site: str, as_json: bool) -> None:
    """Show every release, rollout and experiment, oldest first."""
    with _opened(project, site) as (newsroom, name):
        events = [event_document(event) for event in newsroom.rollout_history(name)]
        if as_json:
            print_json({"schema": "embellie/history/1", "site": name, "events": events})
            return
        for one in events:
            click.echo(f"{one['at']}  {one['kind']:<10}  {one['words']}")


def _say(rollout: Rollout, *, as_json: bool) -> None:
    if as_json:
        print_json(rollout_document(rollout))
        return
    click.echo(
        f"{rollout.rollout}: {rollout.state.replace('_', ' ')}, {rollout.weight:.0%} of readers on {rollout.canary}."
        f" {rollout.reason}"
    )


def _setting(text: str) -> tuple[str, Setting]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InputError(f"`{text}` is not a setting.", hint="Write NAME=VALUE, for example --set half_life=6.")
    return name, setting_of(value)
