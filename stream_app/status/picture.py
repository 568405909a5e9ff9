"""The picture: every source partition, model version and partition of stage 2 at one moment. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from contracts.times import UtcTime, moment
from stream_app.status.hearing import Heard
from stream_app.windowing.merged_state import VersionRecord

NOBODY = "-"
_CLOCKS_DIFFER_MS = 3_000


class Meta(Protocol):
    """The position of a source partition."""

    @property
    def partition(self) -> int: ...
    @property
    def last_offset(self) -> int: ...
    @property
    def watermark(self) -> int | None: ...


class Open(Protocol):
    """A window that stage 1 has not handed on, or not for the last time."""

    @property
    def partition(self) -> int: ...


class Part(Protocol):
    """What stage 2 has of a window from one source partition."""

    @property
    def model(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def window_start(self) -> int: ...
    @property
    def window_end(self) -> int: ...


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One worker as the group's coordinator knows it. host: its address. source, merging: partitions of the topics
    `predictions` and `window-partials`.
    """

    id: str
    host: str
    source: tuple[int, ...]
    merging: tuple[int, ...]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was read. now: milliseconds UTC. group, group_state: its name, and as Kafka says it.

    logs, merging_logs: (start, end) of each partition of `predictions` and `window-partials`; merging_committed: the
    group's offsets there. metas, open_windows: the state of stage 1; versions, parts: of stage 2. unreadable: records
    among the heartbeats that are none, and no partial counts either. counts: the topic that is counted. clock_ahead:
    milliseconds by which this machine's clock is ahead of the workers', 0 where nobody looked.
    """

    now: int
    group: str
    group_state: str
    members: tuple[Member, ...]
    logs: Mapping[int, tuple[int, int]]
    merging_logs: Mapping[int, tuple[int, int]]
    merging_committed: Mapping[int, int]
    heard: Mapping[int, Heard]
    metas: tuple[Meta, ...]
    open_windows: tuple[Open, ...]
    versions: tuple[VersionRecord, ...]
    parts: tuple[Part, ...]
    unreadable: int = 0
    counts: str = "predictions"
    clock_ahead: int = 0


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One source partition. owner: the worker's name, `-` for nobody. watermark: how far its event time is.

    delay_seconds: the clock minus the watermark. lag: offsets on the log that are not counted. open_windows: of all
    model versions. idle: silent, and nobody waits for it. heard_seconds: since the last heartbeat; None: none lately.
    generation: of the group, by that heartbeat.
    """

    partition: int
    owner: str
    host: str
    watermark: UtcTime | None
    delay_seconds: float | None
    lag: int
    open_windows: int
    idle: bool
    heard_seconds: float | None
    generation: int | None


class Stage2(msgspec.Struct, frozen=True, kw_only=True):
    """One partition of `window-partials`. lag: messages that are not merged (or not committed) yet."""

    partition: int
    owner: str
    host: str
    lag: int


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One model version. pending: windows that stage 2 has parts of; oldest_pending, last_report: their starts.

    oldest_end: where the oldest pending window ends.
    """

    model: str
    version: str
    pending: int
    oldest_pending: UtcTime | None
    oldest_end: UtcTime | None
    reports: int
    last_report: UtcTime | None


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. workers: how many are in the group. notes: what is good to know and holds nothing back. counts: the
    topic that is counted: `predictions` or `labels`.
    """

    at: UtcTime
    group: str
    group_state: str
    workers: int
    partitions: tuple[Source, ...]
    stage2: tuple[Stage2, ...]
    versions: tuple[Version, ...]
    notes: tuple[str, ...] = ()
    counts: str = "predictions"

    @property
    def concerns_somebody(self) -> bool:
        """Whether there is anything to see: a worker, or something that was counted or waits to be."""
        counted = any(source.watermark is not None or source.lag for source in self.partitions)
        return bool(self.workers or counted or self.versions)

    @property
    def rebalancing(self) -> bool:
        """Whether partitions are being handed out."""
        return "rebalanc" in self.group_state.lower()


