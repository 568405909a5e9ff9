"""Stage 1: the windows of one source partition, counted exactly once whatever crashes.

The law: state and offset are one. Each batch's windows are stored before the meta record, each with the offset it
reaches, so whatever part of a batch's records a crash lets through, reading the batch again gives the same state.
What decides about an event (watermark, sequences) is in the meta record only, so it is decided alike again.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

import msgspec

from contracts.baseline import Baseline
from contracts.partials import Heartbeat, PartialAggregate, encode_partial
from stream_app.windowing.decoding import Accepted, Decoded
from stream_app.windowing.open_window import OpenWindow
from stream_app.windowing.sequences import Sequences
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
from stream_app.windowing.watermark import Watermark

Slot = tuple[str, str, int]
"""Model, version, window start: what siblings counted against different baselines have in common."""


_LONG_AGO = -(1 << 62)


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
        self._watermark = Watermark(config.lateness_ms)
        self._windows: dict[WindowKey, OpenWindow] = {}
        # Windows that a crash left ahead of the meta record: events up to these offsets are in them already.
        self._ahead: dict[Slot, int] = {}
        self._first_offset: int | None = None
        self._last_offset = -1
        self._read = 0
        self._sequences = Sequences()
        self._accounts: dict[tuple[str, str], VersionAccount] = {}
        self._refused: dict[str, int] = {}

    @classmethod
    def restore(
        cls, number: int, config: WindowConfig, stored: Iterable[tuple[bytes, bytes]], baselines: Mapping[str, Baseline]
    ) -> Partition:
        """The partition whose records these are; other partitions' are passed over. baselines: by digest.

        Raises InvalidMessage when a record cannot be read or its counts do not fit their baseline.
        """
        partition = cls(number, config)
        for key, value in stored:
            parsed = parse_key(key)
            if parsed.partition != number:
                continue
            if isinstance(parsed, MetaKey):
                partition._restore_meta(decode_meta(value))
            else:
                partition._windows[parsed] = OpenWindow.of(decode_part(value), baselines)
        for window in partition._windows.values():
            if window.offset > partition._last_offset:
                slot = window.slot
                partition._ahead[slot] = max(window.offset, partition._ahead.get(slot, -1))
        return partition

    def _restore_meta(self, meta: PartitionMeta) -> None:
        self._first_offset, self._last_offset, self._read = meta.first_offset, meta.last_offset, meta.read
        self._watermark = Watermark(self._config.lateness_ms, meta.watermark)
        self._sequences = Sequences(meta.sequences)
        self._accounts, self._refused = meta.accounts, meta.refused

    @property
    def watermark(self) -> int | None:
        """Milliseconds UTC; None before the first event."""
        return self._watermark.value

    @property
    def next_offset(self) -> int | None:
        """The source offset to read next; None before the first record."""
        return None if self._first_offset is None else self._last_offset + 1

    @property
    def open_windows(self) -> int:
        """Windows not yet acknowledged by stage 2's topic."""
        return len(self._windows)

    @property
    def accounts(self) -> dict[tuple[str, str], VersionAccount]:
        """What became of the events of each (model, version); a copy."""
        return {version: copy.copy(account) for version, account in self._accounts.items()}

    @property
    def meta(self) -> PartitionMeta | None:
        """The meta record as of now; None before the first record."""
        if self._first_offset is None:
            return None
        return PartitionMeta(
            partition=self.number,
            first_offset=self._first_offset,
            last_offset=self._last_offset,
            watermark=self._watermark.value,
            read=self._read,
            sequences=self._sequences.snapshot(),
            accounts=self.accounts,
            refused=dict(self._refused),
        )

    def gap(self, first_offset: int) -> int | None:
        """The offset that should have come, when a batch beginning here leaves a hole: read again from there."""
        expected = self.next_offset
        return expected if expected is not None and first_offset > expected else None

    def apply(self, decoded: Decoded, first_offset: int, last_offset: int) -> Touched:
        """Count a batch: records from first_offset to last_offset of this partition, in order. Changes memory only.

        Raises ValueError while versions are unknown: decode again with final=True first.
        """
        if decoded.unknown_offsets:
            raise ValueError(f"{len(decoded.unknown_offsets)} events of unknown versions: decode with final=True first")
        if self._first_offset is None:
            self._first_offset, self._last_offset = first_offset, first_offset - 1
        accepted = [item for item in decoded.accepted if item.offset > self._last_offset]
        refused = [letter for letter in decoded.refused if letter.offset > self._last_offset]
        redelivered = len(decoded.accepted) - len(accepted) + len(decoded.refused) - len(refused)
        for letter in refused:
            self._refused[letter.reason] = self._refused.get(letter.reason, 0) + 1
        groups, late, repeats = self._decide(accepted)
        for key, items in groups.items():
            self._window(key, items[0].baseline).add(items)
        self._read += len(accepted) + len(refused)
        self._last_offset = max(self._last_offset, last_offset)
        if self._ahead and self._last_offset >= max(self._ahead.values()):
            self._ahead = {}
        counted = len(accepted) - late - repeats
        return Touched(tuple(groups), counted, late, repeats, redelivered, len(refused))

    def _decide(self, accepted: list[Accepted]) -> tuple[dict[WindowKey, list[Accepted]], int, int]:
        """Which events go into which window; how many are late and repeats. One pass: each depends on those before."""
        size, lateness, ahead, seen_before = (
            self._config.size_ms,
            self._config.lateness_ms,
            self._ahead,
            self._sequences,
        )
        watermark = _LONG_AGO if self._watermark.value is None else self._watermark.value
        groups: dict[WindowKey, list[Accepted]] = {}
        baseline: Baseline | None = None
        start: int | None = None
        late = repeats = 0
        for item in accepted:
            if item.baseline is not baseline:
                baseline, start = item.baseline, None
                account = self._accounts.setdefault((baseline.model, baseline.version), VersionAccount())
            if seen_before.repeats(item.event.id):
                account.repeats += 1
                repeats += 1
                continue
            time_ms = item.time_ms
            item_start = time_ms // size * size
            if item_start + size <= watermark:
                account.late += 1
                late += 1
                continue
            account.counted += 1
            if time_ms - lateness > watermark:
                watermark = time_ms - lateness
            if ahead and item.offset <= ahead.get((baseline.model, baseline.version, item_start), -1):
                continue  # a crash came between this window's record and the meta record: it is in there
            if item_start != start:
                start = item_start
                key = WindowKey(self.number, baseline.model, baseline.version, start, baseline.digest)
                group = groups.setdefault(key, [])
            group.append(item)
        if watermark != _LONG_AGO:
            self._watermark.advance_idle(watermark)
        return groups, late, repeats

    def _window(self, key: WindowKey, baseline: Baseline) -> OpenWindow:
        window = self._windows.get(key)
        if window is None:
            end = key.window_start + self._config.size_ms
            window = self._windows[key] = OpenWindow.empty(key, end, baseline)
        return window

    def stored(self, keys: Iterable[WindowKey] = ()) -> list[tuple[bytes, bytes]]:
        """Records to write, in this order: the windows named, then the meta record (none before the first batch)."""
        meta = self.meta
        if meta is None:
            return []
        windows = [(window_key(key), encode_partial(self._windows[key].partial())) for key in keys]
        return [*windows, (meta_key(self.number), encode_meta(meta))]

    def due(self) -> list[PartialAggregate]:
        """The final counts of windows that are over and not yet acknowledged, by start: to be sent to stage 2."""
        return [
            window.partial()
            for window in sorted(self._over(), key=lambda window: (window.key.window_start, window.key))
        ]

    def acknowledged(self, partial: PartialAggregate) -> bytes:
        """The broker has this partial: forget its window. Returns the key of the record to delete."""
        key = WindowKey(self.number, partial.model, partial.version, partial.window_start, partial.baseline)
        self._windows.pop(key, None)
        return window_key(key)

    def idle(self, now_ms: int) -> bool:
        """Nothing was read for a while and nothing waits: let time pass so that open windows end.

        now_ms: the clock by which events are stamped. Returns whether the watermark moved: then write stored()
        durably before the next heartbeat, or a crash would take back what stage 2 was told. Never beyond the end of
        the last open window, so a producer that starts later on a slower clock is not late for that reason.
        """
        if self._ahead or not self._windows:
            return False
        end = max(window.end for window in self._windows.values())
        return self._watermark.advance_idle(min(now_ms - self._config.lateness_ms, end))

    def heartbeat(self, generation: int, partitions: int, silent: bool) -> Heartbeat:
        """How far this partition is. silent: nothing was read for a while and nothing waits.

        Held back before the end of windows that are over but not acknowledged: a heartbeat must not overtake a partial.
        """
        over = self._over()
        return Heartbeat(
            partition=self.number,
            partitions=partitions,
            generation=generation,
            watermark=min(window.end for window in over) - 1 if over else self._watermark.value,
            idle=silent and not self._windows,
        )

    def _over(self) -> list[OpenWindow]:
        return [window for window in self._windows.values() if self._watermark.passed(window.end)]
