"""PerformanceReport: how good a model version really was in one window, as far as labels have come; and the estimate
that is made before they come.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from contracts.errors import InvalidMessage
from contracts.times import UtcTime

Better = Literal["higher", "lower", "zero"]


class Measured(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One measure of performance. low, high: its 95 % interval in this window. reference: the same of the baseline's
    validation rows; reference_low, reference_high: its interval there. better: where good is. p_value: of being
    no worse than the reference, None where that is not tested. degraded: worse than the reference beyond what chance
    and natural variation explain, and by enough to matter. natural_low, natural_high: where 95 % of windows with as
    many labels lie while all is well, None where natural variation was not learnt.
    """

    name: str
    value: float
    better: Better
    low: float | None = None
    high: float | None = None
    reference: float | None = None
    reference_low: float | None = None
    reference_high: float | None = None
    p_value: float | None = None
    degraded: bool = False
    natural_low: float | None = None
    natural_high: float | None = None


class PerformanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """One window of one model version, by event time of its predictions. It is revised as labels come: of the records
    with the same (model, version, window_start) the one with the highest revision counts.

    id: names the window and the revision. labelled: predictions whose label has come; predictions: those of the window
    that there are, None while it is not known. final: the label delay is over, nothing is added any more.
    status: insufficient: too few labels, or one truth only, to compare. replaced: labels given anew with another truth.
    partitions: source partition of `labels` -> last offset counted.
    """

    id: str
    model: str
    version: str
    baseline: str
    window_start: UtcTime
    window_end: UtcTime
    revision: int
    labelled: int
    predictions: int | None
    positives: int | None
    status: Literal["well", "degraded", "insufficient"]
    metrics: tuple[Measured, ...]
    degraded: tuple[str, ...] = ()
    replaced: int = 0
    final: bool = False
    summary: str = ""
    partitions: dict[int, int] = {}
    notes: tuple[str, ...] = ()
    v: Literal[1] = 1

    @property
    def coverage(self) -> float | None:
        """Share of the window's predictions that are labelled, 0 to 1; None while their number is not known."""
        return self.labelled / self.predictions if self.predictions else None

    def metric(self, name: str) -> Measured | None:
        """One measure by its name."""
        return next((metric for metric in self.metrics if metric.name == name), None)


class Estimated(msgspec.Struct, frozen=True, kw_only=True):
    """Performance expected from the scores alone, before any label: right as long as the scores mean what they meant.

    It cannot see concept drift. value: by name of the measure. reference: the same of the baseline's rows.
    """

    values: dict[str, float]
    reference: dict[str, float]


def performance_id(model: str, version: str, window_start: datetime, revision: int) -> str:
    """Names one revision of one window; the same however often it is computed."""
    return f"{model}/{version}/{window_start.isoformat()}/{revision}"


_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(PerformanceReport)


def encode_performance(report: PerformanceReport) -> bytes:
    """JSON of a report."""
    return _encode(report)


def decode_performance(data: bytes) -> PerformanceReport:
    """Read a report. Raises InvalidMessage."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMessage(f"not a performance report: {error}") from error
