"""`embellie demo`: a newspaper with readers, a running experiment and the dashboard, on simulated traffic."""

import os
import shutil
import signal
import sys
import tempfile
import threading
import webbrowser
from pathlib import Path

import click

from embellie.app.demo import Demo, DemoReport, DemoSettings, demo_document
from embellie.cli.main import JSON_HELP, print_json
from embellie.domain.errors import Conflict
from embellie.web.listening import listen
from embellie.web.server import run

HOST = "127.0.0.1"


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    envvar="PORT",
    default=8400,
    show_default=True,
    help="Where the dashboard is; 0 takes any free port.",
)
@click.option(
    "--once",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Run so long without a browser, print the verdict, and fail if the loop did not turn.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="The same seed gives the same readers and the same news.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.01, max=48),
    default=2.0,
    show_default=True,
    help="Simulated hours in a second, as far as the machine keeps up.",
)
@click.option(
    "--readers",
    type=click.IntRange(min=100, max=200_000),
    default=9_000,
    show_default=True,
    help="How many readers the newspaper has.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the project in this new folder; without it, a temporary one is removed at the end.",
)
@click.option(
    "--lang",
    "language",
    type=click.Choice(["en", "fr"]),
    default="en",
    show_default=True,
    help="Of the question, the dashboard and these messages.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the dashboard in a browser.")
@click.option("--no-autopilot", is_flag=True, help="Leave it to you to act on the verdict.")
@click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
def command(
    *,
    port: int,
    once: float | None,
    seed: int,
    speed: float,
    readers: int,
    folder: Path | None,
    language: str,
    no_browser: bool,
    no_autopilot: bool,
    as_json: bool,
) -> None:
    """Show the whole loop on an invented newspaper: readers, an experiment, a verdict, a release.

    All traffic is simulated and labelled so. What recommendations truly change is known in this sandbox, and told at the
    end beside what the experiment found. Ctrl-C ends it.
    """
    port = _port(port, any_free=once is not None)
    settings = DemoSettings(
        readers=readers,
        seed=seed,
        hours_per_second=speed,
        language="fr" if language == "fr" else "en",
        autopilot=not no_autopilot,
    )
    words = _WORDS[language]
    own = folder or Path(tempfile.mkdtemp(prefix="embellie-demo-"))
    try:
        demo = Demo(own, settings=settings, port=port, say=_say)
        try:
            _say(words["settings"].format(readers=readers, speed=speed))
            _say(words["autopilot" if settings.autopilot else "by_hand"])
            browser = once is None and not no_browser and _has_display()
            _serve(demo, port=port, words=words, seconds=once, browser=browser)
        finally:
            report = demo.stop()
            demo.newsroom.close()
    finally:
        if folder is None:
            shutil.rmtree(own, ignore_errors=True)
    _conclude(demo, report, words=words, as_json=as_json)
    _say(words["kept"].format(folder=own) if folder else words["removed"].format(folder=own))
    missing = report.missing()
    for one in missing:
        _say(one)
    if missing and (once is not None or report.problem):
        sys.exit(1)


def _port(port: int, *, any_free: bool) -> int:
    """Take the port asked for; headless, any free one when that is in use.

    Raises:
        Conflict: It is in use.
    """
    try:
        listen(HOST, port).close()
    except Conflict:
        if not any_free:
            raise
        return 0
    return port


def _serve(demo: Demo, *, port: int, words: dict[str, str], seconds: float | None, browser: bool) -> None:
    """Serve the dashboard until told to stop, the time is up, or the demo fails."""
    served = threading.Event()

    def begin(address: str) -> None:
        _say(words["dashboard"].format(address=address))
        demo.start()
        if browser:
            webbrowser.open(address)
        threading.Thread(target=watch, name="demo-watch", daemon=True).start()

    def watch() -> None:
        if demo.until_over(seconds) and not served.is_set():
            os.kill(os.getpid(), signal.SIGTERM)  # as from outside: the server finishes what it is answering

    try:
        run(demo.newsroom, host=HOST, port=port, on_ready=begin)
    finally:
        served.set()


def _conclude(demo: Demo, report: DemoReport, *, words: dict[str, str], as_json: bool) -> None:
    hours = report.simulated.total_seconds() / 3600
    _say(
        words["counts"].format(
            days=hours / 24,
            seconds=report.seconds,
            visits=report.visits,
            pages=report.pages,
            clicks=report.clicks,
            rate=report.pages / max(report.seconds, 0.001),
        )
    )
    _say(demo.conclusion())
    if as_json:
        print_json(demo_document(report))
    elif report.verdict is not None:
        click.echo(demo.sentence())


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _say(words: str) -> None:
    click.echo(words, err=True)


_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "settings": "The Embellie Gazette is an invented newspaper; its {readers:,} readers are SIMULATED, "
        "{speed:g} hours of theirs in each second of yours.",
        "autopilot": "Autopilot on: when the verdict is to ship, the release is rolled out step by step (--no-autopilot leaves it to you).",
        "by_hand": "Autopilot off: act on the verdict yourself, on the dashboard's page Release.",
        "dashboard": "Dashboard: {address}   The newspaper: {address}/gazette/   Stop with Ctrl-C.",
        "counts": "Simulated {days:.1f} days in {seconds:.0f} s: {visits:,} visits, {pages:,} pages ({rate:,.0f} a second), "
        "{clicks:,} clicks on recommendations.",
        "kept": "The project is kept in {folder}.",
        "removed": "The temporary project {folder} is removed (--folder DIR keeps one).",
    },
    "fr": {
        "settings": "La Gazette d'Embellie est un journal inventé ; ses {readers} lecteurs sont SIMULÉS, "
        "{speed:g} de leurs heures par seconde des vôtres.",
        "autopilot": "Pilote automatique : quand le verdict est de livrer, la mise en ligne avance par étapes (--no-autopilot vous la laisse).",
        "by_hand": "Sans pilote automatique : suivez le verdict vous-même, à la page Livrer du tableau de bord.",
        "dashboard": "Tableau de bord : {address}   Le journal : {address}/gazette/   Ctrl-C pour arrêter.",
        "counts": "{days:.1f} jours simulés en {seconds:.0f} s : {visits} visites, {pages} pages ({rate:.0f} par seconde), "
        "{clicks} clics sur des recommandations.",
        "kept": "Le projet est gardé dans {folder}.",
        "removed": "Le projet temporaire {folder} est supprimé (--folder DIR en garde un).",
    },
}
