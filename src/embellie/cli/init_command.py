"""`embellie init`: start a project."""

from pathlib import Path
from typing import Literal

import click

from embellie.app.project import start_project
from embellie.cli.main import JSON_HELP, print_json


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--lang", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the files.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def command(folder: Path, lang: Literal["en", "fr"], *, as_json: bool) -> None:
    """Write embellie.toml and question.toml into FOLDER (here by default), commented and ready to edit."""
    written = start_project(folder, language=lang)
    if as_json:
        print_json({"schema": "embellie/init/1", "written": [str(path) for path in written]})
        return
    for path in written:
        click.echo(f"Wrote {path}")
    click.echo(
        "\nNext: edit question.toml, then\n  embellie decide   what is it worth, what to learn first\n  embellie serve    put it on your pages"
    )
