"""Stage 2: the windows of one partition of `window-partials`, merged from their parts and closed once, in order.

A part replaces the former one of its source partition (parts are cumulative), so repeats are harmless. A window
closes when the frontier has passed its end. What was closed is never opened again: it is below the version's horizon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from contracts.baseline import Baseline
from contracts.mutes import Mute
from contracts.partials import Heartbeat, PartialAggregate, encode_partial
from stream_app.windowing.closing import Closing, closing_of
from stream_app.windowing.frontier import Frontier
from stream_app.windowing.merged_state import (
    ClosedKey,
    PartKey,
    VersionKey,
    VersionRecord,
    closed_key,
    decode_closed,
    decode_version,
    encode_version,
    parse_merged_key,
    part_key,
    version_key,
)
from stream_app.windowing.state import decode_part
from stream_app.windowing.version_windows import VersionWindows

Records = list[tuple[bytes, bytes | None]]
"""Keys and values to write in this order; None deletes, and not before the values are acknowledged."""


class MergerConfig(msgspec.Struct, frozen=True):
    """minimum_rows: a window with fewer is not compared alone. thin_windows: how many such are kept to be merged into
    the next. closed_windows: how many closed windows are remembered row by row, to tell a repeat from a late part.
    """

    minimum_rows: int
    thin_windows: int = 24
    closed_windows: int = 64

    def __post_init__(self) -> None:
        for name, least in (("minimum_rows", 1), ("thin_windows", 0), ("closed_windows", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be {least} or more")


class Merger:
    """Stage 2 state of one partition of `window-partials`; see the module's head.

    baselines: by digest; looked up at each use, so the shell may keep adding to it. found_late: rows that restoring
    found to be late; see VersionWindows.make_late.
    """

    def __init__(self, number: int, config: MergerConfig, baselines: Mapping[str, Baseline]) -> None:
        self.number = number
        self._config = config
        self._baselines = baselines
        self._frontier = Frontier()
        self._versions: dict[tuple[str, str], VersionWindows] = {}
        self._given_up: set[str] = set()
        self.found_late = 0
        self._unwritten: list[tuple[VersionWindows, list[PartialAggregate]]] = []

    @classmethod
    def restore(
        cls,
        number: int,
        config: MergerConfig,
        stored: Iterable[tuple[bytes, bytes]],
        baselines: Mapping[str, Baseline],
    ) -> Merger:
        """The merger whose records these are; other partitions' are passed over. Raises InvalidMessage."""
        merger = cls(number, config, baselines)
        parts: list[tuple[PartialAggregate, bytes]] = []
        memories: list[tuple[ClosedKey, bytes]] = []
        for key, value in stored:
            parsed = parse_merged_key(key)
            if parsed.number != number:
                continue
            if isinstance(parsed, VersionKey):
                record = decode_version(value)
                merger._versions[record.model, record.version] = VersionWindows(record)
            elif isinstance(parsed, ClosedKey):
                decode_closed(value)  # what cannot be read is said now, not at the first late part
                memories.append((parsed, value))
            else:
                parts.append((decode_part(value), value))
        for part, value in parts:
            merger._windows(part.model, part.version).keep(part, value)
        for closed, value in memories:
            merger._windows(closed.model, closed.version).remember(closed.window_start, value)
        merger._make_late()
        return merger

    def _make_late(self) -> None:
        """What was put back for closed windows and is in no report; it is taken off the store with unwritten()."""
        for windows in self._versions.values():
            known = windows.record.late_rows
            if late := windows.make_late(self._config.closed_windows):
                self.found_late += windows.record.late_rows - known
                self._unwritten.append((windows, late))

    def unwritten(self) -> Records:
        """What restoring left to write, in this order; nothing when asked again. A crash before it is harmless.

        The version's record is as it is now: parts may have been late and windows been closed since it was restored.
        The deleted parts are of closed windows, for which none is stored any more.
        """
        found, self._unwritten = self._unwritten, []
        records: Records = []
        for windows, late in found:
            records.append(self._version_record(windows))
            records += [(self._part_key(windows.record, part.window_start, part.partition), None) for part in late]
        return records

    def on_partial(self, partial: PartialAggregate, offset: int, encoded: bytes | None = None) -> Records:
        """Take a part in. offset: of its record on `window-partials`. encoded: the record's value, which is then stored
        as it came, with what a newer worker may have added. Returns what to store; nothing for a repeat.
        """
        self._frontier.part_came()
        windows = self._windows(partial.model, partial.version)
        value = encode_partial(partial) if encoded is None else encoded
        taken = windows.take(partial, value, offset, capacity=self._config.closed_windows)
        if taken == "pending":
            return [(self._part_key(windows.record, partial.window_start, partial.partition), value)]
        return [self._version_record(windows)] if taken == "late" else []

    def on_heartbeat(self, heartbeat: Heartbeat, *, past: bool = False) -> bool:
        """Take a heartbeat in; see Frontier.hear(). False when it is fenced."""
        return self._frontier.hear(heartbeat, past=past)

    @property
    def pending(self) -> int:
        """Windows waiting to be closed."""
        return sum(len(windows.pending) for windows in self._versions.values())

    @property
    def unknown(self) -> frozenset[str]:
        """Digests of baselines that windows wait for: read the topic `baselines` again, then give_up()."""
        return frozenset(digest for windows in self._versions.values() for digest in self._lacking(windows.baselines))

    def give_up(self, digest: str) -> None:
        """This baseline is gone for good (compacted away): windows close without the rows counted against it."""
        self._given_up.add(digest)

    def version(self, model: str, version: str) -> VersionRecord:
        """What is known of a model version beside its pending windows; an empty record for a new one."""
        windows = self._versions.get((model, version))
        return VersionRecord(model=model, version=version) if windows is None else windows.record

    def policy(self, model: str, version: str) -> bytes:
        """The alert policy's state as close() was given it last; empty before the first."""
        return self.version(model, version).policy

    def due(
        self, held: Callable[[str, str], bool] = lambda model, version: False, *, of_each: int | None = None
    ) -> Iterator[Closing]:
        """Windows to close now: for each version in order of start, each as it is once those before it are closed.

        Each is put together when it is asked for: report it, and close() it when its report is acknowledged. held:
        whether a version's windows are left alone for now; asked before each. of_each: at most so many of a version.
        """
        reached = self._frontier.reached()
        for (model, version), windows in sorted(self._versions.items()):
            if not windows.pending or not _over(windows, windows.pending[0], reached):
                continue
            thin = windows.record.thin
            for start in windows.pending[:of_each]:
                if (
                    held(model, version)
                    or not _over(windows, start, reached)
                    or self._lacking(windows.baselines_of(start))
                ):
                    break
                announced = windows.announced_as(start)
                closing = closing_of(
                    (model, version),
                    start,
                    windows.window(start),
                    [windows.window(earlier) for earlier in thin],
                    self._baselines,
                    minimum_rows=self._config.minimum_rows,
                    announced="" if announced is None else announced.baseline,
                )
                if closing is None:
                    break
                thin = self._thin_after(thin, closing)
                yield closing

    def announced_mutes(self, closing: Closing) -> tuple[Mute, ...] | None:
        """Those that the window was announced with; None where it was not. Its alerts may be out, decided by them."""
        announced = self._versions[closing.model, closing.version].announced_as(closing.window_start)
        return None if announced is None else announced.mutes

    def announce(self, closing: Closing, mutes: tuple[Mute, ...] = ()) -> Records:
        """To be durable before its report is out: report and alerts are then repeated as they were, whatever comes in
        between. mutes: those that its alerts are decided by.
        """
        windows = self._versions[closing.model, closing.version]
        memory = windows.announce(closing.window_start, closing.baseline.digest, mutes)
        return [(self._closed_key(closing.model, closing.version, closing.window_start), memory)]

    def close(self, closing: Closing, policy: bytes | None = None) -> Records:
        """The report of this window is out. policy: the alert policy's new state, None where it did not change.

        Raises ValueError when it is not the version's next window.
        """
        windows = self._versions[closing.model, closing.version]
        thin = self._thin_after(windows.record.thin, closing)
        closed = windows.close(closing, thin=thin, policy=policy, capacity=self._config.closed_windows)
        # What the version record closes is remembered before it, and deleted after it: what a crash leaves undeleted is
        # below the horizon, and goes with the next close().
        memory = self._closed_key(closing.model, closing.version, closing.window_start), closed.memory
        return [
            *([memory] if closed.memory is not None else []),
            self._version_record(windows),
            *[(self._part_key(windows.record, start, partition), None) for start, partition in closed.parts],
            *[(self._closed_key(closing.model, closing.version, start), None) for start in closed.forgotten],
        ]

    def _thin_after(self, thin: tuple[int, ...], closing: Closing) -> tuple[int, ...]:
        if closing.sufficient:
            return ()
        kept = (*thin, closing.window_start)
        return kept[max(0, len(kept) - self._config.thin_windows) :]

    def _lacking(self, digests: Iterable[str]) -> set[str]:
        return {digest for digest in digests if digest not in self._baselines and digest not in self._given_up}

    def _windows(self, model: str, version: str) -> VersionWindows:
        windows = self._versions.get((model, version))
        if windows is None:
            record = VersionRecord(model=model, version=version)
            windows = self._versions[model, version] = VersionWindows(record)
        return windows

    def _part_key(self, record: VersionRecord, start: int, partition: int) -> bytes:
        return part_key(PartKey(self.number, record.model, record.version, start, partition))

    def _closed_key(self, model: str, version: str, start: int) -> bytes:
        return closed_key(ClosedKey(self.number, model, version, start))

    def _version_record(self, windows: VersionWindows) -> tuple[bytes, bytes]:
        record = windows.record
        return version_key(VersionKey(self.number, record.model, record.version)), encode_version(record)


def _over(windows: VersionWindows, start: int, reached: int | None) -> bool:
    """Whether a pending window is to be closed. reached: by all source partitions; None where that is not known."""
    return start in windows.announced or (reached is not None and windows.window(start).end <= reached)
