"""Stage 1: the windows of one source partition, counted exactly once whatever crashes.

The law: state and offset are one. Each batch's windows are stored before the meta record, each with the offset it
reaches, so whatever part of a batch's records a crash lets through, reading the batch again gives the same state.
What decides about an event (watermark, sequences) is in the meta record only, so it is decided alike again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from contracts.baseline import Baseline
from contracts.errors import InvalidMessage
from contracts.partials import Heartbeat, PartialAggregate, encode_partial
from stream_app.windowing.decoding import Decoded
from stream_app.windowing.ledger import Group, Ledger
from stream_app.windowing.open_window import OpenWindow
from stream_app.windowing.state import (
    MetaKey,
    PartitionMeta,
    VersionAccount,
    WindowKey,
    decode_meta,
    decode_part,
    encode_meta,
    meta_key,
    parse_key,
    window_key,
)
from stream_app.windowing.tumbling import WindowConfig
from stream_app.windowing.typed import Version


class OtherLength(InvalidMessage):
    """An open window is not as long as windows are set to be; the text names it, the setting and what to do."""


class Touched(msgspec.Struct, frozen=True):
    """What a batch did. keys: windows to store; the rest are this batch's numbers, for the metrics."""

    keys: tuple[WindowKey, ...] = ()
    counted: int = 0
    late: int = 0
    repeats: int = 0
    redelivered: int = 0
    refused: int = 0