def picture_of(seen: Seen) -> Picture:
    """Put together what was read."""
    names = _names(seen)
    metas = {meta.partition: meta for meta in seen.metas}
    windows: dict[int, int] = {}
    for part in seen.open_windows:
        windows[part.partition] = windows.get(part.partition, 0) + 1
    return Picture(
        at=moment(seen.now),
        group=seen.group,
        group_state=seen.group_state,
        workers=len(seen.members),
        partitions=tuple(
            _source(seen, number, log, metas.get(number), windows.get(number, 0), names)
            for number, log in sorted(seen.logs.items())
        ),
        stage2=tuple(
            Stage2(
                partition=number,
                owner=names.get(member.id, member.id) if member else NOBODY,
                host=member.host if member else "",
                lag=max(0, end - max(start, seen.merging_committed.get(number, start))),
            )
            for number, (start, end) in sorted(seen.merging_logs.items())
            for member in [next((member for member in seen.members if number in member.merging), None)]
        ),
        versions=_versions(seen),
        notes=tuple(_notes(seen)),
        counts=seen.counts,
    )


def _notes(seen: Seen) -> Iterator[str]:
    if seen.unreadable:
        records = "1 record is" if seen.unreadable == 1 else f"{seen.unreadable:,} records are"
        topic = "window-partials" if seen.counts == "predictions" else "label-partials"
        yield f"{records} left out: on {topic}, lately, and neither counts nor a heartbeat; see dead-letters"
    if abs(seen.clock_ahead) > _CLOCKS_DIFFER_MS:
        where, wrong = ("ahead of", "great") if seen.clock_ahead > 0 else ("behind", "small")
        yield (
            f"this machine's clock is about {abs(seen.clock_ahead) / 1000:,.0f} s {where} the workers': what is behind "
            f"the clock is shown too {wrong}"
        )


def _names(seen: Seen) -> dict[str, str]:
    """Member id -> the name that the heartbeats of its partitions give; the id itself where none was heard."""
    names = {}
    for member in seen.members:
        heard = [seen.heard[number] for number in member.source if number in seen.heard]
        newest = max(heard, key=lambda one: (one.heartbeat.generation, one.at), default=None)
        names[member.id] = newest.heartbeat.owner if newest is not None and newest.heartbeat.owner else member.id
    return names


def _source(
    seen: Seen,
    number: int,
    log: tuple[int, int],
    meta: Meta | None,
    open_windows: int,
    names: Mapping[str, str],
) -> Source:
    member = next((member for member in seen.members if number in member.source), None)
    heard, (start, end) = seen.heard.get(number), log
    known = [heard.heartbeat.watermark if heard else None, meta.watermark if meta else None]
    watermark = max((ms for ms in known if ms is not None), default=None)
    return Source(
        partition=number,
        owner=names.get(member.id, member.id) if member else NOBODY,
        host=member.host if member else "",
        watermark=None if watermark is None else moment(watermark),
        delay_seconds=None if watermark is None else (seen.now - watermark) / 1000,
        lag=max(0, end - (start if meta is None else max(start, meta.last_offset + 1))),
        open_windows=open_windows,
        idle=heard is not None and heard.heartbeat.idle,
        heard_seconds=None if heard is None else max(0, seen.now - heard.at) / 1000,
        generation=None if heard is None else heard.heartbeat.generation,
    )


def _versions(seen: Seen) -> tuple[Version, ...]:
    records = {(record.model, record.version): record for record in seen.versions}
    pending: dict[tuple[str, str], dict[int, int]] = {version: {} for version in records}
    for part in seen.parts:
        version = part.model, part.version
        horizon = records[version].horizon if version in records else None
        if horizon is None or part.window_start > horizon:
            pending.setdefault(version, {})[part.window_start] = part.window_end
    found = []
    for (model, version_), windows in sorted(pending.items()):
        record = records.get((model, version_), VersionRecord(model=model, version=version_))
        oldest = min(windows, default=None)
        found.append(
            Version(
                model=model,
                version=version_,
                pending=len(windows),
                oldest_pending=None if oldest is None else moment(oldest),
                oldest_end=None if oldest is None else moment(windows[oldest]),
                reports=record.reports,
                last_report=None if record.horizon is None else moment(record.horizon),
            )
        )
    return tuple(found)
