"""`embellie doctor`: check a project and say what to mend."""

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import click

from embellie.app.config import Config, read_config
from embellie.app.doctor_words import Finding
from embellie.app.project import examine
from embellie.cli.main import JSON_HELP, folder_of, print_json, project_instead

SIGNS = {"ok": "✓", "warning": "!", "error": "✗"}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=None, required=False, metavar="[DIR]")
@project_instead
@click.option(
    "--online", "ask", is_flag=True, help="Also read each feed once: does it answer, and what does its clock say?"
)
@click.option(
    "--lang", "language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the text."
)
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def command(*, folder: Path | None, project: Path | None, ask: bool, language: str, as_json: bool) -> None:
    """Check the project in DIR (here by default): configuration, machine, data, keys, feeds, and the server if one runs.

    Exits 1 when something must be mended.
    """
    where = folder_of(folder, project)
    findings = list(examine(where, language=language))
    if ask and findings[0].level != "error":
        from embellie.app.operating_checks import online

        findings += online(read_config(where), language=language)
    if as_json:
        print_json({"schema": "embellie/doctor/1", "findings": [asdict(finding) for finding in findings]})
    else:
        for line in told(findings):
            click.echo(line)
    sys.exit(1 if any(finding.level == "error" for finding in findings) else 0)


def told(findings: Iterable[Finding]) -> list[str]:
    """Write findings, a line each."""
    return [f"{SIGNS[one.level]} {one.about}: {one.message} {one.remedy}".rstrip() for one in findings]


def warn_before_start(folder: Path, config: Config) -> None:
    """Say on standard error what the doctor would say of a server that starts now; what it would refuse, starting refuses."""
    from embellie.app.operating_checks import before_start

    worth_saying = [one for one in before_start(folder, config, language=config.language) if one.level != "ok"]
    for line in told(worth_saying):
        click.echo(line, err=True)
