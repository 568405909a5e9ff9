"""`python -m training watch` and `retrain`: their options, and what they print."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.commands.gate import RULES_FILE
from training.commands.options import By, Model
from training.commands.shell import (
    given_settings,
    model_events_of,
    one_line_errors,
    publisher_of,
    registered_of,
    say,
    somebody,
    tools,
)
from training.errors import SettingsError
from training.settings import Settings

if TYPE_CHECKING:
    from training.data.span import Span
    from training.loop import Loop
    from training.retraining.hands import Hands

NOT_PROMOTED_STATUS, STOPPED_STATUS = 1, 130

Config = Annotated[Path, typer.Option(help="The training.yaml to train by; its data gives way to what is collected.")]
LoopFile = Annotated[
    Path | None, typer.Option("--loop", help="When and how (YAML). Default: loop.yaml here, else the built-in one.")
]
Gates = Annotated[Path | None, typer.Option(help="Thresholds. Default: gates.yaml here, else the built-in ones.")]
Base = Annotated[Path | None, typer.Option(help="A data set whose rows come before what is collected.")]


def add_to(app: typer.Typer) -> None:
    """Give the command line these commands."""

    @app.command()
    def watch(
        config: Config = Path("training.yaml"),
        model: Model = None,
        loop: LoopFile = None,
        gates: Gates = None,
        base: Base = None,
        once: Annotated[bool, typer.Option("--once", help="End after the first retraining, however it ended.")] = False,
        by: By = None,
    ) -> None:
        """Follow alerts, performance and model events; retrain when the world has moved, and let the new version in
        front of users step by step. Never for broken data. Until SIGTERM or Ctrl-C.
        """
        with one_line_errors():
            from training.retraining.watch import Watch

            hands, wanted = _hands(config, model, loop, gates, base, by)
            watching = Watch(hands, wanted.retraining, lambda decision: say([f"{decision.kind}: {decision.reason}"]))
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, _stop)
            asyncio.run(watching.run(lambda outcome: once and outcome is not None))

    @app.command()
    def retrain(
        reason: Annotated[str, typer.Option(help="Why, for the history.")],
        config: Config = Path("training.yaml"),
        model: Model = None,
        loop: LoopFile = None,
        gates: Gates = None,
        base: Base = None,
        leave_out: Annotated[
            list[str] | None, typer.Option(help="A stretch not to learn from; may be repeated.", metavar="START/END")
        ] = None,
        by: By = None,
    ) -> None:
        """Retrain now: collect, train, gate, rollout. Status 0 if the new version is the champion, else 1.

        The same command goes on with what it could not end before. 130: stopped with Ctrl-C.
        """
        with one_line_errors():
            from training.data.span import spans

            stretches = spans(leave_out or ())
            hands, _ = _hands(config, model, loop, gates, base, by)
            raise typer.Exit(retrained(hands, reason, datetime.now(UTC), stretches))


def retrained(hands: Hands, reason: str, now: datetime, leave_out: tuple[Span, ...]) -> int:
    """The status that `retrain` ends with. Raises TrainingError."""
    from training.retraining.by_hand import asked_for, what_is_left
    from training.retraining.work import go_on

    work = asked_for(hands, reason, now, leave_out)
    try:
        outcome = go_on(hands, work)
    except KeyboardInterrupt:
        hands.say(f"stopped; retraining {work.id} has not ended: {what_is_left(hands, work)}")
        return STOPPED_STATUS
    return 0 if outcome is not None and outcome.how == "promoted" else NOT_PROMOTED_STATUS


def _stop(number: int, _: object) -> None:
    """At once, as a crash would: every step is put down before the next one begins, and may be at work for hours."""
    print("stopped; what was begun goes on when this is started again", flush=True)
    os._exit(0 if number == signal.SIGTERM else STOPPED_STATUS)


def _hands(
    config: Path, model: str | None, loop: Path | None, gates: Path | None, base: Path | None, by: str | None
) -> tuple[Hands, Loop]:
    """What is wrong with any of it is said now, and not in the middle of the night."""
    from training.collecting.old_rows import read_base
    from training.loop import loop_from
    from training.making.asked import asked_by_config
    from training.making.revision import code_revision
    from training.reports.gate_files import rules_from
    from training.retraining.hands import Hands
    from training.retraining.shelf import Shelf
    from training.rollout.wishes import Wishes

    settings: Settings = given_settings()
    wanted, rules = loop_from(loop), rules_from(gates, RULES_FILE)
    revision = code_revision(settings.code_revision, Path(__file__).parent)
    asked_by_config(config, None, model, None, None, {}, revision, datetime.now(UTC))
    if base is not None:
        read_base(base)
    events, publisher = model_events_of(settings), publisher_of(settings)
    if events is None or publisher is None:
        raise SettingsError("predictions, labels and alerts are on Kafka: set TRAINING_BOOTSTRAP=host:port")
    events.check()
    steps, limits = wanted.rollout.steps, wanted.rollout.limits
    wishes = Wishes(steps, limits, by or somebody(), settings.approve, lambda line: say([line]))
    hands = Hands(
        registered=registered_of(settings, model),
        events=events,
        publisher=publisher,
        tools=tools(),
        shelf=Shelf(settings.work),
        config=config,
        gates=rules,
        rollout=wishes,
        base=base,
        code_revision=revision,
    )
    hands.check()
    return hands, wanted
