"""`python -m training rollout`: its options, and what it prints."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import By, Model, Version
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

ENDED_STATUS = 1


def add_to(app: typer.Typer) -> None:
    """Give the command line this command."""

    @app.command()
    def rollout(
        version: Version,
        model: Model = None,
        loop: Annotated[
            Path | None, typer.Option(help="Steps and limits (YAML). Default: loop.yaml here, else the built-in ones.")
        ] = None,
        end: Annotated[bool, typer.Option("--end", help="Take it out: the champion answers everybody again.")] = False,
        reason: Annotated[str, typer.Option(help="Why, with --end; for the history.")] = "",
        by: By = None,
    ) -> None:
        """Let a version that passed its gates in front of users step by step: shadow, canary, champion.

        Stays until it is the champion (status 0) or out (status 1). Stopped before, it goes on where it was when it is
        started again. With TRAINING_APPROVE=manual it holds before 100 % until a person gives `promote` or --end.
        """
        with one_line_errors():
            from training.loop import loop_from
            from training.rollout.drive import Drive
            from training.rollout.wishes import Wishes

            settings, wanted = given_settings(), loop_from(loop).rollout
            events = model_events_of(settings)
            if events is None:
                raise SettingsError("a rollout is watched on Kafka: set TRAINING_BOOTSTRAP=host:port")
            if end and not reason.strip():
                raise SettingsError("--end needs --reason TEXT: it stays in the history")
            registered = registered_of(settings, model)
            wishes = Wishes(wanted.steps, wanted.limits, by or somebody(), settings.approve, lambda line: say([line]))
            drive = Drive(registered, events, tools(), wishes)
            number = registered.find(version).version
            if end:
                drive.end(number, reason.strip(), clear=True)
                return
            try:
                ended = asyncio.run(drive.run(number))
            except KeyboardInterrupt:
                say([f"stopped; {registered.model}/{number} stays where it is: start this again, or end it with --end"])
                raise typer.Exit(130) from None
            say([f"{registered.model}/{number}: {ended.how}: {ended.reason}"])
            if ended.how in ("ended", "overtaken"):
                raise typer.Exit(ENDED_STATUS)
