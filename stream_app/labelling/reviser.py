"""Stage 2 of the labels: the newest parts of each window, revised reports of it, and its end.

A revision's number follows from what it is made of, so a report that a crash makes come again has the same id and says
the same, and the one with the highest number has all labels that there are:

    revision = 4 * (labelled + replaced) + 2 * final + predictions known

None of the three ever falls. A window is final when the labels' time has passed its end and the label delay in every
partition (windowing/frontier.py says when that is): then its last revision is published, and its records are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from contracts.baseline import Baseline
from contracts.label_partials import LabelPartial, encode_label_partial
from contracts.partials import Heartbeat
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
from stream_app.labelling.revised_windows import RevisedWindows, Revision
from stream_app.windowing.frontier import Frontier
from stream_app.windowing.merged_state import PartKey, VersionKey
from stream_app.windowing.merger import Records
from stream_app.windowing.typed import Version

Predictions = Callable[[str, str, int], int | None]
"""Model, version and start of a window -> predictions in it; None: not known."""


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
        self._versions: dict[Version, RevisedWindows] = {}
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
                reviser._versions[record.model, record.version] = RevisedWindows(record)
            elif isinstance(parsed, PublishedKey):
                published[parsed] = decode_published(value).revision
            else:
                parts.append((decode_label_part(value), value))
        for part, value in parts:
            if reviser._of(part.model, part.version).is_final(part.window_start):  # a crash left it undeleted
                reviser._left.append(reviser._part_key(part.model, part.version, part.window_start, part.partition))
            else:
                reviser._of(part.model, part.version).put(part, value)
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
        self._frontier.part_came()
        of = self._of(part.model, part.version)
        of.seen = max(of.seen, offset)
        value = encode_label_partial(part) if encoded is None else encoded
        if of.is_final(part.window_start):
            return ("late", [self._version_record(of)]) if of.late(part) else ("repeat", [])
        if not of.put(part, value):
            return "repeat", []
        return "open", [(self._part_key(part.model, part.version, part.window_start, part.partition), value)]

    def on_heartbeat(self, heartbeat: Heartbeat, *, past: bool = False) -> bool:
        """Take a heartbeat in; see Frontier.hear(). False when it is fenced."""
        return self._frontier.hear(heartbeat, past=past)

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
            final = set(of.final(reached, self._delay_ms))
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
                baseline = of.baseline_of(start, self._by_digest) or self._by_version.get((model, version))
                if baseline is None:
                    self.lacking.add((model, version))
                    break  # those behind it wait, too: the horizon must not pass it
                yield of.revision(start, baseline, known, final=over)

    def published(self, revision: Revision) -> Records:
        """Its report is out: what to write and delete."""
        version, start = (revision.model, revision.version), revision.window_start
        of, key = self._versions[version], revised_key(PublishedKey(self.number, *version, start))
        if not revision.final:
            of.published(start, revision.number, covered=revision.predictions is not None)
            return [(key, encode_published(Published(revision=revision.number)))]
        parts = sorted(of.close(start).parts)
        gone = [*(self._part_key(*version, start, number) for number in parts), key, *self._left]
        self._left = []
        return [self._version_record(of), *((key, None) for key in gone)]

    def judged(self, model: str, version: str, policy: bytes, *, unsent: bool) -> Records:
        """The alert policy's new state. unsent: what it says is not on `drift-alerts` yet."""
        of = self._of(model, version)
        of.judged(policy, unsent=unsent)
        return [self._version_record(of)]

    def _of(self, model: str, version: str) -> RevisedWindows:
        of = self._versions.get((model, version))
        if of is None:
            of = self._versions[model, version] = RevisedWindows(LabelVersion(model=model, version=version))
        return of

    def _part_key(self, model: str, version: str, start: int, partition: int) -> bytes:
        return revised_key(PartKey(self.number, model, version, start, partition))

    def _version_record(self, of: RevisedWindows) -> tuple[bytes, bytes]:
        key = VersionKey(self.number, of.record.model, of.record.version)
        return revised_key(key), encode_label_version(of.record)
