"""The command `embellie`: one file per command, loaded when it is asked for."""

import difflib
import importlib
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from embellie import __version__
from embellie.domain.errors import EmbellieError, InputError

COMMANDS = {
    "demo": "a newspaper with readers, a running experiment and the dashboard",
    "init": "start a project: writes embellie.toml and question.toml",
    "doctor": "check a project and say what to mend",
    "config": "show the configuration as it is read",
    "frame": "1. check the question; draw each scenario's uncertainty; rank the unknowns",
    "recommend": "2. try policies, evaluate them on a log, train a model",
    "serve": "3. the server: API, widget, dashboard",
    "measure": "4. scorecard of an experiment, or of any table",
    "decide": "5. verdict, value of information, what to learn next",
    "beliefs": "who believed what, when, and how it turned out",
    "release": "6. build, start, advance, roll back",
    "log": "import, export, ledger, replay, quarantine",
    "reader": "what is kept of one reader: export it, erase it everywhere",
    "catalogue": "bring in articles from feeds, pages and files",
}
"""Every command, in the order of the loop, with its line of help."""

JSON_HELP = "Print one JSON document on standard output, and nothing else."
PROJECT_HELP = "The project's folder (with embellie.toml); here by default."

ASKED_HELP = "Ask the project in DIR: its question, and the evidence in its log."

project_option = click.option(
    "--project", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help=PROJECT_HELP
)
"""`--project DIR`, for commands that need an installation."""

project_instead = click.option(
    "--project", type=click.Path(path_type=Path), default=None, metavar="DIR", help=f"The same as DIR. {PROJECT_HELP}"
)
"""`--project DIR`, for commands that also take the folder as their argument; see `folder_of`."""


def folder_of(given: Path | None, project: Path | None) -> Path:
    """Choose the folder named by argument or by `--project`; here by default.

    Raises:
        InputError: Both are given, and differ.
    """
    if given is not None and project is not None and given != project:
        raise InputError(f"Two folders are given: `{given}` and `{project}`.", hint="Name one of them.")
    return given or project or Path()


class _Loop(click.Group):
    """Lists the commands without loading them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            near = difflib.get_close_matches(cmd_name, COMMANDS, n=1)
            meant = f"Did you mean `{near[0]}`? " if near else ""
            raise InputError(f"No command `{cmd_name}`.", hint=f"{meant}Available: {', '.join(COMMANDS)}.")
        module = importlib.import_module(f"embellie.cli.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Loop, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="embellie")
def cli() -> None:
    """Find out, in production, whether recommending articles pays, and serve the recommendations while you do.

    The loop: frame → recommend → serve → measure → decide → release, and again.
    Start with `embellie demo`, then `embellie init`.
    """


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False))


def moment_option(text: str) -> datetime:
    """Read the time given to `--at`.

    Raises:
        InputError: It is no time, or has no time zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"`{text}` is no time.", hint="Write for example `2026-03-02T12:00:00Z`.", at="--at") from None
    if moment.tzinfo is None:
        raise InputError(f"`{text}` has no time zone.", hint="End it in `Z` for UTC.", at="--at")
    return moment


def main() -> None:
    """Run the command line; errors become one teaching line and an exit code."""
    try:
        cli.main(prog_name="embellie", standalone_mode=False)
    except EmbellieError as error:
        click.secho(f"Error: {error}", err=True, fg="red" if sys.stderr.isatty() else None)
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        click.echo(f"Error: {error.strerror or error}{f': `{error.filename}`' if error.filename else ''}.", err=True)
        sys.exit(2)
    except click.exceptions.Exit as finished:
        sys.exit(finished.exit_code)
