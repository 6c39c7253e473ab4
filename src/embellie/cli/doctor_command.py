"""`embellie doctor`: check a project and say what to mend."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from embellie.app.project import examine
from embellie.cli.main import JSON_HELP, folder_of, print_json, project_instead

SIGNS = {"ok": "✓", "warning": "!", "error": "✗"}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=None, required=False, metavar="[DIR]")
@project_instead
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def command(*, folder: Path | None, project: Path | None, as_json: bool) -> None:
    """Check the project in DIR (here by default). Exits 1 when something must be mended."""
    findings = list(examine(folder_of(folder, project)))
    if as_json:
        print_json({"schema": "embellie/doctor/1", "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            click.echo(f"{SIGNS[finding.level]} {finding.about}: {finding.message} {finding.remedy}".rstrip())
    sys.exit(1 if any(finding.level == "error" for finding in findings) else 0)
