"""`python -m stream_app reports`: its options, and how `drift-reports` and `performance` are read."""

# No `from __future__ import annotations`: typer makes the options of them.
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer
from aiokafka.errors import KafkaError

from contracts.performance import decode_performance
from contracts.reports import decode_report
from contracts.topics import DRIFT_REPORTS, PERFORMANCE
from stream_app import admin, interactive, present
from stream_app.audit.reading import ours, readable
from stream_app.errors import TopicsError
from stream_app.readiness import in_the_middle
from stream_app.reports.picture import Newest, Report
from stream_app.settings import StreamSettings

Ask = Callable[[Callable[[StreamSettings], Coroutine[Any, Any, int]]], None]
"""Runs a command that somebody waits for, given the settings; its result is the exit status."""
Say = Callable[[str], None]
_READ: tuple[tuple[Any, Callable[[bytes], Report]], ...] = (
    (DRIFT_REPORTS, decode_report),
    (PERFORMANCE, decode_performance),
)


def add_to(cli: typer.Typer, ask: Ask, say: Say) -> None:
    """Give the command line its command. say: a line for people, on standard error."""

    @cli.command("reports")
    def reports(
        model: Annotated[str | None, typer.Option(help="Of this model alone.")] = None,
        version: Annotated[str | None, typer.Option(help="Of this version alone.")] = None,
        last: Annotated[int, typer.Option(min=1, help="So many windows of each version.")] = 5,
        as_json: Annotated[bool, typer.Option("--json", help="JSON Lines: the whole reports.")] = False,
    ) -> None:
        """Show what the newest windows say of drift and of performance, the newest last."""

        async def show(settings: StreamSettings) -> int:
            newest = Newest(last, model, version)
            left_out = await _read(settings, newest, say)
            for told in newest.as_json() if as_json else newest.lines():
                print(told)
            if (why := newest.without()) is not None:
                say(why)
            if left_out:
                say(f"note: left out: {left_out:,} of another STREAM_APP_ID, or no report")
            return 2 if newest.mistaken else 0

        ask(show)


async def _read(settings: StreamSettings, newest: Newest, say: Say) -> int:
    """Everything that is on the two topics now; how many records are not of these workers, or no reports.

    Raises BrokerError, and TopicsError where a topic is missing.
    """
    async with interactive.connected(settings, say) as client:
        existing = await admin.partitions(client)
        if missing := [name for topic, _ in _READ if (name := settings.topic(topic)) not in existing]:
            raise TopicsError(
                f"missing topics: {', '.join(missing)}; correct STREAM_TOPIC_PREFIX, or create them with "
                "`python -m stream_app topics`"
            )
        left_out = 0
        try:
            for topic, decode in _READ:
                async for record in present.records(settings.bootstrap, settings.topic(topic)):
                    told, _ = readable([record] if ours(settings, record) else [], decode)
                    left_out += not told
                    for report in told:
                        newest.add(report)
        except KafkaError as error:
            raise in_the_middle(settings.bootstrap, error) from error
    return left_out
