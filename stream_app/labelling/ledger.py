"""Ledger of one partition of `labels`: what became of each record, and how far the labels' own time is.

All of it is in the meta record: a batch that is read again after a crash meets the same watermark.
"""

from __future__ import annotations

from itertools import accumulate

from stream_app.labelling.decoding import DecodedLabels, Labels
from stream_app.labelling.state import LabelAccount, LabelMeta
from stream_app.windowing.forever import NEVER
from stream_app.windowing.typed import Version
from stream_app.windowing.watermark import Watermark


class LabelLedger:
    """sent: everything up to this offset is on `label-partials`. The other numbers are those of LabelMeta."""

    def __init__(self, number: int, lateness_ms: int) -> None:
        self._number, self._lateness_ms = number, lateness_ms
        self.watermark = Watermark(lateness_ms)
        self.first_offset: int | None = None
        self.last_offset = self.sent = -1
        self._read = self._absent = 0
        self._accounts: dict[Version, LabelAccount] = {}
        self._refused: dict[str, int] = {}

    @classmethod
    def of(cls, meta: LabelMeta, lateness_ms: int) -> LabelLedger:
        """As it was stored."""
        ledger = cls(meta.partition, lateness_ms)
        ledger.watermark = Watermark(lateness_ms, meta.watermark)
        ledger.first_offset, ledger.last_offset, ledger.sent = meta.first_offset, meta.last_offset, meta.sent
        ledger._read, ledger._absent = meta.read, meta.absent
        ledger._accounts, ledger._refused = dict(meta.accounts), dict(meta.refused)
        return ledger

    @property
    def meta(self) -> LabelMeta | None:
        """As it is stored; None before the first record."""
        if self.first_offset is None:
            return None
        return LabelMeta(
            partition=self._number,
            first_offset=self.first_offset,
            last_offset=self.last_offset,
            watermark=self.watermark.value,
            sent=self.sent,
            read=self._read,
            accounts=self._accounts,
            refused=self._refused,
            absent=self._absent,
        )

    def passed(self, decoded: DecodedLabels, first_offset: int, last_offset: int) -> None:
        """Book a batch with these offsets. Those between them without a record are absent."""
        if self.first_offset is None:
            self.first_offset = first_offset
        records = len(decoded.labels.offsets) + len(decoded.refused)
        self._read += records
        self._absent += last_offset + 1 - max(first_offset, self.last_offset + 1) - records
        self.last_offset = last_offset
        for letter in decoded.refused:
            self._refused[letter.reason] = self._refused.get(letter.reason, 0) + 1

    def book(self, version: Version, said: LabelAccount) -> None:
        """Add what became of labels of a version."""
        self._accounts.setdefault(version, LabelAccount()).add(said)

    def reached(self, labels: Labels) -> list[int]:
        """The watermark ahead of each label. Afterwards it is that behind the last one."""
        before = NEVER if self.watermark.value is None else self.watermark.value
        times = (time - self._lateness_ms for time in labels.labelled_ms)
        *ahead, behind = accumulate(times, max, initial=before)
        if ahead:
            self.watermark.advance_idle(behind)
        return ahead
