"""`python -m training gate`: its options, and what it prints."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from contracts.registry_address import shown
from training.commands.options import By, Model, Version
from training.commands.shell import given_settings, model_events_of, one_line_errors, registered_of, say, somebody

RULES_FILE = Path("gates.yaml")


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""

    @app.command()
    def gate(
        version: Version,
        model: Model = None,
        rules: Annotated[
            Path | None, typer.Option(help="Thresholds (YAML). Default: gates.yaml here, else the built-in ones.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON and nothing else.")] = False,
        out: Annotated[Path | None, typer.Option(help="Also write report.json and report.md to this folder.")] = None,
        override: Annotated[
            list[str] | None, typer.Option(help="Let this gate not stop the version; may be repeated.", metavar="GATE")
        ] = None,
        reason: Annotated[str, typer.Option(help="Why, with --override; kept for ever.")] = "",
        by: By = None,
    ) -> None:
        """Ask whether a version may become the champion: it passes every gate (status 0) or not (status 1).

        The report is kept with the version in MLflow; promote goes by it.
        """
        with one_line_errors():
            from training.reports.gate_files import check_out, rules_from, write_out
            from training.reports.gate_run import Wish, run_gates
            from training.reports.gate_words import gate_lines

            check_out(out)
            settings = given_settings()
            wish = Wish(version, rules_from(rules, RULES_FILE), by or somebody(), tuple(override or ()), reason)
            events = model_events_of(settings)
            report = run_gates(
                registered_of(settings, model), events, wish, now=datetime.now(UTC), event_id=str(uuid.uuid4())
            )
            written = write_out(out, report)
            if as_json:
                from training.gate import encode_gate_report

                typer.echo(encode_gate_report(report).decode())
            else:
                said = "" if events is not None else " (no event: TRAINING_BOOTSTRAP is not set)"
                kept = f"report kept with the version in {shown(settings.tracking_uri)}{said}"
                say([*gate_lines(report), kept, *written])
        if not report.may_go_on:
            raise typer.Exit(1)
