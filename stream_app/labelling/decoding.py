"""Decoding: a batch of labels becomes columns of what can be counted, dead letters, and versions that nobody knows yet.

A label's cell is found here, by the baseline of its window, so that what cannot be counted is refused before anything
is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple, cast

import msgspec
import numpy as np

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter, Reason
from contracts.errors import ContractError, InvalidEvent
from contracts.labels import Label, decode_label
from contracts.times import EPOCH, MILLISECOND
from stream_app.labelling.coding import coding_of
from stream_app.performance.counting import UNDECIDED
from stream_app.windowing.decoding import SourceRecord
from stream_app.windowing.tumbling import window_start
from stream_app.windowing.typed import Version

_SHOWN = 100


class LabelLimits(msgspec.Struct, frozen=True):
    """How far a label's times may be from its record's. max_future_ms: its own and the prediction's time ahead of it;
    max_age_ms: the prediction's time behind it.
    """

    max_future_ms: int
    max_age_ms: int


class Group(NamedTuple):
    """Labels that belong to one window. positions: in the columns, rising. baseline, coding: digest and name of what
    their cells are of.
    """

    version: Version
    window_start: int
    baseline: str
    coding: str
    positions: list[int]


class Labels(NamedTuple):
    """Labels in the order of their offsets, by column, equally long. labelled_ms: when the truth became known,
    milliseconds UTC. hashes: of the predictions' ids. (Lists: a batch may be of a thousand windows, and what an array
    costs for a label or two is more than they save.)
    """

    offsets: list[int]
    labelled_ms: list[int]
    hashes: list[int]
    cells: list[int]
    groups: list[Group]

    @classmethod
    def none(cls) -> Labels:
        """No label at all."""
        return cls([], [], [], [], [])


class DecodedLabels(msgspec.Struct, frozen=True):
    """What became of a batch, all in the records' order; see stream_app.windowing.decoding.Decoded."""

    labels: Labels
    refused: list[DeadLetter]
    unknown: set[Version]
    unknown_offsets: list[int]


CodedBy = Callable[[str, str, int], tuple[str, str] | None]
"""Model, version and start of a window -> digest of its baseline and name of its coding; None: it is not open."""


class _Row(NamedTuple):
    """A label that could be read. position: of its record."""

    position: int
    offset: int
    labelled_ms: int
    label: Label


class LabelReader(NamedTuple):
    """by_version, by_digest: baselines. coded_by: of open windows. size_ms: length of a window."""

    by_version: Mapping[Version, Baseline]
    by_digest: Mapping[str, Baseline]
    coded_by: CodedBy
    limits: LabelLimits
    size_ms: int

    def read(self, records: Sequence[SourceRecord], *, final: bool = False) -> DecodedLabels:
        """Decode records of one partition. Nothing a record holds raises: what cannot be counted is refused.

        final: versions without a baseline are refused, too; else they are in `unknown`.
        """
        faults: dict[int, InvalidEvent] = {}
        unknown: dict[int, Version] = {}
        windows: dict[tuple[str, str, int], list[_Row]] = {}
        for position, record in enumerate(records):
            try:
                label = decode_label(record.value or b"")
                event_ms = (label.event_time - EPOCH) // MILLISECOND
                labelled_ms = (label.labelled_at - EPOCH) // MILLISECOND
                self._check_times(event_ms, labelled_ms, record.timestamp)
            except InvalidEvent as fault:
                faults[position] = fault
                continue
            if (label.model, label.model_version) not in self.by_version:
                unknown[position] = label.model, label.model_version
                continue
            window = label.model, label.model_version, window_start(event_ms, self.size_ms)
            windows.setdefault(window, []).append(_Row(position, record.offset, labelled_ms, label))
        by_baseline: dict[Baseline, list[_Row]] = {}
        used: dict[tuple[str, str, int], Baseline] = {}
        for name, rows in windows.items():
            try:
                used[name] = self._baseline_of(*name)
                by_baseline.setdefault(used[name], []).extend(rows)
            except ContractError as error:
                why = error if isinstance(error, InvalidEvent) else InvalidEvent("unknown-version", str(error))
                faults.update((row.position, why) for row in rows)
        cells: dict[int, int] = {}
        for baseline, rows in by_baseline.items():
            _code(baseline, rows, cells, faults)
        groups = {name: (baseline, windows[name]) for name, baseline in used.items()}
        return _explained(_columns(groups, cells), records, faults, unknown, final=final)

    def _check_times(self, event_ms: int, labelled_ms: int, now_ms: int) -> None:
        most = self.limits.max_future_ms
        for name, time in (("event_time", event_ms), ("labelled_at", labelled_ms)):
            if time - now_ms > most:
                raise InvalidEvent("future", f"{name} is {time - now_ms} ms after the record's, {most} allowed")
        if now_ms - event_ms > self.limits.max_age_ms:
            raise InvalidEvent(
                "ancient", f"event_time is {now_ms - event_ms} ms before the record's, {self.limits.max_age_ms} allowed"
            )

    def _baseline_of(self, model: str, version: str, start: int) -> Baseline:
        """What a window's labels are coded by: the version's baseline, or that which the window was opened with where
        it counts in other bins. Raises ContractError.
        """
        baseline, open_as = self.by_version[model, version], self.coded_by(model, version, start)
        if open_as is None or coding_of(baseline).name == open_as[1]:
            coding_of(baseline)
            return baseline
        if open_as[0] not in self.by_digest:
            raise InvalidEvent(
                "unknown-version",
                f"the baseline {open_as[0]} that its window is counted by is not on `baselines` any more, and the "
                "present one has other bins",
            )
        return self.by_digest[open_as[0]]


