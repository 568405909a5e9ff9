"""Ledger: what became of each record of one source partition, and what decides about the next one.

All of it is in the meta record: a batch that is read again after a crash meets the same watermark and the same
sequences, so each event is decided alike again and is booked once.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter
from stream_app.windowing.decoding import Accepted, Version
from stream_app.windowing.sequences import Sequences
from stream_app.windowing.state import PartitionMeta, VersionAccount
from stream_app.windowing.tumbling import WindowConfig, window_start
from stream_app.windowing.watermark import Watermark

_LONG_AGO = -(1 << 62)


class Group(NamedTuple):
    """Events of one batch that belong to one window, counted against one baseline; at least one."""

    baseline: Baseline
    window_start: int
    events: list[Accepted]


class Ledger:
    """Offsets, watermark, sequences and accounts of one source partition."""

    def __init__(self, number: int, config: WindowConfig) -> None:
        self._number = number
        self._config = config
        self.watermark = Watermark(config.lateness_ms)
        self.first_offset: int | None = None
        self.last_offset = -1
        self._read = 0
        self._sequences = Sequences()
        self._accounts: dict[Version, VersionAccount] = {}
        self._refused: dict[str, int] = {}

    @classmethod
    def of(cls, meta: PartitionMeta, config: WindowConfig) -> Ledger:
        """As it was stored."""
        ledger = cls(meta.partition, config)
        ledger.watermark = Watermark(config.lateness_ms, meta.watermark)
        ledger.first_offset, ledger.last_offset, ledger._read = meta.first_offset, meta.last_offset, meta.read
        ledger._sequences = Sequences(meta.sequences)
        ledger._accounts, ledger._refused = copy.deepcopy(meta.accounts), dict(meta.refused)
        return ledger

    @property
    def accounts(self) -> dict[Version, VersionAccount]:
        """What became of the events of each model version; a copy."""
        return {version: copy.copy(account) for version, account in self._accounts.items()}

    @property
    def meta(self) -> PartitionMeta | None:
        """As it is stored; None before the first record."""
        if self.first_offset is None:
            return None
        return PartitionMeta(
            partition=self._number,
            first_offset=self.first_offset,
            last_offset=self.last_offset,
            watermark=self.watermark.value,
            read=self._read,
            sequences=self._sequences.snapshot(),
            accounts=self.accounts,
            refused=dict(self._refused),
        )

    def passed(self, first_offset: int, last_offset: int) -> None:
        """A batch with these offsets is booked."""
        if self.first_offset is None:
            self.first_offset = first_offset
        self.last_offset = max(self.last_offset, last_offset)

    def refuse(self, letters: list[DeadLetter]) -> None:
        """Book records that went to the dead letters."""
        self._read += len(letters)
        for letter in letters:
            self._refused[letter.reason] = self._refused.get(letter.reason, 0) + 1

    def decide(self, accepted: list[Accepted]) -> tuple[list[Group], int, int]:
        """Book events, in the order of their offsets: which to count where, how many are late, how many repeats."""
        self._read += len(accepted)
        repeated = self._sequences.repeated([item.event.id for item in accepted])
        for position in repeated:
            self._account(accepted[position].baseline).repeats += 1
        if repeated:
            skip = set(repeated)
            accepted = [item for position, item in enumerate(accepted) if position not in skip]
        groups, late = self._split(accepted)
        return groups, late, len(repeated)

    def _split(self, accepted: list[Accepted]) -> tuple[list[Group], int]:
        """Into windows, and the number of late ones: those whose window the events before them have ended."""
        size, lateness = self._config.size_ms, self._config.lateness_ms
        # Watermark.observe() and passed(), unrolled: a call an event would cost as much as the rest of the loop.
        watermark = _LONG_AGO if self.watermark.value is None else self.watermark.value
        newest = watermark + lateness
        groups: dict[tuple[str, int], Group] = {}
        late: list[Accepted] = []
        baseline: Baseline | None = None
        start = end = 0
        for item in accepted:
            time_ms = item.time_ms
            if item.baseline is not baseline or not start <= time_ms < end:
                baseline = item.baseline
                start = window_start(time_ms, size)
                end = start + size
                group = groups.setdefault((baseline.digest, start), Group(baseline, start, [])).events
            if end <= watermark:
                late.append(item)
                continue
            if time_ms > newest:
                newest = time_ms
                watermark = time_ms - lateness
            group.append(item)
        if watermark != _LONG_AGO:
            self.watermark.observe(newest)
        for item in late:
            self._account(item.baseline).late += 1
        filled = [group for group in groups.values() if group.events]
        for counted in filled:
            self._account(counted.baseline).counted += len(counted.events)
        return filled, len(late)

    def _account(self, baseline: Baseline) -> VersionAccount:
        return self._accounts.setdefault((baseline.model, baseline.version), VersionAccount())
