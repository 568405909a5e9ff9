"""`python -m training prepare`, `evaluate` and `reproduce`: what dvc.yaml runs beside train, gate and baseline, and the
way back from a version to its data.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import Model, Version
from training.commands.shell import given_settings, one_line_errors, registered_of, say


def add_to(app: typer.Typer) -> None:
    """Give the command line these commands."""

    @app.command()
    def prepare(
        config: Annotated[Path, typer.Option(help="A training.yaml.")],
        data: Annotated[Path | None, typer.Option(help="Instead of its data.")] = None,
        out: Annotated[Path | None, typer.Option(help="Also write what was found to this file (JSON).")] = None,
    ) -> None:
        """Check the data as `train` would, and stop there: schema, ranges, leaks, split, and a fit to a few rows."""
        with one_line_errors():
            import msgspec
            from rich.console import Console

            from training.commands.file_out import write_file
            from training.commands.progress import following
            from training.making.asked import asked_by_config
            from training.making.prepared import prepared, prepared_lines

            plan = asked_by_config(config, data, None, None, None, {}, "", datetime.now(UTC))
            with following(Console()) as audience:
                found = prepared(plan, audience)
            say(prepared_lines(found))
            if out is not None:
                say([write_file(out, msgspec.json.format(msgspec.json.encode(found), indent=2))])

    @app.command()
    def evaluate(
        version: Version,
        model: Model = None,
        out: Annotated[
            Path | None, typer.Option(help="Also write evaluation.json, metrics.json and model_card.md to this folder.")
        ] = None,
    ) -> None:
        """Let the model that is in the registry score its test rows again: as recorded (status 0) or not (status 1)."""
        with one_line_errors():
            from training.commands.file_out import write_file
            from training.reports.rescored import rescored, rescored_files, rescored_lines

            registered = registered_of(given_settings(), model)
            found = rescored(registered, registered.find(version))
            say(rescored_lines(found))
            if out is not None:
                say([write_file(out / name, content) for name, content in rescored_files(found).items()])
        if not found.same:
            raise typer.Exit(1)

    @app.command()
    def reproduce(
        version: Version,
        model: Model = None,
        data: Annotated[Path | None, typer.Option(help="The data, where it is not where it was.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON and nothing else.")] = False,
    ) -> None:
        """Train a version again from its own lineage and compare: the same came of it (status 0) or not (status 1).

        Nothing is registered. What differs around it, code revision and libraries, is said.
        """
        with one_line_errors():
            import msgspec
            from rich.console import Console

            from training.commands.progress import following
            from training.fitting.stopwatch import Stopwatch
            from training.making.reproduce import reproduce as run
            from training.making.reproduce import reproduced_lines
            from training.making.revision import code_revision

            settings = given_settings()
            revision = code_revision(settings.code_revision, Path(__file__).parent)
            registered = registered_of(settings, model)
            with following(Console(stderr=as_json)) as audience:
                found = run(registered, version, data, revision, Stopwatch(audience))
            if as_json:
                typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
            else:
                say(reproduced_lines(found))
        if not found.same:
            raise typer.Exit(1)
