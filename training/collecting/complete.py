"""Complete: the windows whose labels have all come, as the `performance` reports say. Pure.

Only these are learnt. What is labelled early is seldom like the rest: fraud is reported within days, its absence is
known after weeks. So half of a window's labels would teach, and test, a share of positives that is not the world's.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime

from contracts.performance import PerformanceReport
from stream_app.performance.report import is_complete


class Complete:
    """The complete windows of each version of a model."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._newest: dict[tuple[str, datetime], tuple[int, datetime, bool]] = {}
        self._spans: dict[str, list[tuple[datetime, datetime]]] | None = None

    def add(self, report: PerformanceReport) -> None:
        """Of several revisions of a window the highest counts, in whatever order they come."""
        if report.model != self._model:
            return
        key = report.version, report.window_start
        if key not in self._newest or self._newest[key][0] < report.revision:
            complete = is_complete(report.labelled, report.predictions, report.final)
            self._newest[key] = report.revision, report.window_end, complete
            self._spans = None

    def holds(self, version: str, moment: datetime) -> bool:
        """Whether a prediction of this version and event time lies in a complete window."""
        if self._spans is None:
            self._spans = {}
            for (of, start), (_, end, complete) in sorted(self._newest.items()):
                if complete:
                    self._spans.setdefault(of, []).append((start, end))
        spans = self._spans.get(version, [])
        before = bisect_right(spans, moment, key=lambda span: span[0])
        return before > 0 and moment < spans[before - 1][1]
