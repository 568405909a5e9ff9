"""Reads what the audit compares: `predictions`, the state topics, `drift-reports` and `dead-letters`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

import msgspec
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from msgspec.structs import replace

from contracts.dead_letters import decode_dead_letter
from contracts.errors import InvalidMessage
from contracts.reports import decode_report
from contracts.topics import DEAD_LETTERS, DRIFT_REPORTS, PREDICTIONS
from stream_app.audit.checks import Audit, audited
from stream_app.audit.comparison import differences, notes
from stream_app.audit.counts import Counts
from stream_app.audit.difference import Difference
from stream_app.audit.found import Found, Log, ReportsSoFar
from stream_app.audit.letters import LettersSoFar
from stream_app.audit.recount import Recount
from stream_app.audit.standing import standing
from stream_app.errors import StateError
from stream_app.present import present, records
from stream_app.readiness import in_the_middle
from stream_app.settings import WORKER, StreamSettings
from stream_app.windowing.merged_state import age_of_merged, merged_of
from stream_app.windowing.newest import Age, Newest
from stream_app.windowing.tumbling import WindowConfig

T = TypeVar("T")
TRIES, PAUSE_SECONDS = 3, 1.0
LOOKS, LOOK_SECONDS = 5, 0.2
"""How often stage 1's state is read on until its positions have come: a batch's records may take a moment."""


class _Id(msgspec.Struct):
    id: str


_id_of = msgspec.json.Decoder(_Id)


async def audit(settings: StreamSettings, answered: Iterable[str] | None = None, *, recount: bool = False) -> Audit:
    """Read and compare. answered: ids that must be on `predictions`. Raises BrokerError and StateError.

    recount: count every record of `predictions` again, to find the window, source partition and offsets that differ.
    Raises SettingsError when the settings' windows are of another length than all that there are.
    A worker that writes while the topics are read may make it look out of balance: then it is read again, and what
    some reading does not have is a note.
    """
    wanted = None if answered is None else frozenset(answered)
    try:
        readings: list[tuple[Difference, ...]] = []
        while True:
            found = await _found(settings, wanted, places=recount)
            result = audited(found)
            readings.append(result.differences)
            if result.balanced or len(readings) == TRIES:
                break
            await asyncio.sleep(PAUSE_SECONDS)
        if not result.balanced:
            stand, moving = standing(readings)
            result = replace(result, differences=stand, notes=(*result.notes, *moving))
        if recount:
            result = await _recounted(settings, found, result)
    except KafkaError as error:
        raise in_the_middle(settings.bootstrap, error) from error
    except InvalidMessage as error:
        raise StateError(f"a stored record cannot be read ({error}): run the version that wrote it") from error
    return result


async def _recounted(settings: StreamSettings, found: Found, result: Audit) -> Audit:
    windows = WindowConfig(settings.window_seconds * 1000, round(settings.lateness_seconds * 1000))
    recount = Recount(found, windows)
    recount.check()  # before all of the topic is read in vain
    async with _reading(settings, settings.topic(PREDICTIONS)) as (_, batches):
        async for batch in batches:
            recount.add(batch[0].partition, ((record.offset, record.value) for record in batch))
    return replace(
        result,
        differences=(*result.differences, *differences(recount)),
        notes=(*result.notes, *notes(recount)),
        recounted=recount.records,
    )


async def _found(settings: StreamSettings, answered: frozenset[str] | None, *, places: bool) -> Found:
    # Stage 1 before stage 2: what moves from one to the other meanwhile is then in both, not in neither. And once more
    # behind it: what stage 2 has, stage 1 has counted.
    counts = Counts()
    ends = await _take(settings, counts, None)
    windows = await latest(settings, settings.windows_topic, age_of_merged)
    merged = merged_of(windows.items())
    counts.follow(merged.parts)
    for _ in range(LOOKS):
        ends = await _take(settings, counts, ends)
        counts.hold()
        ends = {number: end for number, end in ends.items() if not counts.level(number)}
        if not ends:
            break
        await asyncio.sleep(LOOK_SECONDS)
    logs, ids = await _predictions(settings, answered)
    reports, letters = ReportsSoFar(places=places), LettersSoFar(settings.topic(PREDICTIONS))
    reported = await each_of(settings, settings.topic(DRIFT_REPORTS), decode_report, reports.take)
    refused = await each_of(settings, settings.topic(DEAD_LETTERS), decode_dead_letter, letters.take)
    unreadable = {
        settings.topic(DRIFT_REPORTS): reported.unreadable,
        settings.topic(DEAD_LETTERS): refused.unreadable,
    }
    metas = counts.metas
    return Found(
        predictions=logs,
        exhausted=await exhausted(
            settings, settings.topic(PREDICTIONS), logs, {meta.partition: meta.last_offset + 1 for meta in metas}
        ),
        metas=metas,
        open_windows=counts.open_windows,
        versions=merged.versions,
        parts=merged.parts,
        closed=merged.closed,
        reports=reports.reports,
        reports_complete=reported.complete,
        foreign_reports=reported.foreign,
        letters=letters.letters(),
        refused_complete=refused.complete,
        answered=None if answered is None else len(answered),
        lost=() if answered is None else tuple(sorted(answered - ids)),
        unreadable={topic: number for topic, number in unreadable.items() if number},
    )


def readable(written: Iterable[ConsumerRecord], decode: Callable[[bytes], T]) -> tuple[list[T], int]:
    """The messages, and how many records are none. Anybody may write to a topic that is shared."""
    found: list[T] = []
    others = 0
    for record in written:
        try:
            found.append(decode(record.value or b""))
        except InvalidMessage:
            others += 1
    return found, others


def ours(settings: StreamSettings, record: ConsumerRecord) -> bool:
    """Whether this group of workers wrote it. Older builds did not name their group: what they wrote counts as ours."""
    source = (dict(record.headers).get("ce_source") or b"").decode(errors="replace")  # a header may have no value
    return source == settings.source or not source.startswith(f"{WORKER}/")


async def _take(settings: StreamSettings, counts: Counts, starts: Mapping[int, int] | None) -> Mapping[int, int]:
    """Read stage 1's state on from these offsets, None: all of it. Returns where its logs end."""
    async with present(settings.bootstrap, settings.counts_topic, starts) as now:
        async for record in _each(now.batches):
            counts.take(record.key or b"", record.value)
        return now.ends


