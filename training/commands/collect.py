"""`python -m training collect`: its options, and what it prints."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import By, Model
from training.commands.shell import (
    given_settings,
    model_events_of,
    one_line_errors,
    registered_of,
    say,
    somebody,
    tools,
)
from training.errors import SettingsError


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""

    @app.command()
    def collect(
        out: Annotated[Path, typer.Option(help="Folder to write the data set into; must not be there yet.")],
        since: Annotated[str, typer.Option(help="Begin of the range of event time, such as 2026-01-31T00:00:00Z.")],
        until: Annotated[str, typer.Option(help="Its end, not included.")],
        model: Model = None,
        leave_out: Annotated[
            list[str] | None, typer.Option(help="A stretch that is not wanted; may be repeated.", metavar="START/END")
        ] = None,
        base: Annotated[Path | None, typer.Option(help="A data set whose rows come first.")] = None,
        incomplete: Annotated[
            bool,
            typer.Option("--incomplete", help="Also windows whose labels still come: early ones are not like all."),
        ] = False,
        by: By = None,
    ) -> None:
        """Make a data set of predictions and their labels, from the topics: Parquet with a dataset.toml.

        The columns are the features of the champion. Only predictions whose truth is known are in it, of windows
        whose labels are complete. An event tells.
        """
        with one_line_errors():
            from training.collecting.collect import Wish
            from training.collecting.collect import collect as run
            from training.collecting.told import collected_event
            from training.data.span import moment_of, spans

            settings = given_settings()
            events = model_events_of(settings)
            if settings.bootstrap is None or events is None:
                raise SettingsError("predictions and labels are on Kafka: set TRAINING_BOOTSTRAP=host:port")
            registered = registered_of(settings, model)
            champion = registered.marks().champion
            if champion is None:
                raise SettingsError(f"{registered.model} has no champion, whose features would be the columns")
            schema = registered.baseline(registered.find(champion)).schema
            stretches = spans(leave_out or ())
            wish = Wish(registered.model, schema, moment_of(since), moment_of(until), stretches, base, incomplete)
            events.check()  # what is not to be told is not collected
            found = asyncio.run(run(wish, out, settings.bootstrap, settings.topic_prefix))
            tool = tools()
            told = {"id_": f"collected/{tool.new_id()}", "champion": champion, "by": by or somebody()}
            events.write(collected_event(found, at=tool.now(), **told))
            say(
                [
                    f"{found.labelled:,} labelled predictions of {found.predictions:,} ({found.coverage:.1%}), "
                    f"{found.left_out:,} left out, {found.incomplete:,} in windows whose labels are not complete, "
                    f"{found.outside:,} outside, {found.shadow:,} in shadow",
                    f"{out}: {found.rows:,} rows" + (f", {found.base_rows:,} of them from {base}" if base else ""),
                    f"digest {found.digest}",
                ]
            )
