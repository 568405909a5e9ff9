"""`python -m stream_app`: worker, performance, sink; topics, audit, status, reports, replay, mute. By STREAM_*."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and sys.argv[1:2] in (["worker"], ["performance"], ["sink"]) and sys.argv[2:3] != ["replay"]:
    # Before the imports, which take most of a second: told to stop while they run, it stops, and that is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_app import admin, interactive
from stream_app.alerting.command import sink
from stream_app.audit import table as audit_table
from stream_app.audit.label_reading import audit_labels
from stream_app.audit.reading import audit
from stream_app.errors import StreamError
from stream_app.label_telemetry import LabelTelemetry
from stream_app.log_lines import log_to_stderr
from stream_app.muting import command as muting
from stream_app.replay.command import replay
from stream_app.reports import command as reports
from stream_app.settings import StreamSettings, load_settings, slips
from stream_app.status import table as status_table
from stream_app.status.counted import labels as counted_labels
from stream_app.status.counted import predictions
from stream_app.status.picture import Picture, picture_of
from stream_app.status.reading import reading
from stream_app.status.watching import Watch
from stream_app.telemetry import Telemetry
from stream_app.topic_layout import check_layout

if TYPE_CHECKING:
    from stream_app.lifecycle import Job

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # a plain traceback: typer's own may show the values of variables, a sink's secrets too
    pretty_exceptions_enable=False,
    help="Watches predictions for drift. Settings come from the environment: STREAM_BOOTSTRAP and other STREAM_*.",
)
cli.command()(replay)
cli.add_typer(sink, name="sink", short_help="Deliver alerts to a sink; or send again what could not be delivered.")
log = logging.getLogger("stream_app")


@cli.command()
def worker() -> None:
    """Count predictions, compare windows and write alerts, until SIGTERM or SIGINT."""
    _run(_work)


@cli.command()
def performance() -> None:
    """Count labels into windows of their predictions and report performance, until SIGTERM or SIGINT."""
    _run(_perform)


@cli.command()
def topics(
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Of the topic `predictions`, where it does not exist yet.")
    ] = None,
) -> None:
    """Create the topics that are missing; may be called again at any time."""

    async def create(settings: StreamSettings) -> int:
        async with interactive.connected(settings, _say) as client:
            outcomes = await admin.create(client, settings, partitions)
        width = max(len(outcome.name) for outcome in outcomes)
        for outcome in outcomes:
            line = f"{outcome.name:{width}}  {outcome.partitions:3} partitions  {outcome.state:10}  {outcome.detail}"
            print(line.rstrip())
        if any(outcome.state == "mismatched" for outcome in outcomes):
            _say("a topic has another shape than it must have: its line says what mends it")
            return 2
        return 0

    _ask(create)


@cli.command("audit")
def audit_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of the tables.")] = False,
    answered: Annotated[
        Path | None, typer.Option(help="A file of prediction ids, one in a line: each must be on `predictions`.")
    ] = None,
    recount: Annotated[
        bool, typer.Option("--recount", help="Count `predictions` again, to find window, partition and offsets.")
    ] = False,
) -> None:
    """Check that every record is accounted for. Exit status 1 when something does not balance."""

    async def check(settings: StreamSettings) -> int:
        ids = None if answered is None else _lines(answered)
        async with interactive.connected(settings, _say) as client:
            check_layout(settings, existing := await admin.partitions(client))
            result = await audit(settings, ids, recount=recount)
            labels = await audit_labels(settings) if settings.labels_topic in existing else None
        if as_json:
            print(audit_table.as_json(result, labels))
        else:
            print(
                audit_table.as_text(result),
                *([] if labels is None else ["", audit_table.labels_as_text(labels)]),
                sep="\n",
            )
        return 0 if result.balanced and (labels is None or labels.balanced) else 1

    _ask(check)


@cli.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object in a line instead of the tables.")] = False,
    watch: Annotated[float | None, typer.Option(min=0.2, help="Show it again every so many seconds.")] = None,
) -> None:
    """Show partitions, workers and pending windows as they are now, and what holds time back."""

    def printed(pictures: Sequence[Picture]) -> None:
        if as_json:
            print(status_table.as_json(*pictures), flush=True)
        else:
            end = "\n" if watch is None else "\n\n"
            print("\n\n".join(map(status_table.as_text, pictures)), end=end, flush=True)

    async def show(settings: StreamSettings) -> int:
        watching = Watch(printed, _say)
        async with interactive.connected(settings, _say, watching.shown) as client:
            check_layout(settings, existing := await admin.partitions(client))
            async with AsyncExitStack() as readers:
                reader = await readers.enter_async_context(reading(settings, client, existing, predictions(settings)))
                labels = None
                if settings.labels_topic in existing:
                    labels = await readers.enter_async_context(
                        reading(settings, client, existing, counted_labels(settings))
                    )

                async def read() -> list[Picture]:
                    pictures = [picture_of(await reader.read())]
                    if labels is not None and (found := picture_of(await labels.read())).concerns_somebody:
                        pictures.append(found)
                    return pictures

                if watch is None:
                    await watching.once(read)
                else:
                    client.waiting = client.waiting.silent()  # the watch says once what each round would say anew
                    await watching.go_on(read, watch, lambda: client.trouble)
                return 0

    _ask(show) if watch is None else _ask(show, lambda number: 0)  # a signal is how a watch ends


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except FileNotFoundError as error:
        raise StreamError(f"--answered {path}: there is no such file") from error
    except OSError as error:
        raise StreamError(f"--answered {path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise StreamError(f"--answered {path}: cannot be read: {error}") from error


async def _work(settings: StreamSettings) -> int:
    from stream_app import lifecycle  # Faust takes half a second to import

    return await _serve(settings, telemetry := Telemetry(), lifecycle.Worker(settings, telemetry))


async def _perform(settings: StreamSettings) -> int:
    from stream_app.performing import Performance

    return await _serve(settings, telemetry := LabelTelemetry(), Performance(settings, telemetry))


async def _serve(settings: StreamSettings, telemetry: Telemetry, job: Job) -> int:
    from stream_app import lifecycle
    from stream_app.delivery.allocation import give_back_now_and_then, keep_freed_memory
    from stream_app.delivery.garbage import collect_seldom

    keep_freed_memory()
    give_back_now_and_then()
    collect_seldom()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if settings.metrics_port is not None:
        log.info("metrics on port %s", telemetry.serve(settings.metrics_port))
    await lifecycle.run(settings, job, stop, _insist)
    return 0


def _insist(seconds: float, status: int) -> None:
    """End this process after so many seconds, should it still be there: see stream_app/lifecycle.py."""
    end = threading.Timer(seconds, os._exit, [status])
    end.daemon = True
    end.start()


def _run(command: Callable[[StreamSettings], Coroutine[Any, Any, int]]) -> None:
    """Settings, log and the event loop for a command; an error of ours becomes one line and exit status 2."""
    for line in slips(os.environ):
        _say(line)
    try:
        settings = load_settings()
        log_to_stderr(settings.log_level)
        raise typer.Exit(asyncio.run(command(settings)))
    except StreamError as error:
        _say(str(error))
        raise typer.Exit(2) from None


def _ask(
    command: Callable[[StreamSettings], Coroutine[Any, Any, int]],
    status_of: Callable[[int], int] = interactive.SIGNALLED.__add__,
) -> None:
    """A command that somebody waits for: SIGTERM and SIGINT end it at once, with status_of(the signal)."""

    async def run(settings: StreamSettings) -> int:
        interactive.mute_library(settings)
        return await interactive.until_signalled(command(settings), _insist, status_of)

    _run(run)


def _say(line: str) -> None:
    print(f"stream_app: {line}", file=sys.stderr)


reports.add_to(cli, _ask, _say)
muting.add_to(cli, _ask, _say)

if __name__ == "__main__":
    cli()
