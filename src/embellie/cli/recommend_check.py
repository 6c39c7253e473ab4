"""`embellie recommend check`: are the features written down when serving those that a replay of the log finds?"""

import sys
from pathlib import Path

import click

from embellie.cli.click_log_options import language_option, progress_bar
from embellie.cli.main import JSON_HELP, print_json, project_option


@click.command("check")
@click.option("--log", "file", type=click.Path(path_type=Path), help="A log's file; the project's own by default.")
@project_option
@click.option("--site", default="", help="Only this site's slates; all by default.")
@click.option("--every", type=click.IntRange(min=1), default=1, show_default=True, help="Compare each n-th slate only.")
@language_option
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def check(*, file: Path | None, project: Path, site: str, every: int, language: str, as_json: bool) -> None:
    """Replay the log and compare every feature that slates carry with what is found, to the last bit.

    What knew the future when serving, or is computed otherwise now, differs. Exit 1: something does.
    """
    from embellie.app.checking_features import check_log, features_document
    from embellie.app.log_keeping import place_of
    from embellie.app.replay_words import features_told

    with progress_bar() as progress:
        checked = check_log(file or place_of(project).log, site=site, every=every, progress=progress)
    if as_json:
        print_json(features_document(checked))
    else:
        click.echo("\n".join(features_told(checked, language)))
    if not checked.ok:
        sys.exit(1)
