"""OpenWindow: one window of one model version in one source partition, until stage 2 is known to have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from contracts.baseline import Baseline
from contracts.partials import PartialAggregate
from contracts.window import WindowCounts
from stream_app.windowing.accepted import Events
from stream_app.windowing.state import WindowKey


class OpenWindow:
    """Counts and the last source offset they include.

    A window keeps the baseline it was opened with, also when its version's baseline is published anew: it stays one
    window with one offset, so what a crash makes it send twice is recognised. Events decoded with the newer baseline
    are counted by the names of their features. Restored while its own baseline is not known (compacted away), it
    counts rows only; stage 2, which cannot know that baseline either, reports them as not compared.
    """

    __slots__ = ("_counts", "end", "key", "offset")

    def __init__(self, key: WindowKey, end: int, offset: int, counts: WindowCounts | PartialAggregate) -> None:
        self.key = key
        self.end = end
        self.offset = offset
        self._counts = counts

    @classmethod
    def empty(cls, key: WindowKey, end: int, baseline: Baseline) -> OpenWindow:
        """Nothing counted yet."""
        return cls(key, end, -1, WindowCounts(baseline))

    @classmethod
    def of(cls, partial: PartialAggregate, baselines: Mapping[str, Baseline]) -> OpenWindow:
        """As it was stored. baselines: by digest. Raises InvalidMessage when the counts do not fit their baseline."""
        key = WindowKey(partial.partition, partial.model, partial.version, partial.window_start)
        baseline = baselines.get(partial.baseline)
        counts = partial if baseline is None else WindowCounts.of(partial, baseline)
        return cls(key, partial.window_end, partial.offset, counts)

    def add(self, accepted: Events) -> None:
        """Count events of this window, at least one, in the order of their offsets."""
        self.offset = int(accepted.offsets[-1])
        if isinstance(self._counts, PartialAggregate):
            self._counts = _with_rows(self._counts, accepted.decisions, accepted.shadow_rows, self.offset)
        else:
            accepted.count_into(self._counts)

    def partial(self) -> PartialAggregate:
        """What is counted so far, as it is stored and sent."""
        if isinstance(self._counts, PartialAggregate):
            return self._counts
        key = self.key
        return self._counts.partial(
            window_start=key.window_start, window_end=self.end, partition=key.partition, offset=self.offset
        )


def _with_rows(
    sealed: PartialAggregate, decisions: Sequence[bool | None], shadow_rows: int, offset: int
) -> PartialAggregate:
    return msgspec.structs.replace(
        sealed,
        offset=offset,
        rows=sealed.rows + len(decisions),
        decided=sealed.decided + len(decisions) - decisions.count(None),
        positives=sealed.positives + decisions.count(True),
        shadow_rows=sealed.shadow_rows + shadow_rows,
    )