def _code(baseline: Baseline, rows: Sequence[_Row], cells: dict[int, int], faults: dict[int, InvalidEvent]) -> None:
    """Put the cells of labels into `cells`, or why there is none into `faults`, by position."""
    counts = coding_of(baseline).counts
    scores = np.array([row.label.score for row in rows])
    truths = np.array([row.label.truth for row in rows])
    decisions = np.array([UNDECIDED if row.label.decision is None else row.label.decision for row in rows])
    usable = counts.usable(scores, truths)
    there = np.flatnonzero(usable).tolist()
    found = counts.cells(scores[usable], truths[usable], decisions[usable]).tolist()
    cells.update((rows[i].position, cell) for i, cell in zip(there, found, strict=True))
    for odd in np.flatnonzero(~usable).tolist():
        fault = InvalidEvent("malformed", f"truth is {truths[odd]:g}: a classifier's is 0 or 1")
        faults[rows[odd].position] = fault


def _columns(groups: Mapping[tuple[str, str, int], tuple[Baseline, list[_Row]]], cells: Mapping[int, int]) -> Labels:
    """cells: by position; rows without one are left out."""
    rows = sorted(row for _, found in groups.values() for row in found if row.position in cells)
    at = {row.position: number for number, row in enumerate(rows)}
    hashed = [blake2b(row.label.prediction_id.encode(), digest_size=8).digest() for row in rows]
    made = []
    for (model, version, start), (baseline, found) in groups.items():
        positions = [at[row.position] for row in found if row.position in at]
        if positions:
            made.append(Group((model, version), start, baseline.digest, coding_of(baseline).name, positions))
    return Labels(
        [row.offset for row in rows],
        [row.labelled_ms for row in rows],
        [int.from_bytes(digest, "little") for digest in hashed],
        [cells[row.position] for row in rows],
        made,
    )


def _explained(
    labels: Labels,
    records: Sequence[SourceRecord],
    faults: Mapping[int, InvalidEvent],
    unknown: Mapping[int, Version],
    *,
    final: bool,
) -> DecodedLabels:
    decoded = DecodedLabels(labels, [], set(unknown.values()), [])
    for position in sorted(faults.keys() | unknown.keys()):
        record = records[position]
        if position in faults:
            fault = faults[position]
            decoded.refused.append(DeadLetter.of(record, cast(Reason, fault.reason), fault.detail))
        elif final:
            name = "/".join(unknown[position])[:_SHOWN]
            detail = f"no baseline for model version {name!r}: publish one on the topic `baselines`"
            decoded.refused.append(DeadLetter.of(record, "unknown-version", detail))
        else:
            decoded.unknown_offsets.append(record.offset)
    return decoded
