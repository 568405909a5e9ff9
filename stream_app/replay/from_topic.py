"""The steps of a topic's replay: which offsets are read, which windows are cut, and how far time passes at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from contracts.mutes import Mute
from contracts.topics import BASELINES
from stream_app.errors import ReplayError
from stream_app.replay import topic
from stream_app.replay.clocked import ClockedReplay
from stream_app.replay.judging import Judges, Verdict
from stream_app.replay.known import KnownBaselines, check_fit
from stream_app.replay.refusals import Place
from stream_app.replay.request import Request
from stream_app.replay.spans import Held, Span, by_offset, by_time
from stream_app.replay.topic import TopicReader


class TopicSource:
    """An opened topic whose replay has not begun. empty: what to say when nothing is in the range. at_end: all
    has been counted. sortable: never, a topic is counted in the order of its records' times.
    """

    def __init__(
        self,
        request: Request,
        reader: TopicReader,
        spans: Mapping[int, Span],
        known: KnownBaselines,
        mutes: Sequence[Mute],
        cut_until: int | None,
        now: Callable[[], int],
    ) -> None:
        self._request, self._reader, self._spans, self._now = request, reader, spans, now
        self.judges = Judges(
            request.plan.judgements, known.by_digest, mutes=mutes, cut_until=cut_until, keep_cut=request.keep_cut
        )
        self.replay = ClockedReplay(
            request.plan,
            known,
            self.judges,
            starts={number: span.first for number, span in spans.items()},
            ends={number: span.end for number, span in spans.items() if span.goes_on},
        )
        self.empty = "no record is in the range"
        self.place: Place = "offset"
        self.at_end, self.sortable = False, False

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, request: Request, say: Callable[[str], None], now: Callable[[], int]
    ) -> AsyncIterator[TopicSource]:
        """now: the wall clock, milliseconds UTC. Raises StreamError."""
        settings = request.settings
        async with topic.topics(settings, say) as existing:
            changes = []
            if not request.baselines or settings.topic(BASELINES) in existing:
                changes = await topic.baseline_changes(settings, existing, say)
            known = KnownBaselines(changes, given=request.baselines, strict=request.strict)
            mutes = await topic.mutes(settings, existing, say) if request.mutes is None else request.mutes
            async with topic.opened(settings, topic.predictions(settings), existing) as reader:
                logs = await reader.logs(request.since, request.before)
                if request.offsets is not None:
                    spans = by_offset(logs, request.offsets)
                else:
                    spans = by_time(logs, since=request.since is not None, before=request.before is not None)
                _check(spans, logs, request)
                yield cls(request, reader, spans, known, mutes, await _cut(request, reader, spans, logs), now)

    async def steps(self) -> AsyncIterator[list[Verdict]]:
        """What each step found. Raises StreamError."""
        unchecked = set(self._spans)
        async for batch in self._reader.read(self._spans):
            if batch.records and batch.number in unchecked:
                check_fit((record.value for record in batch.records), self._request.baselines)
                unchecked.remove(batch.number)
            self.replay.offer(batch.number, batch.records)
            yield self.replay.advance(batch.floor)
        found = self.replay.finish(self._end())
        self.at_end = True
        yield found

    def _end(self) -> int:
        """How far time passes behind the last record: to the end asked for; at the end of the log, to now."""
        if self._request.before is not None:
            return min(self._request.before, self._now())
        return 0 if any(span.goes_on for span in self._spans.values()) else self._now()


def _check(spans: Mapping[int, Span], logs: Mapping[int, Held], request: Request) -> None:
    if any(span.end > span.first for span in spans.values()):
        return
    held = sum(log.end - log.start for log in logs.values())
    name = topic.predictions(request.settings)
    if not held:
        raise ReplayError(f"nothing to replay: topic {name} is empty")
    asked = [
        f"{option} {datetime.fromtimestamp(ms / 1000, UTC).isoformat()}"
        for option, ms in (("--from", request.since), ("--to", request.before))
        if ms is not None
    ]
    raise ReplayError(f"nothing to replay: topic {name} holds {held:,} records, none of them {' '.join(asked)}")


async def _cut(
    request: Request, reader: TopicReader, spans: Mapping[int, Span], logs: Mapping[int, Held]
) -> int | None:
    """The greatest event time that a record before the range may have: a window that starts at or before it is cut.

    Where the records before the range are still there, the last of them tell; where they are deleted, the first of the
    range does, and records before it may have been ahead of it by the allowed lateness.
    """
    greatest: int | None = None
    for number, span in spans.items():
        lead = await reader.before(number, span, logs[number])
        time_ms = topic.greatest_time(lead, request.plan.limits)
        if time_ms is None:
            continue
        if span.first == logs[number].start:
            time_ms += request.plan.windows.lateness_ms
        greatest = time_ms if greatest is None else max(greatest, time_ms)
    return greatest