class Partition:
    """Stage 1 state of one source partition; see the module's head.

    The order the shell keeps: dead letters acknowledged; apply(); write stored(touched.keys) without an await between;
    send due(); on each acknowledgement delete acknowledged(partial); heartbeat().
    """

    def __init__(self, number: int, config: WindowConfig) -> None:
        self.number = number
        self._config = config
        self._ledger = Ledger(number, config)
        self._windows: dict[WindowKey, OpenWindow] = {}
        # How many of them end when: few ends, for any number of windows.
        self._ends: Counter[int] = Counter()
        # Windows that a crash left ahead of the meta record: events up to these offsets are in them already.
        self._ahead: dict[WindowKey, int] = {}

    @classmethod
    def restore(
        cls, number: int, config: WindowConfig, stored: Iterable[tuple[bytes, bytes]], baselines: Mapping[str, Baseline]
    ) -> Partition:
        """The partition whose records these are; other partitions' are passed over. baselines: by digest.

        Raises InvalidMessage when a record cannot be read or its counts do not fit their baseline, OtherLength when
        its window is not as long as windows are now: open windows cannot change their size.
        """
        partition = cls(number, config)
        for key, value in stored:
            parsed = parse_key(key)
            if parsed.partition != number:
                continue
            if isinstance(parsed, MetaKey):
                partition._ledger = Ledger.of(decode_meta(value), config)
            else:
                partition._open(_reopened(decode_part(value), config, baselines))
        last = partition._ledger.last_offset
        partition._ahead = {key: window.offset for key, window in partition._windows.items() if window.offset > last}
        return partition

    @property
    def watermark(self) -> int | None:
        """Milliseconds UTC; None before the first event."""
        return self._ledger.watermark.value

    @property
    def next_offset(self) -> int | None:
        """The source offset to read next; None before the first record."""
        return None if self._ledger.first_offset is None else self._ledger.last_offset + 1

    @property
    def open_windows(self) -> int:
        """Windows not yet acknowledged by stage 2's topic."""
        return len(self._windows)

    @property
    def accounts(self) -> dict[Version, VersionAccount]:
        """What became of the events of each (model, version)."""
        return self._ledger.accounts

    @property
    def meta(self) -> PartitionMeta | None:
        """The meta record as of now; None before the first record."""
        return self._ledger.meta

    def gap(self, first_offset: int) -> int | None:
        """The offset that should have come, when a batch beginning here leaves a hole: read again from there."""
        expected = self.next_offset
        return expected if expected is not None and first_offset > expected else None

    def apply(self, decoded: Decoded, first_offset: int, last_offset: int) -> Touched:
        """Count a batch: all records from first_offset to last_offset of this partition, in order. Changes memory only.

        Offsets between the two without a record are booked as absent, so first_offset is the expected one when what
        lies before the batch's first record is known not to be in the log.

        Raises ValueError while versions are unknown: decode again with final=True first.
        """
        if decoded.unknown_offsets:
            raise ValueError(f"{len(decoded.unknown_offsets)} events of unknown versions: decode with final=True first")
        last = self._ledger.last_offset
        accepted = decoded.accepted.behind(last)
        refused = [letter for letter in decoded.refused if letter.offset > last]
        redelivered = len(decoded.accepted) - len(accepted) + len(decoded.refused) - len(refused)
        self._ledger.refuse(refused)
        groups, late, repeats = self._ledger.decide(accepted)
        keys = [key for group in groups if (key := self._count(group)) is not None]
        self._ledger.passed(first_offset, last_offset, len(accepted) + len(refused))
        if self._ahead and self._ledger.last_offset >= max(self._ahead.values()):
            self._ahead = {}
        counted = len(accepted) - late - repeats
        return Touched(tuple(keys), counted, late, repeats, redelivered, len(refused))

    def _count(self, group: Group) -> WindowKey | None:
        """Add a batch's events to their window; the window's key when it changed."""
        baseline, start, events = group
        key = WindowKey(self.number, baseline.model, baseline.version, start)
        if key in self._ahead:
            events = events.behind(self._ahead[key])
            if not len(events):
                return None
        window = self._windows.get(key) or self._open(OpenWindow.empty(key, start + self._config.size_ms, baseline))
        window.add(events)
        return key

    def _open(self, window: OpenWindow) -> OpenWindow:
        self._windows[window.key] = window
        self._ends[window.end] += 1
        return window

    def stored(self, keys: Iterable[WindowKey] = ()) -> list[tuple[bytes, bytes]]:
        """Records to write, in this order: the windows named, then the meta record (none before the first batch)."""
        meta = self.meta
        if meta is None:
            return []
        windows = [(window_key(key), encode_partial(self._windows[key].partial())) for key in keys]
        return [*windows, (meta_key(self.number), encode_meta(meta))]

    @property
    def ended(self) -> int:
        """How many windows due() has. Cheap: asked after every batch."""
        return sum(self._ends[end] for end in self._over())

    def due(self) -> list[PartialAggregate]:
        """The final counts of windows that are over and not yet acknowledged, by start: to be sent to stage 2."""
        over = set(self._over())
        ended = [window for window in self._windows.values() if window.end in over] if over else []
        return [window.partial() for window in sorted(ended, key=lambda window: (window.key.window_start, window.key))]

    def acknowledged(self, partial: PartialAggregate) -> bytes:
        """The broker has this partial: forget its window. Returns the key of the record to delete."""
        key = WindowKey(self.number, partial.model, partial.version, partial.window_start)
        window = self._windows.pop(key, None)
        if window is not None:
            self._ends -= Counter((window.end,))  # also forgets an end that no window has any more
        return window_key(key)

    def idle(self, now_ms: int) -> bool:
        """Nothing was read for a while and nothing waits: let time pass so that open windows end.

        now_ms: the clock by which events are stamped. Returns whether the watermark moved: then write stored()
        durably before the next heartbeat, or a crash would take back what stage 2 was told. Never beyond the end of
        the last open window, so a producer that starts later on a slower clock is not late for that reason.
        """
        if self._ahead or not self._windows:
            return False
        return self._ledger.watermark.advance_idle(min(now_ms - self._config.lateness_ms, max(self._ends)))

    def heartbeat(self, generation: int, partitions: int, silent: bool) -> Heartbeat:
        """How far this partition is. silent: nothing was read for a while and nothing waits.

        Held back before the end of windows that are over but not acknowledged: a heartbeat must not overtake a partial.
        """
        over = self._over()
        return Heartbeat(
            partition=self.number,
            partitions=partitions,
            generation=generation,
            watermark=min(over) - 1 if over else self.watermark,
            idle=silent and not self._windows,
        )

    def _over(self) -> list[int]:
        return [end for end in self._ends if self._ledger.watermark.passed(end)]


def _reopened(part: PartialAggregate, config: WindowConfig, baselines: Mapping[str, Baseline]) -> OpenWindow:
    length = part.window_end - part.window_start
    if length != config.size_ms:
        raise OtherLength(
            f"partition {part.partition} has an open window of {part.model}/{part.version} of {_seconds(length)} s, "
            f"windows are set to {_seconds(config.size_ms)} s: set STREAM_WINDOW_SECONDS={_seconds(length)} until all "
            "windows are closed, or choose another STREAM_APP_ID to count everything anew"
        )
    return OpenWindow.of(part, baselines)


def _seconds(ms: int) -> str:
    """As a setting takes them.

    >>> _seconds(31 * 86_400_000), _seconds(2_500)
    ('2678400', '2.5')
    """
    return str(ms // 1000 if ms % 1000 == 0 else ms / 1000)
