"""`python -m api aside list | send`: events that were too large for their topic, from the command line.

The API may run meanwhile. An event's file is removed when Kafka has it, so a command that was ended may be given again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.outbox.aside import PREDICTIONS, Aside, Kept
from api.outbox.slots import LABELS

if TYPE_CHECKING:
    from api.publishing.producer import Feed

aside = typer.Typer(
    help="List and send again what was too large for its topic.", no_args_is_help=True, pretty_exceptions_enable=False
)

_Directory = Annotated[Path, typer.Option(envvar="API_OUTBOX_DIR", help="The outbox directory.")]
_DIRECTORY = Path("var/api/outbox")
_SECONDS = 30.0
"""Until Kafka is given up."""


@aside.command("list")
def list_(directory: _Directory = _DIRECTORY) -> None:
    """List them: what, bytes, id, file. No value is shown."""
    found = list(_all(directory))
    if not found:
        typer.echo(f"nothing lies aside in {directory}", err=True)
    for what, kept in found:
        size, id_ = (len(kept.record.value), kept.record.id) if kept.record else ("-", "cannot be read")
        typer.echo(f"{what}  {size}  {id_}  {kept.file}")


@aside.command("send")
def send(
    bootstrap: Annotated[str, typer.Option(envvar="API_BOOTSTRAP", help="Kafka's addresses.")],
    topic_prefix: Annotated[str, typer.Option(envvar="API_TOPIC_PREFIX", help="Put before every topic.")] = "",
    directory: _Directory = _DIRECTORY,
) -> None:
    """Send them, once their topic takes them (max.message.bytes). Status 1: some have to stay.

    They are on the topic then, for whoever reads it. Stage 1 takes one for a repeat where it has counted later events
    of the same process and partition.
    """
    # not for the other commands
    from aiokafka.errors import KafkaError

    from api.publishing.producer import LABEL_FEED, PREDICTION_FEED

    left = 0
    for what, feed in ((PREDICTIONS, PREDICTION_FEED), (LABELS, LABEL_FEED)):
        kept = [kept for named, kept in _all(directory) if named == what]
        if kept:
            try:
                left += asyncio.run(_sent_again(kept, bootstrap, topic_prefix, feed))
            except (KafkaError, OSError) as error:  # TimeoutError is one
                typer.echo(f"api aside: not sent: {error or type(error).__name__}", err=True)
                raise SystemExit(2) from None
    raise SystemExit(1 if left else 0)


def _all(directory: Path) -> Iterator[tuple[str, Kept]]:
    if not directory.is_dir():
        typer.echo(
            f"api aside: there is no outbox directory {directory}: correct API_OUTBOX_DIR or --directory", err=True
        )
        raise SystemExit(2)
    for what in (PREDICTIONS, LABELS):
        for kept in Aside(directory, what, 0).kept():
            yield what, kept


async def _sent_again(all_kept: list[Kept], bootstrap: str, prefix: str, feed: Feed) -> int:
    """How many have to stay. Raises KafkaError, OSError."""
    from api.publishing.producer import Producer

    async with asyncio.timeout(_SECONDS):
        producer = await Producer.connect(bootstrap, prefix, feed)
    left = 0
    try:
        for file, record in all_kept:
            async with asyncio.timeout(_SECONDS):
                taken = record is not None and not await producer.send([record])
            if taken:
                file.unlink()
            else:
                left += 1
            why = "sent" if taken else "cannot be read" if record is None else "still too large for its topic"
            typer.echo(f"{file.name}: {why}")
    finally:
        await producer.close()
    return left