async def latest(settings: StreamSettings, topic: str, age: Age) -> dict[bytes, bytes]:
    """What a state topic holds."""
    newest = Newest(age)
    async for record in records(settings.bootstrap, topic):
        newest.take(record.key or b"", record.value)
    return newest.values


async def _predictions(settings: StreamSettings, answered: frozenset[str] | None) -> tuple[dict[int, Log], set[str]]:
    """The logs, and which of the ids are on them; the records are read only if there are ids to look for."""
    found: set[str] = set()
    async with _reading(settings, settings.topic(PREDICTIONS)) as (logs, batches):
        if answered:
            async for record in _each(batches):
                try:
                    id_ = _id_of.decode(record.value or b"").id
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue  # a record that is no event is nobody's answered prediction
                if id_ in answered:
                    found.add(id_)
    return logs, found


class Passed(NamedTuple):
    """Of a topic that was read. complete: nothing was deleted from it yet. foreign: records of other groups of workers;
    unreadable: those that are no message of that topic.
    """

    complete: bool
    foreign: int
    unreadable: int


async def each_of(
    settings: StreamSettings, topic: str, decode: Callable[[bytes], T], take: Callable[[T], None]
) -> Passed:
    """Give every message that this group wrote on a topic of one partition to `take`. No record is kept: 90 days of
    reports may be gigabytes.
    """
    foreign = unreadable = 0
    async with _reading(settings, topic) as (logs, batches):
        async for record in _each(batches):
            if not ours(settings, record):
                foreign += 1
                continue
            told, others = readable([record], decode)
            unreadable += others
            for message in told:
                take(message)
    return Passed(all(log.start == 0 for log in logs.values()), foreign, unreadable)


async def exhausted(
    settings: StreamSettings, topic: str, logs: Mapping[int, Log], following: Mapping[int, int]
) -> frozenset[int]:
    """Partitions whose log ends behind the next offset, but with no record: a foreign transaction's marker is that."""
    starts = {
        number: following[number] for number, log in logs.items() if number in following and following[number] < log.end
    }
    behind = set(starts)
    if starts:
        async with present(settings.bootstrap, topic, starts) as now:
            async for batch in now.batches:
                behind.discard(batch[0].partition)
                if not behind:
                    break
    return frozenset(behind)


@asynccontextmanager
async def _reading(
    settings: StreamSettings, topic: str
) -> AsyncIterator[tuple[dict[int, Log], AsyncIterator[list[ConsumerRecord]]]]:
    """The logs of a topic's partitions, and their records."""
    async with present(settings.bootstrap, topic) as now:
        yield {number: Log(first, now.ends[number]) for number, first in now.first.items()}, now.batches


async def _each(batches: AsyncIterator[list[ConsumerRecord]]) -> AsyncIterator[ConsumerRecord]:
    async for batch in batches:
        for record in batch:
            yield record
