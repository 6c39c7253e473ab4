"""What the `measure` commands share: their options, and how a scorecard is shown."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from embellie.app.measured_words import (
    Line,
    answer,
    change_texts,
    checks_told,
    count_text,
    dimension_name,
    effect_sentence,
    interval_lines,
    interval_plot,
    leading_rows,
    metric_title,
    part_name,
    percent_text,
    reason_and_remedy,
    role_place,
    series_plot,
    split_sentence,
    state_name,
)
from embellie.app.measuring import Looking, parse_looking
from embellie.app.scorecard_document import Format, write_rows
from embellie.cli.main import JSON_HELP
from embellie.domain.scorecard import Effect, RelativeEffect, Scorecard, Slice, UnavailableEffect

json_option = click.option("--json", "as_json", is_flag=True, help=JSON_HELP)
language_option = click.option(
    "--lang", "language", type=click.Choice(["en", "fr"]), default="en", show_default=True, help="Language of the text."
)
sequential_option = click.option(
    "--sequential",
    default="none",
    show_default=True,
    metavar="always|group:K|none",
    help="How often results are looked at: whenever, at K planned looks, or once.",
)
planned_option = click.option(
    "--planned", type=click.IntRange(min=2), help="Units of both sides at the planned end, for --sequential."
)
csv_option = click.option(
    "--csv", "csv", type=click.Path(path_type=Path), metavar="FILE", help="Also write the rows to a CSV file."
)
parquet_option = click.option(
    "--parquet", type=click.Path(path_type=Path), metavar="FILE", help="Also write the rows to a Parquet file."
)

_HEADINGS = {
    "en": ("Decides", "Must not be harmed", "Explains", "Foretells"),
    "fr": ("Décide", "À ne pas abîmer", "Explique", "Annonce"),
}
_CHECKS = {"en": "Checks", "fr": "Contrôles"}
_NO_DAYS = {"en": "No day yet.", "fr": "Pas encore de jour."}


def show(card: Scorecard, language: str) -> None:
    """Print a scorecard: the answer, the metrics by role, the intervals, the checks, the slices."""
    told = checks_told(card, language)
    said = answer(card, language).text
    if said:
        click.echo(f"{said}\n")
    if not told:
        click.echo(split_sentence(card, language))
    _metrics(card, language)
    if plot := interval_plot(card, language):
        click.echo("\n" + "\n".join(plot))
    if told:
        click.echo(f"\n{_CHECKS[language]}")
        states = [state_name(check.state, language) for check, _ in told]
        width = max(len(state) for state in states)
        for state, (_, sentence) in zip(states, told, strict=True):
            click.echo(f"  {state:<{width}}  {sentence}")


def _metrics(card: Scorecard, language: str) -> None:
    pairs = leading_rows(card.effects)
    places = list(dict.fromkeys(role_place(row) for row, _ in pairs))
    for place in places:
        if len(places) > 1:
            click.echo(_HEADINGS[language][place])
        for row, beside in pairs:
            if role_place(row) == place:
                said = effect_sentence(row, card.control, language, unadjusted=beside)
                click.echo(f"  {said}" if len(places) > 1 else said)


def show_slices(card: Scorecard, dimensions: Sequence[str], language: str, *, metric: str = "") -> None:
    """Print the same comparison in parts of the units, by dimension and metric: raw, and shrunk where there is one."""
    for dimension in dimensions:
        parts = [part for part in card.slices if part.dimension == dimension]
        keys = dict.fromkeys((row.metric, row.variant) for part in parts for row, _ in leading_rows(part.effects))
        for name, variant in keys:
            if metric in {"", name}:
                click.echo(f"\n{dimension_name(dimension, language)}: {metric_title(name, language)}, {variant}")
                lines = [line for part in parts if (line := _slice_line(part, name, variant, language))]
                click.echo("\n".join([*interval_lines(lines, language), *_slice_gaps(parts, name, variant, language)]))


def _slice_row(part: Slice, metric: str, variant: str) -> Effect | UnavailableEffect | None:
    rows = (row for row, _ in leading_rows(part.effects))
    return next((row for row in rows if (row.metric, row.variant) == (metric, variant)), None)


def _slice_line(part: Slice, metric: str, variant: str, language: str) -> Line | None:
    row = _slice_row(part, metric, variant)
    if not isinstance(row, Effect) or not isinstance(row.relative, RelativeEffect):
        return None
    note = change_texts(row, language)[0]
    if row.shrunk is not None:
        note += f"  → {percent_text(100 * row.shrunk.effect, 50 * (row.shrunk.high - row.shrunk.low), language)}"
    relative = row.relative
    label = _slice_label(part, language)
    return Line(label=label, effect=relative.effect, low=relative.low, high=relative.high, note=note)


def _slice_gaps(parts: Sequence[Slice], metric: str, variant: str, language: str) -> list[str]:
    """Parts that could not be computed, together when for the same reason."""
    gaps: dict[str, list[str]] = {}
    for part in parts:
        row = _slice_row(part, metric, variant)
        if isinstance(row, UnavailableEffect):
            reason = reason_and_remedy(row.because, language)[0]
            gaps.setdefault(reason, []).append(part_name(part.dimension, part.value, language))
    return [
        f"  {', '.join(names) if len(names) < 4 else f'{names[0]} … {names[-1]}'}  {reason}"
        for reason, names in gaps.items()
    ]


def _slice_label(part: Slice, language: str) -> str:
    units = count_text(sum(part.units.values()), language)
    return f"  {part_name(part.dimension, part.value, language):<14}{units:>10}"


def show_days(history: Sequence[tuple[datetime, Scorecard]], metric: str, language: str) -> None:
    """Print one metric's effect over time, a line per day."""
    if not history:
        click.echo(_NO_DAYS[language])
        return
    card = history[-1][1]
    for variant in card.units:
        if variant != card.control:
            click.echo(f"{metric_title(metric, language)}, {variant} − {card.control}")
            click.echo("\n".join(series_plot(history, metric, variant, language)))


def write_files(card: Scorecard, *, csv: Path | None, parquet: Path | None) -> None:
    """Write the rows of a scorecard to the files asked for."""
    files: tuple[tuple[Path | None, Format], ...] = ((csv, "csv"), (parquet, "parquet"))
    for path, as_ in files:
        if path is not None:
            write_rows(path, card, as_=as_)


def looking_of(sequential: str, planned: int | None) -> Looking:
    """Read `--sequential` and `--planned`; says what was assumed."""
    looking = parse_looking(sequential, planned=planned)
    if looking.kind == "always" and planned is None:
        click.echo(f"Always-valid intervals are tightest at {looking.planned} units (see --planned).", err=True)
    return looking
