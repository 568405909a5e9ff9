"""`python -m stream_app sink NAME` and `sink replay`: their options. Nothing of a sink is imported before one is asked
for: a worker needs none, and a sink needs no other command.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

_NAMES = "log, file, webhook, slack, pagerduty or alertmanager"


class _Sinks(TyperGroup):
    """`sink NAME` is `sink run NAME`; so no sink may be named as a command here is."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["run", *args])


sink = typer.Typer(
    cls=_Sinks,
    no_args_is_help=True,
    add_completion=False,
    help=f"Deliver alerts. `sink NAME` runs one sink: {_NAMES}. Settings come from the environment: SINK_*.",
)


@sink.command()
def run(name: Annotated[str, typer.Argument(help=_NAMES)]) -> None:
    """Deliver alerts to one sink, until SIGTERM or SIGINT. `sink NAME` for short."""
    from stream_app.alerting.runner import run_sink

    raise typer.Exit(run_sink(name))


@sink.command()
def replay(
    name: Annotated[str | None, typer.Option("--sink", metavar="NAME", help="Only what failed at this sink.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only what was given up from then on: 2026-01-31T12:00:00Z.")
    ] = None,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="Only this: an alert, an incident or a dead letter; may be repeated."),
    ] = None,
    attempts: Annotated[int, typer.Option(min=1, help="Attempts for each alert.")] = 3,
    again: Annotated[bool, typer.Option("--again", help="Also what an earlier replay has delivered.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
) -> None:
    """Send again what could not be delivered, in order, each alert through the sink that gave it up.

    Exit status 0: all of it is delivered. 1: some is not, and stays for the next replay. 2: a setting is wrong, no dead
    letter has an id, or Kafka does not answer.
    """
    from stream_app.alerting.replaying import Selection
    from stream_app.alerting.replaying_run import Options, replay_dead_alerts

    selection = Selection(sink=name, since=_moment(since), ids=tuple(ids or ()), again=again)
    raise typer.Exit(replay_dead_alerts(Options(selection, attempts, dry_run)))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text.strip())
        if time.tzinfo is not None:
            return time
        problem = "a time without a zone; append Z for UTC, or an offset such as +01:00"
    except ValueError:
        problem = "not a time; write it as 2026-01-31T12:00:00Z"
    print(f"sink replay: --since {text}: {problem}", file=sys.stderr)
    raise typer.Exit(2)
