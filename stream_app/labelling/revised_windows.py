"""The windows of a model version at stage 2 of the labels: their newest parts, what may be said of them, their end."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping
from sys import intern

import msgspec
from msgspec.structs import replace

from contracts.baseline import Baseline
from contracts.label_partials import LabelPartial
from stream_app.labelling.coding import coding_of, outcomes
from stream_app.labelling.revised_state import LabelVersion, decode_label_part
from stream_app.performance.counting import OutcomeCounts

REMEMBERED = 64
"""Final windows of a version whose labels are remembered by partition, to tell a part sent again from a late one."""


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One revision of a window, to be reported. other: labels that were counted over other bins and are not in counts.
    predictions: of the window, None while not known. partitions: partition of `labels` -> last offset counted.
    """

    model: str
    version: str
    baseline: Baseline
    window_start: int
    window_end: int
    number: int
    counts: OutcomeCounts
    other: int
    replaced: int
    predictions: int | None
    final: bool
    partitions: dict[int, int]


class Part(msgspec.Struct, frozen=True, gc=False):
    """The newest part of one source partition. encoded: all of it."""

    offset: int
    labelled: int
    replaced: int
    baseline: str
    encoded: bytes

    @property
    def labels(self) -> int:
        """That it stands for, those that a later one replaced with them."""
        return self.labelled + self.replaced


class RevisedWindow:
    """parts: by source partition. published: the number of the last revision, -1 before the first."""

    __slots__ = ("end", "parts", "published")

    def __init__(self, end: int) -> None:
        self.end, self.published = end, -1
        self.parts: dict[int, Part] = {}

    def number(self, *, known: bool, final: bool) -> int:
        """Of the revision that could be published now: see reviser.py."""
        return 4 * sum(part.labels for part in self.parts.values()) + 2 * final + known


class RevisedWindows:
    """The stored record of a version, and its windows by start.

    seen: the last record of `label-partials`. changed: starts of windows that may say more than was published;
    uncovered: of those that were published without the number of predictions.
    """

    __slots__ = ("_order", "changed", "record", "seen", "uncovered", "windows")

    def __init__(self, record: LabelVersion) -> None:
        self.record, self.seen = record, record.offset
        self.windows: dict[int, RevisedWindow] = {}
        self._order: list[int] = []
        self.changed: set[int] = set()
        self.uncovered: set[int] = set()

    def is_final(self, start: int) -> bool:
        """Whether its window is."""
        return self.record.horizon is not None and start <= self.record.horizon

    def put(self, part: LabelPartial, value: bytes) -> bool:
        """Take a part of a window in that is not final; False where it says no more than is known. value: the part,
        encoded."""
        window = self.windows.get(part.window_start)
        if window is None:
            window = self.windows[part.window_start] = RevisedWindow(part.window_end)
            insort(self._order, part.window_start)
        mine = window.parts.get(part.partition)
        # Fewer labels at a later offset: a former owner had sent all of them and deleted the window late, so that it
        # was begun again without the first.
        if mine is not None and (part.offset <= mine.offset or part.labelled + part.replaced < mine.labels):
            return False
        # one string for all parts of a baseline, not one for each
        window.parts[part.partition] = Part(part.offset, part.labelled, part.replaced, intern(part.baseline), value)
        self.changed.add(part.window_start)
        return True

    def late(self, part: LabelPartial) -> bool:
        """Book a part of a final window; False where it says nothing that is not known."""
        labels = part.labelled + part.replaced
        known = self.record.closed.get(part.window_start)
        if known is None and min(self.record.closed, default=part.window_start) > part.window_start:
            return False  # too long ago to tell; its labels were final when they were sent
        more = labels - (known or {}).get(part.partition, 0)
        if more <= 0:
            return False
        closed = {**self.record.closed, part.window_start: {**(known or {}), part.partition: labels}}
        self._step(late=self.record.late + more, closed=dict(sorted(closed.items())[-REMEMBERED:]))
        return True

    def final(self, reached: int | None, delay_ms: int) -> Iterator[int]:
        """Starts of the windows that take no more labels, rising. reached: by the labels' time in all partitions."""
        for start in self._order:
            if reached is None or self.windows[start].end + delay_ms > reached:
                return
            yield start

    def published(self, start: int, number: int, *, covered: bool) -> None:
        """A revision is out that is not the last one. covered: it has the number of predictions."""
        self.changed.discard(start)
        self.windows[start].published = number
        (self.uncovered.discard if covered else self.uncovered.add)(start)

    def close(self, start: int) -> RevisedWindow:
        """Its last revision is out: the window, which is not here any more."""
        window = self.windows.pop(start)
        self._order.remove(start)
        self.changed.discard(start)
        self.uncovered.discard(start)
        parts = window.parts.values()
        before = dict(sorted(self.record.closed.items())[-(REMEMBERED - 1) :])
        self._step(
            horizon=start,
            windows=self.record.windows + 1,
            labelled=self.record.labelled + sum(part.labelled for part in parts),
            replaced=self.record.replaced + sum(part.replaced for part in parts),
            closed={**before, start: {number: part.labels for number, part in sorted(window.parts.items())}},
        )
        return window

    def judged(self, policy: bytes, *, unsent: bool) -> None:
        """The alert policy's new state. unsent: what it says is not on `drift-alerts` yet."""
        self._step(policy=policy, unsent=unsent)

    def revision(self, start: int, baseline: Baseline, predictions: int | None, *, final: bool) -> Revision:
        """What can be said of a window now. baseline: to compare it with."""
        window = self.windows[start]
        parts = {number: decode_label_part(part.encoded) for number, part in sorted(window.parts.items())}
        mine = [part for part in parts.values() if part.coding == coding_of(baseline).name]
        labelled = sum(part.labelled for part in parts.values())
        return Revision(
            model=self.record.model,
            version=self.record.version,
            baseline=baseline,
            window_start=start,
            window_end=window.end,
            number=window.number(known=predictions is not None, final=final),
            counts=outcomes(baseline, [part.cells for part in mine]),
            other=labelled - sum(part.labelled for part in mine),
            replaced=sum(part.replaced for part in parts.values()),
            predictions=predictions,
            final=final,
            partitions={number: part.offset for number, part in parts.items()},
        )

    def baseline_of(self, start: int, by_digest: Mapping[str, Baseline]) -> Baseline | None:
        """That most labels of a window were counted by, the smaller digest in a tie; None where none is known."""
        labels: dict[str, int] = {}
        for part in self.windows[start].parts.values():
            if part.baseline in by_digest:
                labels[part.baseline] = labels.get(part.baseline, 0) + part.labels
        return by_digest[min(labels, key=lambda digest: (-labels[digest], digest))] if labels else None

    def _step(self, **changed: object) -> None:
        self.record = replace(self.record, **changed, offset=self.seen, steps=self.record.steps + 1)
