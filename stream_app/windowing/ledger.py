"""Ledger: what became of each record of one source partition, and what decides about the next one.

All of it is in the meta record: a batch that is read again after a crash meets the same watermark and the same
sequences, so each event is decided alike again and is booked once.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter
from stream_app.windowing.accepted import Events
from stream_app.windowing.forever import NEVER
from stream_app.windowing.records import Whole
from stream_app.windowing.sequences import Sequences
from stream_app.windowing.state import PartitionMeta, VersionAccount
from stream_app.windowing.tumbling import WindowConfig, window_start, window_starts
from stream_app.windowing.typed import Version
from stream_app.windowing.watermark import Watermark


class Group(NamedTuple):
    """Events of one batch that belong to one window, counted against one baseline; at least one."""

    baseline: Baseline
    window_start: int
    events: Events


class Ledger:
    """Offsets, watermark, sequences and accounts of one source partition."""

    def __init__(self, number: int, config: WindowConfig) -> None:
        self._number = number
        self._config = config
        self.watermark = Watermark(config.lateness_ms)
        self.first_offset: int | None = None
        self.last_offset = -1
        self._read = 0
        self._absent = 0
        self._sequences = Sequences()
        self._accounts: dict[Version, VersionAccount] = {}
        self._refused: dict[str, int] = {}

    @classmethod
    def of(cls, meta: PartitionMeta, config: WindowConfig) -> Ledger:
        """As it was stored."""
        ledger = cls(meta.partition, config)
        ledger.watermark = Watermark(config.lateness_ms, meta.watermark)
        ledger.first_offset, ledger.last_offset, ledger._read = meta.first_offset, meta.last_offset, meta.read
        ledger._absent, ledger._sequences = meta.absent, Sequences(meta.sequences)
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
            absent=self._absent,
        )

    def passed(self, first_offset: int, last_offset: int, records: int) -> None:
        """A batch with these offsets is booked. records: those of them that were not booked before.

        The offsets between them without a record are absent. A batch that begins behind the expected offset leaves a
        hole in the accounts, unless it says that it begins at the expected one, having made sure of what is absent.
        """
        if self.first_offset is None:
            self.first_offset = first_offset
        self._absent += max(0, last_offset + 1 - max(first_offset, self.last_offset + 1) - records)
        self.last_offset = max(self.last_offset, last_offset)

    def refuse(self, letters: list[DeadLetter]) -> None:
        """Book records that went to the dead letters."""
        self._read += len(letters)
        for letter in letters:
            self._refused[letter.reason] = self._refused.get(letter.reason, 0) + 1

    def decide(self, accepted: Events) -> tuple[list[Group], int, int]:
        """Book events, in the order of their offsets: which to count where, how many are late, how many repeats."""
        self._read += len(accepted)
        repeated = self._sequences.repeated(accepted.ids)
        if repeated:
            for baseline, amount in accepted.take(np.array(repeated)).by_baseline():
                self._account(baseline).repeats += amount
            accepted = accepted.without(repeated)
        if not len(accepted):
            return [], 0, len(repeated)
        groups, late = self._split(accepted)
        return groups, late, len(repeated)

    def _split(self, accepted: Events) -> tuple[list[Group], int]:
        """Into windows, and the number of late ones: those whose window the events before them have ended."""
        size, before = self._config.size_ms, self.watermark.value
        oldest, newest = int(accepted.times_ms.min()), int(accepted.times_ms.max())
        self.watermark.observe(newest)
        start, late = window_start(oldest, size), 0
        if newest < start + size and not self.watermark.passed(start + size):  # one window, and open: so it is mostly
            starts = np.full(len(accepted), start)
        else:
            starts = window_starts(accepted.times_ms, size)
            in_time = starts + size > self._reached(accepted.times_ms, before)
            late = len(accepted) - int(np.count_nonzero(in_time))
            for baseline, amount in accepted.take(np.flatnonzero(~in_time)).by_baseline():
                self._account(baseline).late += amount
            accepted, starts = accepted.take(np.flatnonzero(in_time)), starts[in_time]
        for baseline, amount in accepted.by_baseline():
            self._account(baseline).counted += amount
        return _by_window(accepted, starts), late

    def _reached(self, times_ms: Whole, before: int | None) -> Whole:
        """The watermark ahead of each event, shape of `times_ms`. A late event does not move it: it lies below."""
        begin = NEVER if before is None else before
        return np.maximum.accumulate(np.concatenate(([begin], times_ms[:-1] - self._config.lateness_ms)))

    def _account(self, baseline: Baseline) -> VersionAccount:
        return self._accounts.setdefault((baseline.model, baseline.version), VersionAccount())


def _by_window(accepted: Events, starts: Whole) -> list[Group]:
    """The events of each baseline and window, those first whose first event came first. starts: of their windows."""
    if not len(accepted):
        return []
    if len(accepted.baselines) == 1 and (starts == starts[0]).all():
        return [Group(accepted.baselines[0], int(starts[0]), accepted)]
    _, window = np.unique(starts, return_inverse=True)
    _, first, group = np.unique(
        window * len(accepted.baselines) + accepted.which, return_index=True, return_inverse=True
    )
    by_group = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    return [
        Group(accepted.baselines[accepted.which[first[i]]], int(starts[first[i]]), accepted.take(by_group[i]))
        for i in np.argsort(first)
    ]
