"""Recount: every record of `predictions` that stage 1 has read, counted again by window and source partition. Pure.

What a report counts of one source partition is known by its last offset there: events come to a window in the order of
their offsets, until its end has passed in that partition. So all of the window's events up to that offset must be in
the report, and all behind it must be late. Both are compared, and by source partition what was counted and late.

Repeats are recognised as stage 1 does; what is on dead-letters counts as refused, but for what was counted after all
(letters.py). Where retention has deleted records that were read, only too many can be seen, not too few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from contracts.errors import InvalidEvent
from contracts.events import Envelope, decode_envelope, event_time_ms
from stream_app.audit.claims import claims_of
from stream_app.audit.found import Found
from stream_app.audit.letters import counted_after_all
from stream_app.errors import SettingsError
from stream_app.windowing.sequences import Sequences
from stream_app.windowing.tumbling import WindowConfig, window_start
from stream_app.windowing.typed import Version
from stream_app.windowing.watermark import Watermark


class Tally(msgspec.Struct):
    """Events, and the offsets of the first and the last of them."""

    rows: int = 0
    first: int = -1
    last: int = -1

    def add(self, offset: int) -> None:
        """One more event; offsets rise."""
        self.rows, self.last = self.rows + 1, offset
        if self.first < 0:
            self.first = offset


class SeenPartition:
    """What was found in one source partition."""

    def __init__(self, lateness_ms: int) -> None:
        self.records = 0
        self.unlettered: list[int] = []
        self.sequences, self.watermark = Sequences(), Watermark(lateness_ms)
        self.events: defaultdict[Version, Tally] = defaultdict(Tally)
        self.repeats: defaultdict[Version, Tally] = defaultdict(Tally)


class Recount:
    """Give it the records with add(), of each partition in the order of their offsets; comparison.py has the rest."""

    def __init__(self, found: Found, windows: WindowConfig) -> None:
        self.found, self.windows = found, windows
        self.metas = {meta.partition: meta for meta in found.metas}
        self.claims = claims_of(found)
        self.after_all = {meta.partition: counted_after_all(found.letters, meta) for meta in found.metas}
        self.seen: dict[int, SeenPartition] = {number: SeenPartition(windows.lateness_ms) for number in self.metas}
        # By (model, version, start of the window) and source partition: up to the last offset of the report, behind it,
        # and of the latter those that no earlier event's time makes late.
        self.within: defaultdict[tuple[Version, int], dict[int, Tally]] = defaultdict(dict)
        self.behind: defaultdict[tuple[Version, int], dict[int, Tally]] = defaultdict(dict)
        self.in_time: defaultdict[tuple[Version, int], dict[int, Tally]] = defaultdict(dict)

    @property
    def records(self) -> int:
        """Records counted again so far."""
        return sum(seen.records for seen in self.seen.values())

    def add(self, partition: int, records: Iterable[tuple[int, bytes | None]]) -> None:
        """Offsets and values of records. What stage 1 has not read is passed over."""
        meta = self.metas.get(partition)
        if meta is None:
            return
        seen = self.seen[partition]
        refused = self.found.letters.refused.get(partition, frozenset()) - self.after_all[partition]
        events: list[tuple[int, Envelope]] = []
        for offset, value in records:
            if not meta.first_offset <= offset <= meta.last_offset:
                continue
            seen.records += 1
            if offset in refused:
                continue
            try:
                events.append((offset, decode_envelope(value or b"")))
            except InvalidEvent:
                seen.unlettered.append(offset)
        repeated = set(seen.sequences.repeated([event.id for _, event in events]))
        for position, (offset, event) in enumerate(events):
            version = event.model, event.model_version
            if position in repeated:
                seen.repeats[version].add(offset)
            else:
                seen.events[version].add(offset)
                self._place(partition, version, offset, event_time_ms(event), seen.watermark)

    def _place(self, partition: int, version: Version, offset: int, time_ms: int, watermark: Watermark) -> None:
        start = window_start(time_ms, self.windows.size_ms)
        key, late = (version, start), watermark.passed(start + self.windows.size_ms)
        if not late:
            watermark.observe(time_ms)
        claim = self.claims.get(key)
        if claim is not None and claim.holds(partition, offset):
            self.within[key].setdefault(partition, Tally()).add(offset)
            return
        self.behind[key].setdefault(partition, Tally()).add(offset)
        if not late:
            self.in_time[key].setdefault(partition, Tally()).add(offset)

    @property
    def other_sizes(self) -> set[int]:
        """Lengths of windows that are not the present one: their events belong to windows that are not recounted."""
        return self._sizes() - {self.windows.size_ms}

    def check(self) -> None:
        """Raises SettingsError when there are windows, and none of the present length: it is not the workers'."""
        if (sizes := self._sizes()) and self.windows.size_ms not in sizes:
            words = ", ".join(f"{size / 1000:g}" for size in sorted(sizes))
            raise SettingsError(
                f"STREAM_WINDOW_SECONDS: the windows of this group are of {words} s, none is of "
                f"{self.windows.size_ms / 1000:g} s: set it, and STREAM_LATENESS_SECONDS, as the workers have them"
            )

    def _sizes(self) -> set[int]:
        found = self.found
        reported = {
            report.window_end - start for windows in found.reports.values() for start, report in windows.items()
        }
        return reported | {part.window_end - part.window_start for part in (*found.open_windows, *found.parts)}

    def complete(self, number: int) -> bool:
        """Whether the log still holds all that stage 1 has read of this source partition."""
        log = self.found.predictions.get(number)
        return log is not None and log.start <= self.metas[number].first_offset
