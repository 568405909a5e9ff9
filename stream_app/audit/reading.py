"""Reads what the audit compares: `predictions`, the state topics, `drift-reports` and `dead-letters`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from contracts.dead_letters import decode_dead_letter
from contracts.errors import InvalidMessage
from contracts.reports import decode_report
from contracts.topics import DEAD_LETTERS, DRIFT_REPORTS, PREDICTIONS
from stream_app.audit.checks import Audit, Found, Log, audited, counted_reports
from stream_app.errors import BrokerError, StateError
from stream_app.settings import StreamSettings
from stream_app.windowing.merged_state import age_of_merged, merged_of
from stream_app.windowing.state import MetaKey, age_of, decode_meta, decode_part, parse_key

Age = Callable[[bytes, bytes], tuple[int, int]]
_TRIES, _PAUSE_SECONDS = 3, 1.0


class _Id(msgspec.Struct):
    id: str


_id_of = msgspec.json.Decoder(_Id)


async def audit(settings: StreamSettings, answered: Iterable[str] | None = None) -> Audit:
    """Read and compare. answered: ids that must be on `predictions`. Raises BrokerError and StateError.

    A worker that writes while the topics are read may make it look out of balance: then it is read again.
    """
    wanted = None if answered is None else frozenset(answered)
    try:
        for attempt in range(_TRIES):
            result = audited(await _found(settings, wanted))
            if result.balanced or attempt == _TRIES - 1:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
    except KafkaError as error:
        raise BrokerError(f"Kafka at {settings.bootstrap}: {error}") from error
    except InvalidMessage as error:
        raise StateError(f"a stored record cannot be read ({error}): run the version that wrote it") from error
    return result


async def _found(settings: StreamSettings, answered: frozenset[str] | None) -> Found:
    # Stage 1 before stage 2: what moves from one to the other meanwhile is then in both, not in neither.
    counts = await _latest(settings, settings.counts_topic, age_of)
    windows = await _latest(settings, settings.windows_topic, age_of_merged)
    logs, ids = await _predictions(settings, answered)
    reports_log, reports = await _all(settings, settings.topic(DRIFT_REPORTS))
    letters_log, letters = await _all(settings, settings.topic(DEAD_LETTERS))
    merged = merged_of(windows.items())
    decoded = [decode_report(record.value or b"") for record in reports]
    refused: dict[int, set[int]] = {}
    for letter in (decode_dead_letter(record.value or b"") for record in letters):
        if letter.topic == settings.topic(PREDICTIONS):
            refused.setdefault(letter.partition, set()).add(letter.offset)
    return Found(
        predictions=logs,
        metas=tuple(decode_meta(value) for key, value in counts.items() if isinstance(parse_key(key), MetaKey)),
        open_windows=tuple(
            decode_part(value) for key, value in counts.items() if not isinstance(parse_key(key), MetaKey)
        ),
        versions=merged.versions,
        parts=merged.parts,
        closed=merged.closed,
        reports=counted_reports((report.id, (report.model, report.version), report.rows) for report in decoded),
        reports_complete=reports_log.start == 0,
        refused={number: frozenset(offsets) for number, offsets in refused.items()},
        refused_complete=letters_log.start == 0,
        answered=None if answered is None else len(answered),
        lost=() if answered is None else tuple(sorted(answered - ids)),
    )


async def _latest(settings: StreamSettings, topic: str, age: Age) -> dict[bytes, bytes]:
    """The value of each key, as a recovery takes them: an older value does not replace a younger one."""
    values: dict[bytes, bytes] = {}
    async with _reading(settings, topic) as (_, records):
        async for record in records:
            key, value = record.key or b"", record.value
            if value is None:
                values.pop(key, None)
            elif key not in values or age(key, value) >= age(key, values[key]):
                values[key] = value
    return values


async def _predictions(settings: StreamSettings, answered: frozenset[str] | None) -> tuple[dict[int, Log], set[str]]:
    """The logs, and which of the ids are on them; the records are read only if there are ids to look for."""
    found: set[str] = set()
    async with _reading(settings, settings.topic(PREDICTIONS)) as (logs, records):
        if answered:
            async for record in records:
                try:
                    id_ = _id_of.decode(record.value or b"").id
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue  # a record that is no event is nobody's answered prediction
                if id_ in answered:
                    found.add(id_)
    return logs, found


async def _all(settings: StreamSettings, topic: str) -> tuple[Log, list[ConsumerRecord]]:
    async with _reading(settings, topic) as (logs, records):
        start = max((log.start for log in logs.values()), default=0)
        return Log(start, sum(log.end for log in logs.values())), [record async for record in records]


@asynccontextmanager
async def _reading(
    settings: StreamSettings, topic: str
) -> AsyncIterator[tuple[dict[int, Log], AsyncIterator[ConsumerRecord]]]:
    """The logs of a topic's partitions, and the records up to their present ends."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=settings.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    try:
        await consumer.start()
        partitions = list(consumer.assignment())
        starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        yield {tp.partition: Log(starts[tp], ends[tp]) for tp in partitions}, _records(consumer, ends)
    finally:
        await consumer.stop()


async def _records(consumer: Any, ends: dict[TopicPartition, int]) -> AsyncIterator[ConsumerRecord]:
    while any([await consumer.position(tp) < end for tp, end in ends.items()]):
        for tp, records in (await consumer.getmany(timeout_ms=500)).items():
            for record in records:
                if record.offset < ends[tp]:
                    yield record
