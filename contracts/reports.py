"""DriftReport: what was found when a window closed. One per (model version, window); its id never changes."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.findings import Cause, ModelEffect
from contracts.performance import Estimated
from contracts.times import UtcTime

Status = Literal["quiet", "alarm", "insufficient"]
VerdictKind = Literal["numeric", "categorical", "boolean", "score", "decision"]
Finding = Literal["values", "missing", "out_of_range", "unseen", "positives", "performance"]
"""What is unusual about a feature: its values as a whole, or one of its rates. performance: a measure is worse."""
QUALITY: tuple[Finding, ...] = ("missing", "out_of_range", "unseen")
"""Findings that are never harmless: data that is not what it was."""
Null = Literal["sampling", "learnt"]
"""What a p-value holds a statistic against: chance alone, or how the reference's own windows vary by nature."""


class Statistic(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One test of one feature. value: of the statistic (a rate for rates). p_value: None where there is no test.

    reference: the same quantity in the reference, for rates. null: of the p-value.
    """

    name: str
    value: float
    p_value: float | None = None
    reference: float | None = None
    null: Null = "sampling"


class FeatureVerdict(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What was found about one feature in one window.

    p_value: combined over the value tests. effect: the KS distance, or for categories the largest change of one
    level's share; 0 to 1. A rate that alarms lends both its own where they are stronger. findings: what alarms, empty
    when nothing does; significant and material are its two parts.
    rows: values compared, missing included. minimum, maximum: of the window's numeric values. cause, model_effect: for
    features that alarm; model_effect is None where the baseline knows no scores. harmless: it hardly moves the score.
    """

    feature: str
    kind: VerdictKind
    rows: int
    missing: int
    p_value: float
    effect: float
    statistics: tuple[Statistic, ...]
    findings: tuple[Finding, ...] = ()
    significant: bool = False
    material: bool = False
    out_of_range: int = 0
    unseen: int = 0
    minimum: float | None = None
    maximum: float | None = None
    cause: Cause | None = None
    model_effect: ModelEffect | None = None
    harmless: bool = False

    @property
    def alarm(self) -> bool:
        """Whether this feature alarms in this window (a page needs more: see the alert policy)."""
        return bool(self.findings)


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """One closed window, compared with the baseline of its model version.

    rows: events of this window alone; shadow_rows: those of them that the version scored as a shadow, with nobody
    answered. compared_rows: events compared; more than rows when thin windows before it were
    merged in (merged_windows of them), 0 when the status is `insufficient`. alarms: features that alarm, strongest
    first. partitions: source partition -> last offset counted. preset: the decision rule's name. notes: what a reader
    should know of how these verdicts were made, one sentence each. estimated: performance expected from the scores
    alone, None where the baseline does not know how its scores turned out.
    """

    id: str
    model: str
    version: str
    baseline: str
    window_start: UtcTime
    window_end: UtcTime
    rows: int
    compared_rows: int
    merged_windows: int
    status: Status
    preset: str
    alarms: tuple[str, ...]
    features: tuple[FeatureVerdict, ...]
    partitions: dict[int, int] = {}
    notes: tuple[str, ...] = ()
    estimated: Estimated | None = None
    shadow_rows: int = 0
    v: Literal[1] = 1
    subject: ClassVar[Literal["drift"]] = "drift"

    def verdict(self, feature: str) -> FeatureVerdict | None:
        """The verdict on one feature, None where it was not compared."""
        return next((verdict for verdict in self.features if verdict.feature == feature), None)


def report_id(model: str, version: str, window_start: datetime) -> str:
    """The same window always has the same report id, so a repeated report can be recognised."""
    return f"{model}/{version}/{window_start.isoformat()}"


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(DriftReport)


def encode_report(report: DriftReport) -> bytes:
    """JSON of a report."""
    return _encode(report)


def decode_report(data: bytes) -> DriftReport:
    """Read a report. Raises InvalidMessage."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"not a drift report: {error}") from error
