"""`embellie measure surrogate`: a long-term effect, foretold from what is there early."""

import click

from embellie.app.surrogate_tables import (
    SurrogateSpec,
    foretold_document,
    foretold_from_tables,
    foretold_picture,
    foretold_sentences,
)
from embellie.cli.main import print_json
from embellie.cli.measure_shown import json_option, language_option


@click.command()
@click.argument("table")
@click.option(
    "--history", required=True, metavar="FILE", help="Units whose outcomes are known: of before, or of a holdout."
)
@click.option("--unit", required=True, metavar="COL", help="The column of the unit; a row each.")
@click.option("--variant", required=True, metavar="COL", help="The column of the variant.")
@click.option("--surrogates", required=True, metavar="COL,…", help="What is there early.")
@click.option("--outcome", required=True, metavar="COL", help="What counts; empty in TABLE where it is not known yet.")
@click.option("--covariates", default="", metavar="COL,…", help="What was known before, as further features.")
@click.option("--squares", is_flag=True, help="Also squares and products of the features.")
@click.option("--control", default="", metavar="VALUE", help="The control's value in the variant column.")
@click.option("--seed", type=int, default=0, show_default=True, help="Deals the history to folds.")
@language_option
@json_option
def command(
    *, table: str, history: str, unit: str, variant: str, surrogates: str, outcome: str, covariates: str, squares: bool,
    control: str, seed: int, language: str, as_json: bool,
) -> None:  # fmt: skip
    """Foretell an effect on an outcome that takes long from early behaviour (surrogate index), with the index's own error.

    TABLE is the experiment, a row per unit. Outcomes already known in it check the index; where they speak against it, it is refused.
    """
    told = foretold_from_tables(
        table,
        history,
        spec=SurrogateSpec(
            unit=unit, variant=variant, surrogates=_names(surrogates), outcome=outcome, covariates=_names(covariates),
            squares=squares, control=control,
        ),
        seed=seed,
    )  # fmt: skip
    if as_json:
        print_json(foretold_document(told))
        return
    click.echo("\n".join([*foretold_sentences(told, language), "", *foretold_picture(told, language)]).rstrip())


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))
