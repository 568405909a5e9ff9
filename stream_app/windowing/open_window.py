"""OpenWindow: one window of one model version in one source partition, until stage 2 is known to have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.baseline import Baseline
from contracts.partials import PartialAggregate
from contracts.window import WindowCounts
from stream_app.windowing.decoding import Accepted
from stream_app.windowing.state import WindowKey


class OpenWindow:
    """Counts and the last source offset they include.

    A window restored while its baseline is not known (published anew and compacted away since, or not read yet) is
    sealed: it keeps what was stored. Its next event, if any comes, brings the baseline along.
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
        key = WindowKey(partial.partition, partial.model, partial.version, partial.window_start, partial.baseline)
        baseline = baselines.get(partial.baseline)
        counts = partial if baseline is None else WindowCounts.of(partial, baseline)
        return cls(key, partial.window_end, partial.offset, counts)

    @property
    def slot(self) -> tuple[str, str, int]:
        """Model, version, start."""
        return self.key.model, self.key.version, self.key.window_start

    def add(self, accepted: Sequence[Accepted]) -> None:
        """Count events of this window and its baseline, at least one, in the order of their offsets.

        Raises InvalidMessage when the window is sealed and what was stored does not fit the events' baseline.
        """
        if isinstance(self._counts, PartialAggregate):
            self._counts = WindowCounts.of(self._counts, accepted[0].baseline)
        self._counts.add_events([item.event for item in accepted])
        self.offset = accepted[-1].offset

    def partial(self) -> PartialAggregate:
        """What is counted so far, as it is stored and sent."""
        if isinstance(self._counts, PartialAggregate):
            return self._counts
        key = self.key
        return self._counts.partial(
            window_start=key.window_start, window_end=self.end, partition=key.partition, offset=self.offset
        )
