"""`embellie init`: start a project."""

import shlex
from pathlib import Path
from typing import Literal

import click

from embellie.app.project import start_project
from embellie.cli.main import JSON_HELP, folder_of, print_json, project_instead


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=None, required=False, metavar="[DIR]")
@project_instead
@click.option("--lang", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the files.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def command(*, folder: Path | None, project: Path | None, lang: Literal["en", "fr"], as_json: bool) -> None:
    """Write embellie.toml and question.toml into DIR (here by default), commented and ready to edit."""
    where = folder_of(folder, project)
    written = start_project(where, language=lang)
    if as_json:
        print_json({"schema": "embellie/init/1", "written": [str(path) for path in written]})
        return
    for path in written:
        click.echo(f"Wrote {path}")
    own = "" if where == Path() else f" {shlex.quote(str(where))}"
    click.echo(f"\nNext: edit {where / 'question.toml'}, then")
    for name, does in (("decide", "what is it worth, what to learn first"), ("serve", "put it on your pages")):
        click.echo(f"  embellie {name + own:<{8 + len(own)}}  {does}")
