"""Stage 1 of the labels: the windows of one partition of `labels`, counted exactly once whatever crashes.

As in windowing/accumulator.py state and offset are one, and what decides about a label is what the position says:
windows are lists that grow, so a window that a crash left ahead of the position is cut back to it (see state.py).

    time        goes by `labelled_at`: the greatest one seen, less the allowed lateness
    a window    takes labels until that time passes its end and the label delay; then it is final, and labels are late
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from contracts.label_partials import LabelPartial
from contracts.partials import Heartbeat
from stream_app.labelling.decoding import DecodedLabels, Group, Labels
from stream_app.labelling.ends import Ends
from stream_app.labelling.ledger import LabelLedger
from stream_app.labelling.state import (
    LabelAccount,
    LabelMeta,
    MetaKey,
    Segment,
    decode_label_meta,
    decode_segment,
    encode_label_meta,
    meta_key,
    parse_label_key,
)
from stream_app.labelling.window import LabelWindow, WindowName


class LabelConfig(msgspec.Struct, frozen=True):
    """size_ms: length of a window. delay_ms: labels count for so long after its end. lateness_ms: how far behind the
    greatest labelled_at another one is in time.
    """

    size_ms: int
    delay_ms: int
    lateness_ms: int = 0


class Counted(msgspec.Struct, frozen=True):
    """What a batch did. keys: windows to store; the rest are numbers of labels."""

    keys: tuple[WindowName, ...]
    counted: int
    replaced: int
    repeated: int
    late: int
    refused: int


class LabelPartition:
    """State of one source partition; see the module's head. remembered: predictions whose label is remembered, what the
    state's size follows from.

    The order the shell keeps: dead letters acknowledged; apply(); write stored(counted.keys) without an await between;
    send due() and, every few seconds, changed(); on their acknowledgement sent(parts), and delete what that returns;
    heartbeat().
    """

    def __init__(self, number: int, config: LabelConfig) -> None:
        self.number = number
        self._config = config
        self._ledger = LabelLedger(number, config.lateness_ms)
        self._windows: dict[WindowName, LabelWindow] = {}
        self._changed: set[WindowName] = set()
        self._ends = Ends()
        self.remembered = 0

    @classmethod
    def restore(cls, number: int, config: LabelConfig, stored: Iterable[tuple[bytes, bytes]]) -> LabelPartition:
        """The partition whose records these are; other partitions' are passed over. Raises InvalidMessage."""
        partition = cls(number, config)
        segments: dict[WindowName, list[tuple[int, Segment]]] = {}
        for key, value in stored:
            parsed = parse_label_key(key)
            if parsed.partition != number:
                continue
            if isinstance(parsed, MetaKey):
                partition._ledger = LabelLedger.of(decode_label_meta(value), config.lateness_ms)
            else:
                segments.setdefault(WindowName(*parsed[:4]), []).append((parsed.number, decode_segment(value)))
        for name, found in segments.items():
            window = LabelWindow.restore(name, sorted(found, key=lambda one: one[0]), partition._ledger.last_offset)
            if window.offset >= 0:  # else all of it is read again
                partition._open(window)
                if window.offset > partition._ledger.sent:
                    partition._changed.add(name)
        return partition

    @property
    def watermark(self) -> int | None:
        """Of the labels' own time, milliseconds UTC; None before the first label."""
        return self._ledger.watermark.value

    @property
    def next_offset(self) -> int | None:
        """The source offset to read next; None before the first record."""
        return None if self._ledger.first_offset is None else self._ledger.last_offset + 1

    @property
    def open_windows(self) -> int:
        """Windows that still take labels, or are not on `label-partials` yet as they ended."""
        return len(self._windows)

    @property
    def meta(self) -> LabelMeta | None:
        """The meta record as of now; None before the first record."""
        return self._ledger.meta

    def coded_by(self, model: str, version: str, start: int) -> tuple[str, str] | None:
        """How an open window is counted; see decoding.CodedBy."""
        window = self._windows.get(WindowName(self.number, model, version, start))
        return None if window is None else (window.baseline, window.coding)

    def standing(self) -> Iterator[tuple[WindowName, int]]:
        """Its windows, each with its labels: labelled and replaced."""
        for name, window in self._windows.items():
            yield name, window.labelled + window.replaced

    def gap(self, first_offset: int) -> int | None:
        """The offset that should have come, when a batch beginning here leaves a hole: read again from there."""
        expected = self.next_offset
        return expected if expected is not None and first_offset > expected else None

    def apply(self, decoded: DecodedLabels, first_offset: int, last_offset: int) -> Counted:
        """Count a batch: all records from first_offset to last_offset, in order, none counted before. Memory only.

        Offsets between the two without a record are booked as absent. Raises ValueError while versions are unknown.
        """
        if decoded.unknown_offsets:
            raise ValueError("versions are unknown: decode again with final=True first")
        self._ledger.passed(decoded, first_offset, last_offset)
        sums, keys = LabelAccount(), []
        reached = self._ledger.reached(decoded.labels)
        for group in decoded.labels.groups:
            said, name = self._count(group, decoded.labels, reached)
            if name is not None:
                keys.append(name)
            self._ledger.book(group.version, said)
            sums.add(said)
        self._changed.update(keys)
        return Counted(tuple(keys), sums.counted, sums.replaced, sums.repeated, sums.late, len(decoded.refused))

    def stored(self, keys: Iterable[WindowName] = ()) -> list[tuple[bytes, bytes]]:
        """Records to write, in this order: the windows named, then the meta record (none before the first batch)."""
        meta = self.meta
        if meta is None:
            return []
        return [*(self._windows[key].stored() for key in keys), (meta_key(self.number), encode_label_meta(meta))]

    @property
    def ended(self) -> int:
        """How many windows are final. Cheap: asked after every batch."""
        return 0 if self._final is None else self._ends.until(self._final)

    def due(self) -> list[LabelPartial]:
        """The windows that are final, by start."""
        if not self.ended:
            return []
        over = (name for name, window in self._windows.items() if self._is_final(window))
        return [self._windows[name].part() for name in sorted(over, key=_by_start)]

    @property
    def has_changed(self) -> bool:
        """Whether changed() has any, or had when they were not final yet."""
        return bool(self._changed)

    def changed(self) -> list[LabelPartial]:
        """The windows that have changed since they were sent and are not final, by start."""
        windows = [self._windows[name] for name in sorted(self._changed, key=_by_start)]
        return [window.part() for window in windows if not self._is_final(window)]

    def sent(self, parts: Iterable[LabelPartial]) -> list[bytes]:
        """The broker has these. Forgets the final ones; returns the keys of the records to delete.

        A window that has changed since its part was made stays, also when it has become final meanwhile: it is due.
        """
        gone: list[bytes] = []
        for part in parts:
            name = WindowName(self.number, part.model, part.version, part.window_start)
            window = self._windows.get(name)
            if window is None or window.offset != part.offset:
                continue
            self._changed.discard(name)
            if self._is_final(window):
                del self._windows[name]
                self._ends.drop(window.end)
                self.remembered -= window.labelled
                gone += window.keys()
        if not self._changed:
            self._ledger.sent = self._ledger.last_offset
        return gone

    def idle(self, now_ms: int) -> bool:
        """Nothing was read for a while and nothing waits: let time pass so that windows become final.

        Returns whether the watermark moved: then write stored() durably before the next heartbeat. Never beyond the
        last open window, so that who sends labels of long ago later is not late for that reason; and in steps, for it
        is written each time: a thousandth of the label delay, less where a window becomes final.
        """
        first = self._ends.first
        if first is None:
            return False
        to = min(now_ms - self._config.lateness_ms, self._closes(self._ends.last))
        if (here := self._ledger.watermark.value) is not None:
            step = here + self._config.delay_ms // 1000
            if to < (min(step, self._closes(first)) if here < self._closes(first) else step):
                return False
        return self._ledger.watermark.advance_idle(to)

    def heartbeat(self, generation: int, partitions: int, silent: bool) -> Heartbeat:
        """How far this partition is. Held back before windows that are final and not acknowledged."""
        first = self._ends.first
        over = first is not None and self._ledger.watermark.passed(self._closes(first))
        return Heartbeat(
            partition=self.number,
            partitions=partitions,
            generation=generation,
            watermark=self._closes(first) - 1 if first is not None and over else self.watermark,
            idle=silent and not self._windows,
        )

    def _count(self, group: Group, labels: Labels, reached: list[int]) -> tuple[LabelAccount, WindowName | None]:
        """Add a batch's labels to their window: what became of them, and the window's name when it changed."""
        end = group.window_start + self._config.size_ms
        name = WindowName(self.number, *group.version, group.window_start)
        window = self._windows.get(name)
        closes = self._closes(end if window is None else window.end)
        in_time = [position for position in group.positions if reached[position] < closes]
        late = len(group.positions) - len(in_time)
        if not in_time:
            return LabelAccount(late=late), None
        if window is None:
            window = self._open(LabelWindow(name, end, group.baseline, group.coding))
        said = window.add(*([column[i] for i in in_time] for column in (labels.offsets, labels.hashes, labels.cells)))
        self.remembered += said.counted
        booked = LabelAccount(said.counted, said.replaced, len(in_time) - len(said.changed), late)
        return booked, name if said.changed else None

    def _closes(self, end: int) -> int:
        return end + self._config.delay_ms

    @property
    def _final(self) -> int | None:
        """Windows that end there or before take no more labels."""
        return None if self._ledger.watermark.value is None else self._ledger.watermark.value - self._config.delay_ms

    def _is_final(self, window: LabelWindow) -> bool:
        return self._ledger.watermark.passed(self._closes(window.end))

    def _open(self, window: LabelWindow) -> LabelWindow:
        self._windows[window.name] = window
        self._ends.add(window.end)
        self.remembered += window.labelled
        return window


def _by_start(name: WindowName) -> tuple[int, WindowName]:
    return name.window_start, name
