"""The options of commands that replay a log of clicks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from embellie.app.log_keeping import LogPlace
from embellie.app.recommending import Source, protocol_of
from embellie.cli.main import project_option
from embellie.domain.errors import InputError

_DESKS = 3
"""How many desks are told of, those that get least first."""

F = TypeVar("F", bound=Callable[..., Any])

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


def interval_cell(found: dict[str, Any]) -> str:
    """Return a figure with its interval, as a table shows it."""
    return f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]" if "value" in found else "unavailable"


def normative_lines(policies: dict[str, dict[str, Any]], k: int) -> list[str]:
    """Return what lists give readers and desks, as a block beneath the table: figures per policy, then the desks that are short."""
    looked = next(iter(policies.values()))["normative"]
    lines = [
        f"What lists give, by the first {k} places, each counting 1 / rank ({looked['lists']:,} lists, {looked['pairs']:,} pairs):",
        f"{'':24} {'calibration':>24} {'fragmentation':>24}",
    ]
    for name, result in policies.items():
        cells = (result["normative"][figure] for figure in ("calibration", "fragmentation"))
        lines.append(f"{name[:24]:24} " + " ".join(f"{interval_cell(one):>24}" for one in cells))
    for name, result in policies.items():
        desks = result["normative"]["desks"]
        if isinstance(desks, dict):
            lines.append(f"Desks by `{name}`: {desks['unavailable']} {desks['remedy']}")
            continue
        short = [desk for desk in desks if desk["short"]]
        said = [
            f"{desk['section']} {desk['shown']:.1%} of the places, {desk['published']:.1%} of what is published"
            f" ({desk['against_published']['low']:+.1%} to {desk['against_published']['high']:+.1%}),"
            f" {desk['read']:.1%} of what was opened next"
            for desk in short[:_DESKS]
        ]
        more = f"; and {len(short) - _DESKS} more (`--json`)" if len(short) > _DESKS else ""
        lines.append(f"Desks short by `{name}`: " + ("; ".join(said) + more if said else "none") + ".")
    return lines
