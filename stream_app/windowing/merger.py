"""Stage 2: the windows of one partition of `window-partials`, merged from their parts and closed once, in order.

A part replaces the former one of its source partition (parts are cumulative), so repeats are harmless. A window
closes when the frontier has passed its end. What was closed is never opened again: it is below the version's horizon.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from contracts.baseline import Baseline
from contracts.partials import Heartbeat, PartialAggregate, encode_partial
from stream_app.windowing.closing import Closing, closing_of
from stream_app.windowing.frontier import Frontier
from stream_app.windowing.merged_state import (
    PartKey,
    VersionKey,
    VersionRecord,
    decode_version,
    encode_version,
    parse_merged_key,
    part_key,
    version_key,
)
from stream_app.windowing.state import decode_part
from stream_app.windowing.version_windows import VersionWindows

Records = list[tuple[bytes, bytes | None]]
"""Keys and values to write in this order; None deletes."""


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

    baselines: by digest; looked up at each use, so the shell may keep adding to it.
    """

    def __init__(self, number: int, config: MergerConfig, baselines: Mapping[str, Baseline]) -> None:
        self.number = number
        self.repeats = 0
        self._config = config
        self._baselines = baselines
        self._frontier = Frontier()
        self._versions: dict[tuple[str, str], VersionWindows] = {}
        self._given_up: set[str] = set()

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
        parts: list[PartialAggregate] = []
        for key, value in stored:
            parsed = parse_merged_key(key)
            if parsed.number != number:
                continue
            if isinstance(parsed, VersionKey):
                record = decode_version(value)
                merger._versions[record.model, record.version] = VersionWindows(record)
            else:
                parts.append(decode_part(value))
        for part in parts:
            merger._windows(part).keep(part)
        return merger

    def on_partial(self, partial: PartialAggregate, offset: int) -> Records:
        """Take a part in. offset: of its record on `window-partials`. Returns what to store; nothing for a repeat."""
        windows = self._windows(partial)
        taken = windows.take(partial, offset, remember=self._config.closed_windows)
        if taken == "pending":
            return [(self._part_key(partial), encode_partial(partial))]
        if taken == "late":
            return [self._version_record(windows)]
        self.repeats += 1
        return []

    def on_heartbeat(self, heartbeat: Heartbeat) -> bool:
        """Take a heartbeat in; False when it is fenced: from a worker that has lost the partition since."""
        return self._frontier.hear(heartbeat)

    @property
    def fenced(self) -> int:
        """Heartbeats that came from workers which had lost their partition."""
        return self._frontier.fenced

    @property
    def pending(self) -> int:
        """Windows waiting to be closed."""
        return sum(len(windows.pending) for windows in self._versions.values())

    @property
    def unknown(self) -> frozenset[str]:
        """Digests of baselines that windows wait for: read the topic `baselines` again, then give_up()."""
        return frozenset(digest for windows in self._versions.values() for digest in self._waits_for(windows))

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

    def due(self) -> list[Closing]:
        """Windows to close now: for each version in order of start, each as it is once those before it are closed.

        Report them in this order, and close() each when its report is acknowledged.
        """
        closings: list[Closing] = []
        reached = self._frontier.reached()
        if reached is None:
            return closings
        for _, windows in sorted(self._versions.items()):
            thin = windows.record.thin
            for start in windows.pending:
                parts = windows.parts(start)
                if parts[0].window_end > reached or self._waits_for(windows, start):
                    break
                closing = closing_of(
                    parts,
                    [windows.parts(earlier) for earlier in thin],
                    self._baselines,
                    minimum_rows=self._config.minimum_rows,
                )
                if closing is None:
                    break
                closings.append(closing)
                thin = self._thin_after(thin, closing)
        return closings

    def close(self, closing: Closing, policy: bytes | None = None) -> Records:
        """The report of this window is out. policy: the alert policy's new state, None where it did not change.

        Raises ValueError when it is not the version's next window.
        """
        windows = self._versions[closing.model, closing.version]
        thin = self._thin_after(windows.record.thin, closing)
        closed = windows.close(closing, thin=thin, policy=policy, remember=self._config.closed_windows)
        # The version record first: what a crash leaves undeleted is below the horizon, and goes with the next close().
        return [self._version_record(windows), *[(self._part_key(part), None) for part in closed]]

    def _thin_after(self, thin: tuple[int, ...], closing: Closing) -> tuple[int, ...]:
        if closing.sufficient:
            return ()
        kept = (*thin, closing.window_start)
        return kept[max(0, len(kept) - self._config.thin_windows) :]

    def _waits_for(self, windows: VersionWindows, start: int | None = None) -> set[str]:
        starts = windows.pending if start is None else [start]
        digests = {part.baseline for pending in starts for part in windows.parts(pending)}
        return {digest for digest in digests if digest not in self._baselines and digest not in self._given_up}

    def _windows(self, part: PartialAggregate) -> VersionWindows:
        version = part.model, part.version
        windows = self._versions.get(version)
        if windows is None:
            record = VersionRecord(model=part.model, version=part.version)
            windows = self._versions[version] = VersionWindows(record)
        return windows

    def _part_key(self, part: PartialAggregate) -> bytes:
        return part_key(PartKey(self.number, part.model, part.version, part.window_start, part.partition))

    def _version_record(self, windows: VersionWindows) -> tuple[bytes, bytes]:
        record = windows.record
        return version_key(VersionKey(self.number, record.model, record.version)), encode_version(record)
