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
import numpy.typing as npt

from contracts.baseline import Baseline
from contracts.dead_letters import DeadLetter, Reason
from contracts.errors import ContractError, InvalidEvent
from contracts.labels import Label, decode_label
from contracts.times import EPOCH, MILLISECOND
from stream_app.labelling.coding import coding_of
from stream_app.labelling.memory import Cells, Hashes
from stream_app.performance.counting import UNDECIDED
from stream_app.windowing.decoding import SourceRecord
from stream_app.windowing.tumbling import window_start
from stream_app.windowing.typed import Version

Whole = npt.NDArray[np.int64]
_SHOWN = 100


class LabelLimits(msgspec.Struct, frozen=True):
    """How far a label's times may be from its record's. max_future_ms: its own and the prediction's time ahead of it;
    max_age_ms: the prediction's time behind it.
    """

    max_future_ms: int
    max_age_ms: int


class Group(NamedTuple):
    """Labels that belong to one window. positions: of their columns, rising. baseline, coding: digest and name of what
    their cells are of.
    """

    version: Version
    window_start: int
    baseline: str
    coding: str
    positions: Whole


class Labels(NamedTuple):
    """Labels in the order of their offsets, by column, shape (labels,) each. labelled_ms: when the truth became known,
    milliseconds UTC. hashes: of the predictions' ids.
    """

    offsets: Whole
    labelled_ms: Whole
    hashes: Hashes
    cells: Cells
    groups: list[Group]

    @classmethod
    def none(cls) -> Labels:
        """No label at all."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing.astype(np.uint64), nothing.astype(np.uint16), [])


class DecodedLabels(msgspec.Struct, frozen=True):
    """What became of a batch, all in the records' order; see stream_app.windowing.decoding.Decoded."""

    labels: Labels
    refused: list[DeadLetter]
    unknown: set[Version]
    unknown_offsets: list[int]


CodedBy = Callable[[str, str, int], tuple[str, str] | None]
"""Model, version and start of a window -> digest of its baseline and name of its coding; None: it is not open."""


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
        windows: dict[tuple[str, str, int], list[tuple[int, Label]]] = {}
        labelled: dict[int, int] = {}
        offsets: list[int] = []
        for position, record in enumerate(records):
            offsets.append(record.offset)
            try:
                label = decode_label(record.value or b"")
                event_ms = (label.event_time - EPOCH) // MILLISECOND
                labelled[position] = (label.labelled_at - EPOCH) // MILLISECOND
                self._check_times(event_ms, labelled[position], record.timestamp)
            except InvalidEvent as fault:
                faults[position] = fault
                continue
            if (label.model, label.model_version) not in self.by_version:
                unknown[position] = label.model, label.model_version
                continue
            window = label.model, label.model_version, window_start(event_ms, self.size_ms)
            windows.setdefault(window, []).append((position, label))
        coded: dict[int, int] = {}
        by_window = []
        for (model, version, start), members in windows.items():
            baseline = self._code(model, version, start, members, coded, faults)
            by_window.append((model, version, start, baseline, [position for position, _ in members]))
        ids = {position: label.prediction_id for members in windows.values() for position, label in members}
        labels = _columns(offsets, labelled, ids, coded, by_window)
        return _explained(labels, records, faults, unknown, final=final)

    def _check_times(self, event_ms: int, labelled_ms: int, now_ms: int) -> None:
        most = self.limits.max_future_ms
        for name, time in (("event_time", event_ms), ("labelled_at", labelled_ms)):
            if time - now_ms > most:
                raise InvalidEvent("future", f"{name} is {time - now_ms} ms after the record's, {most} allowed")
        if now_ms - event_ms > self.limits.max_age_ms:
            raise InvalidEvent(
                "ancient", f"event_time is {now_ms - event_ms} ms before the record's, {self.limits.max_age_ms} allowed"
            )

    def _code(
        self,
        model: str,
        version: str,
        start: int,
        members: Sequence[tuple[int, Label]],
        coded: dict[int, int],
        faults: dict[int, InvalidEvent],
    ) -> Baseline:
        """Put the cells of a window's labels into `coded`, or why there is none into `faults`; the baseline used."""
        baseline = self.by_version[model, version]
        try:
            open_as = self.coded_by(model, version, start)
            if open_as is not None and coding_of(baseline).name != open_as[1]:
                if open_as[0] not in self.by_digest:
                    raise InvalidEvent(
                        "unknown-version",
                        f"the baseline {open_as[0]} that its window is counted by is not on `baselines` any more, and "
                        "the present one has other bins",
                    )
                baseline = self.by_digest[open_as[0]]
            counts = coding_of(baseline).counts
        except ContractError as error:
            fault = error if isinstance(error, InvalidEvent) else InvalidEvent("unknown-version", str(error))
            faults.update((position, fault) for position, _ in members)
            return baseline
        scores = np.array([label.score for _, label in members])
        truths = np.array([label.truth for _, label in members])
        decisions = np.array([UNDECIDED if label.decision is None else label.decision for _, label in members])
        usable = counts.usable(scores, truths)
        cells = counts.cells(scores[usable], truths[usable], decisions[usable])
        positions = np.array([position for position, _ in members])
        coded.update(zip(positions[usable].tolist(), cells.tolist(), strict=True))
        for odd in np.flatnonzero(~usable).tolist():
            words = f"truth is {truths[odd]:g}: a classifier's is 0 or 1"
            faults[int(positions[odd])] = InvalidEvent("malformed", words)
        return baseline


def _columns(
    offsets: Sequence[int],
    labelled: Mapping[int, int],
    ids: Mapping[int, str],
    coded: Mapping[int, int],
    windows: Sequence[tuple[str, str, int, Baseline, list[int]]],
) -> Labels:
    there = sorted(coded)
    at = {position: number for number, position in enumerate(there)}
    groups = []
    for model, version, start, baseline, positions in windows:
        members = [at[position] for position in positions if position in at]
        if members:
            coding = coding_of(baseline).name
            groups.append(Group((model, version), start, baseline.digest, coding, np.array(members, dtype=np.int64)))
    digests = b"".join([blake2b(ids[position].encode(), digest_size=8).digest() for position in there])
    return Labels(
        np.array([offsets[position] for position in there], dtype=np.int64),
        np.array([labelled[position] for position in there], dtype=np.int64),
        np.frombuffer(digests, dtype="<u8").astype(np.uint64),
        np.array([coded[position] for position in there], dtype=np.uint16),
        groups,
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
