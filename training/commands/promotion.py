"""`python -m training promote`, `rollback` and `history`: their options, and what they print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from training.promotion.change import Changed

Reason = Annotated[str, typer.Option(help="Why, in one sentence, for the history.")]


def add_to(app: typer.Typer) -> None:
    """Give the command line these commands."""

    @app.command()
    def promote(
        version: Version,
        model: Model = None,
        reason: Reason = "",
        override: Annotated[
            bool, typer.Option("--override", help="Although the gates object; needs --reason, stays on record.")
        ] = False,
        by: By = None,
    ) -> None:
        """Make a version the champion, if the gates let it through. Of two at once one is refused (status 2)."""
        with one_line_errors():
            from training.promotion.promoting import promote as run

            settings = given_settings()
            registered, events = registered_of(settings, model), model_events_of(settings)
            done = run(registered, events, tools(), version, by=by or somebody(), reason=reason, override=override)
            say(_lines(registered.model, done))

    @app.command()
    def rollback(
        model: Model = None,
        to: Annotated[str | None, typer.Option(help="This former champion. Default: the one before.")] = None,
        reason: Reason = "",
        by: By = None,
    ) -> None:
        """Make the former champion the champion again; once more goes back one more."""
        with one_line_errors():
            from training.promotion.promoting import roll_back

            settings = given_settings()
            registered, events = registered_of(settings, model), model_events_of(settings)
            done = roll_back(registered, events, tools(), to=to, by=by or somebody(), reason=reason)
            say(_lines(registered.model, done))

    @app.command()
    def history(
        model: Model = None,
        every: Annotated[bool, typer.Option("--all", help="Also claims and troubles.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="The events, one JSON object a line.")] = False,
    ) -> None:
        """What happened to the model's versions: who, when, why. From the topic model-events, one year back."""
        with one_line_errors():
            from contracts.model_events import encode_model_event
            from training.promotion.history import history_lines, shown

            settings = given_settings()
            events = model_events_of(settings)
            if events is None:
                raise SettingsError("the history is on Kafka: set TRAINING_BOOTSTRAP=host:port")
            registered = registered_of(settings, model)
            steps = events.read(registered.model)
            if as_json:
                say([encode_model_event(step.event).decode() for step in shown(steps, every=every)])
            else:
                say(history_lines(steps, registered.marks().champion, every=every))


def _lines(model: str, done: Changed) -> list[str]:
    change = done.change
    word = "promoted to champion" if change.kind == "promoted" else "champion again"
    before = "there was none before" if change.seen is None else f"before it was {change.seen}"
    return [f"{model}/{change.version} {word}, {before} ({change.reason})", *done.remarks]
