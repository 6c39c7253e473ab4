"""The options of commands that replay a log of clicks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from embellie.app.log_keeping import LogPlace
from embellie.app.recommending import Source, protocol_of
from embellie.app.replay_words import Voice
from embellie.cli.main import project_option
from embellie.domain.errors import InputError

_DESKS = 3
"""How many desks are told of, those that get least first."""

F = TypeVar("F", bound=Callable[..., Any])

language_option = click.option(
    "--lang", "language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the text."
)

_OPTIONS = (
    click.option(
        "--log", "file", type=click.Path(path_type=Path), help="CSV, Parquet or a log; the project's own by default."
    ),
    project_option,
    click.option("--reader", default="", metavar="COL", help="Column of the reader."),
    click.option("--visit", default="", metavar="COL", help="Column of the visit."),
    click.option("--article", default="", metavar="COL", help="Column of the article."),
    click.option("--at", default="", metavar="COL", help="Column of the time."),
    click.option(
        "--unit",
        type=click.Choice(["auto", "s", "ms", "iso"]),
        default="auto",
        show_default=True,
        help="How times are written.",
    ),
    click.option("--where", default="", metavar="SQL", help="Only these rows, for instance `eventType = 'VIEW'`."),
    click.option("--site", default="", help="The site, in a project's log of several."),
    click.option("--catalogue", type=click.Path(path_type=Path), help="JSON lines: article, section, published_at."),
)
_PROTOCOL = (
    click.option("--window", default="1h", show_default=True, help="Policies know what came before each window."),
    click.option(
        "--target", type=click.Choice(["next", "last"]), default="next", show_default=True,
        help="Predict every click of a visit after its first, or the last one.",
    ),
    click.option(
        "--seen", type=click.Choice(["keep", "drop"]), default="keep", show_default=True,
        help="Whether articles the reader has read are ranked, and predicted.",
    ),
    click.option(
        "--k", default="20", show_default=True, metavar="K,…",
        help="How many positions count; of several, the largest leads.",
    ),
    click.option("--sample", type=click.IntRange(min=0), default=0, help="Score N targets drawn at random; 0 for all."),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of the sample."),
)  # fmt: skip


def source_options(function: F) -> F:
    """Let a command be told where clicks come from; it takes them as `file`, `project` and `**columns`."""
    return _with(function, _OPTIONS)


def protocol_options(function: F) -> F:
    """Let a command be told how a log is replayed."""
    return _with(function, _PROTOCOL)


def _with(function: F, options: tuple[Callable[[Any], Any], ...]) -> F:
    for option in reversed(options):
        function = option(function)
    return function


def source_of(file: LogPlace, columns: dict[str, Any]) -> Source:
    """Return where clicks come from."""
    return Source(log=file, **columns)


def positions_of(text: str) -> tuple[int, ...]:
    """Read one or several numbers of positions, smallest first.

    >>> positions_of("20,5,10")
    (5, 10, 20)

    Raises:
        InputError: One is no number above 0.
    """
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        found = [0]
    if found[0] < 1:
        raise InputError(f"`{text}` is no number of positions.", hint="Write for example `20` or `5,10,20`.", at="--k")
    return tuple(found)


def replayed(*, k: str, **options: Any) -> Any:
    """Return the way a log is replayed, from the options as they were given."""
    positions = positions_of(k)
    return protocol_of(k=positions[-1], more_k=positions[:-1], **options)


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """Draw progress on standard error, if someone looks at it."""
    watched = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        if watched:
            filled = 30 * done // total
            click.echo(f"\r[{'█' * filled}{'·' * (30 - filled)}] {done}/{total}", nl=False, err=True)

    yield progress
    if watched:
        click.echo("\r\033[K", nl=False, err=True)


def normative_lines(policies: dict[str, dict[str, Any]], k: int, language: str = "en") -> list[str]:
    """Return what lists give readers and desks, as a block beneath the table: figures per policy, then the desks that are short."""
    say = Voice(language)
    looked = next(iter(policies.values()))["normative"]
    lines = [
        say("lists_give", k=k, lists=looked["lists"], pairs=looked["pairs"]),
        f"{'':24} {say('calibration'):>24} {say('fragmentation'):>24}",
    ]
    for name, result in policies.items():
        cells = (result["normative"][figure] for figure in ("calibration", "fragmentation"))
        lines.append(f"{name[:24]:24} " + " ".join(f"{say.cell(one):>24}" for one in cells))
    for name, result in policies.items():
        desks = result["normative"]["desks"]
        if isinstance(desks, dict):
            why = f"{say.reason(desks['unavailable'])} {say.reason(desks['remedy'])}"
            lines.append(say("desks", policy=name, said=why))
            continue
        short = [desk for desk in desks if desk["short"]]
        told = "; ".join(_desk(desk, say) for desk in short[:_DESKS]) or say("none")
        more = say("more_desks", count=len(short) - _DESKS) if len(short) > _DESKS else ""
        lines.append(say("desks_short", policy=name, said=told + more))
    return lines


def _desk(desk: dict[str, Any], say: Voice) -> str:
    gap = desk["against_published"]
    return say(
        "desk", section=desk["section"], shown=say.share(desk["shown"]), published=say.share(desk["published"]),
        low=say.share(gap["low"], "+"), high=say.share(gap["high"], "+"), read=say.share(desk["read"]),
    )  # fmt: skip
