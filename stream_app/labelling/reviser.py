"""Stage 2 of the labels: the newest parts of each window, revised reports of it, and its end.

A revision's number follows from what it is made of, so a report that a crash makes come again has the same id and says
the same, and the one with the highest number has all labels that there are:

    revision = 4 * (labelled + replaced) + 2 * final + predictions known

None of the three ever falls. A window is final when the labels' time has passed its end and the label delay in every
partition (windowing/frontier.py says when that is): then its last revision is published, and its records are deleted.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from sys import intern
from typing import Literal

import msgspec
from msgspec.structs import replace

from contracts.baseline import Baseline
from contracts.label_partials import LabelPartial, encode_label_partial
from contracts.partials import Heartbeat
from stream_app.labelling.coding import coding_of, outcomes
from stream_app.labelling.revised_state import (
    LabelVersion,
    Published,
    PublishedKey,
    decode_label_part,
    decode_label_version,
    decode_published,
    encode_label_version,
    encode_published,
    parse_revised_key,
    revised_key,
)
from stream_app.performance.counting import OutcomeCounts
from stream_app.windowing.frontier import Frontier
from stream_app.windowing.merged_state import PartKey, VersionKey
from stream_app.windowing.merger import Records
from stream_app.windowing.typed import Version

REMEMBERED = 64
"""Final windows of a version whose labels are remembered by partition, to tell a part sent again from a late one."""
Predictions = Callable[[str, str, int], int | None]
"""Model, version and start of a window -> predictions in it; None: not known."""


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


class _Part(msgspec.Struct, frozen=True, gc=False):
    """The newest part of one source partition. encoded: all of it."""

    offset: int
    labelled: int
    replaced: int
    baseline: str
    encoded: bytes

    @property
    def labels(self) -> int:
        return self.labelled + self.replaced


class _Window:
    __slots__ = ("end", "parts", "published")

    def __init__(self, end: int) -> None:
        self.end, self.published = end, -1
        self.parts: dict[int, _Part] = {}

    def number(self, *, known: bool, final: bool) -> int:
        """Of the revision that could be published now."""
        return 4 * sum(part.labels for part in self.parts.values()) + 2 * final + known


class _Version:
    """The stored record and the windows. order: their starts, rising. seen: the last record of `label-partials`.
    changed: starts of windows that may say more than was published; uncovered: of those that were published without the
    number of predictions.
    """

    __slots__ = ("changed", "order", "record", "seen", "uncovered", "windows")

    def __init__(self, record: LabelVersion) -> None:
        self.record, self.seen = record, record.offset
        self.windows: dict[int, _Window] = {}
        self.order: list[int] = []
        self.changed: set[int] = set()
        self.uncovered: set[int] = set()

    def is_final(self, start: int) -> bool:
        """Whether its window is."""
        return self.record.horizon is not None and start <= self.record.horizon


class Reviser:
    """Stage 2 state of one partition of `label-partials`; see the module's head.

    by_digest, by_version: baselines; looked up at each use. lacking: versions that the last due() had none for.
    """

    def __init__(
        self,
        number: int,
        delay_ms: int,
        by_digest: Mapping[str, Baseline],
        by_version: Mapping[Version, Baseline],
    ) -> None:
        self.number, self._delay_ms = number, delay_ms
        self._by_digest, self._by_version = by_digest, by_version
        self._frontier = Frontier()
        self._versions: dict[Version, _Version] = {}
        self._left: list[bytes] = []
        self.lacking: set[Version] = set()

    @classmethod
    def restore(
        cls,
        number: int,
        delay_ms: int,
        stored: Iterable[tuple[bytes, bytes]],
        by_digest: Mapping[str, Baseline],
        by_version: Mapping[Version, Baseline],
    ) -> Reviser:
        """The one whose records these are; other partitions' are passed over. Raises InvalidMessage."""
        reviser = cls(number, delay_ms, by_digest, by_version)
        published: dict[PublishedKey, int] = {}
        parts: list[tuple[LabelPartial, bytes]] = []
        for key, value in stored:
            parsed = parse_revised_key(key)
            if parsed.number != number:
                continue
            if isinstance(parsed, VersionKey):
                record = decode_label_version(value)
                reviser._versions[record.model, record.version] = _Version(record)
            elif isinstance(parsed, PublishedKey):
                published[parsed] = decode_published(value).revision
            else:
                parts.append((decode_label_part(value), value))
        for part, value in parts:
            if reviser._of(part.model, part.version).is_final(part.window_start):  # a crash left it undeleted
                reviser._left.append(reviser._part_key(part.model, part.version, part.window_start, part.partition))
            else:
                reviser._put(part, value)
        for at, revision in published.items():
            of = reviser._of(at.model, at.version)
            if (window := of.windows.get(at.window_start)) is None:
                reviser._left.append(revised_key(at))
                continue
            window.published = revision
            if not revision & 1:
                of.uncovered.add(at.window_start)
        return reviser

    def on_part(
        self, part: LabelPartial, offset: int, encoded: bytes | None = None
    ) -> tuple[Literal["open", "late", "repeat"], Records]:
        """Take a part in. offset: of its record on `label-partials`. encoded: its value, which is stored as it came.
        What it was, and what to store.
        """
        of = self._of(part.model, part.version)
        of.seen = max(of.seen, offset)
        value = encode_label_partial(part) if encoded is None else encoded
        if of.is_final(part.window_start):
            return self._late(of, part)
        window = of.windows.get(part.window_start)
        mine = None if window is None else window.parts.get(part.partition)
        if mine is not None and part.offset <= mine.offset:
            return "repeat", []
        self._put(part, value)
        return "open", [(self._part_key(part.model, part.version, part.window_start, part.partition), value)]

    def on_heartbeat(self, heartbeat: Heartbeat) -> bool:
        """Take a heartbeat in; False when it is fenced: from a worker that has lost the partition since."""
        return self._frontier.hear(heartbeat)

    @property
    def open_windows(self) -> int:
        """Windows that are not final."""
        return sum(len(of.windows) for of in self._versions.values())

    def record(self, model: str, version: str) -> LabelVersion:
        """What is known of a model version beside its windows; an empty record for a new one."""
        of = self._versions.get((model, version))
        return LabelVersion(model=model, version=version) if of is None else of.record

    @property
    def unsent(self) -> list[LabelVersion]:
        """Versions whose policy has said what may not be on `drift-alerts`."""
        return [of.record for of in self._versions.values() if of.record.unsent]

    def due(
        self, predictions: Predictions, waits: Callable[[str, str, int], bool], *, news: bool = True
    ) -> Iterator[Revision]:
        """Revisions to publish now, for each version in order of start; final windows first to last.

        Each is put together when it is asked for: report it, and published() when it is acknowledged. waits: whether a
        window that is not final is left alone for now. news: `predictions` knows more than at the last call. A window
        whose baseline nobody knows waits.
        """
        reached = self._frontier.reached()
        self.lacking.clear()
        for (model, version), of in sorted(self._versions.items()):
            final = set(self._final(of, reached))
            covered = {start for start in of.uncovered if news and predictions(model, version, start) is not None}
            for start in sorted({*final, *of.changed, *covered}):
                window, over = of.windows[start], start in final
                known = predictions(model, version, start)
                number = window.number(known=known is not None, final=over)
                if number <= window.published:
                    of.changed.discard(start)
                    continue
                if not over and waits(model, version, start):
                    continue
                found = self._revision((model, version), start, window, known, final=over)
                if found is None:
                    self.lacking.add((model, version))
                    break  # those behind it wait, too: the horizon must not pass it
                yield found

    def published(self, revision: Revision) -> Records:
        """Its report is out: what to write and delete."""
        version = revision.model, revision.version
        of, start = self._versions[version], revision.window_start
        window = of.windows[start]
        of.changed.discard(start)
        key = revised_key(PublishedKey(self.number, *version, start))
        if not revision.final:
            window.published = revision.number
            (of.uncovered.add if revision.predictions is None else of.uncovered.discard)(start)
            return [(key, encode_published(Published(revision=revision.number)))]
        del of.windows[start]
        of.order.remove(start)
        of.uncovered.discard(start)
        closed = {start: {number: part.labels for number, part in sorted(window.parts.items())}}
        before = dict(sorted(of.record.closed.items())[-(REMEMBERED - 1) :])
        of.record = replace(
            of.record,
            horizon=start,
            windows=of.record.windows + 1,
            labelled=of.record.labelled + sum(part.labelled for part in window.parts.values()),
            replaced=of.record.replaced + sum(part.replaced for part in window.parts.values()),
            offset=of.seen,
            steps=of.record.steps + 1,
            closed={**before, **closed},
        )
        gone = [*(self._part_key(*version, start, number) for number in sorted(window.parts)), key, *self._left]
        self._left = []
        return [self._version_record(of), *((key, None) for key in gone)]

    def judged(self, model: str, version: str, policy: bytes, *, unsent: bool) -> Records:
        """The alert policy's new state. unsent: what it says is not on `drift-alerts` yet."""
        of = self._of(model, version)
        of.record = replace(of.record, policy=policy, unsent=unsent, steps=of.record.steps + 1, offset=of.seen)
        return [self._version_record(of)]

    def _final(self, of: _Version, reached: int | None) -> Iterator[int]:
        """Starts of the windows that take no more labels. reached: by the labels' time in all partitions."""
        for start in of.order:
            if reached is None or of.windows[start].end + self._delay_ms > reached:
                return
            yield start

    def _late(self, of: _Version, part: LabelPartial) -> tuple[Literal["late", "repeat"], Records]:
        labels = part.labelled + part.replaced
        known = of.record.closed.get(part.window_start)
        if known is None and min(of.record.closed, default=part.window_start) > part.window_start:
            return "repeat", []  # too long ago to tell; its labels were final when they were sent
        more = labels - (known or {}).get(part.partition, 0)
        if more <= 0:
            return "repeat", []
        closed = {**of.record.closed, part.window_start: {**(known or {}), part.partition: labels}}
        closed = dict(sorted(closed.items())[-REMEMBERED:])
        of.record = replace(
            of.record, late=of.record.late + more, closed=closed, offset=of.seen, steps=of.record.steps + 1
        )
        return "late", [self._version_record(of)]

    def _revision(
        self, version: Version, start: int, window: _Window, predictions: int | None, *, final: bool
    ) -> Revision | None:
        baseline = self._baseline_of(version, window)
        if baseline is None:
            return None
        parts = {number: decode_label_part(part.encoded) for number, part in sorted(window.parts.items())}
        mine = [part for part in parts.values() if part.coding == coding_of(baseline).name]
        labelled = sum(part.labelled for part in parts.values())
        return Revision(
            model=version[0],
            version=version[1],
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

    def _baseline_of(self, version: Version, window: _Window) -> Baseline | None:
        """That most labels were counted by, the smaller digest in a tie; else the version's present one."""
        labels: dict[str, int] = {}
        for part in window.parts.values():
            if part.baseline in self._by_digest:
                labels[part.baseline] = labels.get(part.baseline, 0) + part.labels
        if labels:
            return self._by_digest[min(labels, key=lambda digest: (-labels[digest], digest))]
        return self._by_version.get(version)

    def _put(self, part: LabelPartial, value: bytes) -> None:
        of = self._of(part.model, part.version)
        window = of.windows.get(part.window_start)
        if window is None:
            window = of.windows[part.window_start] = _Window(part.window_end)
            insort(of.order, part.window_start)
        # one string for all parts of a baseline, not one for each
        window.parts[part.partition] = _Part(part.offset, part.labelled, part.replaced, intern(part.baseline), value)
        of.changed.add(part.window_start)

    def _of(self, model: str, version: str) -> _Version:
        of = self._versions.get((model, version))
        if of is None:
            of = self._versions[model, version] = _Version(LabelVersion(model=model, version=version))
        return of

    def _part_key(self, model: str, version: str, start: int, partition: int) -> bytes:
        return revised_key(PartKey(self.number, model, version, start, partition))

    def _version_record(self, of: _Version) -> tuple[bytes, bytes]:
        key = VersionKey(self.number, of.record.model, of.record.version)
        return revised_key(key), encode_label_version(of.record)
