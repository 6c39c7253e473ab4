"""`embellie config show`: the configuration as it is read, defaults included."""

from pathlib import Path

import click

from embellie.app.config import config_document, read_config
from embellie.cli.main import JSON_HELP, folder_of, print_json, project_instead


@click.group()
def command() -> None:
    """Show the configuration as it is read."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path), default=None, required=False, metavar="[DIR]")
@project_instead
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def show(*, folder: Path | None, project: Path | None, as_json: bool) -> None:
    """Show embellie.toml of DIR (here by default) with every default filled in."""
    document = config_document(read_config(folder_of(folder, project)))
    if as_json:
        print_json({"schema": "embellie/config/1"} | document)
        return
    for line in _lines(document, ""):
        click.echo(line)


def _lines(value: object, prefix: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{prefix} = {value!r}"]
    return [line for key, one in value.items() for line in _lines(one, f"{prefix}.{key}" if prefix else str(key))]
