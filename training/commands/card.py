"""`python -m training card` and `compare`: their options, and what they print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import Model, Version
from training.commands.shell import given_settings, one_line_errors, registered_of, say


def add_to(app: typer.Typer) -> None:
    """Give the command line these commands."""

    @app.command()
    def card(
        version: Version,
        model: Model = None,
        out: Annotated[Path | None, typer.Option(help="Write it to this file instead.")] = None,
    ) -> None:
        """The model card of a version (Markdown): made from what is on record now, the gates' report with it."""
        with one_line_errors():
            from training.commands.file_out import write_file
            from training.reports.card import model_card
            from training.reports.card_files import known_of

            registered = registered_of(given_settings(), model)
            page = model_card(known_of(registered, registered.find(version)))
            if out is None:
                typer.echo(page, nl=False)
            else:
                say([write_file(out, page.encode())])

    @app.command()
    def compare(
        versions: Annotated[
            list[str] | None, typer.Argument(help="Numbers or aliases. Default: the newest.", metavar="[VERSION]...")
        ] = None,
        model: Model = None,
        last: Annotated[int, typer.Option(help="How many, where none is named.", min=1, max=50)] = 6,
        as_json: Annotated[bool, typer.Option("--json", help="As JSON: a list of versions.")] = False,
    ) -> None:
        """Versions side by side: metrics with their test set, threshold, data digest, parameters that differ."""
        with one_line_errors():
            import msgspec

            from training.reports.compare import compared, table

            sides = compared(registered_of(given_settings(), model), versions or (), last)
            if as_json:
                typer.echo(msgspec.json.format(msgspec.json.encode(sides), indent=2).decode())
            else:
                say(table(sides))
